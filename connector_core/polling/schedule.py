"""The scheduler: what happens by the clock. Beside `jobs.py` the only module that knows APScheduler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.comment_rules import ToIncident
from connector_core.contract.errors import ConnectorError
from connector_core.engine.breakers import Breakers
from connector_core.health.checkups import is_due
from connector_core.health.webhook_health import health, is_managed
from connector_core.loops import Watched
from connector_core.polling.errands import Errands
from connector_core.polling.reconcile import Reconciler
from connector_core.polling.rounds import Rounds
from connector_core.polling.sources import SourcePoller
from connector_core.registry.authorizations import ends_soon
from connector_core.registry.entry import Entry
from connector_core.registry.grants import GRANT_LOCK
from connector_core.registry.integrations import Registry
from connector_core.registry.renewals import Renewals
from connector_core.shares import SharedCrew
from connector_core.store import IntegrationRecord, IntegrationState, Store
from connector_core.store.forgetting import KEPT, Kept

if TYPE_CHECKING:  # only the daemon starts it; every other command would wait for its import
    from connector_core.polling.jobs import Jobs

LOOK_FOR_CHANGES_S = 2.0
BEAT_S = 10.0
LOOK_FOR_PROBES_S = 1.0
RETRY_AUTHORIZATIONS_S = 30.0
LOOK_FOR_RENEWALS_S = 1.0
FIRST_CHECKUP_S = 60.0
LOOK_FOR_CHECKUPS_S = 300.0
FORGET_AT_ONCE = 200
KEEP_HOOKS_S = 3600.0
HOUSEKEEPERS = 4  # they call nobody
#: Threads that call vendors, started as they are needed: so many sites may hang at once, and the next is called.
CALLERS = 512
#: How many of them one site may hold.
CALLERS_PER_SITE = 4
SELDOM = 10  # webhooks get lost, and nobody tells

_FIRST_POLLS_APART_S = 0.15
_NEVER = datetime.min.replace(tzinfo=UTC)


def _nothing() -> None:
    """Fulfil no wishes."""


@dataclass
class Schedule:
    """Polls sources, reconciles active integrations, seldom where webhooks tell of changes, and forgets what is old.

    Every integration is reconciled once when it becomes active or the daemon starts: what changed while nobody listened
    was told to nobody.
    """

    store: Store
    registry: Registry
    reconciler: Reconciler
    poller: SourcePoller
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    every_s: float
    keep_history: timedelta | None
    to_authorize: Callable[[], Sequence[str]]
    authorize: Callable[[str], None]
    keep_hook: Callable[[str], None]
    try_everything: Callable[[str], object]
    fulfil_wishes: Callable[[], None] = _nothing
    renewals: Renewals | None = None
    _followed: tuple[int, int] | None = None
    _known: dict[str, Entry] = field(default_factory=dict)
    _caught_up: dict[str, datetime | None] = field(default_factory=dict)
    _hook_wishes: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _warned: dict[str, date] = field(default_factory=dict)

    @cached_property
    def _scheduler(self) -> Jobs:
        from connector_core.polling.jobs import Jobs  # noqa: PLC0415 - as said at the top

        # Applying the file waits for vendors at times: not among the housekeepers.
        return Jobs({"default": HOUSEKEEPERS, "wishes": 1}, monotonic=self.clock.monotonic)

    @cached_property
    def _calls(self) -> SharedCrew:
        return SharedCrew("call", CALLERS, most=CALLERS_PER_SITE)

    @cached_property
    def _polling(self) -> SharedCrew:
        """Platforms are asked on threads of their own: one that hangs for all organizations keeps no site waiting."""
        return SharedCrew("poll", CALLERS, most=CALLERS_PER_SITE)

    @cached_property
    def _renewing(self) -> SharedCrew:
        """What renews has threads of its own: a site that answers slowly must not cost an authorization."""
        return SharedCrew("renew", CALLERS, most=CALLERS_PER_SITE)

    @cached_property
    def reconciles(self) -> Rounds:
        """Which integration is reconciled when."""
        return Rounds(
            "reconciles", self._calls, self._reconcile, monotonic=self.clock.monotonic, site_of=self.registry.site_of
        )

    @cached_property
    def hooks(self) -> Rounds:
        """Whose webhook is looked after when."""
        return Rounds(
            "hooks", self._calls, self._keep_hook, monotonic=self.clock.monotonic, site_of=self.registry.site_of
        )

    @cached_property
    def polls(self) -> Rounds:
        """Which source is polled when."""
        return Rounds("polls", self._polling, self._poll, monotonic=self.clock.monotonic, apart_s=_FIRST_POLLS_APART_S)

    @cached_property
    def checkups(self) -> Errands:
        """Those who are checked."""
        return Errands(self._calls, self._try_everything, site_of=self.registry.site_of)

    @cached_property
    def authorizations(self) -> Errands:
        """Those who are authorized without a person."""
        return Errands(self._calls, self.authorize, site_of=self.registry.site_of)

    @cached_property
    def lost_renewals(self) -> Errands:
        """Those whose renewal is asked for again."""
        return Errands(self._renewing, self.ask_again, site_of=self.registry.site_of)

    def start(self) -> None:
        """Begin; integrations that come and go later are followed."""
        self.follow()
        self._scheduler.add_job(self.follow, "interval", seconds=LOOK_FOR_CHANGES_S, id="follow")
        self._scheduler.add_job(self.beat, "interval", seconds=BEAT_S, id="beat")
        self._scheduler.add_job(
            self._fulfil_wishes, "interval", seconds=LOOK_FOR_CHANGES_S, id="wishes", executor="wishes"
        )
        self._scheduler.add_job(self._probe, "interval", seconds=LOOK_FOR_PROBES_S, id="probe")
        self._scheduler.add_job(
            self._authorize,
            "interval",
            seconds=RETRY_AUTHORIZATIONS_S,
            id="authorize",
            next_run_time=datetime.now(UTC),
        )
        self._scheduler.add_job(self._renew, "interval", seconds=LOOK_FOR_RENEWALS_S, id="renewals")
        self._scheduler.add_job(self.forget, "interval", hours=1, id="forget")
        self._scheduler.add_job(self._warn, "interval", hours=1, id="warn")
        soon = datetime.now(UTC) + timedelta(seconds=FIRST_CHECKUP_S)
        self._scheduler.add_job(
            self.check_up, "interval", seconds=LOOK_FOR_CHECKUPS_S, id="check_up", next_run_time=soon
        )
        self._scheduler.start()
        for rounds in self._rounds:
            rounds.start()

    @property
    def _rounds(self) -> Sequence[Rounds]:
        return (self.reconciles, self.hooks, self.polls)

    @property
    def _crews(self) -> Sequence[SharedCrew]:
        return (self._calls, self._polling, self._renewing)

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that start jobs, and those that run them."""
        return (
            *self._scheduler.loops,
            *(loop for rounds in self._rounds for loop in rounds.loops),
            *(loop for crew in self._crews for loop in crew.loops),
        )

    def stop(self) -> None:
        """Start no further job; those that run end by themselves."""
        for rounds in self._rounds:
            rounds.stop()
        for crew in self._crews:
            crew.shutdown()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def clock_was_set(self) -> None:
        """Do everything now, and count the intervals from here: APScheduler plans by the clock."""
        self._scheduler.run_all_now()
        for rounds in self._rounds:
            rounds.hurry()

    def working(self) -> dict[str, IntegrationRecord]:
        """Return the active integrations that can be reconciled."""
        return {entry.record.id: entry.record for entry in self.registry.entries() if _is_working(entry)}

    def follow(self) -> None:
        """Go round those integrations and sources that there are now; nothing is done while none has changed."""
        try:
            read = self.registry.times_read()
            if read != self._followed:
                self.polls.follow(self.poller.intervals())
                self._follow_integrations({entry.record.id: entry for entry in self.registry.entries()})
                self._followed = read
        except ConnectorError as exc:
            self.log.warning("schedule_not_read", code=exc.code, reason=exc.message)

    def _follow_integrations(self, entries: dict[str, Entry]) -> None:
        changed = [entry for name, entry in entries.items() if name in self._known and self._known[name] is not entry]
        working = [entry.record for entry in entries.values() if _is_working(entry)]
        self._caught_up = {one.id: self._caught_up.get(one.id, _NEVER) for one in working}
        self.reconciles.follow(dict.fromkeys(self._caught_up, self.every_s))
        self.reconciles.within(entry.record.id for entry in changed)
        self.reconciles.hurry(one.id for one in working if self._caught_up[one.id] not in {_NEVER, one.active_since})
        self.hooks.follow(
            {name: KEEP_HOOKS_S for name, entry in entries.items() if _is_working(entry) or _may_have_hook(entry)}
        )
        self._hook_wishes = {name: wish for name, wish in self._hook_wishes.items() if name in self._caught_up}
        self.hooks.hurry(
            entry.record.id
            for entry in changed
            if entry.record.id in self._caught_up
            and self._hook_wishes.get(entry.record.id) != self._hook_wish(entry.record)
        )
        self._known = entries

    def _hook_wish(self, record: IntegrationRecord) -> tuple[object, ...]:
        """Return what a webhook of a plugin's own depends on: another answer or consent is acted on at once."""
        if not is_managed(record):
            return (record.active_since, False)
        grant = self.registry.entry(record.id).keeper.present()
        tells_of_comments = record.comments.to_incident is not ToIncident.NONE
        return (record.active_since, True, tells_of_comments, grant.consented_at if grant is not None else None)

    def _poll(self, organization: str) -> None:
        try:
            self.poller.poll(organization)
        except ConnectorError as exc:
            self.log.warning("poll_not_recorded", organization=organization, code=exc.code, reason=exc.message)

    def _every_s(self, record: IntegrationRecord) -> float:
        """Return how often to look: seldom while a webhook tells of changes, but not while it is silent."""
        is_told = health(self.store, record).state not in {"off", "silent"}
        return self.every_s * (SELDOM if is_told else 1)

    def forget(self) -> None:
        """Forget what need not be kept, table by table, and links that were over for long."""
        try:
            now = self.clock.now()
            links = 0 if self.keep_history is None else self._forget_links(now - self.keep_history)
            rows = sum(self._forget_rows(kept, now) for kept in KEPT if kept.forget is not None)
            locks = self.store.database.drop_locks(GRANT_LOCK, frozenset(self.store.integrations.ids()))
        except ConnectorError as exc:
            self.log.warning("forget_failed", code=exc.code, reason=exc.message)
        else:
            self.log.debug("forgotten", rows=rows, locks=locks)
            if links:
                self.log.info("history_forgotten", links=links)

    def _forget_rows(self, kept: Kept, now: datetime) -> int:
        """Delete what a table need not keep, a few rows at a time."""
        rows = last = self.store.forgetting.forget(kept, now, FORGET_AT_ONCE)
        while last >= FORGET_AT_ONCE:
            last = self.store.forgetting.forget(kept, now, FORGET_AT_ONCE)
            rows += last
        return rows

    def _forget_links(self, before: datetime) -> int:
        """Delete a few at a time: others want to write too."""
        links = last = self.store.links.forget_finished(before, FORGET_AT_ONCE)
        while last == FORGET_AT_ONCE:
            last = self.store.links.forget_finished(before, FORGET_AT_ONCE)
            links += last
        return links

    def _keep_hook(self, integration_id: str) -> None:
        try:
            record = self.registry.entry(integration_id).record
            self._hook_wishes[integration_id] = self._hook_wish(record)
            self.keep_hook(integration_id)
        except ConnectorError as exc:
            self.log.warning("webhook_not_kept", integration=integration_id, code=exc.code, reason=exc.message)

    def warn(self) -> None:
        """Say once a day which authorizations end soon."""
        now = self.clock.now()
        self._warned = {name: day for name, day in self._warned.items() if day == now.date()}
        for name, until in self.store.grants.ends().items():
            soon = ends_soon(name, until, now) if self.registry.usable(name) else None
            if soon is not None and self._warned.get(name) != now.date():
                self._warned[name] = now.date()
                self.log.warning("authorization_ends", integration=name, reason=soon.title, fix=soon.fix)

    def _warn(self) -> None:
        try:
            self.warn()
        except ConnectorError as exc:
            self.log.warning("warnings_not_given", code=exc.code, reason=exc.message)

    def check_up(self) -> None:
        """Try everything that active integrations need: each night, and soon after one became active."""
        try:
            known = self.store.checkups.every()
            now = self.clock.now()
            due = [name for name, record in self.working().items() if is_due(record, known.get(name), now)]
        except ConnectorError as exc:
            self.log.warning("checkups_not_read", code=exc.code, reason=exc.message)
            return
        self.checkups.send(due)

    def _try_everything(self, integration_id: str) -> None:
        try:
            self.try_everything(integration_id)
        except ConnectorError as exc:
            self.log.warning("checkup_failed", integration=integration_id, code=exc.code, reason=exc.message)

    def beat(self) -> None:
        """Note that the daemon is alive, so that a database of before can be told."""
        try:
            self.store.life.beat(self.clock.now())
        except ConnectorError as exc:
            self.log.warning("beat_not_recorded", code=exc.code, reason=exc.message)

    def _fulfil_wishes(self) -> None:
        try:
            self.fulfil_wishes()
        except ConnectorError as exc:
            self.log.warning("config_not_taken_over", code=exc.code, reason=exc.message)

    def _probe(self) -> None:
        """Let tripped breakers be tried again when their time has come."""
        try:
            if self.breakers.wake_probes():
                self.reconciler.after()
        except ConnectorError as exc:
            self.log.warning("probes_not_woken", code=exc.code, reason=exc.message)

    def _authorize(self) -> None:
        """Authorize what is due, and those that could not be reached before."""
        try:
            self.authorizations.send(self.to_authorize())
        except ConnectorError as exc:
            self.log.warning("authorizations_not_retried", code=exc.code, reason=exc.message)

    def _renew(self) -> None:
        """Have every renewal asked for again whose answer was lost."""
        try:
            self.lost_renewals.send(self.renewals.urgent() if self.renewals is not None else ())
        except ConnectorError as exc:
            self.log.warning("renewals_not_read", code=exc.code, reason=exc.message)

    def ask_again(self, integration_id: str) -> None:
        """Ask again for the renewal of an integration's grant; lanes that waited for it go on."""
        if self.renewals is not None and self.renewals.ask_again(integration_id):
            self.reconciler.after()

    def _reconcile(self, integration_id: str) -> float | None:
        """Reconcile an integration, in full after it became active; return when to do it again."""
        try:
            since = self.registry.entry(integration_id).record.active_since
            # A search for what changed would not know the latest changes yet.
            self.reconciler.reconcile(integration_id, full=self._caught_up.get(integration_id, _NEVER) != since)
            self._caught_up[integration_id] = since
            return self._every_s(self.registry.entry(integration_id).record)
        except ConnectorError as exc:
            self.log.warning("reconcile_not_recorded", integration=integration_id, code=exc.code, reason=exc.message)
            return None


def _is_working(entry: Entry) -> bool:
    record = entry.record
    return (
        record.state is IntegrationState.ACTIVE and not record.problem_code and entry.plugin.implements("fetch_tickets")
    )


def _may_have_hook(entry: Entry) -> bool:
    """Return whether an integration has a webhook to be kept, or to be dropped since it rests."""
    return not entry.record.problem_code or entry.record.state is not IntegrationState.ACTIVE
