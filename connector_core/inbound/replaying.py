"""Replays: deliveries of the log are taken again as if they came now, one after the other, also over a restart.

What was read of each when it was verified is stored with it, sealed; that is taken, for the same integration or source.
Nothing is verified again, so what was refused is never replayed: nobody knows who sent it. Each is taken as a delivery
of its own, under a name that follows from the replay: the merge decides from what both sides show whether anything is
to be done, so one whose news are known already changes nothing, and one that was cut off by the end of the process is
known when it comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.contract.models import Delivery, IncidentEvent
from connector_core.delivery_log.entries import Arrival
from connector_core.delivery_log.recorder import DeliveryLog
from connector_core.engine.duties import Duties
from connector_core.registry.integrations import Registry
from connector_core.store import Accepted, Duty, IntegrationState, Logged, Replay, Result, Store, Target
from connector_core.store.replays import DONE, STOPPED

#: So many are taken before others of the same thread get their turn.
AT_ONCE = 200
LOOK_EVERY_S = 1.0
WITHIN_S = 30.0


class NotTaken(Exception):
    """A delivery cannot be taken again, and why, in one word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Replaying:
    """Begins replays, and takes what they are about; `after` is called when lanes may have been woken."""

    store: Store
    registry: Registry
    delivery_log: DeliveryLog
    duties: Duties
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]

    def begin(
        self, ids: Collection[int], organizations: Collection[str] | None, asked: Mapping[str, Any], by: str
    ) -> int:
        """Have some deliveries taken again; return the number of the replay."""
        now = self.clock.now()
        return self.store.replays.begin(ids, organizations=organizations, asked=asked, by=by, at=now)

    def stop(self, number: int) -> None:
        """End a replay before its end."""
        self.store.replays.end(number, STOPPED, self.clock.now())

    def step(self) -> None:
        """Go on with the replays that have not ended; one node does."""
        if not self.store.replays.unfinished():
            return
        with self.duties.turn(Duty("replay"), every_s=LOOK_EVERY_S) as turn:
            if turn.is_ours:
                for replay in self.store.replays.unfinished():
                    self._go_on(replay)

    def _go_on(self, replay: Replay) -> None:
        """Take what comes next."""
        following = self.store.replays.next_of(replay, AT_ONCE)
        for entry_id, entry in following:
            result, why = self._take_one(replay, entry)
            if not self.store.replays.advance(replay.id, entry_id, result, why):
                return
        if following:
            self.after()
        if len(following) < AT_ONCE:
            self.store.replays.end(replay.id, DONE, self.clock.now())
            self.log.info("replay_ended", replay=replay.id, deliveries=replay.total)

    def _take_one(self, replay: Replay, entry: Logged | None) -> tuple[Result, str]:
        if entry is None or not entry.can_replay:
            return Result.FAILED, "gone"
        try:
            accepted = self._take(replay, entry)
        except NotTaken as exc:
            return Result.FAILED, exc.why
        if accepted.new or accepted.duplicate:  # it has this name only if it was taken before a restart
            return Result.ACCEPTED, ""
        return Result.IGNORED, "no_integration" if entry.kind == "events" else "not_linked"

    def _take(self, replay: Replay, entry: Logged) -> Accepted:
        payload = self.store.delivery_log.payload(entry.id)
        read = {} if payload is None else payload.get("read", {})
        name, now = f"replay:{replay.id}:{entry.id}", self.clock.now()
        arrival = Arrival(now, entry.kind, "", entry.address, entry.organization, entry.integration_id)
        arrival.replay_of, arrival.size = entry.id, entry.size
        try:
            if "events" in read:
                arrival.events = _events(read["events"], name)
            else:
                arrival.deliveries = _deliveries(read.get("deliveries", ()), name)
        except (ValidationError, ValueError) as exc:
            raise NotTaken("unreadable") from exc
        if not arrival.events and not arrival.deliveries:
            raise NotTaken("gone")
        arrival.accepted = self._accept(entry, arrival, now)
        self.delivery_log.arrived(arrival)
        return arrival.accepted

    def _accept(self, entry: Logged, arrival: Arrival, now: datetime) -> Accepted:
        organization, inbox = entry.organization, self.store.inbox
        if arrival.events:
            if organization not in self.registry.sources.usable():
                raise NotTaken("source_gone")
        else:
            for name, _, _ in arrival.deliveries:
                self._require_active(name, organization)

        def accept(targets: Sequence[Target], as_of: int) -> Accepted:
            if arrival.events:
                pending = inbox.accept_events(organization, arrival.events, targets, now, as_of)
            else:
                pending = inbox.accept_deliveries(organization, arrival.deliveries, now)
            return pending.result(WITHIN_S)

        try:
            return self.registry.with_targets(organization, accept)
        except (RetryLater, TimeoutError) as exc:
            raise NotTaken("not_stored") from exc

    def _require_active(self, integration_id: str, organization: str) -> None:
        try:
            record = self.registry.entry(integration_id).record
        except ConfigError as exc:
            raise NotTaken("integration_gone") from exc
        if record.organization != organization:
            raise NotTaken("integration_gone")
        if record.state is not IntegrationState.ACTIVE:
            raise NotTaken("integration_inactive")


def _events(read: Sequence[Mapping[str, Any]], name: str) -> list[IncidentEvent]:
    return [IncidentEvent.model_validate({**one, "id": f"{name}:{place}"}) for place, one in enumerate(read)]


def _deliveries(read: Sequence[Sequence[Any]], name: str) -> list[tuple[str, Delivery, str]]:
    """Return deliveries without the secrets that signed them: that these are in use is not to be counted again."""
    return [(str(to), Delivery.model_validate({**one, "id": name}), "") for to, one, _ in read]
