"""Polling a source: what a look shows is stored with the cursor, and how it ended is told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
import structlog
from pydantic import SecretStr

from connector_core import AuthError, ConfigError, Finding, Grant, RetryLater, Scope, Settings, Severity, hookimpl
from connector_core.app import build_app
from connector_core.cli.exit_codes import code_of
from connector_core.config import load_config
from connector_core.health.refusals import RECENT, events_route
from connector_core.health.source_findings import source_findings, source_missing
from connector_core.plugins import PluginStatus, load_plugins
from connector_core.secrets import SecretBox
from connector_core.store import Breaker, IntegrationState, Reading, SourceState
from connector_core.testing import FrozenClock, MemoryPlatform
from connector_core.words.advice import fix_in_terminal
from tests.support.activation import activate
from tests.support.fake_plugins import desk_entry_point

FILE = """
secret_key: a passphrase that is long enough
organizations:
  acme: {source: {plugin: hub, poll_every: 45s}}
  beta: {source: {plugin: hub}}
  bare: {}
  idle: {source: {plugin: http, secret: whsec_c2VjcmV0}}
"""


class OddHub(MemoryPlatform):
    """A platform whose looks show what `shows` says, or are what it `gives`; a check finds what is in `checked`."""

    shows = MappingProxyType({})
    gives = None
    checked = ()

    @hookimpl
    def poll_incidents(self, source, cursor, active_since):
        """Tell what happened."""
        poll = super().poll_incidents(source, cursor, active_since)
        return self.gives or poll.model_copy(update=dict(self.shows))

    @hookimpl
    def check_source(self, source):
        """Try what a look would do."""
        found = super().check_source(source)
        return self.checked or found


@pytest.fixture
def hub():
    """Make a platform."""
    return OddHub(name="hub", title="Hub")


@pytest.fixture
def app(tmp_path, hub):
    """Build an app with two polled organizations, of which one has an active integration."""
    path = tmp_path / "connector.yaml"
    path.write_text(FILE)
    entry_points = [hub.entry_point(), desk_entry_point(), *_http()]
    plugins = load_plugins(entry_points=entry_points)
    clock = FrozenClock()
    built = build_app(load_config(path, plugins), plugins, log=structlog.get_logger("test"), clock=clock)
    activate(built, "desk", "acme", secret="")
    yield built
    built.store.close()


def _http():
    from importlib import metadata  # noqa: PLC0415 - as above

    return [point for point in metadata.entry_points(group="connector_core.plugins") if point.name == "http"]


def looks(hub):
    """Return the looks so far: whose, from which cursor, and since when it counts."""
    return [(call.handle.organization, *call.about) for call in hub.called("poll_incidents")]


def test_only_sources_with_an_active_integration_are_polled(app):
    """An organization whose incidents go nowhere is left alone; each has its own interval."""
    assert app.poller.intervals() == {"acme": 45.0}
    activate(app, "other", "beta")
    assert app.poller.intervals() == {"acme": 45.0, "beta": 30.0}


def test_events_and_cursor_are_stored_together(app, hub):
    """What a look shows becomes links of that organization only, and the next look begins where it ended."""
    activate(app, "other", "beta")
    hub.open("Offline")

    app.poller.poll("acme")
    app.poller.poll("acme")

    assert looks(hub) == [("acme", None, app.clock.now()), ("acme", "1", app.clock.now())]
    assert [link.integration_id for link in app.store.links.find()] == ["desk"]
    assert app.store.sources.cursor("acme", "hub") == "1"
    assert app.store.sources.cursor("beta", "hub") is None


def test_a_cursor_is_of_one_plugin(app):
    """What another plugin remembered is not given to this one."""
    app.store.inbox.accept_poll("acme", Reading("former", None, ""), [], [], "its own words", app.clock.now())

    assert app.store.sources.cursor("acme", "hub") is None


def test_many_events_are_stored_in_portions(app, hub):
    """The cursor goes with the last one."""
    for number in range(1201):
        hub.open(f"Offline {number}")

    app.poller.poll("acme")

    assert len(app.store.links.find(limit=2000)) == 1201
    assert app.store.sources.cursor("acme", "hub") == "1201"


def test_a_failed_look_is_told_and_changes_nothing(app, hub):
    """State, reason and since when are kept; what the last good look showed is still known."""
    for number in range(3):
        hub.open(f"Offline {number}")
    app.poller.poll("acme")
    app.clock.forward(30)
    hub.down = RetryLater("The hub cannot answer.", scope=Scope.SITE, code="hub_down")

    state = app.poller.poll("acme")

    assert (state.outcome, state.reason, state.open_incidents) == ("hub_down", "The hub cannot answer.", 3)
    assert app.clock.now() - state.worked_at == timedelta(seconds=30)
    assert app.store.sources.cursor("acme", "hub") == "3"


def test_a_failing_source_backs_off_alone(app, hub):
    """After three failures it is not even asked, until its time has come; another organization goes on."""
    activate(app, "other", "beta")
    hub.down = RetryLater("The hub cannot answer.", scope=Scope.SITE)
    for _ in range(5):
        app.poller.poll("acme")
    asked = len(looks(hub))
    hub.down = None

    assert asked == 3
    assert app.poller.poll("acme") is None
    assert app.poller.poll("beta").outcome == "ok"
    app.clock.forward(10)
    assert app.poller.poll("acme").outcome == "ok"


def test_a_look_that_is_asked_to_wait_pauses_whatever_scope_is_named(app, hub):
    """A look is about no link, so it is the source that has to wait; a wait of nothing is none."""
    hub.down = RetryLater("Slow down on this one.", after_s=0)
    for _ in range(600):
        app.poller.poll("acme")
        app.clock.forward(0.1)

    assert 2 <= len(looks(hub)) <= 8


def test_a_refused_key_stops_the_asking_until_a_person_acts(app, hub):
    """One refusal is enough; a check that finds nothing wrong, or a start with a new key, begins again."""
    hub.down = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    app.poller.poll("acme")
    assert len(looks(hub)) == 1
    (breaker,) = app.store.breakers.every()
    assert (breaker.key, breaker.needs_person) == ("poll:acme", True)
    hub.down = None

    app.poller.check("acme")

    assert app.store.breakers.every() == []
    assert app.poller.poll("acme").outcome == "ok"


def test_a_check_of_an_integration_tries_its_platform_too(app, hub):
    """So the step Enable shows whose incidents come; trouble there keeps nobody from activating."""
    app.store.grants.save("desk", Grant(headers={}))

    fine = app.setup.check("desk")
    hub.down = AuthError("The key is refused.", code="key_refused")
    refused = app.setup.check("desk")

    assert [(one.code, one.severity, one.title) for one in fine] == [("source_account", "ok", "Hub: Connected to Hub.")]
    assert [(one.code, one.severity) for one in refused] == [("source_key_refused", "warning")]


def test_a_start_asks_again_although_the_key_was_refused(app, hub):
    """It may have been replaced meanwhile."""
    hub.down = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    hub.down = None

    app.poller.forget_refusals()

    assert app.poller.poll("acme").outcome == "ok"


def test_since_when_is_told_while_it_ends_alike(app, hub):
    """The same trouble again does not begin anew."""
    hub.down = RetryLater("No list.", code="no_items")
    first = app.clock.now()
    app.poller.poll("acme")
    app.clock.forward(60)
    app.poller.poll("acme")

    assert app.store.sources.state("acme").since == first


def test_trouble_is_said_once(app, hub):
    """In the log: when it begins, when it ends, and each finding when it is new."""
    hub.down = RetryLater("No list.", code="no_items")
    with structlog.testing.capture_logs() as said:
        app.poller.poll("acme")
        app.poller.poll("acme")
        hub.down = None
        hub.findings = (Finding(code="odd", severity=Severity.WARNING, title="Odd."),)
        app.poller.poll("acme")
        app.poller.poll("acme")

    words = [line["event"] for line in said]
    assert words == ["source_not_read", "source_read_again", "source_finding"]


def test_a_plugin_that_is_polled_needs_settings_that_say_how_often():
    """Otherwise it is not loaded, and says why."""
    hub = MemoryPlatform(name="hub")
    hub.settings_model = Settings

    (record,) = load_plugins(entry_points=[hub.entry_point()]).records

    assert record.status is PluginStatus.LOAD_FAILED
    assert "PolledSettings" in record.reason


def test_the_scheduler_polls_each_source_at_its_own_moment(app):
    """Many sources are not polled all at once, and one that nobody needs any more is not polled."""
    for number in range(40):
        app.registry._config.organizations[f"org-{number}"] = app.config.organizations["beta"]
        activate(app, f"desk-{number}", f"org-{number}")
    schedule = app.schedule

    schedule.follow()

    waits = schedule.rounds["poll"].rounds.waits()
    assert len(waits) == 41
    assert max(waits.values()) > 5
    app.store.integrations.put(replace(app.registry.entry("desk-1").record, state=IntegrationState.DISABLED))
    schedule.follow()
    assert len(schedule.rounds["poll"].rounds.waits()) == 40


def test_a_former_database_gets_the_new_tables(tmp_path):
    """Opened by this version, a source's state can be kept in it."""
    from connector_core.store.opening import open_store  # noqa: PLC0415 - beside its use

    box = SecretBox([SecretStr("a passphrase that is long enough")])
    open_store(tmp_path / "a.db", box).close()
    store = open_store(tmp_path / "a.db", box)

    assert store.sources.states() == {}
    store.close()


