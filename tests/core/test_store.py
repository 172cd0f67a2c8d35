"""The SQLite store, on a real file."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from pydantic import SecretStr
from sqlite_utils import Database

from connector_core import ConfigError, Delivery, EventType, Incident, IncidentEvent, RetryLater, TicketSnapshot
from connector_core.contract.merge import agreed_at_creation
from connector_core.secrets import SecretBox
from connector_core.store import LinkState, LinkStatus, Progress, Rest, Target
from connector_core.store.nouns import EVERYBODY
from connector_core.store.opening import open_store
from connector_core.store.steps import migrations
from connector_core.store.version import LATEST, is_latest
from tests.support.forgetting import forget
from tests.support.lanes_at_hand import open_links

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TARGET = Target("desk", {"request_type": "25"}, NOW)


def event(name="evt-1", kind=EventType.OPENED, title="Display offline", at=NOW):
    """Make an event of incident inc-1."""
    return IncidentEvent(id=name, type=kind, occurred_at=at, incident=Incident(id="inc-1", title=title))


def test_an_event_is_stored_once_and_wakes_one_lane(store):
    """A repeated event is a duplicate and makes no second link."""
    first = store.inbox.accept_events("acme", [event()], [TARGET], NOW).result()
    again = store.inbox.accept_events("acme", [event()], [TARGET], NOW).result()

    assert (first.new, again.duplicate) == (1, 1)
    assert len(store.lanes.claim("boot", NOW, 8, 7200)) == 1
    assert store.lanes.claim("boot", NOW, 8, 7200) == []


def test_a_lane_woken_while_it_runs_is_due_again(store):
    """A wake-up during a run is not lost."""
    store.inbox.accept_events("acme", [event()], [TARGET], NOW).result()
    (claim,) = store.lanes.claim("boot", NOW, 8, 7200)
    later = event("evt-2", EventType.UPDATED, "Display dark", NOW + timedelta(seconds=1))
    store.inbox.accept_events("acme", [later], [TARGET], NOW).result()
    store.lanes.release(claim, Rest(), NOW)

    assert len(store.lanes.claim("boot", NOW, 8, 7200)) == 1
    assert store.links.get(claim.link_id).incident.title == "Display dark"


def test_claims_of_a_dead_boot_are_freed_and_its_writes_refused(store):
    """After a kill the next boot takes the lane over, and the old claim can write nothing."""
    store.inbox.accept_events("acme", [event()], [TARGET], NOW).result()
    (old,) = store.lanes.claim("dead", NOW, 8, 7200)

    assert store.lanes.recover("alive") == 1
    (new,) = store.lanes.claim("alive", NOW, 8, 7200)
    assert not store.links.record(old, Progress(status=LinkStatus(LinkState.IN_SYNC)), NOW)
    assert store.links.record(new, Progress(status=LinkStatus(LinkState.IN_SYNC)), NOW)


def test_a_delivery_of_a_linked_ticket_wakes_its_lane_and_an_unknown_one_is_ignored(store):
    """Only tickets of ours count; a repeated delivery is known by its id."""
    store.inbox.accept_events("acme", [event()], [TARGET], NOW).result()
    (claim,) = store.lanes.claim("boot", NOW, 8, 7200)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Display offline", updated=NOW)
    base = agreed_at_creation(event().incident, ticket)
    store.links.record(claim, Progress(ticket=ticket, base=base, status=LinkStatus(LinkState.IN_SYNC)), NOW)
    store.lanes.release(claim, Rest(), NOW)
    renamed = ticket.model_copy(update={"title": "New", "updated": NOW + timedelta(seconds=1)})
    stranger = ticket.model_copy(update={"id": "99"})

    assert store.inbox.accept_delivery("desk", Delivery(id="d1", event="e", tickets=(renamed,)), NOW).result().new == 1
    assert (
        store.inbox.accept_delivery("desk", Delivery(id="d1", event="e", tickets=(renamed,)), NOW).result().duplicate
        == 1
    )
    assert (
        store.inbox.accept_delivery("desk", Delivery(id="d2", event="e", tickets=(stranger,)), NOW).result().ignored
        == 1
    )
    assert len(store.lanes.claim("boot", NOW, 8, 7200)) == 1
    assert store.links.get(claim.link_id).base == base


def test_a_wrong_secret_key_is_refused_at_once(store, database_place):
    """A database opened with another key is an error before anything runs."""
    with pytest.raises(ConfigError):
        open_store(database_place, SecretBox([SecretStr("quite another passphrase")]))


def test_keys_are_ordered_by_their_bytes(store, clock):
    """Whatever language the server sorts in, claims go from one integration to the next in one order for all."""
    names = ["B", "Z", "_a", "a-x", "a_b", "ab", "b", "ä"]
    for name in reversed(names):
        store.integrations.put(replace(store.integrations.every()[0], id=name))
        open_links(store, clock, 1, integration=name)

    claimed = store.lanes.claim("boot", clock.now(), 20, 7200)
    rows = store.database.read(lambda db: db.execute("SELECT id FROM integration ORDER BY id").fetchall())

    assert sorted(claim.integration_id for claim in claimed) == names
    assert [row[0] for row in rows] == sorted([*names, "desk"])


def test_a_closed_store_says_so_and_leaves_nobody_waiting(store):
    """A write after the end fails at once."""
    store.close()

    with pytest.raises(RetryLater):
        store.inbox.accept_events("acme", [event()], [TARGET], NOW).result(timeout=60)


def test_a_long_queue_of_one_integration_does_not_stand_before_another(store, clock):
    """Lanes are claimed in turn, and no integration gets more than its share."""
    another = replace(store.integrations.every()[0], id="other")
    store.integrations.put(another)
    open_links(store, clock, 50)
    open_links(store, clock, 2, integration="other")

    first = store.lanes.claim("boot", clock.now(), 6, 7200, per_integration=4)
    running = Counter(claim.integration_id for claim in first)
    second = store.lanes.claim("boot", clock.now(), 6, 7200, per_integration=4, running=running)

    assert running == {"desk": 4, "other": 2}
    assert second == []


def test_a_claim_that_was_stored_unknown_to_the_engine_is_freed(store, clock):
    """Lanes held by this boot beside those that it runs are nobody's."""
    open_links(store, clock, 3)
    known, *_ = store.lanes.claim("boot", clock.now(), 3, 7200)

    assert store.lanes.recover("boot", [known.link_id]) == 2
    assert len(store.lanes.claim("boot", clock.now(), 3, 7200)) == 2


