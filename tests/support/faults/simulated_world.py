"""The world of one simulation: virtual clock, both sides, the network between, and the real connector in the middle.

Everything happens in one thread and follows from the seeds of the steps, so every run can be repeated exactly.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from random import Random

import structlog
from pydantic import SecretStr

from connector_core.contract.comment_rules import CommentRules, ToIncident, ToTicket
from connector_core.contract.errors import AuthError, ConfigError, RemoteError, RetryLater, Scope
from connector_core.contract.merge import ConflictRule, FieldRule
from connector_core.contract.models import FieldName, Grant
from connector_core.engine.breakers import Breakers
from connector_core.engine.engine import Engine
from connector_core.health.clock_watch import ClockWatch
from connector_core.inbound.intake import Intake
from connector_core.metrics import Metrics
from connector_core.operations import Operations
from connector_core.plugins import load_plugins
from connector_core.polling.reconcile import Reconciler
from connector_core.registry.integrations import Registry
from connector_core.registry.site_names import SiteNames
from connector_core.store import IntegrationRecord, IntegrationState, Origin
from connector_core.sync.advance import Synchronizer
from connector_core.testing import MemoryPlatform
from connector_core.testing.clock import BEGINNING
from tests.support.configured import config_of
from tests.support.faults.simulated_sides import SETTLE_S, SimulatedDesk, SimulatedPlatform, VirtualClock
from tests.support.faults.simulated_store import SimulatedStore

ASK = FieldRule(on_conflict=ConflictRule.ASK)
LONGEST_SKEW_S = 90.0
SECRET = "the secret of the webhooks"
TICKET_WINS = FieldRule(on_conflict=ConflictRule.TICKET_WINS)


@cache
def configured():
    """Return the configuration of every run."""
    return config_of(load_plugins(entry_points=[MemoryPlatform().entry_point()]))


class PowerCut(KeyboardInterrupt):
    """The process dies here; whatever it held in memory is gone. Like an interrupt, it is nobody's to catch."""


class Broken(AssertionError):
    """A guarantee does not hold."""


class SimulatedEngine(Engine):
    """The engine without threads: waiting lets the virtual time pass."""

    _clock: VirtualClock

    def _sleep(self, seconds):
        self._clock.forward(seconds)


@dataclass(frozen=True)
class Weather:
    """How bad a run is, drawn from its seed: shares of calls and writes that fail, and how people and clocks are."""

    calls_fail: float
    answers_lost: float
    writes_fail: float
    power_cuts: float
    interruptions: float
    refusals: float
    changes_per_minute: int

    @classmethod
    def drawn(cls, random) -> Weather:
        """Draw a weather; every fourth run is calm."""
        bad = random.choice([0.0, 0.05, 0.15, 0.3])
        return cls(
            calls_fail=bad,
            answers_lost=random.choice([0.0, bad]),
            writes_fail=random.choice([0.0, 0.0, bad / 3]),
            power_cuts=random.choice([0.0, bad / 3]),
            interruptions=random.choice([0.0, 0.2, 0.5]),
            refusals=random.choice([0.0, 0.0, bad / 3]),
            changes_per_minute=random.choice([1000, 1000, 6]),
        )

    @property
    def is_calm(self):
        """Return whether nothing at all goes wrong."""
        return not (self.calls_fail or self.answers_lost or self.writes_fail or self.power_cuts or self.refusals)


