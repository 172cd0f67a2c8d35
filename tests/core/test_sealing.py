"""What is sealed: all of it is known, moves to another key in one go, and outlives a key that is lost for a while."""

from __future__ import annotations

import inspect
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from connector_core import Grant, Incident, IncidentEvent
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.contract.models import EventType
from connector_core.secrets import NoKey, SecretBox, WrongKey
from connector_core.store import (
    Authorization,
    Begun,
    IntegrationState,
    NotifierRecord,
    SessionRecord,
    SourceRecord,
    Target,
)
from connector_core.store.nouns import Noun
from connector_core.store.opening import open_store
from connector_core.store.read_only import open_read_only
from connector_core.store.secrets import SEALED
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.words.advice import fix_in_terminal
from tests.support.activation import active_record

OLD, NEW, OTHER = (SecretStr(f"the {name} key, long enough") for name in ("old", "new", "other"))
GRANT = Grant(headers={"Authorization": SecretStr("Bearer t")}, account_name="Desk Agent")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
FERNET = b"gAAAAA"  # what every sealed text begins with


def box(*keys):
    """Return a box with these keys."""
    return SecretBox(keys)


def source(clock, secret="the source's secret"):
    """Return a source with a secret."""
    secrets = {"secret": SecretStr(secret)} if secret else {}
    return SourceRecord("acme", "http", {}, secrets, clock.now())


def notifier(clock):
    """Return a notifier with secrets."""
    secrets = {"url": SecretStr("https://hooks.example.com/a-token")}
    return NotifierRecord("acme", "ops", {"channel": "slack"}, secrets, clock.now())


def desk(clock, **changed):
    """Return an integration with secrets of both kinds."""
    record = active_record("desk", "acme", clock.now())
    return replace(record, secret_answers={"api_token": SecretStr("a token")}, **changed)


def hold(store, clock):
    """Have somebody bring back an authorization that waits to be seen."""
    ends = clock.now() + timedelta(minutes=30)
    begun = Authorization("a state's hash", "desk", "https://c.example.com/oauth/callback", Begun.TERMINAL, ends)
    store.authorizations.begin(begun, "a mark", clock.now())
    store.authorizations.hold(begun, GRANT, ends)


#: Every operation that seals, done once.
SEALING = {
    "integrations.begin": lambda store, clock: store.integrations.begin(desk(clock)),
    "integrations.put": lambda store, clock: store.integrations.put(desk(clock)),
    "integrations.put_all": lambda store, clock: store.integrations.put_all([desk(clock)]),
    "integrations.change": lambda store, clock: store.integrations.change(
        desk(clock, answers={"desk": "2"}), store.integrations.every()[0]
    ),
    "grants.change_outdating": lambda store, clock: store.grants.change_outdating(
        desk(clock, answers={"desk": "2"}), store.integrations.every()[0], "changed"
    ),
    "grants.save": lambda store, _: store.grants.save("desk", GRANT),
    "grants.renew": lambda store, _: store.grants.renew("desk", GRANT, GRANT),
    "authorizations.hold": hold,
    "sources.begin": lambda store, clock: store.sources.begin(source(clock), None),
    "sources.put": lambda store, clock: store.sources.put(source(clock), store.sources.every()[0]),
    "notifiers.put": lambda store, clock: store.notifiers.put(notifier(clock)),
    "webhooks.save_token": lambda store, _: store.webhooks.save_token("jira", SecretStr("a token")),
    "configuration.save": lambda store, _: store.configuration.save("{}"),
    "delivery_log.make_box": lambda store, _: store.delivery_log.make_box(),
}
READING = {
    "integrations.every", "integrations.opened", "integrations.signed", "integrations.since",
    "integrations.of_organization", "integrations.is_any_signed", "integrations.note_signed",
    "authorizations.find", "authorizations.held", "authorizations.latest",
    "grants.get", "grants.note_sites", "sources.every", "notifiers.every", "webhooks.token", "configuration.snapshot",
    "delivery_log.payload", "delivery_log.read_box", "sessions.id_token",
}  # fmt: skip


