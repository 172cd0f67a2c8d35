"""Tickets that are not where they were: why one is gone, and whether a moved one still fits what its link keeps."""

from __future__ import annotations

from connector_core.contract.errors import ConnectorError, RemoteError, RetryLater, TicketGone
from connector_core.contract.models import Absence, AbsenceKind, Finding, Severity, TicketSnapshot
from connector_core.store import GONE_FIX, MOVED, choices
from connector_core.sync.lane import Lane


def explain_gone(lane: Lane, gone: TicketGone) -> ConnectorError:
    """Return the error that says why a ticket is not there, as far as the ticketing system tells."""
    status, ticket = lane.link.status, lane.link.ticket
    if ticket is None or not lane.plugin.implements("explain_absence"):
        return gone
    if status.code == AbsenceKind.DELETED:  # the ticketing system has said so
        return TicketGone(status.reason, code=status.code, detail=gone.detail, fix=GONE_FIX)
    try:
        absence = lane.ask("explain_absence", tickets=(ticket,)).get(ticket.id)
    except ConnectorError as exc:
        return exc
    if not isinstance(absence, Absence):
        return gone
    return TicketGone(absence.reason, code=absence.kind.value, detail=gone.detail, fix=absence.fix)


def check_moved(lane: Lane, ticket: TicketSnapshot) -> None:
    """Check a ticket that was moved.

    Raises:
        RemoteError: it does not fit; a person has to choose.
    """
    if not lane.plugin.implements("check_ticket"):
        return
    try:
        findings = lane.ask("check_ticket", ticket=ticket)
    except RetryLater as exc:  # under the same name, so that the next try checks again
        raise RetryLater(exc.message, after_s=exc.after_s, scope=exc.scope, code=MOVED, detail=exc.detail) from exc
    problems = [one for one in findings if isinstance(one, Finding) and one.severity is Severity.PROBLEM]
    if problems:
        fixes = " ".join(one.fix for one in problems if one.fix)
        raise RemoteError(
            f"The ticket was moved, and what its link keeps does not fit there: {_sentence(problems)}",
            code="moved_unfit",
            fix=f"{fixes} Or go on as it is: connector retry {lane.link.id}. {choices(lane.link.id)}".strip(),
        )


def _sentence(findings: list[Finding]) -> str:
    return "; ".join(f"{one.title} ({one.detail})" if one.detail else one.title for one in findings) + "."
