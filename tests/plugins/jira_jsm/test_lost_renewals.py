"""A refresh token that was rotated while the answer was lost: it is presented again until Atlassian's leeway ends."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog
from ruamel.yaml import YAML
from structlog.testing import capture_logs

from connector_core import AuthError, EventType, Incident, IncidentEvent, RetryLater
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.engine.backoff import HORIZON_S
from connector_core.setup.authorizing import TERMINAL
from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import Fault, JiraSandbox
from tests.support.jira.handles import NOW

HOUR_S = 3600.0
LEEWAY_S = 600
TOKEN = "/oauth/token$"


class Life:
    """A connector without threads, at a sandbox whose clock is its own; time passes second by second."""

    def __init__(self, folder):
        self.clock = FrozenClock(NOW)
        self.sandbox = JiraSandbox(clock=self.clock.now, search_lag_s=0.0)
        self.sandbox.start()
        self.path = folder / "connector.yaml"
        source = {"plugin": "http", "secret": "whsec_c2VjcmV0c2VjcmV0"}
        desk = {"plugin": "jira_jsm", **self.sandbox.integration_settings()}
        YAML(typ="safe").dump(
            {
                "secret_key": "a passphrase that is long enough",
                "server": {"public_url": "http://127.0.0.1:9"},
                "plugins": {"jira_jsm": self.sandbox.plugin_settings()},
                "organizations": {"acme": {"source": source, "integrations": {"desk": desk}}},
            },
            self.path,
        )
        self.open()
        self.app.configured.apply()
        self.authorize()

    def authorize(self):
        """Authorize as from a terminal."""
        authorizing = self.app.authorizing
        page = authorizing.start("desk", TERMINAL).url
        authorizing.finish(dict(parse_qsl(urlsplit(self.sandbox.approve(page)).query)), TERMINAL)
        authorizing.take(authorizing.held("desk", TERMINAL))

    def open(self):
        """Begin, or begin again."""
        config, plugins = read_config(self.path)
        self.app = build_app(config, plugins, log=structlog.get_logger("test"), clock=self.clock)

    def die(self):
        """End as after a kill, and begin again: what was not stored is forgotten."""
        self.app.store.close()
        self.open()

    @property
    def entry(self):
        """The one integration."""
        return self.app.registry.entry("desk")

    @property
    def asked(self):
        """How often the token endpoint was asked so far."""
        return self.sandbox.count_calls("POST", TOKEN)

    def lose(self, times):
        """Lose the answers of the token endpoint, after it has rotated."""
        self.sandbox.add_fault(Fault("lost_answer", path=TOKEN, times=times))

    def need(self):
        """Need the grant for something."""
        return self.entry.handle.core.grant()

    def lose_a_renewal(self):
        """Let an hour pass and the answer to the renewal be lost, and that to asking again at once."""
        self.clock.forward(HOUR_S)
        with pytest.raises(RetryLater):
            self.need()

    def wait(self, seconds):
        """Let the scheduler's job look each second, whatever else there is to do."""
        for _ in range(seconds):
            self.clock.forward(1)
            for name in self.app.by_the_clock.renewals.urgent():
                self.app.by_the_clock.ask_again(name)

    def open_incident(self):
        """Have an incident come in whose ticket is to be made."""
        self.number = getattr(self, "number", 0) + 1
        incident = Incident(id=f"inc-{self.number}", title="Display offline")
        event = IncidentEvent(
            id=f"evt-{self.number}", type=EventType.OPENED, occurred_at=self.clock.now(), incident=incident
        )
        targets = self.app.registry.targets("acme")
        self.app.store.inbox.accept_events("acme", [event], targets, self.clock.now()).result()

    def run_lanes(self):
        """Run what is due, as the engine would."""
        self.app.breakers.wake_probes()
        for claim in self.app.store.lanes.claim("boot", self.clock.now(), 8, HORIZON_S):
            self.app.store.lanes.release(claim, self.app.engine._lane_work.run(claim), self.clock.now())


@pytest.fixture
def life(tmp_path):
    """Put up a connector that is authorized at a sandbox."""
    made = Life(tmp_path)
    yield made
    made.app.store.close()
    made.sandbox.stop()


@pytest.mark.extended
def test_a_renewal_is_made_good_although_nobody_needs_it(life):
    """No lane is due and nothing is polled; nine minutes of lost answers are survived."""
    life.lose(times=None)
    life.lose_a_renewal()

    life.wait(540)
    life.sandbox.clear_faults()
    life.wait(10)

    assert life.app.store.grants.open_renewals() == {}
    assert life.entry.keeper.present().needs_renewal(life.clock.now()) is False
    life.clock.forward(HOUR_S)
    assert life.need() is not None


