"""Set-up of a source without a user interface: proved before it is saved, sealed, in force at once; after the file."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from connector_core import AuthError, ConfigError, Severity, WebhookRejected
from connector_core.app import build_app
from connector_core.config import load_config
from connector_core.contract.models import InboundRequest
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.demo.stage import until
from connector_core.plugins import load_plugins
from connector_core.polling import sources
from connector_core.setup.integrations import NotReady
from connector_core.testing import FrozenClock, MemoryPlatform
from connector_core.words.advice import fix_in_terminal
from tests.support.activation import activate
from tests.support.fake_hub import Hub
from tests.support.fake_plugins import desk_entry_point

FILE = """
secret_key: a passphrase that is long enough
organizations:
  acme: {}
  beta: {source: {plugin: hub, key: "right", poll_every: 45s}}
"""


@pytest.fixture
def hub():
    """Make a platform."""
    return Hub()


@pytest.fixture
def open_app(tmp_path, hub):
    """Return a function that builds an app over one database, with this file."""
    opened = []

    def open_one(file=FILE, disabled=()):
        path = tmp_path / "connector.yaml"
        path.write_text(file)
        points = [
            hub.entry_point(),
            desk_entry_point(),
            MemoryPlatform(name="plain").entry_point(without={"configure_source"}),
        ]
        plugins = load_plugins(disabled, points)
        config = load_config(path, plugins)
        opened.append(build_app(config, plugins, log=structlog.get_logger("test"), clock=FrozenClock()))
        return opened[-1]

    yield open_one
    for app in opened:
        app.store.close()


@pytest.fixture
def app(open_app):
    """Build one."""
    return open_app()


def connect(app, key="right", **more):
    """Make the source of acme."""
    app.source_setup.create("acme", "hub")
    app.source_setup.answer("acme", {"key": key, **more})


def test_a_source_made_in_set_up_is_in_force_at_once(app, open_app):
    """In this process and in another one that runs beside it, without a restart of either."""
    beside = open_app()
    activate(beside, "desk", "acme")
    assert beside.poller.intervals() == {}

    connect(app, poll_every="45s")

    until(lambda: beside.registry.sources.usable() == ["acme", "beta"])
    assert beside.poller.intervals() == {"acme": 45.0}
    assert beside.poller.poll("acme").outcome == "ok"
    assert len(beside.store.links.find(integration_id="desk")) == 1


def test_its_secret_is_sealed(app, hub, tmp_path):
    """It is in no file of the database, and in no text of what is handed out."""
    secret = "a-very-secret-key"
    hub.accepts = {secret}
    connect(app, secret)

    assert app.registry.sources.handle("acme")[1].settings.key.get_secret_value() == secret
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.glob("connector.db*"))
    assert secret not in repr(app.registry.sources.made("acme"))


def test_a_wrong_key_is_refused_with_the_reason_and_nothing_is_saved(app):
    """The error names its question, and the other answers of the same step are not kept either."""
    app.source_setup.create("acme", "hub")

    with pytest.raises(AnswerUnfit) as caught:
        app.source_setup.answer("acme", {"key": "wrong", "region": "us"})

    assert (caught.value.key, caught.value.message, caught.value.fix) == ("key", "No. It is not accepted.", "Ask.")
    record = app.source_setup.answered("acme")
    assert (record.answers, record.secret_answers) == ({}, {})
    assert "acme" not in app.registry.sources.usable()


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"poll_every": "soon"}, "poll_every", "Interval: expected a duration"),
        ({"region": "mars"}, "", "'mars' is not among the choices"),
        ({"colour": "red"}, "", "No step asks for colour"),
        ({"places.moon": "yes"}, "", "has no places.moon"),
    ],
)
def test_what_does_not_fit_is_refused(app, given, key, said):
    """With what it is about; nothing given beside it is saved."""
    connect(app)

    with pytest.raises(ConfigError, match=said) as caught:
        app.source_setup.answer("acme", {"places.hall": "yes", **given})

    assert getattr(caught.value, "key", "") == key
    assert app.source_setup.answered("acme").answers == {}


def test_a_key_is_not_sent_elsewhere_by_somebody_who_does_not_know_it(app, hub):
    """Neither tried out there nor saved; with the key given again, or unchanged, it goes on."""
    connect(app, host="hub.example.com")
    tried = len(hub.called("check_source"))

    for host in ("evil.example.com", ""):
        with pytest.raises(AnswerUnfit, match="Key: give it again") as caught:
            app.source_setup.answer("acme", {"host": host})
        assert caught.value.key == "key"
    with pytest.raises(AnswerUnfit, match="Key: give it again"):
        app.source_setup.answer("acme", {"host": "evil.example.com", "places.hall": "yes"})

    assert (len(hub.called("check_source")), hub.listed) == (tried, [])
    app.source_setup.answer("acme", {"host": "hub.example.com", "region": "us"})
    app.source_setup.answer("acme", {"host": "new.example.com", "key": "right"})
    assert app.source_setup.answered("acme").answers == {"host": "new.example.com", "region": "us"}


def test_what_does_not_connect_is_saved_while_the_platform_is_away(app, hub):
    """An optional step is not proved."""
    connect(app)
    hub.accepts = set()

    app.source_setup.answer("acme", {"poll_every": "2m", "places.hall": "yes"})
    app.source_setup.answer("acme", {"places.hall": ""})

    assert app.source_setup.answered("acme").answers == {"poll_every": "2m"}
    with pytest.raises(AnswerUnfit):
        app.source_setup.answer("acme", {"region": "us"})


def test_half_a_source_is_none(app):
    """It is not asked, its status says what is missing, and its steps can be listed all the same."""
    app.source_setup.create("acme", "hub")
    app.source_setup.answer("acme", {"region": "us"})
    activate(app, "desk", "acme")

    assert app.registry.sources.usable() == ["beta"]
    assert app.poller.intervals() == {}
    assert app.poller.status("acme").word == "unfinished"
    assert [step.key for step in app.source_setup.missing("acme")] == ["connect"]
    assert app.source_setup.is_open("acme")


def test_the_file_goes_first(open_app):
    """What was made in set-up waits unused, can still be removed, and comes back when the file lets go."""
    connect(open_app(), region="us")
    both = open_app(FILE.replace("acme: {}", "acme: {source: {plugin: hub, key: other}}"))

    assert both.registry.sources.handle("acme")[1].settings.region == "eu"
    assert both.registry.sources.place("acme").endswith("connector.yaml:4")
    assert not both.source_setup.is_open("acme")
    with capture_logs() as logs:
        both.source_setup.tell_unused()
    assert [line["organization"] for line in logs if line["event"] == "source_not_used"] == ["acme"]
    for refused in (both.source_setup.steps, both.source_setup.answered):
        with pytest.raises(ConfigError, match="is written in"):
            refused("acme")
    with pytest.raises(ConfigError, match="is written in"):
        both.source_setup.create("acme", "hub")
    assert open_app().registry.sources.handle("acme")[1].settings.region == "us"
    both = open_app(FILE.replace("acme: {}", "acme: {source: {plugin: hub, key: other}}"))
    both.source_setup.remove("acme")
    assert both.registry.sources.usable() == ["acme", "beta"]
    with pytest.raises(ConfigError, match="is written in"):
        both.source_setup.remove("acme")


@pytest.mark.parametrize(
    ("organization", "plugin", "said"),
    [
        ("nobody", "hub", "no organization 'nobody'"),
        ("acme", "plain", "step by step"),
        ("acme", "desk", "step by step"),
        ("acme", "nothing", "no plugin named nothing"),
    ],
)
def test_what_cannot_be_made(app, organization, plugin, said):
    """It is said why."""
    with pytest.raises(ConfigError, match=said):
        app.source_setup.create(organization, plugin)
    assert app.store.sources.every() == []


def test_making_it_twice_changes_nothing(app):
    """A form that is sent twice, and two tabs, find the same source."""
    connect(app)
    app.source_setup.create("acme", "hub")

    assert app.registry.sources.handle("acme")[1].settings.key.get_secret_value() == "right"


def test_an_organization_that_the_file_lost_has_no_source(open_app):
    """Its source is not used and in nobody's way."""
    connect(open_app())
    app = open_app(FILE.replace("  acme: {}\n", ""))

    assert app.registry.sources.usable() == ["beta"]
    with pytest.raises(ConfigError):
        app.registry.sources.handle("acme")


