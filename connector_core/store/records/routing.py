"""Routing: an organization's rules, and what became of an incident by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector_core.contract.models import Incident, IncidentStatus
from connector_core.contract.models.record import Record
from connector_core.contract.routing import NOBODY, Conditions, RoutingRules
from connector_core.store.records.integrations import Origin


@dataclass(frozen=True)
class Routing:
    """The rules of an organization, who wrote them last, and when."""

    organization: str
    origin: Origin
    rules: RoutingRules
    changed_at: datetime
    changed_by: str = ""


class RouteState(StrEnum):
    """Why an incident has no ticket, or not all that it is to have, by its organization's rules."""

    UNMATCHED = "unmatched"
    NOBODY = "nobody"
    WAITING = "waiting"
    LOOKING = "looking"


class Route(Record):
    """Where an incident was sent: decided once, when it came in, whatever becomes of it and of the rules.

    It is stored as JSON, with the rule's conditions as they were.
    """

    #: The number of the rule, from 1; 0 where none matched, or somebody decided.
    rule: int = 0
    #: What the rule asks for.
    when: Conditions | None = None
    #: The integrations that it was sent to.
    to: tuple[str, ...] = ()
    #: Those of them that it was not linked with yet: they were not active.
    waits_for: tuple[str, ...] = ()
    #: Those where a ticket may be that this database lacks: nothing is linked before that is known.
    looks_at: tuple[str, ...] | None = None
    #: Whether a ticket was found that this database lacked: where it is counts, not the rule.
    is_found: bool = False
    #: Whoever decided in place of the rules.
    by: str = ""

    @property
    def state(self) -> RouteState | None:
        """Why something is missing; None when nothing is."""
        if self.looks_at:
            return RouteState.LOOKING
        if self.waits_for:
            return RouteState.WAITING
        if self.to:
            return None
        return RouteState.NOBODY if self.rule else RouteState.UNMATCHED

    @property
    def why(self) -> str:
        """Say what decided."""
        if self.by:
            return f"by {self.by}"
        if self.is_found:
            return "before, by a daemon that this database does not know"
        return f"by rule {self.rule}: {self.when}" if self.rule else "no rule matches"

    @property
    def targets(self) -> str:
        """Name where it goes."""
        return ", ".join(self.to) or NOBODY

    @property
    def reason(self) -> str:
        """Say in a sentence what became of it."""
        if self.looks_at:
            names = ", ".join(self.looks_at)
            return f"Waits until it is known whether {names} has a ticket already, for {self.targets} ({self.why})."
        if self.waits_for:
            names = ", ".join(self.waits_for)
            return f"Waits for {names}, which {'is' if len(self.waits_for) == 1 else 'are'} not active ({self.why})."
        if self.to:
            return f"Sent to {self.targets} {self.why}."
        return f"Sent to {self.targets} {self.why}." if self.rule else "No rule matches this incident."


@dataclass(frozen=True)
class Unsent:
    """An incident without a ticket, or without one of its tickets, and why."""

    organization: str
    incident: Incident
    route: Route
    heard_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether a ticket is still worth while."""
        return self.incident.status is IncidentStatus.ACTIVE


@dataclass(frozen=True)
class Lately:
    """An incident that was opened lately, as it is known today, and the integrations that it is linked with."""

    incident: Incident
    opened_at: datetime
    linked: Sequence[str]
