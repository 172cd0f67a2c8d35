"""Linking an incident with a ticket that exists: the ticket is read and compared first, then somebody confirms."""

from __future__ import annotations

from starlette.responses import Response

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import TicketSnapshot
from connector_core.linking.outcomes import LONGEST_NAME, Linked, Outcome, Wanted
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import NotVisible, Visit, go

_LINK = "link"
#: What came of it, as a sentence that names both; the rest is said in the detail.
_TITLES = {
    Outcome.KNOWN: "The incident and this ticket are already linked.",
    Outcome.INVALID: "Enter both.",
    Outcome.INCIDENT_UNKNOWN: "There is no such incident.",
    Outcome.HAS_TICKET: "The incident already has a ticket.",
    Outcome.TICKET_UNKNOWN: "The ticket was not found.",
    Outcome.TICKET_UNREADABLE: "The ticket cannot be read.",
    Outcome.TAKEN: "The ticket belongs to another incident.",
    Outcome.FINISHED: "The ticket is already done.",
    Outcome.BUSY: "Try again in a moment.",
    Outcome.FAILED: "The ticket could not be read.",
}


def ask(visit: Visit) -> Response:
    """Ask for an incident and its ticket; an address may name the incident."""
    return _page(visit, _seen(visit), visit.query.get("incident", "")[:LONGEST_NAME], "")


def act(visit: Visit) -> Response:
    """Read the ticket and show what linking it would do; once that is confirmed, link it."""
    seen = _seen(visit)
    incident, ticket = visit.form.get("incident", "").strip(), visit.form.get("ticket", "").strip()
    is_confirmed = visit.form.get("action") == _LINK
    (done,) = visit.app.linker.link(
        [Wanted(incident, ticket, seen.id, seen.record.organization)],
        dry_run=not is_confirmed,
        finished=visit.form.get("finished") == "yes",
        organizations=frozenset({seen.record.organization}),
    )
    if done.outcome is Outcome.LINKED:
        return go(f"/links/{_number(visit, seen, incident)}", "ticket_linked")
    return _page(visit, seen, incident, ticket, done)


def _page(visit: Visit, seen: Usable, incident: str, ticket: str, done: Linked | None = None) -> Response:
    is_refused = done is not None and not done.outcome.is_good
    found = done.ticket if done is not None and done.outcome is Outcome.WOULD_LINK else None
    return visit.page(
        "link_ticket.html",
        422 if is_refused else 200,
        seen=seen,
        system=seen.entry.plugin.info.spoken,
        incident=incident,
        ticket=ticket,
        longest=LONGEST_NAME,
        done=done,
        problem="" if done is None else _TITLES.get(done.outcome, ""),
        found=found if isinstance(found, TicketSnapshot) else None,
        is_finished=done is not None and done.outcome is Outcome.FINISHED,
        closes=visit.form.get("finished") == "yes",
        link=_number(visit, seen, incident) if done is not None and done.outcome is Outcome.KNOWN else None,
    )


def _number(visit: Visit, seen: Usable, incident: str) -> int | None:
    """Return the number of the link of an incident with this integration, if there is one."""
    found = visit.app.store.links.find(integration_id=seen.id, text=incident)
    return next((one.id for one in found if one.incident_id == incident), None)


def _seen(visit: Visit) -> Usable:
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")
    seen = visible.usable(visit, visit.named("integration"))
    if seen.record.state is IntegrationState.DRAFT:
        raise ConfigError(
            "Setup of this integration is not finished.",
            code="integration_not_active",
            fix="Finish setup; then link tickets that exist.",
        )
    return seen
