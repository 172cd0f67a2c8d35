"""Which comments are synced: a setting of an integration, off both ways unless somebody says otherwise."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.models import Record

# What a ticketing plugin implements to be able to, by the key of the setting.
COMMENT_HOOKS = {"to_ticket": "write_comment", "to_incident": "fetch_comments"}


def when_unchangeable(rule: FieldRule, *, can_comment: bool) -> str:
    """Say what becomes of a field that can never be changed on tickets."""
    if rule.direction not in {Direction.BOTH, Direction.TO_TICKET}:
        return "never changes on the ticket"
    if can_comment:
        return "never changes on the ticket: a change of the incident is told there by an internal comment"
    return "never changes on the ticket: a change of the incident does not reach it"


class ToTicket(StrEnum):
    """How the incident's comments are written on the ticket; internal ones are not for customers' eyes."""

    NONE = "none"
    INTERNAL = "internal"
    PUBLIC = "public"


class ToIncident(StrEnum):
    """Which of the ticket's comments are synced to the incident: none, those that customers see, or all."""

    NONE = "none"
    PUBLIC = "public"
    ALL = "all"


class CommentRules(Record):
    """What is synced; `since` is when comments of tickets began to be: what was written before stays where it is."""

    to_ticket: ToTicket = ToTicket.NONE
    to_incident: ToIncident = ToIncident.NONE
    since: AwareDatetime | None = None

    @property
    def are_synced(self) -> bool:
        """Return whether comments are synced at all."""
        return self != CommentRules()

    def __str__(self) -> str:
        """Say in a few words what is synced."""
        if not self.are_synced:
            return "not synced"
        return f"to the ticket: {self.to_ticket}, to the incident: {self.to_incident}"

    def changed(self, to_ticket: ToTicket, to_incident: ToIncident, now: datetime) -> CommentRules:
        """Return the rules with other values; one that is switched on counts from now.

        From the whole second: where times have no fractions, what is written in it seems to be from its beginning.
        """
        since = None if to_incident is ToIncident.NONE else self.since or now.replace(microsecond=0)
        return CommentRules(to_ticket=to_ticket, to_incident=to_incident, since=since)
