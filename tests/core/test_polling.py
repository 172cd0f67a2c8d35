"""Polling a source: what a look shows is stored with the cursor, and how it ended is told once."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
import structlog
from pydantic import SecretStr

from connector_core import (
    AuthError,
    EventType,
    Finding,
    Grant,
    Incident,
    IncidentEvent,
    PluginInfo,
    Poll,
    PolledSettings,
    RetryLater,
    Scope,
    Severity,
    hookimpl,
)
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.plugins import PluginStatus, load_plugins
from connector_core.secrets import SecretBox
from connector_core.store import IntegrationRecord, IntegrationState
from connector_core.testing import FrozenClock
from tests.support.activation import activate
from tests.support.fake_plugins import FakeEntryPoint, apply_change, desk_entry_point, module_of

FILE = """
secret_key: a passphrase that is long enough
organizations:
  acme: {source: {plugin: hub, poll_every: 45s}}
  beta: {source: {plugin: hub}}
  idle: {source: {plugin: http, secret: whsec_c2VjcmV0}}
"""


class Hub:
    """A platform that is polled; `trouble` is raised by the next look."""

    def __init__(self):
        self.looks = []
        self.trouble = None
        self.events = ()
        self.findings = ()

    def entry_point(self, settings=PolledSettings):
        """Return the plugin `hub`."""

        @hookimpl
        def poll_incidents(source, cursor, active_since):
            self.looks.append((source.organization, cursor, active_since))
            if self.trouble is not None:
                raise self.trouble
            events, self.events = self.events, ()
            return Poll(cursor=f"{cursor or ''}+", events=events, open_incidents=3, findings=self.findings)

        @hookimpl
        def check_source(source):
            if self.trouble is not None:
                raise self.trouble
            return [Finding(code="key", severity=Severity.OK, title=f"Fine for {source.organization}.")]

        info = PluginInfo(name="hub", title="Hub", settings=settings)
        return FakeEntryPoint("hub", lambda: module_of(apply_change, poll_incidents, check_source, info=info))


@pytest.fixture
def hub():
    """Make a platform."""
    return Hub()


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


def event(number=1):
    """Return an event of an incident."""
    return IncidentEvent(
        id=f"evt-{number}",
        type=EventType.OPENED,
        occurred_at=FrozenClock().now(),
        incident=Incident(id=f"inc-{number}", title="Offline"),
    )


def test_only_sources_with_an_active_integration_are_polled(app):
    """An organization whose incidents go nowhere is left alone; each has its own interval."""
    assert app.poller.intervals() == {"acme": 45.0}
    activate(app, "other", "beta")
    assert app.poller.intervals() == {"acme": 45.0, "beta": 30.0}


def test_events_and_cursor_are_stored_together(app, hub):
    """What a look shows becomes links of that organization only, and the next look begins where it ended."""
    activate(app, "other", "beta")
    hub.events = (event(),)

    app.poller.poll("acme")
    app.poller.poll("acme")

    assert hub.looks == [("acme", None, app.clock.now()), ("acme", "+", app.clock.now())]
    assert [link.integration_id for link in app.store.find_links()] == ["desk"]
    assert app.store.source_cursor("acme", "hub") == "++"
    assert app.store.source_cursor("beta", "hub") is None


def test_a_cursor_is_of_one_plugin(app):
    """What another plugin remembered is not given to this one."""
    app.store.accept_poll("acme", "former", [], [], "its own words", app.clock.now())

    assert app.store.source_cursor("acme", "hub") is None


def test_many_events_are_stored_in_portions(app, hub):
    """The cursor goes with the last one."""
    hub.events = tuple(event(number) for number in range(1201))

    app.poller.poll("acme")

    assert len(app.store.find_links(limit=2000)) == 1201
    assert app.store.source_cursor("acme", "hub") == "+"


def test_a_failed_look_is_told_and_changes_nothing(app, hub):
    """State, reason and since when are kept; what the last good look showed is still known."""
    app.poller.poll("acme")
    app.clock.forward(30)
    hub.trouble = RetryLater("The hub cannot answer.", scope=Scope.SITE, code="hub_down")

    state = app.poller.poll("acme")

    assert (state.outcome, state.reason, state.open_incidents) == ("hub_down", "The hub cannot answer.", 3)
    assert app.clock.now() - state.worked_at == timedelta(seconds=30)
    assert app.store.source_cursor("acme", "hub") == "+"


def test_a_failing_source_backs_off_alone(app, hub):
    """After three failures it is not even asked, until its time has come; another organization goes on."""
    activate(app, "other", "beta")
    hub.trouble = RetryLater("The hub cannot answer.", scope=Scope.SITE)
    for _ in range(5):
        app.poller.poll("acme")
    asked = len(hub.looks)
    hub.trouble = None

    assert asked == 3
    assert app.poller.poll("acme") is None
    assert app.poller.poll("beta").outcome == "ok"
    app.clock.forward(10)
    assert app.poller.poll("acme").outcome == "ok"


def test_a_refused_key_stops_the_asking_until_a_person_acts(app, hub):
    """One refusal is enough; a check that finds nothing wrong, or a start with a new key, begins again."""
    hub.trouble = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    app.poller.poll("acme")
    assert len(hub.looks) == 1
    (breaker,) = app.store.breakers()
    assert (breaker.key, breaker.needs_person) == ("poll:acme", True)
    hub.trouble = None

    app.poller.check("acme")

    assert app.store.breakers() == []
    assert app.poller.poll("acme").outcome == "ok"


def test_a_check_of_an_integration_tries_its_platform_too(app, hub):
    """So the step Enable shows whose incidents come; trouble there keeps nobody from activating."""
    app.store.save_grant("desk", Grant(headers={}))

    fine = app.setup.check("desk")
    hub.trouble = AuthError("The key is refused.", code="key_refused")
    refused = app.setup.check("desk")

    assert [(one.code, one.severity, one.title) for one in fine] == [("source_key", "ok", "Hub: Fine for acme.")]
    assert [(one.code, one.severity) for one in refused] == [("source_key_refused", "warning")]


def test_a_start_asks_again_although_the_key_was_refused(app, hub):
    """It may have been replaced meanwhile."""
    hub.trouble = AuthError("The key is refused.", code="key_refused")
    app.poller.poll("acme")
    hub.trouble = None

    app.poller.forget_refusals()

    assert app.poller.poll("acme").outcome == "ok"


def test_since_when_is_told_while_it_ends_alike(app, hub):
    """The same trouble again does not begin anew."""
    hub.trouble = RetryLater("No list.", code="no_items")
    first = app.clock.now()
    app.poller.poll("acme")
    app.clock.forward(60)
    app.poller.poll("acme")

    assert app.store.source_state("acme").since == first


def test_trouble_is_said_once(app, hub):
    """In the log: when it begins, when it ends, and each finding when it is new."""
    hub.trouble = RetryLater("No list.", code="no_items")
    with structlog.testing.capture_logs() as said:
        app.poller.poll("acme")
        app.poller.poll("acme")
        hub.trouble = None
        hub.findings = (Finding(code="odd", severity=Severity.WARNING, title="Odd."),)
        app.poller.poll("acme")
        app.poller.poll("acme")

    words = [line["event"] for line in said]
    assert words == ["source_not_read", "source_read_again", "source_finding"]


def test_a_plugin_that_is_polled_needs_settings_that_say_how_often():
    """Otherwise it is not loaded, and says why."""
    from connector_core import Settings  # noqa: PLC0415 - the wrong kind

    (record,) = load_plugins(entry_points=[Hub().entry_point(Settings)]).records

    assert record.status is PluginStatus.LOAD_FAILED
    assert "PolledSettings" in record.reason


def test_the_scheduler_polls_each_source_at_its_own_moment(app):
    """Many sources are spread over the interval, in an executor of their own."""
    for number in range(40):
        app.registry._config.organizations[f"org-{number}"] = app.config.organizations["beta"]
        activate(app, f"desk-{number}", f"org-{number}")
    schedule = app.schedule

    schedule.follow()

    jobs = [job for job in schedule._scheduler.get_jobs() if job.id.startswith("poll:")]
    assert len(jobs) == 41
    phases = sorted(job.trigger.start_date.timestamp() % 30 for job in jobs if ":30.0:" in job.id)
    gaps = [later - earlier for earlier, later in pairwise(phases)]
    assert max(gaps) < 10
    app.store.put_integration(
        IntegrationRecord(
            **{**vars(app.registry.entry("desk-1").record), "state": IntegrationState.DISABLED},
        )
    )
    schedule.follow()
    left = [job for job in schedule._scheduler.get_jobs() if job.id.startswith("poll:")]
    assert len(left) == 40


def test_a_former_database_gets_the_new_tables(tmp_path):
    """Opened by this version, a source's state can be kept in it."""
    from connector_core.store.sqlite import open_store  # noqa: PLC0415 - beside its use

    box = SecretBox([SecretStr("a passphrase that is long enough")])
    open_store(tmp_path / "a.db", box).close()
    store = open_store(tmp_path / "a.db", box)

    assert store.source_states() == {}
    store.close()
