"""The conditions of an organization right now, read where its statuses are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from connector_core.clock import Clock
from connector_core.health import webhook_health
from connector_core.notify.conditions import Condition, Kind
from connector_core.polling.sources import OK, SourcePoller, SourceStatus, SourceWord
from connector_core.polling.statuses import (
    NEED_SOMEBODY,
    failed_daily_test,
    problems,
    reason_of_first,
    waits_for_someone,
)
from connector_core.registry.authorizations import WARNED_BEFORE
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import NEEDS_AUTHORIZATION, SECRETS_UNREADABLE, IntegrationState, Store

#: A source that does not answer is told of when it has not for so long: most outages are over by then.
UNREAD_FOR = timedelta(minutes=5)
#: Single refusals are strangers' or tests.
REFUSED_TIMES = 3
EVENTS_REFUSED_WITHIN = timedelta(days=1)
_LOST = frozenset({NEEDS_AUTHORIZATION, SECRETS_UNREADABLE})
_NO_SOURCE = frozenset({SourceWord.PROBLEM, SourceWord.MISSING, SourceWord.UNFINISHED})


@dataclass(frozen=True)
class Conditions:
    """Reads what needs attention; nobody is called."""

    store: Store
    registry: Registry
    poller: SourcePoller
    clock: Clock

    def of(self, organization: str) -> list[Condition]:
        """Return what is so of an organization; what nobody has activated needs no attention."""
        active = [one for one in self.registry.of(organization) if one.record.state is IntegrationState.ACTIVE]
        broken = [
            Condition(Kind.INTEGRATION_BLOCKED, self.clock.now(), record.id, {"reason": error.message})
            for record, error in self.registry.broken()
            if record.organization == organization and record.state is IntegrationState.ACTIVE
        ]
        found = [*broken, *(condition for entry in active for condition in self._of_integration(entry))]
        if active:
            found += self._of_source(self.poller.status(organization))
        return found

    # Private

    def _of_integration(self, entry: Entry) -> Iterator[Condition]:
        record, now = entry.record, self.clock.now()
        system = {"system": entry.plugin.info.title}
        if record.problem_code in _LOST:
            yield Condition(Kind.AUTHORIZATION_LOST, now, record.id, {**system, "reason": record.problem})
        elif blocked := self._blocked(entry):
            yield blocked
        until = self.store.grants.ends_at(record.id)
        if until is not None and until - now <= WARNED_BEFORE and record.problem_code not in _LOST:
            yield Condition(Kind.AUTHORIZATION_ENDING, now, record.id, {**system, "until": until.isoformat()})
        last = self.store.round_trips.last_ended(record.id) if record.test_at else None
        if last is not None and (failed := failed_daily_test(self.registry, record, last)) is not None:
            yield Condition(Kind.TEST_FAILED, last.ended_at or now, record.id, {"reason": failed})
        backlog = self.store.overview.backlog(record.id)
        count = sum(backlog.links.get(state, 0) for state in NEED_SOMEBODY)
        if count:
            reason = reason_of_first(self.store, self.registry, record.id)
            yield Condition(Kind.INCIDENTS_BLOCKED, now, record.id, {"count": str(count), "reason": reason})
        if backlog.oldest_undelivered is not None:
            yield Condition(Kind.BACKLOG, backlog.oldest_undelivered, record.id)
        refused = webhook_health.refused(self.store, record, entry.plugin.info.webhook_route, now)
        if sum(one.count for one in refused) >= REFUSED_TIMES:
            yield Condition(Kind.DELIVERIES_REFUSED, now, record.id, {"reason": f"{refused[0].reason.title}."})

    def _blocked(self, entry: Entry) -> Condition | None:
        """Return why an integration cannot work until somebody acts."""
        record = entry.record
        if record.problem_code:
            return Condition(Kind.INTEGRATION_BLOCKED, self.clock.now(), record.id, {"reason": record.problem})
        circuit = self.registry.circuit(entry)
        held = waits_for_someone(circuit, {one.key: one for one in self.store.breakers.tripped(circuit.keys)})
        if held is not None:
            return Condition(Kind.INTEGRATION_BLOCKED, held.since, record.id, {"reason": held.reason})
        checkup = self.store.checkups.get(record.id)
        found = next(problems(checkup), None)
        if checkup is None or found is None:
            return None
        return Condition(Kind.INTEGRATION_BLOCKED, checkup.at, record.id, {"reason": f"{found.title}."})

    def _of_source(self, status: SourceStatus) -> Iterator[Condition]:
        now, system = self.clock.now(), {"system": status.title}
        last = status.last
        is_failing = last is not None and last.outcome != OK and now - last.since >= UNREAD_FOR
        if status.word in _NO_SOURCE or (status.word is SourceWord.WAITING and is_failing):
            since = last.since if last is not None and last.outcome != OK else now
            yield Condition(Kind.SOURCE_NOT_READ, since, values={**system, "reason": status.sentence})
        refused = [one for one in status.refused if now - one.last_at <= EVENTS_REFUSED_WITHIN]
        if sum(one.count for one in refused) >= REFUSED_TIMES:
            yield Condition(Kind.DELIVERIES_REFUSED, now, values={**system, "reason": f"{refused[0].reason.title}."})
