"""Moving a ticket to its close status.

What is configured is the status, not the transition: transitions belong to a workflow and differ by where a ticket
stands. The way found is remembered for the next ticket in the same place, and looked up again when Jira refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector_core import Integration, Receipt, RemoteError, TicketGone, TicketSnapshot
from connector_jira_jsm import mapping
from connector_jira_jsm.client import JiraClient
from connector_jira_jsm.forms import priorities
from connector_jira_jsm.mapping import Json
from connector_jira_jsm.settings import DO_NOT_CLOSE, JiraSettings, active_settings

RESOLUTION = "resolution"
USUAL_RESOLUTION = "done"
WAYS = "ways"
MOST_WAYS = 500


@dataclass(frozen=True)
class Way:
    """A transition that ends in the close status or, failing that, in another one of the category Done."""

    transition_id: str
    fields: Json
    status: str
    done: bool
    note: str = ""


def close(integration: Integration, client: JiraClient, ticket: TicketSnapshot) -> Receipt:
    """Close the ticket, unless people do that or have done it."""
    settings = active_settings(integration)
    if settings.close_status == DO_NOT_CLOSE:
        return Receipt(ticket=ticket, note="Tickets are not closed automatically (Close Status).")
    if ticket.done:
        return Receipt(ticket=ticket)
    ways: dict[str, Way] = integration.cache.setdefault(WAYS, {})
    key = _place(settings, ticket)
    known = ways.get(key)
    if known is not None:
        try:
            return _go(client, ticket, known)
        except TicketGone:
            raise
        except RemoteError as exc:
            integration.log.info("known_transition_refused", ticket=ticket.key, detail=exc.detail)
            ways.pop(key, None)
            ticket = _now(client, integration, ticket)
            if ticket.done:
                return Receipt(ticket=ticket, note="The ticket was closed already.")
    way = _find_way(client.transitions(ticket.id), settings.close_status)
    if way is None:
        return _already_there(client, integration, settings, ticket)
    receipt = _go(client, ticket, way)
    if len(ways) < MOST_WAYS:
        ways[_place(settings, ticket)] = way
    return receipt


def _go(client: JiraClient, ticket: TicketSnapshot, way: Way) -> Receipt:
    client.transition(ticket.id, way.transition_id, way.fields)
    return Receipt(ticket=ticket.model_copy(update={"status": way.status, "done": way.done}), note=way.note)


def _find_way(transitions: Sequence[Json], close_status: str) -> Way | None:
    """Choose the transition to the close status, else one to any status of the category Done.

    Raises:
        RemoteError: the way asks for fields that nobody filled in.
    """
    usable = [t for t in transitions if t.get("isAvailable") is not False and isinstance(t.get("to"), dict)]
    exact = [t for t in usable if str(t["to"].get("id")) == close_status]
    done = [t for t in usable if mapping.is_done(t["to"])]
    candidates = exact or done
    if not candidates:
        return None
    # One that asks for nothing is better than one that does.
    chosen = min(candidates, key=lambda transition: len(_required(transition)))
    to = chosen["to"]
    notes = []
    if not exact:
        notes.append(f'No transition led to the close status; "{to.get("name")}" was taken, which counts as done too.')
    if not mapping.is_done(to):
        notes.append(f'"{to.get("name")}" is not of the category Done: Jira still sees the ticket as open.')
    return Way(str(chosen.get("id")), _screen(chosen), str(to.get("name")), mapping.is_done(to), " ".join(notes))


def _screen(transition: Json) -> dict[str, Any]:
    """Fill in the transition's screen: a resolution can be chosen, anything else cannot."""
    required = _required(transition)
    missing = [str(field.get("name") or name) for name, field in required.items() if name != RESOLUTION]
    resolution = _resolution(required[RESOLUTION]) if RESOLUTION in required else None
    if RESOLUTION in required and resolution is None:
        missing.append("Resolution")
    if missing:
        raise RemoteError(
            f'The transition "{transition.get("name")}" needs fields that the connector cannot fill: '
            f"{', '.join(missing)}.",
            code="transition_needs_fields",
            fix="In Jira, Project settings > Workflows: take these fields off the transition's screen or make them "
            "optional, or choose another close status. Then retry.",
        )
    return {RESOLUTION: resolution} if resolution else {}


def _required(transition: Json) -> dict[str, Json]:
    fields = transition.get("fields")
    if not isinstance(fields, dict):
        return {}
    return {
        str(name): field
        for name, field in fields.items()
        if isinstance(field, dict) and field.get("required") is True and field.get("hasDefaultValue") is not True
    }


def _resolution(field: Json) -> Json | None:
    allowed = [value for value in field.get("allowedValues") or () if isinstance(value, dict) and value.get("id")]
    usual = [value for value in allowed if str(value.get("name", "")).casefold() == USUAL_RESOLUTION]
    return {"id": str((usual or allowed)[0]["id"])} if allowed else None


def _already_there(
    client: JiraClient, integration: Integration, settings: JiraSettings, ticket: TicketSnapshot
) -> Receipt:
    """Find out why no transition leads on: because the ticket is there, or because the workflow has none."""
    issue = client.issue(ticket.id)
    ticket = mapping.snapshot(issue, priorities(integration, client), client.site_url()) or ticket
    fields = issue.get("fields")
    status = fields.get("status") if isinstance(fields, dict) else None
    if ticket.done or (isinstance(status, dict) and str(status.get("id")) == settings.close_status):
        return Receipt(ticket=ticket, note="The ticket was in its close status already.")
    raise RemoteError(
        f'No transition leads from "{ticket.status}" to the close status, or to any status of the category Done.',
        code="no_close_transition",
        fix="In Jira, Project settings > Workflows: add a transition from this status to the close status and let the "
        "authorized account use it (Transition issues permission). Then retry.",
    )


def _now(client: JiraClient, integration: Integration, ticket: TicketSnapshot) -> TicketSnapshot:
    return mapping.snapshot(client.issue(ticket.id), priorities(integration, client), client.site_url()) or ticket


def _place(settings: JiraSettings, ticket: TicketSnapshot) -> str:
    """Name where a ticket stands: tickets of one request type in one project and status share a workflow's ways."""
    return f"{mapping.project_of(ticket.key)}/{settings.request_type}/{ticket.status}>{settings.close_status}"