@pytest.mark.sqlite_only("it is about what spares loading the library that migrates files")
def test_a_database_of_another_version_is_not_the_latest(store, tmp_path):
    """Commands that only read tell without the library whether the last migration was applied, and no later one."""
    other = Database(sqlite3.connect(tmp_path / "old.db", isolation_level=None))
    found = [is_latest(other.conn)]
    migrations.apply(other, stop_before=LATEST)
    found.append(is_latest(other.conn))
    migrations.apply(other)
    found.append(is_latest(other.conn))
    other.conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector_core', 'm999', '')"
    )
    found.append(is_latest(other.conn))
    other.conn.close()

    assert found == [False, False, True, False]
    assert store.database.read(is_latest)


def test_an_old_database_is_brought_up_and_its_lanes_are_found(tmp_path):
    """A database of the first version opens, and what was due there is due."""
    path = tmp_path / "old.db"
    database = Database(sqlite3.connect(path, isolation_level=None))
    migrations.apply(database, stop_before="m004_breakers_and_fair_lanes")
    now = NOW.isoformat(timespec="microseconds")
    database.conn.executescript(
        f"""
        INSERT INTO integration (id, organization, plugin, origin, state, answers, secrets, created_at, seq)
          VALUES ('desk', 'acme', 'fake', 'setup', 'active', '{{}}', x'00', '{now}', 1);
        INSERT INTO incident VALUES ('acme', 'inc-1', '{{"id": "inc-1", "title": "Offline"}}', 'active', '{now}', 0);
        INSERT INTO link (organization, integration_id, incident_id, marker, settings, state, since, created_at)
          VALUES ('acme', 'desk', 'inc-1', 'cnx-1', '{{}}', 'waiting', '{now}', '{now}');
        INSERT INTO lane (link_id, due_at) VALUES (1, 1.0);
        """  # noqa: S608 - values of our own
    )
    database.conn.close()

    store = open_store(path, SecretBox([SecretStr("a passphrase that is long enough")]))

    assert [claim.integration_id for claim in store.lanes.claim("boot", NOW, 8, 7200)] == ["desk"]
    assert store.links.get(1).incident.title == "Offline"
    store.close()


def test_set_up_links_outlive_the_change_of_their_table(tmp_path):
    """One that was sent before an update is good after it."""
    path = tmp_path / "old.db"
    database = Database(sqlite3.connect(path, isolation_level=None))
    migrations.apply(database, stop_before="m009_sources_of_set_up")
    now = NOW.isoformat(timespec="microseconds")
    hashed = sha256(b"a token").hexdigest()
    database.conn.executescript(
        f"""
        INSERT INTO integration (id, organization, plugin, origin, state, answers, secrets, created_at, seq)
          VALUES ('desk', 'acme', 'fake', 'setup', 'active', '{{}}', x'00', '{now}', 1);
        INSERT INTO handover VALUES ('{hashed}', 'desk', 'webhook', 'ada', '{now}', '{now}', NULL);
        """  # noqa: S608 - values of our own
    )
    database.conn.close()

    store = open_store(path, SecretBox([SecretStr("a passphrase that is long enough")]))

    found = store.setup_links.get("a token")
    assert (found.name, found.of_source, found.step, found.expires_at) == ("desk", False, "webhook", NOW)
    store.close()


