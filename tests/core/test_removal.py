"""Removing an organization: nothing of it is left in any table, nothing of another one goes, and a kill only delays."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest
from sqlite_utils import Database

from connector_core.store import Actor, Via, steps
from connector_core.store.acting import acting
from connector_core.store.removal import OF_LINK, OF_NOBODY, OF_ORGANIZATION
from tests.support.activation import active_record
from tests.support.lanes_at_hand import open_links
from tests.support.rows import everything, sql

GONE, KEPT = "organization-gone", "organization-kept"
OWNED = {"link", "integration", *OF_LINK, *(owned.table for owned in OF_ORGANIZATION)}
#: Columns by which a row is somebody's, directly or through what it belongs to.
OWNERS = {"organization", "integration_id", "link_id", "notifier"}


@pytest.fixture(scope="module")
def columns():
    """Return the columns of every table of ours, with their types, whether they may be empty, and the keys."""
    database = Database(memory=True)
    with closing(database.conn):
        steps.migrations.apply(database)
        return {
            name: [
                (row[1], row[2], bool(row[3]), row[5]) for row in database.conn.execute(f"PRAGMA table_info('{name}')")
            ]
            for name in database.table_names()
            if not name.startswith(("_", "sqlite_"))
        }


def test_every_table_is_somebodys_or_nobodys(columns):
    """A new table cannot come without a rule; one with an owner among its columns is not nobody's."""
    assert columns.keys() == OWNED | OF_NOBODY
    assert not OWNED & OF_NOBODY
    assert {table for table in OF_NOBODY if OWNERS & {name for name, *_ in columns[table]}} == set()


def fill(store, clock, columns, organization):
    """Store links of an organization by the usual way, and then a row in each table that has none of it yet."""
    integration = f"desk-of-{organization}"
    store.integrations.put(active_record(integration, organization, clock.now()))
    open_links(store, clock, 3, integration, organization)
    ((link_id,),) = sql(store, "SELECT MIN(id) FROM link WHERE organization = ?", organization)
    present = store.removals.stored(organization)
    given = {"organization": organization, "integration_id": integration, "link_id": link_id}
    missing = [owned.table for owned in OF_ORGANIZATION[::-1] if owned.table not in present]
    # In the opposite order, so that what a row refers to is there; every number is that of the link.
    for table in [*sorted(missing, key=lambda one: one != "source"), *OF_LINK]:
        if table in present:
            continue
        values = {
            name: given.get(
                name, b"x" if kind == "BLOB" else f"{table} of {organization}" if kind == "TEXT" else link_id
            )
            for name, kind, is_needed, is_key in columns[table]
            if is_needed or is_key or name in given
        }
        if table == "breaker":
            values["key"] = f"poll:{organization}"
        if table == "handover":
            values.pop("integration_id")
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" for _ in values)
        sql(store, f'INSERT INTO "{table}" ({names}) VALUES ({marks})', *values.values())  # noqa: S608 - ours
    return store.removals.stored(organization)


def test_nothing_of_an_organization_is_left_anywhere(store, clock, columns):
    """Whatever table has something of it, and whatever is another's stays; the report counts every row."""
    before = fill(store, clock, columns, GONE)
    kept = fill(store, clock, columns, KEPT)
    assert set(before) == OWNED

    with acting(Actor("ada", Via.TERMINAL, clock.now())):
        for _ in store.removals.remove_all(GONE, most=2):
            pass
        removed = store.removals.finish(GONE, {"ada"})

    assert dict(removed) == dict(before)
    assert store.removals.stored(KEPT) == kept
    assert store.removals.stored(GONE) == {"audit_entry": 1}
    (told,) = sql(store, "SELECT actor, act, subject, name, changes FROM audit_entry WHERE organization = ?", GONE)
    assert told[:4] == ("ada", "removed", "organization", GONE)
    assert '"link":["3","0"]' in told[4].replace(" ", "")
    sql(store, "DELETE FROM audit_entry WHERE organization = ?", GONE)
    sql(store, "DELETE FROM meta WHERE key = ?", f"removed:desk-of-{GONE}")  # by which lost tickets are looked for
    assert GONE.encode() not in everything(store, sorted(columns))


def test_a_removal_that_was_killed_goes_on_and_counts_all(store, clock, columns):
    """Whoever asks again has the rest removed; how much that was in all is known."""
    before = fill(store, clock, columns, GONE)
    going = store.removals.remove_all(GONE, most=1)
    for _ in range(5):
        next(going)
    going.close()
    assert store.removals.under_way() == [GONE]

    for _ in store.removals.remove_all(GONE):
        pass

    assert dict(store.removals.finish(GONE, ())) == dict(before)
    assert store.removals.under_way() == []


def test_links_of_an_organization_that_is_removed_are_not_worked_on(store, clock):
    """Its integrations are disabled before the first row goes."""
    store.integrations.put(active_record("desk", GONE, clock.now()))
    version = store.integrations.version()

    next(store.removals.remove_all(GONE), None)

    assert [record.state for record in store.integrations.every()] == ["disabled"]
    assert store.integrations.version() > version


def test_logins_of_nobody_end(store, clock):
    """Who stands in the file no more has none; others stay signed in, and who came by single sign-on."""
    now = clock.now().isoformat()
    for name, signed_on in (("ada", None), ("theirs", None), ("sub-1", "{}")):
        sql(
            store,
            'INSERT INTO console_session (token, "user", proof, form_token, created_at, seen_at, expires_at, signed_on)'
            " VALUES (?, ?, 'p', 'f', ?, ?, ?, ?)",
            f"token-{name}",
            name,
            now,
            now,
            (clock.now() + timedelta(days=1)).isoformat(),
            signed_on,
        )

    assert store.removals.finish(GONE, {"ada"})["console_session"] == 1
    assert sorted(sql(store, 'SELECT "user" FROM console_session')) == [("ada",), ("sub-1",)]


def test_rows_of_nobody_are_no_organizations(store):
    """Logins of strangers and the like have an empty name there, which an unset variable of a shell has, too."""
    assert not store.removals.exists("")


def test_one_incident_is_forgotten_alone(store, clock):
    """With its links, their timelines and its events; that somebody did is written down without its id."""
    store.integrations.put(active_record("desk", GONE, clock.now()))
    open_links(store, clock, 2, "desk", GONE)
    assert store.removals.owners("desk-0") == [GONE]

    with acting(Actor("ada", Via.TERMINAL, clock.now())):
        removed = store.removals.forget_incident(GONE, "desk-0")

    assert {name: removed[name] for name in ("link", "incident", "event")} == {"link": 1, "incident": 1, "event": 1}
    assert [link.incident_id for link in store.links.find()] == ["desk-1"]
    assert store.removals.owners("desk-0") == []
    assert sql(store, "SELECT subject, name FROM audit_entry WHERE act = 'removed'") == [("incident", "")]
