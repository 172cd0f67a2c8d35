"""The three-way merge: for one field, what both sides last agreed on, what each shows now, and so what to do.

Pure: no clock, no I/O, no vendor. The third leg is `Agreed`, which holds the last agreed value *as each side shows it*,
because the two sides may show one value differently (a title cut to fit, a description in another markup). A side has
moved when it differs from its own half. What equals the agreed value is an echo and ends here, so loops cannot start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from connector_core.contract.field_values import OPEN, Value, incident_value, ticket_value
from connector_core.contract.models import (
    FieldChange,
    FieldName,
    Incident,
    Record,
    TicketSnapshot,
)
from connector_core.contract.shaping import Shaping, Shown
from connector_core.contract.times import Told, is_later


class Side(StrEnum):
    """One of the two that are kept in sync."""

    INCIDENT = "incident"
    TICKET = "ticket"


class Agreed(Record):
    """The value of one field that both sides last agreed on, as each side shows it.

    An event that the platform sent before our write reached it shows what our write has overtaken. `written_at` is the
    platform's own time of our write: whatever an event of before shows is overtaken. Where the platform told no time,
    `replaced` is what it showed before and `replaced_at` our time: an event of before with that value is overtaken.

    `lost` names the sides of which nobody remembers what was agreed on: each counts as having moved.

    With `ticket_unknown` the ticket has not shown the field yet: the first value that it shows is taken as it is,
    unless what was agreed on is lost too.

    `unkept` says what the ticket shows in place of our write, which it took twice: it is not written again by itself.

    `pending` names the side that we began to write `sent` to without knowing how that ended: the side may show it by
    now, which is then no change of a person's, and has to be written again in any case. Without a side, `sent` is what
    was written and what the ticket shows in a form of its own, as its plugin says.
    """

    incident: str | None
    ticket: str | None
    pending: Side | None = None
    sent: str | None = None
    written_at: AwareDatetime | None = None
    replaced: str | None = None
    replaced_at: AwareDatetime | None = None
    ticket_only: str | None = None
    unkept: str | None = None
    lost: tuple[Side, ...] = ()
    ticket_unknown: bool = False

    @property
    def has_own_form(self) -> bool:
        """Return whether the ticket shows its own form of what was written: that is no difference."""
        return self.pending is None and self.sent is not None and self.sent == self.incident

    def overtakes(self, value: str | None, at: datetime, now: datetime) -> bool:
        """Return whether what an event of a time, received now, shows was overtaken by our write."""
        if self.written_at is not None:
            return at == self.written_at or is_later(self.written_at, at, now)
        return self.replaced_at is not None and at <= self.replaced_at and value == self.replaced


Base = Mapping[FieldName, Agreed]


class Direction(StrEnum):
    """Which way a field is synced."""

    BOTH = "both"
    TO_TICKET = "to_ticket"
    FROM_TICKET = "from_ticket"
    OFF = "off"


class ConflictRule(StrEnum):
    """Who wins when both sides moved apart; with `ASK` a person says."""

    LATEST_WINS = "latest_wins"
    INCIDENT_WINS = "incident_wins"
    TICKET_WINS = "ticket_wins"
    ASK = "ask"


class FieldRule(Record):
    """How one field is kept in sync."""

    direction: Direction = Direction.BOTH
    on_conflict: ConflictRule = ConflictRule.LATEST_WINS

    @property
    def goes_by_time(self) -> bool:
        """Return whether the later change wins a conflict; where a value goes one way only nothing is to be won."""
        return self.direction is Direction.BOTH and self.on_conflict is ConflictRule.LATEST_WINS


Rules = Mapping[FieldName, FieldRule]

# The product page's: the description is synced from the ticket only, and nothing asks anybody.
DEFAULT_RULES: Rules = {
    FieldName.TITLE: FieldRule(),
    FieldName.DESCRIPTION: FieldRule(direction=Direction.FROM_TICKET),
    FieldName.PRIORITY: FieldRule(),
    FieldName.STATUS: FieldRule(),
}


class Action(StrEnum):
    """What to do about a field that is not in sync."""

    TO_TICKET = "to_ticket"
    TO_INCIDENT = "to_incident"
    AGREE = "agree"
    ASK = "ask"


class Why(StrEnum):
    """Why a decision was made; what is said of it is in `words/timeline.py`."""

    FIRST_SHOWN = "first_shown"
    SAME_VALUE = "same_value"
    BOTH_CHANGED = "both_changed"
    NOT_TO_TICKET = "not_to_ticket"
    NOT_TO_INCIDENT = "not_to_incident"
    TICKET_FINISHED = "ticket_finished"
    TICKET_NOT_REOPENED = "ticket_not_reopened"
    INCIDENT_NOT_REOPENED = "incident_not_reopened"
    INCIDENT_PRIORITY_UNMAPPED = "incident_priority_unmapped"
    TICKET_PRIORITY_UNMAPPED = "ticket_priority_unmapped"
    INCIDENT_CHANGED = "incident_changed"
    TICKET_CHANGED = "ticket_changed"


@dataclass(frozen=True)
class Decision:
    """What to do about one field, and why; the values are those that each side shows now.

    `as_incident` is the ticket's value as the incident would show it: without what was added on the way to the ticket.
    `changed_by` is who changed it on the ticket, where that had to be found out.
    """

    field: FieldName
    action: Action
    incident: Value
    ticket: Value
    why: Why
    as_incident: Value
    conflict: bool = False
    changed_by: str = ""


@dataclass(frozen=True)
class Sides:
    """Both sides of a link as last seen, and when.

    `changed` says of the ticket's fields when and by whom, `shaping` what is done to fields on their way to the ticket.
    `incident_heard_at` and `ticket_heard_at` say when we heard how each side is now, where that is known: a time that
    lay ahead then wins no conflict by that.
    """

    incident: Incident
    incident_at: datetime
    ticket: TicketSnapshot
    changed: Mapping[FieldName, FieldChange] = dataclass_field(default_factory=dict)
    shaping: Shaping = dataclass_field(default_factory=Shaping)
    incident_heard_at: datetime | None = None
    ticket_heard_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the ticket is known to be done."""
        return self.ticket.tells(FieldName.STATUS) and self.ticket.done

    def incident_is_later(self, field: FieldName) -> bool:
        """Return whether the incident changed after a field of the ticket; a ticket that names no time came first.

        Without the field's own time the ticket's counts, which a comment moves too.
        """
        changed = self.changed[field].at if field in self.changed else self.ticket.updated
        if changed is None:
            return True
        ticket = Told(changed, self.ticket_heard_at)
        return not ticket.is_later_than(Told(self.incident_at, self.incident_heard_at))


