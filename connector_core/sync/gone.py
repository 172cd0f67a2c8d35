"""Tickets that are not where they were: why one is gone, and whether a moved one still fits what its link keeps."""

from __future__ import annotations

from connector_core.contract.errors import ConnectorError, RemoteError, RetryLater, TicketGone
from connector_core.contract.merge import as_they_are
from connector_core.contract.models import Absence, AbsenceKind, Finding, Severity, TicketSnapshot, UnreadableTicket
from connector_core.store import GONE_FIX, MOVED, Nuance, Progress, TimelineKind
from connector_core.sync.lane import Lane

MOST_MERGES = 5  # of tickets that went into others one after the other


def explain_gone(lane: Lane, gone: TicketGone) -> ConnectorError | None:
    """Return the error that says why a ticket is not there, as far as the ticketing system tells.

    None where it went into another ticket, which the link has now.
    """
    status, ticket = lane.link.status, lane.link.ticket
    if ticket is None or not lane.plugin.implements("explain_absence"):
        return gone
    if status.code == AbsenceKind.DELETED:  # the ticketing system has said so
        return TicketGone(status.reason, code=status.code, detail=gone.detail, fix=GONE_FIX)
    try:
        absence = _absence(lane, ticket)
        if absence is not None and absence.kind is AbsenceKind.MERGED:
            return _follow(lane, ticket, absence)
    except ConnectorError as exc:
        return exc
    if absence is None:
        return gone
    return TicketGone(absence.reason, code=absence.kind.value, detail=gone.detail, fix=absence.fix)


def _absence(lane: Lane, ticket: TicketSnapshot) -> Absence | None:
    with lane.guard_reading():
        return lane.plugin.explain_absence(lane.integration, (ticket,)).get(ticket.id)


def _follow(lane: Lane, ticket: TicketSnapshot, absence: Absence) -> ConnectorError | None:
    """Have the link follow its ticket into the one that it went into; return what stands against that."""
    new, last = None, absence
    for _ in range(MOST_MERGES):
        if last.into is None or new is not None:
            break
        found = lane.fetch(last.into)
        if isinstance(found, UnreadableTicket):
            return RetryLater("The ticket went into one that cannot be read.", code="ticket_unreadable")
        if found:
            new = found[0]
        else:
            last = _absence(lane, TicketSnapshot(id=last.into)) or Absence.untold()
    if new is None:
        return TicketGone(absence.reason, code=AbsenceKind.MERGED, fix=absence.fix)
    new = new if new.key else new.model_copy(update={"key": new.id})
    if lane.integration.core.is_linked(new.id):
        text = f"The ticket was merged into {new.key}, which another incident has."
        return TicketGone(text, code=AbsenceKind.MERGED, fix=f"Whoever works on it does so in {new.key}.")
    values = {"why": Nuance.FOLLOWED, "former": ticket.key, "ticket": new.key, "note": absence.reason}
    entry = lane.entry(TimelineKind.TICKET_MERGED, "ticket", values)
    lane.record(Progress(follows=new, base=as_they_are(lane.link.incident, new), entries=(entry,)))
    return None


def check_moved(lane: Lane, ticket: TicketSnapshot) -> None:
    """Check a ticket that was moved.

    Raises:
        RemoteError: it does not fit; a person has to choose.
    """
    if not lane.plugin.implements("check_ticket"):
        return
    try:
        with lane.guard_reading():
            findings = lane.plugin.check_ticket(lane.integration, ticket)
    except RetryLater as exc:  # under the same name, so that the next try checks again
        raise RetryLater(exc.message, after_s=exc.after_s, scope=exc.scope, code=MOVED, detail=exc.detail) from exc
    problems = [one for one in findings if isinstance(one, Finding) and one.severity is Severity.PROBLEM]
    if problems:
        fixes = " ".join(one.fix for one in problems if one.fix)
        raise RemoteError(
            f"The ticket was moved, and what its link keeps does not fit there: {_sentence(problems)}",
            code="moved_unfit",
            fix=fixes,
        )


def _sentence(findings: list[Finding]) -> str:
    return "; ".join(f"{one.title} ({one.detail})" if one.detail else one.title for one in findings) + "."
