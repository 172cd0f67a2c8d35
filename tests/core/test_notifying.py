"""Turns of a notifier: told once, whatever happens in between, and failing holds up nobody."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.notify.sending import send
from connector_core.polling.forgetting import Forgetting
from connector_core.polling.notifying import Notifying
from tests.support.receivers import receiver
from tests.support.rows import count, sql
from tests.support.telling import Teller, authorize, lose_authorization, make_app, told

pytestmark = pytest.mark.lengthy_on_postgresql

LOST = ("started", "authorization_lost", "desk")
BACK = ("ended", "authorization_lost", "desk")


@pytest.fixture
def hook():
    """Run a receiver."""
    with receiver() as running:
        yield running


@pytest.fixture
def app(store, clock):
    """Put the connector together."""
    return make_app(store, clock)


@pytest.mark.lengthy_on_postgresql
def test_a_lost_authorization_is_told_once_and_so_is_its_return(app, clock, hook):
    """Hours in between make no difference."""
    teller = Teller(app, clock, hook.url)
    teller.go_on(10)
    assert hook.got == []

    lose_authorization(app)
    teller.go_on(6 * 60)
    assert told(hook.got) == [[LOST]]

    authorize(app)
    teller.go_on(60)
    assert told(hook.got) == [[LOST], [BACK]]
    assert [request.json["all_clear"] for request in hook.got] == [False, True]
    assert count(app.store, "notice") == 0


def test_what_was_told_outlives_the_process(app, store, clock, hook):
    """Another process tells it no second time."""
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)
    teller.go_on(5)

    again = make_app(store, clock)
    for _ in range(20):
        again.by_the_clock.notifying.do_turn("acme/ops")
        clock.forward(30)

    assert told(hook.got) == [[LOST]]


class Killed(BaseException):
    """What ends a process between two steps."""


def killed_after_sending(settings, message, outbound):
    """Send, and be no more before anything is noted."""
    send(settings, message, outbound)
    raise Killed


def killed_before_sending(settings, message, outbound):
    """Be no more before anything is sent."""
    raise Killed


@pytest.mark.parametrize(("way", "times"), [(killed_after_sending, 2), (killed_before_sending, 1)])
def test_a_kill_between_sending_and_noting_loses_nothing(app, clock, hook, way, times):
    """The next process sends the very same message under the same id, by which receivers know it."""
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)
    teller.go_on(1)
    good = teller.notifying
    bad = Notifying(good.store, good.notifiers, good.config, good.conditions_of, clock, good.log, send=way)
    with pytest.raises(Killed):
        bad.do_turn("acme/ops")
    authorize(app)  # what has changed meanwhile is news for the message after it

    teller.go_on(5)

    messages = [request for request in hook.got if told([request]) == [[LOST]]]
    assert len(messages) == times
    assert len({request.headers["webhook-id"] for request in messages}) == 1
    assert told(hook.got)[-1] == [BACK]
    assert len(hook.got) == times + 1


def test_an_answer_that_was_lost_has_the_message_sent_again_under_its_id(app, clock, hook, monkeypatch):
    """Nobody knows whether it was taken."""
    monkeypatch.setattr("connector_core.notify.posting._READ_S", 0.1)
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)
    hook.gate.clear()
    teller.go_on(1.5)
    assert teller.sending.code == "answer_lost"
    hook.gate.set()

    teller.go_on(5)

    assert told(hook.got) == [[LOST], [LOST]]
    assert len({request.headers["webhook-id"] for request in hook.got}) == 1


def test_what_is_sent_again_waits_for_the_end_of_quiet_hours_too(app, clock, hook, monkeypatch):
    """It began before them; nobody knows whether it arrived."""
    monkeypatch.setattr("connector_core.notify.posting._READ_S", 0.1)
    quiet = {"quiet_hours.start": "10:02", "quiet_hours.end": "11:00"}  # the clock stands at ten
    teller = Teller(app, clock, hook.url, **quiet)
    lose_authorization(app)
    hook.gate.clear()
    teller.go_on(1.5)
    assert teller.sending.code == "answer_lost"
    hook.gate.set()

    teller.go_on(58)
    assert told(hook.got) == [[LOST]]
    teller.go_on(2)
    assert told(hook.got) == [[LOST], [LOST]]


def test_a_failing_notifier_is_tried_less_and_less_and_says_why(app, clock, hook):
    """It is logged once, seen in its state, and what it has to tell is told as things are when it works again."""
    hook.status = 404
    with capture_logs() as lines:
        app = make_app(app.store, clock)  # whose log is captured
        teller = Teller(app, clock, hook.url)
        lose_authorization(app)
        teller.go_on(120)
        tries = len(hook.got)
        state = teller.sending
        hook.status = 200
        teller.go_on(35)

    assert tries == 8  # after 1, 2, 4, 8, 16 minutes, then each half hour
    assert (state.code, state.failures) == ("notifier_refused", 8)
    assert state.reason == "The receiver does not accept this address or secret (HTTP 404)."
    events = [line["event"] for line in lines if line["event"].startswith("notifi")]
    assert events == ["notifier_added", "notifier_failing", "notifier_works_again", "notification_sent"]
    assert told(hook.got)[-1] == [LOST]
    assert len(hook.got) == tries + 1
    assert (teller.sending.code, teller.sending.failures, teller.sending.failing_since) == ("", 0, None)


def test_what_is_over_when_a_notifier_works_again_is_not_told(app, clock, hook):
    """Nobody reads yesterday's news."""
    hook.status = 500
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)
    teller.go_on(10)
    authorize(app)
    hook.status = 200
    before = len(hook.got)

    teller.go_on(60)

    assert len(hook.got) == before


