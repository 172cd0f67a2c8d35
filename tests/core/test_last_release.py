"""A database that the last release wrote (`tests/operate/last_release.sql`), opened by this version: nothing is lost.

That its links go on is seen at the stand-ins in `tests/operate`, which installs both versions.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from pydantic import SecretStr

from connector_core.contract.errors import ConfigError
from connector_core.secrets import SecretBox
from connector_core.store import LinkState, schema
from connector_core.store.opening import open_store
from connector_core.words.names import Names
from connector_core.words.timeline import told
from tests.operate.make_last_release import KEY, TARGET

BOX = SecretBox([SecretStr(KEY)])
#: What says of which version a database is, and authorizations under way: those begin anew.
NO_DATA = {"_sqlite_migrations", "authorization_state", "meta", "sqlite_sequence"}
LINKS = {
    "In step": ("SUP-1", LinkState.IN_SYNC),
    "Renamed on the platform": ("SUP-2", LinkState.IN_SYNC),
    "Over": ("SUP-3", LinkState.IN_SYNC),
    "Without its ticket": ("SUP-4", LinkState.GONE),
    "Not delivered yet": ("SUP-5", LinkState.WAITING),
}


@pytest.fixture
def path(tmp_path):
    """Return a database as the last release left it."""
    made = tmp_path / "connector.db"
    with closing(sqlite3.connect(made)) as db:
        db.executescript(TARGET.read_text())
    return made


def counted(path):
    """Return how many rows each table of the last release has."""
    names = re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?[\"'\[]?(\w+)", TARGET.read_text(), re.MULTILINE)
    with closing(sqlite3.connect(path)) as db:
        return {
            name: db.execute(f"SELECT count(*) FROM [{name}]").fetchone()[0]  # noqa: S608 - a name of ours
            for name in names
            if name not in NO_DATA
        }


@pytest.mark.sqlite_only("the last release knew no other database")
def test_every_row_is_still_there(path):
    """And the schema is that of this version, with nothing missing."""
    before = counted(path)

    open_store(path, BOX, is_alone=True).close()

    after = counted(path)
    assert sum(before.values()) > 50
    assert {name: count for name, count in before.items() if after[name] < count} == {}
    with closing(sqlite3.connect(path)) as db:
        assert schema.missing(db) == []


@pytest.mark.sqlite_only("the last release knew no other database")
def test_links_secrets_and_what_waits_are_known(path):
    """Each link with its ticket, in words of today; the change that was not delivered is still to be."""
    with closing(open_store(path, BOX, is_alone=True)) as store:
        links = {link.incident.title: link for link in store.links.find()}
        grant = store.grants.get("acme-helpdesk")
        (record,) = store.integrations.every()
        stories = {
            title: [told(one, Names()) for one in store.timelines.read(link.id)] for title, link in links.items()
        }

    assert {title: (link.ticket.key, link.status.state) for title, link in links.items()} == LINKS
    assert all(link.settings["close_status"] == "10002" for link in links.values())
    assert any(one.get_secret_value() for one in (*grant.headers.values(), *grant.secrets.values()))
    assert (record.id, record.state.value) == ("acme-helpdesk", "active")
    assert all(one.text for story in stories.values() for one in story)
    assert "by Hana Helper (title)" in " ".join(one.text for one in stories["Renamed on the platform"])


@pytest.mark.sqlite_only("the last release knew no other database")
def test_with_another_key_nothing_is_taken_from_it(path):
    """Refused, or opened without its secrets; never without a word."""
    with pytest.raises(ConfigError):
        open_store(path, SecretBox([SecretStr("another key of many letters")]), is_alone=True)
