"""Every page is looked at, and the database is the same afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from starlette.routing import Route

from tests.support.served import Served

#: Changes whenever somebody is there, or by itself.
MOVES = ("console_session", "node", "meta", "duty")
GIVEN = {
    "integration": "helpdesk",
    "organization": "acme",
    "step": "desk",
    "link": "1",
    "entry": "1",
    "replay": "1",
    "notifier": "none",
    "token": "none",
    "version": "1",
    "name": "app.css",
    "route": "desk",
    "source": "acme",
}


@pytest.fixture
def served(tmp_path):
    """Serve an integration with a link, whose desk's name is not known yet."""
    made = Served(tmp_path)
    made.add("helpdesk", "acme", "Display dark")
    yield made
    made.stop()


def rows(served):
    """Return all that is stored, as statements, but for what moves by itself."""
    with closing(sqlite3.connect(served.app.config.database)) as db:
        return [line for line in db.iterdump() if not line.startswith(tuple(f'INSERT INTO "{name}"' for name in MOVES))]


def paths(served):
    """Return an address for each route that can be looked at."""
    routes = [one for one in served.web.routes if isinstance(one, Route) and "GET" in (one.methods or ())]
    return sorted({one.path.format_map(GIVEN) for one in routes if "/logout" not in one.path})


def test_no_page_writes_when_it_is_looked_at(served, admin):
    """With live lists of the vendor, exports and confirmations too; a failure of ours is none of the answers."""
    before = rows(served)
    assert any("Display dark" in line for line in before)

    answers = {path: admin.get(path).status_code for path in paths(served)}

    assert len(answers) > 40
    assert {path: code for path, code in answers.items() if code >= 500} == {"/readyz": 503}  # no engine runs here
    assert answers["/integrations/helpdesk/setup/step/desk"] == 200
    assert set(rows(served)) ^ set(before) == set()
