"""Present settings for open incidents: previewed, done in steps that a stop does not lose, and taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from connector_core import Finding, PluginInfo, RetryLater, Severity, TicketSnapshot, hookimpl
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import EventType, Incident, IncidentEvent
from connector_core.engine.backoff import HORIZON_S
from connector_core.setup import open_incidents
from connector_core.setup.questionnaire import ChangedMeanwhile
from connector_core.store import (
    DISCARDED,
    Actor,
    AuditFilter,
    ChangeState,
    Left,
    LinkState,
    LinkStatus,
    Progress,
    Rest,
    Target,
    TimelineKind,
    Via,
)
from connector_core.store.acting import acting
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.testing.memory_desk import MemoryDeskSettings
from connector_core.words.timeline import sentence
from tests.support.rows import sql

pytestmark = pytest.mark.lengthy_on_postgresql

NAME = "desk"
CONFIG = "secret_key: a passphrase of many letters\norganizations: {acme: {}}\n"
OLD, NEW = {"close_status": "Done", "desk": "1"}, {"close_status": "Closed", "desk": "2"}


class ClosingDesk(MemoryDesk):
    """Links keep the status that their tickets are closed with, too; it looks at tickets of other desks."""

    def __init__(self):
        super().__init__()
        self.findings = []
        self.looked_at = []

    @hookimpl
    def describe_plugin(self):
        """Say who this is."""
        kept = frozenset({"desk", "close_status"})
        place = frozenset({"desk"})
        return PluginInfo(
            name="desk", title="Desk", settings=MemoryDeskSettings, link_settings=kept, place_settings=place
        )

    @hookimpl
    def check_ticket(self, integration, ticket):
        """Say what the test says."""
        self.looked_at.append((ticket.id, integration.settings.close_status, integration.settings.desk))
        if isinstance(self.findings, Exception):
            raise self.findings
        return self.findings


@pytest.fixture
def desk():
    """Return the helpdesk."""
    return ClosingDesk()


@pytest.fixture
def app(store, clock, desk, tmp_path):
    """Build the app over either database; nothing runs by itself."""
    path = tmp_path / "connector.yaml"
    path.write_text(CONFIG)
    points = [desk.entry_point(), MemoryPlatform().entry_point()]
    config, plugins = read_config(path, points)
    return build_app(config, plugins, log=structlog.get_logger("test"), clock=clock, store=store)


def opened(app, clock, name, settings, *, ticket=True):
    """Open an incident whose link has some settings; return the link's number."""
    now = clock.now()
    event = IncidentEvent(
        id=name, type=EventType.OPENED, occurred_at=now, incident=Incident(id=name, title="Display offline")
    )
    app.store.inbox.accept_events("acme", [event], [Target(NAME, settings, now)], now).result()
    (link,) = app.store.links.find(integration_id=NAME, text=name)
    (claim,) = app.store.lanes.claim("boot", now, 8, HORIZON_S)
    if ticket:
        shown = TicketSnapshot(id=f"t-{name}", key=f"SUP-{name}", title="Display offline", done=False, updated=now)
        app.store.links.record(claim, Progress(ticket=shown, status=LinkStatus(LinkState.IN_SYNC)), now)
    app.store.lanes.release(claim, Rest(), now)
    return link.id


def answer(app, **answers):
    """Have the integration set up otherwise."""
    app.setup.change(NAME, lambda known: replace(known, answers=answers))


@pytest.fixture
def link(app, clock):
    """Return an open incident of before the settings changed."""
    number = opened(app, clock, "inc-1", OLD)
    answer(app, **NEW)
    return number


def settings_of(app, number):
    """Return the settings that a link keeps."""
    return dict(app.store.links.get(number).settings)


def test_open_incidents_keep_theirs_until_somebody_says_so(app, link):
    """The preview says what would change and what cannot; nothing is written by looking."""
    preview = app.open_incidents.preview(NAME)

    (one,) = preview.affected
    assert (preview.total, preview.unchanged, one.links) == (1, 0, ((link, "SUP-inc-1"),))
    assert app.open_incidents.apart(NAME) == 1
    assert one.changed == {"close_status": ("Done", "Closed")}
    assert one.kept == {"desk": ("1", "2")}
    assert settings_of(app, link) == OLD
    app.open_incidents.work(NAME)
    assert settings_of(app, link) == OLD


def test_the_present_settings_are_applied_and_told_of(app, clock, link):
    """What a ticket can change is changed; timeline and audit log say by whom, and the lane is woken."""
    app.store.lanes.claim("boot", clock.now(), 8, HORIZON_S)
    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        app.open_incidents.begin(NAME, "ada", app.open_incidents.preview(NAME).version)

    app.open_incidents.work(NAME)

    assert settings_of(app, link) == {"close_status": "Closed", "desk": "1"}
    entry = app.store.timelines.read(link)[-1]
    assert entry.kind == TimelineKind.SETTINGS_APPLIED
    assert sentence(entry) == "New settings applied by ada."
    assert entry.values["close_status"] == ["Done", "Closed"]
    (told,) = app.store.audit.find(AuditFilter(), 1)
    assert (told.by.name, told.about.name, told.changes["open incidents"]) == ("ada", NAME, (None, "1"))
    assert app.store.lanes.claim("boot", clock.now(), 8, HORIZON_S)
    (run,) = app.store.link_settings.runs(NAME)
    assert (run.done, run.waiting, run.ended_at) == (1, 0, clock.now())


def test_it_can_be_taken_back(app, clock, link):
    """For the whole run, once; the former settings are those of before, also what an answer had no value for."""
    run = app.open_incidents.begin(NAME, "ada")
    app.open_incidents.work(NAME)

    app.open_incidents.undo(NAME, run, "bob")
    app.open_incidents.work(NAME)

    assert settings_of(app, link) == OLD
    assert sentence(app.store.timelines.read(link)[-1]) == "Former settings restored by bob."
    with pytest.raises(ConfigError, match="Nothing of run"):
        app.open_incidents.undo(NAME, run, "bob")


