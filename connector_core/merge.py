"""The three-way merge: for one field, what both sides last agreed on, what each shows now, and so what to do.

Pure: no clock, no I/O, no vendor. The third leg is `Agreed`, which holds the last agreed value *as each side shows it*,
because the two sides may show one value differently (a title cut to fit, a description in another markup). A side has
moved when it differs from its own half. What equals the agreed value is an echo and ends here, so loops cannot start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from connector_core.models import FieldName, Incident, IncidentStatus, Record, TicketSnapshot

Value = str | None

OPEN = "open"
CLOSED = "closed"


class Agreed(Record):
    """The value of one field that both sides last agreed on, as each side shows it.

    After we wrote to the incident, `replaced` is what it showed before, and `replaced_at` when: an event that the
    platform sent before our write reached it still carries the old value and must not count as a change.
    """

    incident: str | None
    ticket: str | None
    replaced: str | None = None
    replaced_at: AwareDatetime | None = None


Base = Mapping[FieldName, Agreed]


class Flow(StrEnum):
    """Which way a field travels."""

    BOTH = "both"
    TO_TICKET = "to_ticket"
    FROM_TICKET = "from_ticket"
    OFF = "off"


class ConflictRule(StrEnum):
    """Who wins when both sides moved apart."""

    LATEST_WINS = "latest_wins"
    INCIDENT_WINS = "incident_wins"
    TICKET_WINS = "ticket_wins"


@dataclass(frozen=True)
class FieldRule:
    """How one field is kept in step."""

    flow: Flow = Flow.BOTH
    conflict: ConflictRule = ConflictRule.LATEST_WINS


Rules = Mapping[FieldName, FieldRule]

DEFAULT_RULES: Rules = {
    FieldName.TITLE: FieldRule(),
    FieldName.DESCRIPTION: FieldRule(flow=Flow.FROM_TICKET),
    FieldName.PRIORITY: FieldRule(),
    FieldName.STATUS: FieldRule(),
}


class Action(StrEnum):
    """What to do about a field that is not in step."""

    TO_TICKET = "to_ticket"
    TO_INCIDENT = "to_incident"
    AGREE = "agree"


@dataclass(frozen=True)
class Decision:
    """What to do about one field, and why; the values are those that each side shows now."""

    field: FieldName
    action: Action
    incident: Value
    ticket: Value
    reason: str
    conflict: bool = False


@dataclass(frozen=True)
class Sides:
    """Both sides of a link as last seen, and when."""

    incident: Incident
    incident_at: datetime
    ticket: TicketSnapshot

    @property
    def incident_is_later(self) -> bool:
        """Tell whether the incident changed after the ticket; a ticket that names no time came first."""
        return self.ticket.updated is None or self.incident_at >= self.ticket.updated


def incident_value(incident: Incident, field: FieldName) -> Value:
    """Read one field of an incident in the form that is compared."""
    if field is FieldName.TITLE:
        return incident.title
    if field is FieldName.DESCRIPTION:
        return incident.description or None
    if field is FieldName.PRIORITY:
        return incident.priority
    return CLOSED if incident.status is IncidentStatus.CLOSED else OPEN


def ticket_value(ticket: TicketSnapshot, field: FieldName) -> Value:
    """Read one field of a ticket in the form that is compared."""
    if field is FieldName.TITLE:
        return ticket.title
    if field is FieldName.DESCRIPTION:
        return ticket.description or None
    if field is FieldName.PRIORITY:
        return ticket.priority
    return CLOSED if ticket.done else OPEN


def merge(base: Base, sides: Sides, rules: Rules = DEFAULT_RULES) -> list[Decision]:
    """Return a decision for every field that is not in step, in the order of `FieldName`."""
    decisions = (_merge_field(field, base[field], sides, rules[field]) for field in FieldName)
    return [decision for decision in decisions if decision is not None]


def _merge_field(field: FieldName, agreed: Agreed, sides: Sides, rule: FieldRule) -> Decision | None:
    incident = incident_value(sides.incident, field)
    ticket = ticket_value(sides.ticket, field)
    incident_moved = incident != agreed.incident and not _sent_before_our_write(incident, agreed, sides)
    ticket_moved = ticket != agreed.ticket
    if not incident_moved and not ticket_moved:
        return None
    if incident_moved and ticket_moved and incident == ticket:
        return Decision(field, Action.AGREE, incident, ticket, "both sides moved to the same value")
    incident_wins = incident_moved and (not ticket_moved or _incident_wins(sides, rule))
    action, reason = (
        _carry_to_ticket(field, incident, rule) if incident_wins else _carry_to_incident(field, ticket, rule)
    )
    return Decision(field, action, incident, ticket, reason, conflict=incident_moved and ticket_moved)


def _sent_before_our_write(incident: Value, agreed: Agreed, sides: Sides) -> bool:
    return agreed.replaced_at is not None and incident == agreed.replaced and sides.incident_at <= agreed.replaced_at


def _incident_wins(sides: Sides, rule: FieldRule) -> bool:
    """Settle a conflict; a side whose value may not travel cannot win it."""
    if rule.flow is Flow.TO_TICKET:
        return True
    if rule.flow is Flow.FROM_TICKET:
        return False
    if rule.conflict is ConflictRule.LATEST_WINS:
        return sides.incident_is_later
    return rule.conflict is ConflictRule.INCIDENT_WINS


def _carry_to_ticket(field: FieldName, value: Value, rule: FieldRule) -> tuple[Action, str]:
    if rule.flow not in {Flow.BOTH, Flow.TO_TICKET}:
        return Action.AGREE, "this field does not travel to the ticket"
    if field is FieldName.STATUS and value == OPEN:
        return Action.AGREE, "a finished ticket is never reopened"
    if field is FieldName.PRIORITY and value is None:
        return Action.AGREE, "the incident's priority has no partner"
    return Action.TO_TICKET, "the incident changed"


def _carry_to_incident(field: FieldName, value: Value, rule: FieldRule) -> tuple[Action, str]:
    if rule.flow not in {Flow.BOTH, Flow.FROM_TICKET}:
        return Action.AGREE, "this field does not travel to the incident"
    if field is FieldName.STATUS and value == OPEN:
        return Action.AGREE, "a closed incident is never reopened"
    if field is FieldName.PRIORITY and value is None:
        return Action.AGREE, "the ticket's priority has no partner"
    return Action.TO_INCIDENT, "the ticket changed"