def test_a_plugin_that_is_gone_is_said(open_app):
    """Nothing fails, and the status has the reason."""
    connect(open_app())
    app = open_app(FILE.partition("  beta")[0], disabled=("hub",))

    status = app.poller.status("acme")

    assert app.registry.sources.usable() == []
    assert (status.word, status.fix) == ("problem", "Remove it from disabled_plugins.")
    assert "hub is not usable" in status.sentence
    app.source_setup.remove("acme")
    assert app.poller.status("acme").word == "missing"


def test_a_changed_source_begins_with_an_empty_cache_and_others_keep_theirs(app):
    """What was learnt with another key is not taken for this one's."""
    connect(app)
    handle, other = app.registry.sources.handle("acme")[1], app.registry.sources.handle("beta")[1]
    handle.cache["learnt"] = other.cache["learnt"] = 1
    activate(app, "desk", "acme")
    kept = app.registry.sources.handle("acme")[1]

    app.source_setup.answer("acme", {"key": "other"})

    assert kept is handle
    assert app.registry.sources.handle("acme")[1].cache == {}
    assert app.registry.sources.handle("beta")[1].cache == {"learnt": 1}


def test_a_good_key_ends_the_pause_of_a_refused_one(app, hub):
    """Nobody waits for the next attempt."""
    connect(app)
    activate(app, "desk", "acme")
    hub.accepts = {"other"}
    assert app.poller.poll("acme").outcome == "key_refused"
    assert app.poller.poll("acme") is None

    app.source_setup.answer("acme", {"key": "other"})

    assert app.poller.poll("acme").outcome == "ok"