@pytest.fixture
def path(tmp_path, clock):
    """Make a database, sealed with the old key, that holds one of everything that is sealed."""
    path = tmp_path / "connector.db"
    with closing(open_store(path, box(OLD))) as store:
        for seal in SEALING.values():
            seal(store, clock)
        event = IncidentEvent(
            id="e1",
            type=EventType.OPENED,
            occurred_at=clock.now(),
            incident=Incident(id="i1", title="Fan failed", status="active"),
        )
        target = Target(integration_id="desk", link_settings={}, activated_at=clock.now())
        store.inbox.accept_events("acme", [event], [target], clock.now()).result(10)
        now = clock.now()
        session = SessionRecord("ada", "proof", "form", now, now, now + timedelta(days=1))
        store.sessions.begin("token", session, box(OLD).seal("an ID token"))
    return path


def held(store):
    """Return everything that is sealed, opened."""
    (record,) = store.integrations.every()
    (made,) = store.sources.every()
    (told,) = store.notifiers.every()
    return (
        record.secret_answers,
        record.webhook_secrets,
        store.grants.get("desk"),
        made.secret_answers,
        told.secrets,
        store.webhooks.token("jira"),
        store.configuration.snapshot(),
        store.sessions.id_token("token"),
    )


def sealed_cells(path):
    """Return where there are sealed texts: table and column, for `meta` also the key."""
    found = set()
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            cursor = db.execute(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    text = value if isinstance(value, bytes) else str(value).encode()
                    if text.startswith(FERNET):
                        found.add((table, row[0] if table == "meta" else column))
    return found


def test_every_operation_that_seals_is_known_here(store):
    """A new one has to be done once above, so that the next test sees where it puts what it seals."""
    nouns = {name: noun for name, noun in vars(store).items() if isinstance(noun, Noun)}
    with_box = {
        f"{name}.{operation}"
        for name, noun in nouns.items()
        for operation, member in inspect.getmembers(noun, inspect.ismethod)
        if "box" in inspect.signature(member).parameters
    }

    assert with_box == SEALING.keys() | READING


def test_everything_sealed_is_in_the_list(path):
    """Wherever a sealed text stands, in whatever table, it is found when the key is changed."""
    listed = {(one.table, name) for one in SEALED for name in one.only or (one.column,)}

    assert sealed_cells(path) == listed | {("meta", "secret_key_check")}


def test_columns_of_bytes_are_in_the_list(path):
    """Bytes are what sealed texts are stored as: a new column of them is one, or has to be told here why not."""
    with closing(sqlite3.connect(path)) as db:
        columns = {
            (table, name)
            for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for _, name, kind, *_ in db.execute("SELECT * FROM pragma_table_info(?)", (table,))
            if kind == "BLOB"
        }

    under_keys_of_their_own = {("delivery_payload", "sealed")}  # which are sealed, in `meta`
    assert columns == {(one.table, one.column) for one in SEALED if one.table != "meta"} | under_keys_of_their_own


def test_everything_moves_to_the_first_key_and_the_former_is_not_needed_any_more(path):
    """After one start with both keys the database opens with the new one alone, the known text too."""
    with closing(open_store(path, box(OLD))) as store:
        before = held(store)
    with closing(open_store(path, box(NEW, OLD))) as store:
        taken, again = store.secrets.take_up(NOW), store.secrets.take_up(NOW)
    with closing(open_store(path, box(NEW))) as store:
        after, unreadable = held(store), store.secrets.unreadable()

    assert (taken.resealed, taken.unreadable) == (sum(len(one.only) or 1 for one in SEALED), ())
    assert again.resealed == 0
    assert after == before
    assert None not in after
    assert unreadable == []
    with pytest.raises(WrongKey):
        open_store(path, box(OLD))


def test_only_a_start_changes_the_key(path):
    """A command that has the new key first seals as the database is sealed: its daemon has the old key only."""
    with closing(open_store(path, box(NEW, OLD))) as store:
        store.grants.save("desk", GRANT.model_copy(update={"account_name": "Another"}))
    with closing(open_store(path, box(OLD))) as store:
        assert store.grants.get("desk").account_name == "Another"


def test_a_process_with_the_former_key_seals_nothing_any_more(path, clock):
    """A command that was begun before the change is refused; what it knows is not written over what there is."""
    with closing(open_store(path, box(OLD))) as before, closing(open_store(path, box(NEW, OLD))) as daemon:
        daemon.secrets.take_up(NOW)
        for seal in ("integrations.put", "grants.save", "configuration.save"):
            with pytest.raises(WrongKey):
                SEALING[seal](before, clock)

        assert daemon.secrets.unreadable() == []


def test_looking_changes_no_key(path):
    """Commands that only read leave every row as it is, with whatever keys."""
    before = path.read_bytes()

    for keys in (box(NEW, OLD), box(OTHER), NoKey()):
        with closing(open_read_only(path, keys)) as store:
            store.integrations.every()
            store.secrets.still_unreadable()

    assert path.read_bytes() == before


def test_a_key_that_is_not_the_databases_counts_as_none_for_looking(path):
    """Links and settings are shown; what needs secrets is refused by what is wrong."""
    with closing(open_read_only(path, box(OTHER))) as store:
        (record,) = store.integrations.every()
        (link,) = store.links.find()
        with pytest.raises(WrongKey) as refusal:
            store.database.box.seal("something")

    assert (record.answers, record.webhook_secrets, record.has_unreadable) == ({"desk": "2"}, (), False)
    assert link.incident_id == "i1"
    assert refusal.value.code == "wrong_secret_key"
    assert "forget-secrets" in fix_in_terminal(refusal.value)


def test_with_a_lost_key_nothing_is_lost_until_it_is_given_up(path, clock):
    """A start with another key asks for everything again, and one with the former key has everything again."""
    with closing(open_store(path, box(OLD))) as store:
        before = held(store)
    with closing(open_store(path, box(OTHER), with_any_key=True)) as store:
        taken = store.secrets.take_up(NOW)
        (record,), (made,) = store.integrations.every(), store.sources.every()
        store.integrations.note_problem("desk", "consent_failed", "asked in vain")
        store.integrations.change(replace(record, answers={"desk": "3"}), store.integrations.every()[0])
        store.integrations.put(replace(store.integrations.every()[0], problem_code=record.problem_code))
        without = held(store)
    with closing(open_store(path, box(OLD), with_any_key=True)) as store:
        back = store.secrets.take_up(NOW)
        (present,) = store.integrations.every()
        after = held(store)

    assert {str(one) for one in taken.unreadable} == {
        "desk: authorization",
        "desk: secrets of the integration",
        "acme: secrets of the source",
        "acme/ops: secrets of the notifier",
        "jira: address of the webhooks",
    }
    assert (record.problem_code, record.has_unreadable, made.has_unreadable) == ("secrets_unreadable", True, True)
    assert without == ({}, (), None, {}, {}, None, None, "")
    assert (back.unreadable, after) == ((), before)
    assert (present.problem_code, present.problem, present.has_unreadable) == ("", "", False)


def test_what_is_entered_again_is_good_with_the_new_key(path, clock):
    """Both keys in use at once: what was entered meanwhile and what was not both open when the former key is back."""
    again = Grant(headers={"Authorization": SecretStr("Bearer again")}, account_name="Again")
    with closing(open_store(path, box(OTHER), with_any_key=True)) as store:
        store.secrets.take_up(NOW)
        store.grants.save("desk", again)
        left = {str(one) for one in store.secrets.still_unreadable()}
    with closing(open_store(path, box(OTHER, OLD))) as store:
        taken = store.secrets.take_up(NOW)
        after = held(store)

    assert "desk: authorization" not in left
    assert "desk: secrets of the integration" in left
    assert taken.unreadable == ()
    assert (after[2], after[0]) == (again, {"api_token": SecretStr("a token")})


def test_giving_up_takes_only_what_cannot_be_opened(path, clock):
    """Links stay, the integration is to be authorized again, and the lost key is not asked for any more."""
    with closing(open_store(path, box(OTHER), with_any_key=True)) as store:
        store.secrets.take_up(NOW)
        store.sources.put(source(clock, "another secret"), store.sources.every()[0])
        lost = {str(one) for one in store.secrets.forget(NOW)}
        (record,), links = store.integrations.every(), store.links.find()
        after = held(store)
        nothing = store.secrets.forget(NOW)
    with closing(open_store(path, box(OTHER))) as store:
        assert store.secrets.unreadable() == []

    assert lost == {
        "desk: authorization",
        "desk: secrets of the integration",
        "acme/ops: secrets of the notifier",
        "jira: address of the webhooks",
    }
    assert after == ({}, (), None, {"secret": SecretStr("another secret")}, {}, None, None, "")
    assert (record.problem_code, record.state) == ("authorization_needed", IntegrationState.ACTIVE)
    assert record.answers == {"desk": "2"}
    assert len(links) == 1
    assert nothing == []


def test_giving_up_beside_a_daemon_changes_no_key(path):
    """A daemon that runs has the former key only, whatever stands first in the file by now."""
    with closing(open_store(path, box(NEW, OLD))) as store:
        assert store.secrets.forget(NOW, beside_daemon=True) == []
    with closing(open_store(path, box(OLD))) as store:
        assert None not in held(store)


def test_an_integration_that_somebody_disabled_stays_theirs(path):
    """Neither a lost key nor its return says anything else about it."""
    with closing(open_store(path, box(OLD))) as store:
        (record,) = store.integrations.every()
        resting = {"state": IntegrationState.DISABLED, "problem_code": "disabled_by_hand", "problem": "by Ada"}
        store.integrations.put(replace(record, **resting))
    for keys in (box(OTHER), box(OLD)):
        with closing(open_store(path, keys, with_any_key=True)) as store:
            store.secrets.take_up(NOW)
            (record,) = store.integrations.every()
            assert (record.problem_code, record.problem) == ("disabled_by_hand", "by Ada")


def test_where_there_are_no_secrets_none_are_missed(tmp_path, clock):
    """Neither is asked for any after the key was lost, nor where an earlier version had sealed that there are none."""
    path = tmp_path / "connector.db"
    record = active_record("desk", "acme", clock.now(), secret="")
    with closing(open_store(path, box(OLD))) as store:
        store.integrations.put(record)
        store.sources.put(source(clock, ""), None)
        integration, made = (box(OLD).seal(text) for text in ('{"answers":{},"webhook":[]}', "{}"))

        def as_before(db):
            db.execute("UPDATE integration SET secrets = ?", (integration,))
            db.execute("UPDATE source SET secrets = ?", (made,))

        store.database.write(None, as_before)
        store.secrets.take_up(NOW)
    with closing(open_store(path, box(OTHER), with_any_key=True)) as store:
        taken = store.secrets.take_up(NOW)
        (present,) = store.integrations.every()

    assert (taken.unreadable, present) == ((), record)


FILE = """
secret_key: {key}
plugins: {{jira_jsm: {{oauth: {{client_id: id, client_secret: secret-of-the-app}}}}}}
organizations:
  acme:
    integrations:
      desk: {{plugin: jira_jsm, service_desk: "1", request_type: "2", close_status: "3", site: https://acme.atlassian.net,
        email: desk@acme.example, api_token: a-token-of-the-desk}}
"""


def adopted(path, key):
    """Take over a file as a start with this key does; return what there is then."""
    file = path.with_name("connector.yaml")
    file.write_text(FILE.format(key=key.get_secret_value()))
    config, plugins = read_config(file)
    store = open_store(path, box(key), with_any_key=True)
    with closing(store):
        taken = store.secrets.take_up(NOW)
        build_app(config, plugins, log=structlog.get_logger("test"), store=store).configured.save()
        return taken, store.integrations.every()[0], store.grants.get("desk")


def test_secrets_of_the_file_do_not_cost_an_authorization_that_cannot_be_opened(tmp_path):
    """They are stored again from the file; whether the former ones were others cannot be told: nothing is dropped."""
    path = tmp_path / "connector.db"
    adopted(path, OLD)
    with closing(open_store(path, box(OLD))) as store:
        store.grants.save("desk", GRANT)

    taken, record, without = adopted(path, OTHER)
    _, _, after = adopted(path, OLD)

    assert len(taken.unreadable) == 2
    assert (record.secret_answers["api_token"].get_secret_value(), without) == ("a-token-of-the-desk", None)
    assert after == GRANT


def test_the_log_at_the_start_says_what_status_says(tmp_path, clock):
    """What the file gives again is no longer missing by then, so neither names it."""
    path, desk = tmp_path / "connector.yaml", MemoryDesk(clock)
    points = [desk.entry_point(), MemoryPlatform(clock).entry_point()]

    def started(key):
        path.write_text(
            f"secret_key: {key.get_secret_value()}\n"
            "organizations: {acme: {source: {plugin: platform}, integrations:"
            ' {desk: {plugin: desk, desk: "1", webhook_secret: a-secret-of-webhooks}}}}\n'
        )
        with capture_logs() as said:
            config, plugins = read_config(path, points)
            store = open_store(config.database, box(key), with_any_key=True)
            app = build_app(config, plugins, log=structlog.get_logger("test"), clock=clock, store=store)
            app.start()
        return app, next((one["what"] for one in said if one["event"] == "secrets_unreadable"), None)

    first, nothing = started(OLD)
    first.store.grants.save("desk", GRANT)
    first.stop()
    second, said = started(NEW)
    shown = [str(one) for one in second.store.secrets.still_unreadable()]
    second.stop()

    assert nothing is None
    assert said == shown == ["desk: authorization"]