def agreed_as_is(incident: Value, ticket: TicketSnapshot, field: FieldName) -> Agreed:
    """Return the agreement on one field that both sides are right as they are."""
    if not ticket.tells(field):
        return Agreed(incident=incident, ticket=None, ticket_unknown=True)
    return Agreed(incident=incident, ticket=ticket_value(ticket, field))


def as_they_are(incident: Incident, ticket: TicketSnapshot) -> dict[FieldName, Agreed]:
    """Return the agreement that both sides are right as they are."""
    return {name: agreed_as_is(incident_value(incident, name), ticket, name) for name in FieldName}


def agreed_at_creation(incident: Incident, ticket: TicketSnapshot) -> dict[FieldName, Agreed]:
    """Return what both sides agree on when a ticket has just been created from an incident.

    A ticket is created open: if the incident is over by then, that is a change still to be written.
    """
    return {**as_they_are(incident, ticket), FieldName.STATUS: Agreed(incident=OPEN, ticket=OPEN)}


def agreed_at_finding(
    incident: Incident, ticket: TicketSnapshot, as_made: TicketSnapshot, changed: Mapping[FieldName, FieldChange] | None
) -> dict[FieldName, Agreed]:
    """Return what both sides agree on when a ticket is found of which nobody remembers what it was made from.

    Where it looks as if it was made of the incident of today (`as_made`), that is agreed on. Elsewhere the incident has
    moved since, or the ticket, or both: `changed` tells what of the ticket did, None when that is not known. A field
    that the ticket does not show is compared once it does; one of which nobody can say how it was made is right as it
    is.
    """
    base = agreed_at_creation(incident, ticket)
    for name in (FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY):
        if not as_made.tells(name):
            continue
        if not ticket.tells(name) or ticket_value(ticket, name) != ticket_value(as_made, name):
            is_as_made = changed is not None and name not in changed
            lost = (Side.INCIDENT,) if is_as_made else (Side.INCIDENT, Side.TICKET)
            base[name] = base[name].model_copy(update={"lost": lost})
    return base


def rule_of(rules: Rules, field: FieldName) -> FieldRule:
    """Return how a field is kept in sync; one without a rule keeps to the default one."""
    return rules.get(field, DEFAULT_RULES[field])


def with_one_way(rules: Rules, shaping: Shaping) -> Rules:
    """Return rules by which no field comes back whose template cannot be undone."""
    if not shaping.templates:
        return rules
    barred = {name: rule_of(rules, name) for name in shaping.templates if shaping.goes_one_way(name)}
    return {
        **rules,
        **{name: rule.model_copy(update={"direction": _ONE_WAY[rule.direction]}) for name, rule in barred.items()},
    }


def merge(base: Base, sides: Sides, rules: Rules = DEFAULT_RULES) -> list[Decision]:
    """Return a decision for every field that is not in sync, in the order of `FieldName`.

    A field without a rule keeps to the default one. What somebody finished is not touched: a field that the incident
    alone changed waits for the ticket's being opened again; where both changed it, a later change of the ticket reaches
    the incident, and otherwise each side stays as it is.
    """
    kept = with_one_way(rules, sides.shaping)
    decisions = (_merge_field(field, base[field], sides, rule_of(kept, field)) for field in FieldName)
    return [decision for decision in decisions if decision is not None]


_ONE_WAY = {
    Direction.BOTH: Direction.TO_TICKET,
    Direction.TO_TICKET: Direction.TO_TICKET,
    Direction.FROM_TICKET: Direction.OFF,
    Direction.OFF: Direction.OFF,
}