def test_reading_anew_begins_at_nothing_and_links_nothing_twice(app, hub):
    """The cursor is gone, the link stays the only one."""
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")
    app.poller.poll("acme")

    assert app.source_setup.reset("acme")
    assert not app.source_setup.reset("acme")
    app.poller.poll("acme")

    assert hub.cursors == [None, "1", None]
    assert len(app.store.links.find(integration_id="desk")) == 1


def test_a_look_that_is_under_way_does_not_undo_a_reset(app, hub):
    """What it brings is dropped, for it began where nobody is any more."""
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")
    hub.during = lambda *_: app.source_setup.reset("acme")

    assert app.poller.poll("acme") is None
    hub.during = None
    app.poller.poll("acme")

    assert hub.cursors == [None, "1", None]


@pytest.mark.parametrize("accepts", [{"right"}, {"other"}])
def test_a_look_that_is_under_way_says_nothing_of_a_source_that_was_removed(app, hub, accepts):
    """Whether it ends well or in a refusal: nobody would ever take it back."""
    connect(app)
    activate(app, "desk", "acme")

    def removed(*_):
        app.source_setup.remove("acme")
        if accepts != {"right"}:
            raise AuthError("The key is refused.", code="key_refused")

    hub.during = removed

    assert app.poller.poll("acme") is None
    assert app.store.sources.states().keys() & {"acme"} == set()
    assert app.store.links.find(integration_id="desk") == []


@pytest.mark.parametrize("other", ["remove", "answer"])
def test_what_somebody_did_while_an_answer_was_tried_out_is_not_undone(app, hub, monkeypatch, other):
    """A removed source does not come back with its key, and an answer given meanwhile is not lost."""
    connect(app)
    prove = type(app.source_setup)._prove

    def proved(setup, record):
        monkeypatch.setattr(type(setup), "_prove", prove)
        setup.remove("acme") if other == "remove" else setup.answer("acme", {"region": "us"})
        prove(setup, record)

    monkeypatch.setattr(type(app.source_setup), "_prove", proved)

    with pytest.raises(ConfigError, match="meanwhile"):
        app.source_setup.answer("acme", {"host": "hub.example.com", "key": "other"})

    record = app.registry.sources.made("acme")
    if other == "remove":
        assert record is None
    else:
        assert (record.answers, record.secret_answers["key"].get_secret_value()) == ({"region": "us"}, "right")


def test_what_has_a_ticket_is_told_to_the_plugin(app):
    """Of this organization only, and no more once its link is gone."""
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")

    assert [incident.id for incident in app.registry.sources.handle("acme")[1].followed()] == ["inc-1"]
    assert list(app.registry.sources.handle("beta")[1].followed()) == []
    app.store.integrations.remove("desk")
    assert list(app.registry.sources.handle("acme")[1].followed()) == []


def test_what_was_said_of_a_removed_source_is_over(app, hub):
    """An alert about its key does not go on."""
    connect(app)
    activate(app, "desk", "acme")
    hub.accepts = {"other"}
    app.poller.poll("acme")
    assert app.store.sources.states()["acme"].outcome == "key_refused"

    app.source_setup.remove("acme")

    assert "acme" not in app.store.sources.states()