def test_one_link_is_taken_back_alone(app, clock, link):
    """The others keep the new settings, and can still be taken back."""
    other = opened(app, clock, "inc-2", OLD)
    run = app.open_incidents.begin(NAME, "ada")
    app.open_incidents.work(NAME)

    app.open_incidents.undo(NAME, app.store.link_settings.of_link(link).run_id, "bob", link)
    app.open_incidents.work(NAME)

    assert (settings_of(app, link), settings_of(app, other)["close_status"]) == (OLD, "Closed")
    assert app.store.link_settings.of_link(link) is None
    assert app.store.link_settings.get(run).can_be_undone


def test_an_incident_without_a_ticket_gets_all_of_them(app, clock):
    """Where it goes can still be changed; one whose ticket may just be made is left where it is."""
    number = opened(app, clock, "inc-1", OLD, ticket=False)
    answer(app, **NEW)

    app.open_incidents.begin(NAME, "ada")
    app.open_incidents.work(NAME)

    assert settings_of(app, number) == NEW


def test_what_is_over_or_unlinked_is_left_alone(app, clock, link):
    """Nothing of it is synced any more; without any open incident there is nothing to do."""
    app.store.links.unlink(link, clock.now())
    assert app.store.links.get(link).status.code == DISCARDED

    with pytest.raises(ConfigError, match="No open incident"):
        app.open_incidents.begin(NAME, "ada")


def test_a_stop_in_the_middle_loses_nothing(app, clock, link, monkeypatch):
    """Each step is committed; the next daemon goes on with what waits, and does nothing twice."""
    numbers = [link, *(opened(app, clock, f"inc-{number}", OLD) for number in range(2, 6))]
    monkeypatch.setattr(open_incidents, "AT_ONCE", 2)
    carry_out = app.store.link_settings.carry_out
    steps = []

    def stopping(*args):
        if len(steps) == 1:
            raise KeyboardInterrupt
        steps.append(carry_out(*args))

    app.open_incidents.begin(NAME, "ada")
    monkeypatch.setattr(app.store.link_settings, "carry_out", stopping)
    with pytest.raises(KeyboardInterrupt):
        app.open_incidents.work(NAME)
    monkeypatch.setattr(app.store.link_settings, "carry_out", carry_out)
    (run,) = app.store.link_settings.runs(NAME)
    assert (run.done, run.waiting, app.open_incidents.due()) == (2, 3, [NAME])

    app.open_incidents.work(NAME)

    assert {settings_of(app, number)["close_status"] for number in numbers} == {"Closed"}
    kinds = [entry.kind for entry in app.store.timelines.read(link)]
    assert kinds.count(TimelineKind.SETTINGS_APPLIED) == 1
    assert app.open_incidents.due() == []


def test_a_link_that_changed_meanwhile_is_left_as_it_is(app, link):
    """Someone retried it with other settings between preview and its turn: theirs stay."""
    app.open_incidents.begin(NAME, "ada")
    run = app.store.link_settings.runs(NAME)[0]
    sql(app.store, "UPDATE link SET settings = ?", '{"desk":"9"}')

    app.open_incidents.work(NAME)

    assert settings_of(app, link) == {"desk": "9"}
    (left,) = app.store.link_settings.left(run.id, 9)
    assert (left.state, left.reason) == (ChangeState.LEFT, Left.CHANGED)


def test_settings_that_changed_since_the_preview_are_not_applied(app, link):
    """What was read is what is done."""
    version = app.open_incidents.preview(NAME).version
    answer(app, desk="2", close_status="Solved")

    with pytest.raises(ChangedMeanwhile):
        app.open_incidents.begin(NAME, "ada", version)

    assert app.store.link_settings.runs(NAME) == []


def test_one_run_at_a_time(app, link):
    """A second one waits until the first has ended."""
    app.open_incidents.begin(NAME, "ada")

    with pytest.raises(ConfigError, match="already"):
        app.open_incidents.begin(NAME, "bob")


def test_settings_of_another_place_are_tried_on_the_ticket_first(app, desk, link):
    """The present close status was chosen at another desk: one that does not fit is left, with the reason."""
    desk.findings = [Finding(code="status", severity=Severity.PROBLEM, title="SUP has no status Closed")]

    app.open_incidents.begin(NAME, "ada")
    app.open_incidents.work(NAME)

    assert desk.looked_at == [("t-inc-1", "Closed", "1")]
    assert settings_of(app, link) == OLD
    (run,) = app.store.link_settings.runs(NAME)
    assert [one.reason for one in app.store.link_settings.left(run.id, 9)] == ["SUP has no status Closed"]


def test_a_site_that_does_not_answer_is_waited_for(app, desk, clock, link):
    """The run goes on where it stood once it is back; what was done before stays done."""
    same_desk = opened(app, clock, "inc-2", {**OLD, "desk": "2"})
    desk.findings = RetryLater("The desk is down.")
    app.open_incidents.begin(NAME, "ada")

    with pytest.raises(RetryLater):
        app.open_incidents.work(NAME)
    assert app.open_incidents.due() == [NAME]
    desk.findings = []
    clock.forward(3600)
    app.open_incidents.work(NAME)

    assert {settings_of(app, one)["close_status"] for one in (link, same_desk)} == {"Closed"}


def test_a_run_of_another_integration_is_not_taken_back(app, link):
    """Its number says nothing to whoever may only see this one."""
    with pytest.raises(ConfigError, match="has no run"):
        app.open_incidents.undo(NAME, 77, "ada")