def test_a_wait_that_a_receiver_asks_for_is_kept(app, clock, hook):
    """429 with Retry-After: not before."""
    hook.status, hook.headers = 429, {"Retry-After": "1200"}
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)

    teller.go_on(1.5)
    teller.go_on(19)
    assert len(hook.got) == 1
    teller.go_on(2)
    assert len(hook.got) == 2


def test_a_test_message_works_at_once_and_ends_what_is_known_of_failures(app, clock, hook):
    """Also while the notifier waits for its next try."""
    hook.status = 404
    teller = Teller(app, clock, hook.url)
    with pytest.raises(RemoteError):
        app.notifier_setup.test("acme", "ops")
    assert teller.sending.code == "notifier_refused"

    hook.status = 200
    app.notifier_setup.test("acme", "ops")

    assert hook.got[-1].json["type"] == "test"
    assert hook.got[-1].json["conditions"] == []
    assert teller.sending.code == ""
    assert teller.sending.worked_at == clock.now()


def test_nothing_of_another_organization_is_told(app, clock, hook):
    """Each is told of its own."""
    Teller(app, clock, hook.url)
    with receiver() as theirs:
        given = {"channel": "webhook", "url": f"{theirs.url}/hook", "secret": "of globex alone"}
        app.notifier_setup.add("globex", "ops", given)
        lose_authorization(app)
        for _ in range(10):
            app.by_the_clock.notifying.do_turn("acme/ops")
            app.by_the_clock.notifying.do_turn("globex/ops")
            clock.forward(30)

    assert told(hook.got) == [[LOST]]
    assert theirs.got == []


def test_secrets_are_sealed_and_told_to_nobody(app, clock, hook):
    """Neither rows nor log lines nor what is printed of records have them."""
    with capture_logs() as lines:
        Teller(app, clock, f"{hook.url}/T0K3N")
    (record,) = app.store.notifiers.every()

    rows = app.store.database.read(lambda db: [tuple(row) for row in db.execute("SELECT * FROM notifier").fetchall()])
    for shown in (repr(rows), repr(lines), repr(record), repr(app.registry.notifiers.get("acme", "ops"))):
        assert "T0K3N" not in shown
        assert "s3cret of eight" not in shown
    assert record.secrets["secret"].get_secret_value() == "s3cret of eight and more"
    assert app.registry.notifiers.get("acme", "ops").settings.target == f"{hook.url}/…"


def test_secrets_that_no_key_opens_stop_one_notifier_and_are_a_finding(app, clock, hook):
    """It is not used, says why, and may be entered again."""
    Teller(app, clock, hook.url)
    sql(app.store, "UPDATE notifier SET secrets = ?", b"nonsense")
    app.registry.notifiers.forget()

    (status,) = app.registry.notifiers.statuses()

    assert (status.word, status.code) == ("problem", "secrets_unreadable")
    assert app.by_the_clock.notifying.intervals() == {}
    assert [str(one) for one in app.store.secrets.unreadable()] == ["acme/ops: secrets of the notifier"]
    app.notifier_setup.change("acme", "ops", {"url": f"{hook.url}/hook", "secret": "another of many"})
    assert app.by_the_clock.notifying.intervals() == {"acme/ops": 30.0}


def test_one_that_was_removed_leaves_nothing(app, clock, hook):
    """Neither its secrets nor what it told."""
    teller = Teller(app, clock, hook.url)
    lose_authorization(app)
    teller.go_on(5)

    app.notifier_setup.remove("acme", "ops")

    assert {name: count(app.store, name) for name in ("notifier", "notifier_state", "notice")} == {
        "notifier": 0,
        "notifier_state": 0,
        "notice": 0,
    }
    with pytest.raises(ConfigError):
        app.notifier_setup.test("acme", "ops")


def test_what_a_notifier_told_that_left_the_file_is_forgotten(store, clock, hook):
    """After thirty days in which nobody looked; that of one which is there stays."""
    config = f"""
secret_key: a passphrase that is long enough
organizations:
  acme:
    source: {{plugin: platform}}
    notifications:
      ops: {{channel: slack, url: "{hook.url}/a"}}
      gone: {{channel: slack, url: "{hook.url}/b"}}
"""
    app = make_app(store, clock, config)
    lose_authorization(app)
    for _ in range(5):
        for name in ("acme/ops", "acme/gone"):
            app.by_the_clock.notifying.do_turn(name)
        clock.forward(30)
    assert count(store, "notice") == 2
    assert len(hook.got) == 2

    for _ in range(31):
        clock.forward(24 * 3600)
        app.by_the_clock.notifying.do_turn("acme/ops")
        Forgetting(store, clock, app.log, None).forget()

    assert count(store, "notice") == 1
    assert len(hook.got) == 2