def test_a_removed_source_takes_nothing_and_goes_on_where_it_was(app, hub):
    """Links stay; what was read is remembered for the day it is connected again."""
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")

    app.source_setup.remove("acme")

    assert app.poller.status("acme").word == "missing"
    assert len(app.store.links.find(integration_id="desk")) == 1
    request = InboundRequest(headers={}, body=b"{}", received_at=app.clock.now())
    with pytest.raises(WebhookRejected):
        app.intake.take_events("acme", request)
    with pytest.raises(ConfigError, match="No source"):
        app.source_setup.remove("acme")
    connect(app)
    app.poller.poll("acme")
    assert hub.cursors[-1] == "1"


def test_an_integration_made_in_set_up_is_not_activated_without_a_source(app):
    """It could never open a ticket; with one it goes on."""
    app.setup.create("desk", "acme", "desk")

    with pytest.raises(NotReady) as caught:
        app.setup.enable("desk")
    found = {finding.code: finding for finding in caught.value.findings}
    assert found["source_missing"].severity is Severity.PROBLEM
    assert fix_in_terminal(found["source_missing"]) == "Run: connector sources setup acme"
    app.source_setup.create("acme", "hub")
    assert "Hub is not connected" in next(one.title for one in app.setup.check("desk") if one.code == "source_missing")
    connect(app)
    assert "source_missing" not in {finding.code for finding in app.setup.check("desk")}


def test_an_integration_of_the_file_is_only_warned(open_app):
    """Such deployments go on; whoever looks is told."""
    app = open_app(FILE.replace("acme: {}", "acme: {integrations: {desk: {plugin: desk, desk: d}}}"))
    app.configured.save()

    found = {finding.code: finding.severity for finding in app.setup.check("desk")}

    assert found["source_missing"] is Severity.WARNING


def test_a_set_up_link_leads_to_a_step_of_a_source(app):
    """And ends with the source."""
    setup_links = app.setup_links
    connect(app)
    token = setup_links.make("acme", "connect", "ada", of_source=True).rpartition("/")[2]

    opened = setup_links.opened(token)

    assert (opened.name, opened.of_source, opened.step) == ("acme", True, "connect")
    for step in ("authorize", "nothing"):
        with pytest.raises(ConfigError, match="no step"):
            setup_links.make("acme", step, "ada", of_source=True)
    app.source_setup.remove("acme")
    with pytest.raises(ConfigError, match="it was used or has expired"):
        setup_links.opened(token)


@pytest.mark.parametrize("portion", [1, 2])
@pytest.mark.parametrize("what", ["reset", "remove", "answer"])
def test_whether_a_look_counts_is_decided_as_it_is_stored(app, hub, monkeypatch, what, portion):
    """What somebody does after the look came back, or between two portions of it, is not undone by it."""
    monkeypatch.setattr(sources, "EVENTS_AT_ONCE", 1)
    connect(app)
    activate(app, "desk", "acme")
    app.poller.poll("acme")
    found = app.store.sources.cursor("acme", "hub")
    for title in ("Hot", "Loud"):
        hub.open(title)
    accept, stored = app.store.inbox.accept_poll, []

    def meanwhile(*given):
        stored.append(given)
        if len(stored) == portion:
            match what:
                case "reset":
                    assert app.source_setup.reset("acme")
                case "remove":
                    app.source_setup.remove("acme")
                case "answer":
                    app.source_setup.answer("acme", {"region": "us"})
        return accept(*given)

    monkeypatch.setattr(app.store.inbox, "accept_poll", meanwhile)
    assert app.poller.poll("acme") is None

    assert len(stored) == portion
    assert app.store.sources.cursor("acme", "hub") == (None if what == "reset" else found)


def test_nothing_is_said_of_a_source_that_was_removed_just_before(app, monkeypatch):
    """Nobody would ever take it back."""
    connect(app)
    activate(app, "desk", "acme")
    note = app.store.sources.note

    def noted(*given):
        app.source_setup.remove("acme")
        return note(*given)

    monkeypatch.setattr(app.store.sources, "note", noted)

    assert app.poller.poll("acme") is None
    assert "acme" not in app.store.sources.states()


def test_a_source_that_was_connected_meanwhile_does_not_give_way(app):
    """Somebody begins with another plugin, since nothing is connected yet; when that is stored, the first one is."""
    app.source_setup.create("acme", "hub")
    known = app.registry.sources.made("acme")
    begun = replace(known, plugin="plain")
    app.source_setup.answer("acme", {"key": "right"})

    assert not app.store.sources.begin(begun, known)
    assert app.registry.sources.handle("acme")[0].name == "hub"

    assert app.store.sources.begin(begun, app.registry.sources.made("acme"))
    assert app.registry.sources.made("acme") == begun