@pytest.mark.extended
def test_it_is_asked_for_every_few_seconds_and_no_longer_than_it_helps(life):
    """A try every three seconds or so, whatever the site's pause is; after the leeway none that nobody needs."""
    life.lose(times=None)
    life.lose_a_renewal()

    life.wait(60)
    within_a_minute = life.asked
    life.wait(LEEWAY_S)
    by_then = life.asked
    life.wait(LEEWAY_S)

    assert 20 <= within_a_minute <= 80  # each try asks twice
    assert life.asked == by_then


def test_a_kill_before_the_answer_is_stored_is_made_good(life):
    """The next life finds the renewal open, and asks before anybody needs it."""
    life.clock.forward(HOUR_S)

    class KilledError(BaseException):
        """The process ends here."""

    def killed(*_):
        raise KilledError

    keeper = life.entry.keeper
    keeper._store.grants.renew = killed
    with pytest.raises(KilledError):
        life.need()
    life.die()
    life.wait(3)

    assert life.app.store.grants.open_renewals() == {}
    life.clock.forward(LEEWAY_S + 60)
    assert life.need() is not None
    life.clock.forward(HOUR_S)
    assert life.need() is not None


def test_a_restart_goes_on_with_an_open_renewal(life):
    """What is open is in the store; the wall clock says how long already."""
    life.lose(times=None)
    life.lose_a_renewal()
    life.wait(100)
    life.die()
    life.wait(100)
    life.sandbox.clear_faults()

    life.wait(5)

    assert life.app.store.grants.open_renewals() == {}


@pytest.mark.parametrize("by_s", [2 * 86400, -2 * 86400])
def test_a_clock_that_is_set_changes_nothing(life, by_s):
    """How long a renewal is open is counted by the steady clock."""
    life.lose(times=None)
    life.lose_a_renewal()
    life.wait(10)
    life.clock.set_by(by_s)
    asked = life.asked
    life.wait(20)

    assert life.asked >= asked + 6


def test_many_that_need_the_grant_ask_no_more_often(life):
    """Whoever comes within a moment is told what the one before was told."""
    life.lose(times=None)
    life.lose_a_renewal()
    asked = life.asked

    for _ in range(20):
        with pytest.raises(RetryLater):
            life.need()

    assert life.asked == asked


def test_lanes_wait_at_a_breaker_of_the_grant_and_go_on_when_it_is_renewed(life):
    """The site is not paused for others, and nothing is taken for half done."""
    life.open_incident()
    life.clock.forward(HOUR_S)
    life.lose(times=None)
    life.run_lanes()
    (link,) = life.app.store.links.find()

    assert [breaker.key for breaker in life.app.store.breakers.every()] == ["grant:desk"]
    assert link.breaker == "grant:desk"
    life.wait(60)
    life.sandbox.clear_faults()
    life.wait(5)

    assert life.app.store.breakers.every() == []
    life.run_lanes()
    assert life.app.store.links.get(link.id).ticket.title == "Display offline"
    assert len(life.sandbox.tickets()) == 1


@pytest.mark.extended
def test_after_the_leeway_it_is_said_that_somebody_has_to_authorize(life):
    """Nothing was to be had in time; the reason is told once, and no breaker stays behind."""
    life.lose(times=None)
    life.lose_a_renewal()
    life.wait(LEEWAY_S + 10)
    life.sandbox.clear_faults()
    life.clock.forward(400)

    with pytest.raises(AuthError):
        life.need()

    assert life.app.store.grants.open_renewals() == {}
    (record,) = life.app.store.integrations.every()
    assert record.problem_code == "authorization_needed"


def test_a_refused_connection_leaves_nothing_open(life):
    """Nothing was sent, so nothing was rotated: there is no haste."""
    life.sandbox.add_fault(Fault("status", path=TOKEN, status=429, headers={"Retry-After": "30"}, times=None))
    life.lose_a_renewal()

    assert life.app.store.grants.open_renewals() == {}
    asked = life.asked
    life.wait(LEEWAY_S)
    assert life.asked == asked


def test_a_new_consent_ends_an_open_renewal(life):
    """Somebody authorized meanwhile; nobody asks with the old token."""
    life.lose(times=2)
    life.lose_a_renewal()
    life.authorize()
    asked = life.asked

    life.wait(30)

    assert life.app.store.grants.open_renewals() == {}
    assert life.asked == asked


def test_the_log_tells_how_it_went(life):
    """It says that asking again helped; never a token."""
    life.lose(times=4)
    with capture_logs() as said:
        life.lose_a_renewal()
        life.wait(10)

    assert "renewal_made_good" in [line["event"] for line in said]
    assert "sandbox-refresh" not in str(said)