def _merge_field(field: FieldName, agreed: Agreed, sides: Sides, rule: FieldRule) -> Decision | None:
    incident = incident_value(sides.incident, field)
    is_told = sides.ticket.tells(field)
    ticket = ticket_value(sides.ticket, field) if is_told else None
    if not is_told:  # what is lost is told from what the ticket shows, once it shows it
        agreed = agreed.model_copy(update={"lost": ()})
    incident_moved, ticket_moved = _moved(agreed, incident, ticket)
    if not is_told or (agreed.ticket_unknown and Side.TICKET not in agreed.lost):
        ticket_moved = False
        if is_told and not incident_moved:
            return Decision(field, Action.AGREE, incident, ticket, Why.FIRST_SHOWN, ticket)
    if not incident_moved and not ticket_moved:
        return None
    # A change that the platform could not take is one all the same, when the incident changes later.
    is_only_there = is_told and agreed.ticket_only is not None and rule.direction is Direction.BOTH
    ticket_moved = ticket_moved or is_only_there
    shown_before = Shown(agreed.incident, agreed.ticket)
    told = sides.shaping.taken_off(field, ticket, sides.incident, shown_before) if is_told else None
    is_finished = field is not FieldName.STATUS and sides.is_finished
    if is_told and incident == told and (agreed.pending is None or is_finished):
        return Decision(field, Action.AGREE, incident, ticket, Why.SAME_VALUE, told)
    conflict = incident_moved and ticket_moved
    if conflict and _needs_a_person(rule):
        return Decision(field, Action.ASK, incident, ticket, Why.BOTH_CHANGED, told, conflict=True)
    has_changed = incident != agreed.incident or agreed.pending is Side.TICKET  # which a loss does not tell
    if is_finished and has_changed and not ticket_moved and rule.direction in {Direction.BOTH, Direction.TO_TICKET}:
        return None
    # Our write may be on the incident already: what it says cannot be taken as it is, and the ticket is not touched.
    must_reach_incident = is_finished and agreed.pending is Side.INCIDENT
    incident_wins = incident_moved and (
        not ticket_moved or (not must_reach_incident and _incident_wins(field, sides, rule))
    )
    action, why = (
        _carry_to_ticket(field, incident, rule, is_finished=is_finished)
        if incident_wins
        else _carry_to_incident(field, ticket, rule)
    )
    by = sides.changed[field].by if conflict and field in sides.changed else ""
    return Decision(field, action, incident, ticket, why, told, conflict=conflict, changed_by=by)


def _moved(agreed: Agreed, incident: Value, ticket: Value) -> tuple[bool, bool]:
    """Tell which sides have moved; a write whose end is unknown leaves the other side's value still to be synced."""
    incident_moved = incident != agreed.incident or Side.INCIDENT in agreed.lost
    ticket_moved = ticket != agreed.ticket or Side.TICKET in agreed.lost
    if agreed.pending is Side.TICKET:
        return True, ticket_moved and ticket != agreed.sent
    if agreed.pending is Side.INCIDENT:
        return incident_moved and incident != agreed.sent, True
    return incident_moved, ticket_moved


def _needs_a_person(rule: FieldRule) -> bool:
    """Return whether a conflict is for a person; where a value is synced one way only there is nothing to decide."""
    return rule.direction is Direction.BOTH and rule.on_conflict is ConflictRule.ASK


def _incident_wins(field: FieldName, sides: Sides, rule: FieldRule) -> bool:
    """Settle a conflict; a side whose value may not be synced cannot win it."""
    if rule.direction is Direction.TO_TICKET:
        return True
    if rule.direction is Direction.FROM_TICKET:
        return False
    if rule.on_conflict is ConflictRule.LATEST_WINS:
        return sides.incident_is_later(field)
    return rule.on_conflict is ConflictRule.INCIDENT_WINS


def _carry_to_ticket(field: FieldName, value: Value, rule: FieldRule, *, is_finished: bool) -> tuple[Action, Why]:
    if rule.direction not in {Direction.BOTH, Direction.TO_TICKET}:
        return Action.AGREE, Why.NOT_TO_TICKET
    if is_finished:
        return Action.AGREE, Why.TICKET_FINISHED
    if field is FieldName.STATUS and value == OPEN:
        return Action.AGREE, Why.TICKET_NOT_REOPENED
    if field is FieldName.PRIORITY and value is None:
        return Action.AGREE, Why.INCIDENT_PRIORITY_UNMAPPED
    return Action.TO_TICKET, Why.INCIDENT_CHANGED


def _carry_to_incident(field: FieldName, value: Value, rule: FieldRule) -> tuple[Action, Why]:
    if rule.direction not in {Direction.BOTH, Direction.FROM_TICKET}:
        return Action.AGREE, Why.NOT_TO_INCIDENT
    if field is FieldName.STATUS and value == OPEN:
        return Action.AGREE, Why.INCIDENT_NOT_REOPENED
    if field is FieldName.PRIORITY and value is None:
        return Action.AGREE, Why.TICKET_PRIORITY_UNMAPPED
    return Action.TO_INCIDENT, Why.TICKET_CHANGED