def status(app, organization="acme"):
    """Return how a source stands, in one word and one sentence."""
    found = app.poller.status(organization)
    return found.word, found.sentence


def test_standing_of_a_source_that_works(app, hub):
    """Whose it is and how many incidents are open, as far as that is known; before the first look it waits."""
    assert status(app) == ("waiting", "Waiting for the first check.")
    said = []
    for shown in ({"open_incidents": 3}, {"open_incidents": 1}, {"open_incidents": 0, "account_name": "Acme"}, {}):
        hub.shows = {"open_incidents": None, **shown}
        app.poller.poll("acme")
        said.append(status(app))

    assert said == [
        ("ok", "3 open incidents."),
        ("ok", "1 open incident."),
        ("ok", "Acme: 0 open incidents."),
        ("ok", "It answers."),
    ]
    found = app.poller.status("acme")
    assert (found.organization, found.title, found.last) == ("acme", "Hub", app.store.sources.state("acme"))


def test_standing_of_a_source_that_is_not_asked(app):
    """One that pushes tells by itself; without an active integration nobody asks, whatever was so before."""
    app.poller.poll("acme")
    desk = app.registry.entry("desk").record
    app.store.integrations.put(replace(desk, state=IntegrationState.DISABLED))

    assert status(app)[0] == "idle"
    assert app.poller.status("acme").last == app.store.sources.state("acme")
    assert status(app, "idle") == ("told", "It pushes its incidents.")
    assert status(app, "nobody")[0] == "missing"


