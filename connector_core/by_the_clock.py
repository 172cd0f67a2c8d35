"""What each part contributes to the schedule: its jobs, and its rounds over integrations and sources.

What is done for all nodes once is a duty: `Recurring` and `Errands` see to that. Each node for itself beats, follows
what there is, wakes lanes that may try a broken place again, and lists what is due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.engine.breakers import Breakers
from connector_core.engine.duties import Duties, Turn
from connector_core.health.checkups import due, is_due
from connector_core.health.ending_authorizations import EndingAuthorizations
from connector_core.inbound.managed_webhooks import ManagedWebhooks
from connector_core.inbound.replaying import Replaying
from connector_core.inbound.waiting_incidents import WaitingIncidents
from connector_core.polling.daily_tests import DailyTests
from connector_core.polling.errands import Errands
from connector_core.polling.forgetting import Forgetting
from connector_core.polling.job import WISHES, Job
from connector_core.polling.notifying import Notifying
from connector_core.polling.reconcile import Reconciler
from connector_core.polling.recurring import Recurring, always_alike
from connector_core.polling.round_trips import RoundTrips
from connector_core.polling.sources import SourcePoller
from connector_core.registry.integrations import Registry
from connector_core.registry.renewals import Renewals
from connector_core.registry.site_names import SiteNames
from connector_core.setup.applying import Applying
from connector_core.setup.configured import ConfiguredIntegrations
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.open_incidents import OpenIncidents
from connector_core.shares import SharedCrew
from connector_core.store import Duty, Store

BEAT_S = 10.0
LOOK_FOR_WISHES_S = 2.0
LOOK_FOR_PROBES_S = LOOK_FOR_REPLAYS_S = 1.0
RETRY_AUTHORIZATIONS_S = 30.0
LOOK_FOR_RENEWALS_S = 1.0
LOOK_FOR_ACTIVE_S = 2.0
LOOK_FOR_SETTINGS_S = 2.0
FIRST_CHECKUP_S = FIRST_FORGOTTEN_S = 60.0
LOOK_FOR_CHECKUPS_S = 60.0
LOOK_FOR_CHANGES_S = 5.0
LOOK_FOR_TESTS_S = 1.0
LOOK_FOR_DAILY_TESTS_S = 60.0
A_MINUTE_S = 60.0
AN_HOUR_S = 3600.0
#: What all nodes look for and one does is not done again within this part of the time between two looks.
_AGAIN_AFTER = 0.5
_FIRST_POLLS_APART_S = 0.15

#: Threads that call vendors, started as they are needed: so many sites may hang at once, and the next is called.
CALLERS = 512
#: How many of them one site may hold.
CALLERS_PER_SITE = 4
#: Threads that tell people, and how many of them the notifiers of one organization may hold.
TELLERS = 64
TELLERS_PER_ORGANIZATION = 8

POLL, RECONCILE, HOOK, NOTIFY = "poll", "reconcile", "hook", "notify"


@dataclass(frozen=True, kw_only=True)
class ByTheClock:
    """The parts that have something to do by the clock; `nudge` is called when lanes may have been woken."""

    store: Store
    registry: Registry
    breakers: Breakers
    reconciler: Reconciler
    poller: SourcePoller
    managed_webhooks: ManagedWebhooks
    setup: SetupFlow
    open_incidents: OpenIncidents
    configured: ConfiguredIntegrations
    applying: Applying
    duties: Duties
    notifying: Notifying
    replaying: Replaying
    round_trips: RoundTrips
    keep_history: timedelta | None
    keep_log: tuple[timedelta, timedelta]
    """How long entries of the delivery log are kept, and their payloads."""
    clock: Clock
    log: FilteringBoundLogger
    nudge: Callable[[], None]

    @cached_property
    def crews(self) -> Sequence[SharedCrew]:
        """The threads that call vendors."""
        return (self._calls, self._polling, self._renewing, self._telling)

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
    def _telling(self) -> SharedCrew:
        """People are told on threads of their own: a mail server that hangs keeps no vendor's call waiting."""
        return SharedCrew("notify", TELLERS, most=TELLERS_PER_ORGANIZATION)

    def jobs(self) -> Sequence[Job]:
        """Return what is done every so many seconds."""
        ending = EndingAuthorizations(self.store, self.registry, self.duties, self.clock, self.log)
        daily = DailyTests(self.store, self.registry, self.round_trips, self.clock, self.log)
        return (
            Job("beat", BEAT_S, self._beat),
            Job("wishes", LOOK_FOR_WISHES_S, self.applying.fulfil_wishes, crew=WISHES),
            Job("probe", LOOK_FOR_PROBES_S, self._probe),
            Job("replay", LOOK_FOR_REPLAYS_S, self.replaying.step),
            Job("waiting", LOOK_FOR_ACTIVE_S, self._waiting.release),
            Job("authorize", RETRY_AUTHORIZATIONS_S, self._authorize, first_s=0.0),
            Job("settings", LOOK_FOR_SETTINGS_S, self._apply_settings),
            Job("renew", LOOK_FOR_RENEWALS_S, self._renew),
            Job("checkup", LOOK_FOR_CHECKUPS_S, self.check_up, first_s=FIRST_CHECKUP_S),
            Job("recheck", LOOK_FOR_CHANGES_S, self.check_changed, first_s=FIRST_CHECKUP_S),
            Job("test", LOOK_FOR_TESTS_S, self._go_on_with_tests),
            Job("daily test", LOOK_FOR_DAILY_TESTS_S, daily.send),
            Job("backlog", A_MINUTE_S, self._note_waiting),
            Job("forget", AN_HOUR_S, self._forget, first_s=FIRST_FORGOTTEN_S),
            Job("warn", AN_HOUR_S, ending.warn),
        )

    def rounds(self) -> Sequence[Recurring]:
        """Return what comes round for each of many integrations and sources."""
        polls = Recurring(
            POLL,
            self.poller.intervals,
            self._poll,
            apart_s=_FIRST_POLLS_APART_S,
            crew=self._polling,
            duties=self.duties,
            clock=self.clock,
            log=self.log,
        )
        reconciles = self._recurring(
            RECONCILE, self.reconciler.intervals, self.reconciler.do_turn, mark=self.reconciler.mark
        )
        hooks = self._recurring(
            HOOK, self.managed_webhooks.intervals, self._do_hook_turn, mark=self.managed_webhooks.mark, is_writing=True
        )
        tells = Recurring(
            NOTIFY,
            self.notifying.intervals,
            self._notify,
            is_writing=True,
            organization_of=self.notifying.organization_of,
            site_of=self.notifying.organization_of,
            crew=self._telling,
            duties=self.duties,
            clock=self.clock,
            log=self.log,
        )
        return (polls, reconciles, hooks, tells)

    @cached_property
    def checkups(self) -> Errands:
        """Integrations that are checked."""
        return self._errands("checkup", self._check, LOOK_FOR_CHECKUPS_S, mark=self._mark_of_check)

    @cached_property
    def authorizations(self) -> Errands:
        """Integrations that are authorized without a person."""
        return self._errands("authorize", self.configured.authorize, RETRY_AUTHORIZATIONS_S, is_writing=True)

    @cached_property
    def tests(self) -> Errands:
        """Integrations that have a test incident under way."""
        return self._errands("test", self.round_trips.step, LOOK_FOR_TESTS_S, is_writing=True)

    @cached_property
    def _settings(self) -> Errands:
        """Integrations whose open incidents get other settings."""
        return self._errands(
            "settings", self.open_incidents.work, LOOK_FOR_SETTINGS_S, mark=self.open_incidents.mark, is_writing=True
        )

    @cached_property
    def _waiting(self) -> WaitingIncidents:
        """Incidents that wait for an integration."""
        return WaitingIncidents(self.store, self.registry, self.clock, self.log, self.nudge)

    @cached_property
    def _lost_renewals(self) -> Errands:
        """Integrations whose renewal is asked for again."""
        return self._errands("renew", self.ask_again, LOOK_FOR_RENEWALS_S, crew=self._renewing)

    @cached_property
    def renewals(self) -> Renewals:
        """Renewals whose answer was lost."""
        return Renewals(self.store, self.registry, self.breakers, self.log)

    def _recurring(
        self,
        kind: str,
        wanted: Callable[[], Mapping[str, float]],
        act: Callable[[str, Turn], object],
        *,
        mark: Callable[[str], str],
        is_writing: bool = False,
    ) -> Recurring:
        """Return rounds over integrations."""
        return Recurring(
            kind,
            wanted,
            act,
            mark=mark,
            is_writing=is_writing,
            crew=self._calls,
            organization_of=self._organization_of,
            site_of=self.registry.site_of,
            duties=self.duties,
            clock=self.clock,
            log=self.log,
        )

    def _errands(  # noqa: PLR0913 - what differs, by keyword
        self,
        kind: str,
        act: Callable[[str], object],
        look_every_s: float,
        *,
        mark: Callable[[str], str] = always_alike,
        is_writing: bool = False,
        crew: SharedCrew | None = None,
    ) -> Errands:
        """Return errands to integrations that all nodes look for."""
        return Errands(
            kind,
            act,
            every_s=look_every_s * _AGAIN_AFTER,
            mark=mark,
            is_writing=is_writing,
            crew=crew or self._calls,
            organization_of=self._organization_of,
            site_of=self.registry.site_of,
            duties=self.duties,
            log=self.log,
        )

    def _organization_of(self, integration_id: str) -> str:
        return self.registry.entry(integration_id).record.organization

    def _poll(self, organization: str, _: Turn) -> None:
        self.poller.poll(organization)

    def _notify(self, notifier_id: str, _: Turn) -> None:
        self.notifying.do_turn(notifier_id)

    def _do_hook_turn(self, integration_id: str, _: Turn) -> None:
        self.keep_hook(integration_id)

    def keep_hook(self, integration_id: str) -> None:
        """See to the webhook of an integration, and to what its site is called now."""
        SiteNames(self.registry, self.log).refresh(integration_id)
        self.managed_webhooks.keep(integration_id)

    def _beat(self) -> None:
        """Note that the daemon is alive, so that a database of before can be told."""
        self.store.life.beat(self.clock.now())

    def _probe(self) -> None:
        """Let tripped breakers be tried again when their time has come."""
        if self.breakers.wake_probes():
            self.nudge()

    def _authorize(self) -> None:
        """Authorize what is due, and those that could not be reached before."""
        self.authorizations.send(self.configured.to_authorize())

    def _go_on_with_tests(self) -> None:
        """Have the test incidents go on that are under way."""
        self.tests.send(self.store.round_trips.all_running())

    def _apply_settings(self) -> None:
        """Go on with every run over open incidents."""
        self._settings.send(self.open_incidents.due())

    def _renew(self) -> None:
        """Have every renewal asked for again whose answer was lost."""
        self._lost_renewals.send(self.renewals.urgent())

    def ask_again(self, integration_id: str) -> None:
        """Ask again for the renewal of an integration's grant; lanes that waited for it go on."""
        if self.renewals.ask_again(integration_id):
            self.nudge()

    def check_up(self) -> None:
        """Try everything that active integrations need: each night, and soon after one became active."""
        self.checkups.send(due(self.store, self.registry, self.clock.now()))

    def check_changed(self) -> None:
        """Try active integrations again whose settings changed: what was found of those of before is forgotten."""
        self.checkups.send(self.store.checkups.unchecked())

    def _mark_of_check(self, integration_id: str) -> str:
        """Return what is checked: when it changes the check is due at once."""
        last = self.store.checkups.of(integration_id)
        return f"{self.reconciler.mark(integration_id)}, {'anew' if last is None else 'again'}"

    def _check(self, integration_id: str) -> None:
        if self._is_due(integration_id):  # else another node has just done it
            self.setup.check(integration_id)

    def _is_due(self, integration_id: str) -> bool:
        registry = self.registry
        if not registry.usable(integration_id) or not registry.entry(integration_id).is_working:
            return False
        record = registry.entry(integration_id).record
        return is_due(record, self.store.checkups.of(integration_id), self.clock.now())

    def _note_waiting(self) -> float:
        """Keep how much waits right now, each minute on one node; where nothing does, nothing is written."""
        with self.duties.turn(Duty("backlog"), every_s=A_MINUTE_S) as turn:
            if turn.is_ours and self.store.figures.waiting():
                self.store.figures.note_waiting(self.clock.now())
        return turn.wait_s

    def _forget(self) -> float:
        """Forget what is old, once an hour on one node."""
        with self.duties.turn(Duty("forget"), every_s=AN_HOUR_S) as turn:
            if turn.is_ours:
                Forgetting(self.store, self.clock, self.log, self.keep_history, self.keep_log).forget()
        return turn.wait_s