@pytest.mark.parametrize("direction", ["to_ticket_since", "to_incident_since"])
def test_the_oldest_change_that_waits_is_told_by_direction(store, clock, direction):
    """The age of what waits is that of its first change, and ends when nothing waits."""
    open_links(store, clock, 1)
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Offline", updated=NOW)
    base = agreed_at_creation(store.links.get(1).incident, ticket)
    progress = Progress(ticket=ticket, base=base, status=LinkStatus(LinkState.IN_SYNC), settled=True)
    store.links.record(claim, progress, clock.now())
    store.lanes.release(claim, Rest(), clock.now())
    assert getattr(store.overview.stats().backlogs["desk"], direction) is None

    clock.forward(10)
    first = clock.now()
    for title in ("One", "Two"):
        if direction == "to_ticket_since":
            changed = IncidentEvent(
                id=title, type=EventType.UPDATED, occurred_at=clock.now(), incident=Incident(id="desk-0", title=title)
            )
            store.inbox.accept_events("acme", [changed], [], clock.now()).result()
        else:
            shown = ticket.model_copy(update={"title": title, "updated": clock.now()})
            store.inbox.see_tickets("desk", [shown], clock.now())
        clock.forward(5)

    assert getattr(store.overview.stats().backlogs["desk"], direction) == first


def test_a_finished_ticket_stays_in_view_for_a_week(store, clock):
    """People still edit what was finished just now, and a webhook may be lost."""
    open_links(store, clock, 1)
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    closed = IncidentEvent(
        id="over", type=EventType.RESOLVED, occurred_at=clock.now(), incident=Incident(id="desk-0", title="Offline")
    )
    store.inbox.accept_events("acme", [closed], [], clock.now()).result()
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Offline", done=True, updated=NOW)
    store.links.record(claim, Progress(ticket=ticket, base={}, status=LinkStatus(LinkState.IN_SYNC)), clock.now())

    assert [group.ids for group in store.links.open_tickets("desk", clock.now() + timedelta(days=6))] == [
        frozenset({"1"})
    ]
    assert store.links.open_tickets("desk", clock.now() + timedelta(days=8)) == []


def test_early_tickets_that_are_nobodys_are_dropped_and_counted(store, clock):
    """What no link claims within a while is forgotten, not silently."""
    open_links(store, clock, 1)
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    incident = store.links.get(claim.link_id).incident
    store.links.record(claim, Progress(attempted_at=clock.now(), attempted_incident=incident), clock.now())
    stranger = TicketSnapshot(id="99", key="T-99", title="Not ours", updated=NOW)
    store.inbox.see_tickets("desk", [stranger], clock.now())

    forget(store, clock.now())
    assert store.overview.stats().early_dropped == 0
    clock.forward(3600)
    forget(store, clock.now())

    assert store.overview.stats().early_dropped == 1


def test_a_store_that_is_closed_lets_reads_under_way_end(store):
    """SQLite ends the whole process when a connection is closed in the middle of a read of another thread."""
    reading, may_end, seen = threading.Event(), threading.Event(), []

    def work(db):
        rows = iter(db.execute("SELECT 1 UNION ALL SELECT 2"))
        first = next(rows)
        reading.set()
        may_end.wait(60)
        seen.append([tuple(row) for row in (first, *rows)])

    reader = threading.Thread(target=store.database.read, args=[work])
    reader.start()
    assert reading.wait(60)
    closer = threading.Thread(target=store.close)
    closer.start()
    closer.join(0.2)  # time enough to close what must not be closed yet
    may_end.set()
    reader.join(60)
    closer.join(60)

    assert seen == [[(1,), (2,)]]
    assert not closer.is_alive()


def test_who_has_a_webhooks_secret_is_known_without_opening_any(store, monkeypatch):
    """Of ten thousand integrations too; those that an earlier version stored are opened until the daemon has looked."""
    (desk,) = store.integrations.every()
    store.integrations.put(replace(desk, id="unsigned", webhook_secrets=(), secret_answers={"k": SecretStr("x")}))
    store.integrations.put(replace(desk, id="earlier"))
    store.integrations.put(replace(desk, id="earlier-unsigned", webhook_secrets=(), secret_answers=desk.secret_answers))
    forgotten = "UPDATE integration SET is_signed = NULL WHERE id IN ('earlier', 'earlier-unsigned')"
    store.database.write(EVERYBODY, lambda db: db.execute(forgotten))
    opened, real = [], SecretBox.try_open

    def try_open(box, sealed):
        opened.append(sealed)
        return real(box, sealed)

    monkeypatch.setattr(SecretBox, "try_open", try_open)

    before = store.integrations.signed(), len(opened)
    store.integrations.note_signed()
    opened.clear()
    after = store.integrations.signed(), len(opened)

    assert before == ({"desk", "earlier"}, 1)
    assert after == ({"desk", "earlier"}, 0)


def test_a_secret_that_cannot_be_opened_is_not_noted_as_none(store):
    """What stays sealed for a former key may be a webhook's: it counts again once its key is back."""
    (desk,) = store.integrations.every()

    store.integrations.put(replace(desk, webhook_secrets=(), has_unreadable=True))

    assert store.integrations.signed() == {"desk"}