def test_standing_of_a_source_that_fails(app, hub):
    """What is tried again by itself waits, what needs a person is a problem; both say why."""
    app.poller.poll("acme")
    hub.down = RetryLater("The hub cannot answer.", scope=Scope.SITE, code="hub_down")
    app.poller.poll("acme")
    assert status(app) == ("waiting", "The hub cannot answer.")

    for _ in range(3):
        app.poller.poll("acme")
    assert status(app) == ("waiting", "The hub cannot answer.")
    app.poller.resume("acme")
    hub.down = AuthError("The key is refused.", code="key_refused", fix="Replace it.")
    app.poller.poll("acme")

    found = app.poller.status("acme")
    assert (found.word, found.sentence, found.fix) == ("problem", "The key is refused.", "Replace it.")
    assert found.last.outcome == "key_refused"


def test_standing_of_a_source_with_a_finding(app, hub):
    """What a person should know although the look worked; what is fine is not told."""
    fine = Finding(code="key", severity=Severity.OK, title="Fine.")
    odd = Finding(code="odd", severity=Severity.WARNING, title="Odd.", fix="Look.")
    for findings, word in (((fine,), "ok"), ((fine, odd), "warning")):
        hub.findings = findings
        app.poller.poll("acme")
        assert status(app)[0] == word

    found = app.poller.status("acme")
    assert (found.sentence, found.fix, found.last.findings) == ("Odd.", "Look.", (fine, odd))


def test_standing_forgets_what_another_plugin_saw(app):
    """A source that was replaced was not asked yet, whatever became of the former one."""
    now = app.clock.now()
    app.store.sources.note(SourceState("acme", "former", now, "hub_down", now, reason="It was down."), "")

    assert status(app) == ("waiting", "Waiting for the first check.")