class World:
    """Both sides and the connector; `random` is that of the step under way."""

    is_alone = True
    takeovers = 0

    def __init__(self, seed):
        fixed = Random(seed)
        self.random = Random(seed)
        self.weather = Weather.drawn(fixed)
        self.faults = True
        self.story = []
        self.meanwhile = lambda: None
        self.clock = VirtualClock()
        tells_times = fixed.random() < 0.7
        skew_s = fixed.choice([0.0, 0.0, -90.0, 90.0]) if tells_times else 0.0
        names = ["desk", "other"][: fixed.choice([1, 1, 2])]
        self.desks = {
            name: SimulatedDesk(
                self, name, timedelta(seconds=fixed.choice([0.0, -40.0, 40.0])), fixed.choice([0.0, 5.0, 60.0])
            )
            for name in names
        }
        self.to_incident = Random(f"comments of {seed}").choice(["all", "public"])
        self.comments = CommentRules(
            to_ticket=ToTicket.INTERNAL, to_incident=ToIncident(self.to_incident), since=BEGINNING - timedelta(days=1)
        )
        self.heard = set()
        self.rules = fixed.choice([{}, {}, {FieldName.TITLE: ASK, FieldName.PRIORITY: TICKET_WINS}])
        # A platform tells when our change was made, or of the change itself; one that does neither cannot be followed.
        tells_changes = not tells_times or fixed.random() < 0.5
        self.platform = SimulatedPlatform(
            self, timedelta(seconds=skew_s), tells_own_changes=tells_changes, tells_times=tells_times
        )
        self.plugins = load_plugins(entry_points=[side.entry_point() for side in (*self.desks.values(), self.platform)])
        self.down = dict.fromkeys([*names, "platform"], False)
        self.acknowledged = set()
        self.known_until = {}
        self.known_at = {}
        self.copies = []
        self.restored = False
        self.store = SimulatedStore(self._store_fault)
        self._fixed = fixed
        for name in names:
            self._make_integration(name)
        self.start()

    # The connector

    def start(self):
        """Start the connector's process anew on what is stored."""
        log, metrics = structlog.get_logger("simulation"), Metrics()
        self.breakers = Breakers(self.store.breakers, self.clock, log, metrics, self._fixed)
        registry = Registry(
            self.store, self.plugins, configured(), breakers=self.breakers, metrics=metrics, clock=self.clock, log=log
        )
        sync = Synchronizer(
            self.store,
            registry,
            self.breakers,
            self.clock,
            log,
            metrics,
            self._fixed,
            self.weather.changes_per_minute,
            is_alone=self.is_alone,
        )
        self.engine = SimulatedEngine(
            self.store.lanes,
            sync,
            workers=8,
            per_integration=4,
            clock=self.clock,
            log=log,
            node=self.make_node(log),
        )
        self.reconciler = Reconciler(self.store, registry, self.breakers, self.clock, log, after=lambda: None)
        self.operations = Operations(self.store, registry, self.reconciler, self.clock, log)
        self.registry = registry
        self.intake, self.site_names = Intake(self.store, registry, log), SiteNames(registry, log)
        self.clock_watch = ClockWatch(
            self.store.life, self.clock, log, after=(self.breakers.clock_was_set,), is_alone=self.is_alone
        )
        with self.no_faults():
            why = self.store.life.begin(self.clock.now())
            if why:
                self.say(f"  the database may not know all: {why}")
            self.engine.node.start(lambda: None)
            self.store.lanes.wake_blocked(self.clock.now())

    def start_again(self):
        """Start what a power cut ended."""
        self.start()

    def for_each_process(self, deed):
        """Have each process of the connector do something."""
        deed()

    def begin_step(self):
        """Choose which process the next step happens to."""

    def make_node(self, log):
        """Make the node of the process that begins; None where it is the only one."""
        return

    def keep_copy(self):
        """Copy the database, and what the world holds the connector to."""
        held = (set(self.acknowledged), set(self.heard), dict(self.known_until), dict(self.known_at))
        self.copies.append((self.store.copied(), self.store.simulated.beside.place, held))

    def restore(self, way):
        """Go back to an earlier copy, or to nothing, and start.

        The platform tells of everything once more, and of how it is now.

        Without the file beside the database only times tell that a life is missing, so that clocks have to be right.
        """
        copy, beside, held = self.random.choice(self.copies) if self.copies and way != "lost" else (None, None, None)
        acknowledged, heard, known_until, known_at = held or ((), (), {}, {})
        self.acknowledged, self.heard = set(acknowledged), set(heard)
        self.known_until, self.known_at = dict(known_until), dict(known_at)
        with self.no_faults():
            self.store.put_back(copy)
            if copy is None:
                for name in self.desks:
                    self._make_integration(name)
            if way == "backup" and copy is not None:
                self.store.mark_copy()
            if way in {"machine", "lost"}:
                self.store.simulated.beside.place = beside
                self.clock.wrong_by = timedelta()
                self.clock.forward(SETTLE_S + 2 * LONGEST_SKEW_S)
        for desk in self.desks.values():
            for ticket in desk.tickets.values():
                ticket.hidden = False
        self.platform.outbox = list(self.platform.told)
        self.platform.tell_present()
        self.restored = True
        self.start()

    def work(self, lanes):
        """Run up to a number of due lanes."""
        try:
            claims = self.engine.claim(lanes)
        except RetryLater:
            return
        for claim in claims:
            self.engine.work(claim)

    # Trouble

    @contextmanager
    def no_faults(self):
        """Let nothing go wrong for a while."""
        before, self.faults = self.faults, False
        try:
            yield
        finally:
            self.faults = before

    def before_the_effect(self, side):
        """Let a call of the connector to one side fail before it has done anything."""
        if self.down[side]:
            raise RetryLater("It cannot be reached.", scope=Scope.SITE, code="unreachable")
        self._perhaps_a_power_cut()
        if self._happens(self.weather.calls_fail):
            raise self.random.choice(
                [
                    RetryLater("It cannot answer.", scope=Scope.SITE, code="unavailable"),
                    RetryLater("Slow down.", scope=Scope.SITE, after_s=20, code="rate_limited"),
                    RetryLater("Slow down on this one.", after_s=2, code="rate_limited"),
                    RetryLater("All of the app slow down.", scope=Scope.APP, after_s=60, code="rate_limited"),
                ]
            )
        if self._happens(self.weather.refusals):
            raise self.random.choice(
                [AuthError("Log in again."), ConfigError("A setting is wrong."), RemoteError("No.")]
            )

    def after_the_effect(self, side):
        """Let something happen, and the answer be lost, when a call has done its work."""
        if self._happens(self.weather.interruptions):
            self.meanwhile()
        self._perhaps_a_power_cut()
        if self._happens(self.weather.answers_lost):
            self.say(f"  the {side}'s answer is lost")
            raise RetryLater("The answer was lost.", outcome_unknown=True, scope=Scope.SITE, code="answer_lost")

    def _store_fault(self):
        self._perhaps_a_power_cut()
        if self._happens(self.weather.writes_fail):
            return self.random.choice(["before", "after"])
        return None

    def _perhaps_a_power_cut(self):
        if self._happens(self.weather.power_cuts):
            raise PowerCut

    def _happens(self, share):
        return self.faults and share > 0 and self.random.random() < share

    # Small things

    def known_incident(self, name):
        """Return an incident as the connector knows it, with the time that the platform gives it."""
        link = self.store.links.find(text=name)[0]
        return link.incident.model_copy(update={"updated_at": self.platform.incidents[name].updated_at})

    def was_on_a_ticket(self, name, field, value):
        """Return whether a ticket of an incident ever had a value."""
        links = [link for link in self.store.links.find(text=name) if link.ticket is not None]
        had = [one for link in links for one in self.desks[link.integration_id].tickets[link.ticket.id].had]
        return any(getattr(one, field) == value for one in had)

    def say(self, text):
        """Add a line to the story."""
        self.story.append(f"{self.clock.monotonic():9.1f}  {text}")

    def _make_integration(self, name):
        with self.no_faults():
            self.store.integrations.put(
                IntegrationRecord(
                    id=name,
                    organization="acme",
                    plugin=name,
                    rules=self.rules,
                    comments=self.comments,
                    origin=Origin.SETUP,
                    state=IntegrationState.ACTIVE,
                    answers={"desk": "1"},
                    secret_answers={},
                    webhook_secrets=(SecretStr(SECRET),),
                    created_at=self.clock.now(),
                    activated_at=BEGINNING - timedelta(days=1),
                )
            )
            self.store.grants.save(name, Grant(headers={}, site=self.desks[name].site))
