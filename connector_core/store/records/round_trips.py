"""Test incidents: one goes the whole way and back, leg by leg, and what became of each leg is kept as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import datetime
from enum import StrEnum

from connector_core.contract.models import FieldName

#: Written before the title of a test incident's ticket when it is changed there: in front, for the end may be cut.
CHANGED_TITLE = "Changed: "


class Leg(StrEnum):
    """One part of the way of a test incident, in their order."""

    CREATED = "created"
    CHANGED = "changed"
    RETURNED = "returned"
    CLOSED = "closed"


class LegState(StrEnum):
    """Where a leg stands."""

    WAITING = "waiting"
    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class TripCode(StrEnum):
    """Why a leg ended as it did, where the link's own code does not say it."""

    BY_WEBHOOK = "by_webhook"
    BY_POLLING = "by_polling"  # and no webhook is set up
    WEBHOOK_MISSING = "webhook_missing"  # found by polling, although a webhook should have told of it
    NOT_SEEN = "not_seen"  # neither by webhook nor by polling
    NOT_CHANGED = "not_changed"  # no field can be changed there
    LEFT_OPEN = "left_open"  # by the settings
    TOO_SLOW = "too_slow"
    NOT_ACTIVE = "integration_not_active"
    LINK_GONE = "link_gone"


class Outcome(StrEnum):
    """What a test incident showed."""

    RUNNING = ""
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class LegFacts:
    """What is known of one leg: when it began and ended, why it ended so, and a reason that others gave."""

    state: LegState = LegState.WAITING
    began_at: datetime | None = None
    ended_at: datetime | None = None
    why: str = ""
    reason: str = ""

    @property
    def took_s(self) -> float | None:
        """How many seconds a leg took that is over."""
        if self.began_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.began_at).total_seconds())


@dataclass(frozen=True)
class RoundTrip:
    """A test incident of one integration.

    `started_by` is who sent it, empty for one that was sent by the clock. `field` is what was changed on the ticket,
    `before` what it showed, in the form that is compared. `reads` counts how often tickets were read to find that.
    """

    id: str
    organization: str
    integration_id: str
    link_id: int
    incident_id: str
    started_at: datetime
    started_by: str = ""
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.RUNNING
    field: FieldName | None = None
    before: str | None = None
    reads: int = 0
    ticket_key: str = ""
    ticket_url: str | None = None
    is_left_open: bool = False
    legs: Mapping[Leg, LegFacts] = dataclass_field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    @property
    def present(self) -> Leg | None:
        """The leg that is under way."""
        return next((leg for leg in Leg if self.of(leg).state is LegState.UNDER_WAY), None)

    @property
    def failed(self) -> Leg | None:
        """The first leg that did not happen."""
        return next((leg for leg in Leg if self.of(leg).state is LegState.FAILED), None)

    @property
    def failed_last(self) -> Leg | None:
        """The last leg that did not happen."""
        return next((leg for leg in reversed(Leg) if self.of(leg).state is LegState.FAILED), None)

    def of(self, leg: Leg) -> LegFacts:
        """Return what is known of a leg."""
        return self.legs.get(leg, LegFacts())

    def with_leg(self, leg: Leg, **changes: object) -> RoundTrip:
        """Return it with something else known of a leg."""
        return replace(self, legs={**self.legs, leg: replace(self.of(leg), **changes)})  # type: ignore[arg-type]  # callers name fields

    def begun(self, leg: Leg, at: datetime) -> RoundTrip:
        """Return it with a leg under way."""
        return self.with_leg(leg, state=LegState.UNDER_WAY, began_at=at)

    def done(self, leg: Leg, at: datetime, why: str = "") -> RoundTrip:
        """Return it with a leg that happened."""
        return self.with_leg(leg, state=LegState.DONE, ended_at=at, why=why)

    def failing(self, leg: Leg, at: datetime, why: str, reason: str = "") -> RoundTrip:
        """Return it with a leg that did not happen."""
        return self.with_leg(leg, state=LegState.FAILED, ended_at=at, why=why, reason=reason)

    def ended(self, at: datetime, *, is_left_open: bool) -> RoundTrip:
        """Return it as it ended: what did not begin is left out."""
        left_out = {leg: LegFacts(LegState.SKIPPED) for leg in Leg if self.of(leg).state is LegState.WAITING}
        outcome = Outcome.PASSED if self.failed is None else Outcome.FAILED
        return replace(self, ended_at=at, outcome=outcome, is_left_open=is_left_open, legs={**self.legs, **left_out})


@dataclass(frozen=True)
class LeftOpen:
    """A ticket of a test incident that is over and whose ticket is not."""

    link_id: int
    key: str
    url: str | None
    since: datetime