def test_what_was_known_stays_known_while_it_fails(app, hub):
    """Whose it is, how many are open and what was found are those of the last good look; a first look knows nothing."""
    finding = Finding(code="odd", severity=Severity.WARNING, title="Odd.")
    hub.down = RetryLater("No list.", code="no_items", fix="Wait.")
    first = app.poller.poll("acme")
    hub.down, hub.findings, hub.shows = None, (finding,), {"open_incidents": 2, "account_name": "Acme"}
    app.poller.poll("acme")
    worked_at = app.clock.now()
    app.clock.forward(60)
    hub.down = RetryLater("No list.", code="no_items")
    later = app.poller.poll("acme")

    assert (first.worked_at, first.open_incidents, first.account_name, first.findings) == (None, None, "", ())
    assert (first.outcome, first.reason, first.fix) == ("no_items", "No list.", "Wait.")
    assert (later.worked_at, later.open_incidents) == (worked_at, 2)
    assert (later.account_name, later.findings) == ("Acme", (finding,))


def test_incidents_count_from_the_first_activation(app, hub):
    """What was open before the earliest integration that is active is not asked for."""
    first = app.clock.now()
    app.clock.forward(3600)
    activate(app, "second", "acme")

    app.poller.poll("acme")

    assert looks(hub) == [("acme", None, first)]


def test_lanes_are_run_as_soon_as_there_is_something_in_them(app, hub):
    """Once for each portion that was stored, and not for a look that shows nothing."""
    called = []
    poller = replace(app.poller, after=lambda: called.append(len(app.store.links.find(limit=2000))))
    for number in range(501):
        hub.open(f"Offline {number}")

    poller.poll("acme")
    assert called == [500, 501]
    for cursor in ("501", "502"):
        hub.shows = {"cursor": cursor}
        poller.poll("acme")
    assert called == [500, 501]


def test_what_waited_for_a_source_goes_on_when_it_is_resumed(app, hub):
    """Its pauses end, and whoever runs lanes is told."""
    called = []
    poller = replace(app.poller, after=lambda: called.append(app.store.breakers.every()))
    hub.down = AuthError("The key is refused.", code="key_refused")
    poller.poll("acme")

    poller.resume("acme")

    assert called == [[]]


def test_the_cursor_goes_with_the_last_portion(app, hub, monkeypatch):
    """A crash in between has the same look repeated, which names its events alike."""
    for number in range(501):
        hub.open(f"Offline {number}")
    accept = app.store.inbox.accept_poll
    kept = []

    def watched(*stored):
        kept.append((len(stored[2]), stored[4]))
        return accept(*stored)

    monkeypatch.setattr(app.store.inbox, "accept_poll", watched)

    app.poller.poll("acme")

    assert kept == [(500, None), (1, "501")]


def test_a_look_that_shows_nothing_new_writes_nothing_but_its_state(app, hub, monkeypatch):
    """The cursor that is stored already is not stored again; one that moved is, events or not."""
    stored = []
    accept = app.store.inbox.accept_poll

    def noted(*args):
        stored.append(args[4])
        return accept(*args)

    monkeypatch.setattr(app.store.inbox, "accept_poll", noted)

    for cursor in ("7", "7", "8"):
        hub.shows = {"cursor": cursor}
        app.poller.poll("acme")

    assert stored == ["7", "8"]


def test_a_plugin_that_gives_no_poll_is_at_fault(app, hub):
    """What it gave is not taken for a look; the state says whose fault it is."""
    hub.gives = "nothing of the kind"

    state = app.poller.poll("acme")

    assert (state.outcome, state.open_incidents) == ("plugin_broken", None)
    assert "gave back str from poll_incidents, not Poll" in state.reason
    assert app.store.sources.cursor("acme", "hub") is None


def test_a_check_hands_on_what_was_found_and_ends_no_pause_for_a_problem(app, hub):
    """Only a check without a problem begins again; a warning is none."""
    hub.down = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    hub.down = None
    problem = Finding(code="key", severity=Severity.PROBLEM, title="No.")
    fine = Finding(code="name", severity=Severity.WARNING, title="Odd.")
    hub.checked = [fine, problem]

    assert app.poller.check("acme") == [fine, problem]
    assert [breaker.key for breaker in app.store.breakers.every()] == ["poll:acme"]
    hub.checked = [fine]
    assert app.poller.check("acme") == [fine]
    assert app.store.breakers.every() == []


def test_a_source_that_is_told_has_nothing_to_check(app):
    """Which is said, to whoever asked."""
    with pytest.raises(ConfigError) as caught:
        app.poller.check("idle")

    assert (caught.value.code, code_of(caught.value)) == ("nothing_to_check", 2)
    assert "Send a signed test event to " in caught.value.fix
    assert "/v1/sources/idle/events" in caught.value.fix


def test_a_start_ends_refusals_of_sources_only(app, hub):
    """What waits for its time, and what refused an integration, is left alone."""
    activate(app, "other", "beta")
    hub.down = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    hub.down = RetryLater("Slow down.", scope=Scope.SITE, after_s=600, code="rate_limited")
    app.poller.poll("beta")
    now = app.clock.now()
    for key in ("settings:desk:x", "source:acme"):
        app.store.breakers.trip(Breaker(key, "c", "r", "", now, now + timedelta(hours=1), 0, needs_person=True))

    app.poller.forget_refusals()

    assert {breaker.key for breaker in app.store.breakers.every()} == {"poll:beta", "settings:desk:x"}


def test_trouble_that_changes_and_findings_that_stay_are_said_once_each(app, hub):
    """Another reason is news, so is a second finding; the end of what was never said is none."""
    odd, even = (Finding(code=code, severity=Severity.WARNING, title=code) for code in ("odd", "even"))
    fine = Finding(code="fine", severity=Severity.OK, title="Fine.")
    with structlog.testing.capture_logs() as said:
        hub.findings = (odd, fine)
        app.poller.poll("acme")
        hub.findings = (odd, even, fine)
        app.poller.poll("acme")
        hub.down = RetryLater("No list.", code="no_items")
        app.poller.poll("acme")
        hub.down = RetryLater("No names.", code="no_names")
        app.poller.poll("acme")

    words = [(line["event"], line["code"]) for line in said]
    assert words == [
        ("source_finding", "odd"),
        ("source_finding", "even"),
        ("source_not_read", "no_items"),
        ("source_not_read", "no_names"),
    ]


def test_sources_are_tried_where_there_is_something_to_try(app, hub):
    """A source that is told, and an organization without one, have no findings of their own."""
    assert source_findings(app.registry, "idle") == []
    assert source_findings(app.registry, "nobody") == []
    hub.checked = [
        Finding(code="key", severity=Severity.PROBLEM, title="No."),
        Finding(code="name", severity=Severity.OK, title="Yes."),
    ]
    found = source_findings(app.registry, "acme")
    assert [(one.code, one.severity, one.title) for one in found] == [
        ("source_key", Severity.WARNING, "Hub: No."),
        ("source_name", Severity.OK, "Hub: Yes."),
    ]


def test_an_organization_without_a_source_is_told_what_to_run(app):
    """One that has a source has nothing missing."""
    assert source_missing(app.registry, "acme", Severity.WARNING) == []

    (found,) = source_missing(app.registry, "bare", Severity.WARNING)

    assert (found.code, found.severity) == ("source_missing", Severity.WARNING)
    assert found.title == "No incidents come in: bare has no source"
    assert fix_in_terminal(found) == "Run: connector sources setup bare"
    assert app.poller.status("bare").fix == found.fix
    assert status(app, "bare") == ("missing", "No incident source connected.")


def test_a_source_whose_plugin_is_gone_says_so(app):
    """It is no source that is missing: the way out is another one."""
    acme = app.config.organizations["acme"]
    app.registry._config.organizations["lost"] = replace(acme, source=replace(acme.source, plugin="gone"))

    (found,) = source_missing(app.registry, "lost", Severity.PROBLEM)
    stands = app.poller.status("lost")

    assert "No incidents come in" not in found.title
    assert fix_in_terminal(found) != "Run: connector sources setup lost"
    assert (stands.word, stands.sentence, stands.fix) == ("problem", found.title, found.fix)


@pytest.mark.parametrize(("age", "told"), [(RECENT - timedelta(seconds=1), 1), (RECENT, 0)])
def test_events_that_were_refused_are_told_for_some_days(app, age, told):
    """What was turned away longer ago is of no use to whoever looks now."""
    app.store.webhooks.note_refusals("", events_route("acme"), "event_unreadable", 2, app.clock.now()).result()
    app.clock.forward(age.total_seconds())

    assert len(app.poller.status("acme").refused) == told
