"""Which index a hot statement uses: a wrong one once made claims two hundred times slower."""

from __future__ import annotations

import re

import pytest

from connector_core.store import activity, comments, figures, forgetting, lanes, links, overview, routing, search
from connector_core.store.connection import connect
from connector_core.store.records import LinkOrder
from connector_core.store.rows import LINK_COLUMNS, LINK_TABLES

pytestmark = pytest.mark.sqlite_only("these are its plans; those of PostgreSQL: test_postgres_plans.py")


@pytest.fixture
def plan(store):
    """Return a function that says, a line a step, how SQLite would run a statement."""
    db = connect(store.database.path)

    def explained(statement):
        values = [None] * statement.count("?")
        return "\n".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    yield explained
    db.close()


def test_the_next_lane_is_found_by_the_ready_index(plan):
    """A claim jumps to the first due lane of an integration, and sorts nothing."""
    steps = plan(re.sub(r"\?\d", "?", lanes.DUE_OF_INTEGRATION))

    for meant in ("due_at>? AND due_at<?", "due_at>?"):
        assert f"SEARCH lane USING INDEX lane_ready (integration_id=? AND {meant})" in steps
    assert "TEMP B-TREE" not in steps


def test_waiting_integrations_are_jumped_to(plan):
    """When the next lane is due is known without looking at lanes one by one."""
    steps = plan(re.sub(r"\?\d", "?", lanes.FIRST_OF_EACH))

    assert "SEARCH lane USING INDEX lane_ready (integration_id>?)" in steps
    assert len(re.findall(r"SEARCH (lane|known) USING INTEGER PRIMARY KEY", steps)) == 3
    assert steps.count("SCAN lane") == steps.count("SCAN lane USING INDEX lane_ready") == 1
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize(
    ("direction", "index"), [("to_ticket_since", "link_to_ticket"), ("to_incident_since", "link_to_incident")]
)
def test_the_oldest_undelivered_has_an_index_of_its_own(plan, direction, index):
    """How long a direction waits is one look at the index of those that wait."""
    assert f"SEARCH link USING COVERING INDEX {index}" in plan(overview.OLDEST.format(direction=direction))


def test_unlinked_pairs_are_counted_from_an_index(plan):
    """They are told from what is paused on each page that counts."""
    assert "SCAN link USING INDEX link_unlinked" in plan(overview.UNLINKED)


def test_what_is_over_for_long_has_an_index(plan):
    """Links are not read one by one to find those that may be forgotten."""
    steps = plan(links.FINISHED)

    assert "SEARCH link USING INDEX link_open (integration_id=? AND is_open=? AND over_at<?)" in steps
    assert "SCAN link" not in steps


def test_a_link_is_found_by_any_of_its_names(plan):
    """What people name is looked up, never searched for row by row."""
    steps = plan(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id IN ({links.NAMED})")  # noqa: S608 - ours

    assert "SCAN link" not in steps
    for index in ("link_incident", "link_key", "sqlite_autoindex_link_1", "sqlite_autoindex_link_3"):
        assert f"INDEX {index}" in steps


def test_links_are_listed_from_an_index(plan):
    """Which links are shown is decided without reading them."""
    assert "SCAN link USING COVERING INDEX link_state" in plan(links.LISTED.format(where=""))


@pytest.mark.parametrize(
    ("order", "index"), [(LinkOrder.ATTENTION, "link_listed_in_order"), (LinkOrder.UPDATED, "link_listed_by_change")]
)
def test_a_page_of_the_list_is_read_in_its_order(plan, order, index):
    """Most links fit what people look for: a page is full before all are looked at, and none is sorted."""
    steps = plan(search.listed(" WHERE state IN (?) AND is_open = ?", order))

    assert f"SCAN link_listed USING INDEX {index}" in steps
    assert "TEMP B-TREE" not in steps


def test_the_next_comment_is_found_however_many_were_synced(plan):
    """Only those that wait are looked at, in their order."""
    steps = plan(comments.WAITING)

    assert "SEARCH comment USING INDEX comment_waiting (link_id=? AND side=?)" in steps
    assert "TEMP B-TREE" not in steps


def test_a_comment_of_ours_is_known_at_a_glance(plan):
    """By the id that it has on the other side."""
    assert "INDEX comment_written (link_id=? AND side=? AND written_id=?)" in plan(comments.WRITTEN)


def test_whether_a_ticket_is_followed_is_two_looks_at_an_index(plan):
    """It is asked for every delivery, and most are about tickets that nobody follows."""
    steps = plan(links.FOLLOWS)

    assert "SEARCH link USING COVERING INDEX link_ticket (organization=? AND ticket_id=?)" in steps
    assert "SEARCH link USING INDEX link_creating (organization=?)" in steps
    assert "SCAN link" not in steps


def test_incidents_that_nobody_links_are_found_among_themselves(plan):
    """The others, which have large bodies, are not looked through each hour."""
    assert plan(forgetting.UNLINKED) == "SEARCH incident USING COVERING INDEX incident_unlinked (unlinked_since<?)"
    steps = plan(forgetting.UNTRIED)
    assert "SEARCH lane USING COVERING INDEX lane_parked (breaker=?)" in steps


@pytest.mark.parametrize(
    "statement", [routing.UNSENT, routing.UNSENT_OPEN, routing.OF_STATE, routing.WAITING, routing.LOOKING]
)
def test_incidents_without_a_ticket_are_found_among_themselves(plan, statement):
    """They are looked for every two seconds, and are few among many."""
    steps = plan(re.sub(r"\?\d", "?", statement))

    assert re.search(r"(SEARCH|SCAN) incident USING (COVERING )?INDEX incident_unsent", steps), steps
    assert "incident USING PRIMARY KEY (organization=?)" not in steps


def test_rules_are_found_by_their_organization(plan):
    """They are read with every incident that begins."""
    assert "SEARCH routing USING PRIMARY KEY (organization=?)" in plan(routing.IN_FORCE)


def test_the_latest_of_many_links_are_walked_back_to(plan):
    """A page of activity reads entries from the newest on, whoever may see which of them, and sorts nothing."""
    meant = "WHERE timeline.at < ? AND +link.organization IN (?, ?) AND timeline.kind IN (?, ?)"
    steps = plan(f"{activity.SELECT} {meant} {activity.ORDER} LIMIT ?")

    assert "SEARCH timeline USING INDEX timeline_at (at<?)" in steps
    assert "TEMP B-TREE FOR ORDER BY" not in steps
    assert "SEARCH timeline USING COVERING INDEX timeline_at" in plan(activity.FLOOR)


def test_the_entries_of_few_links_are_read_from_these(plan):
    """However much happened to others."""
    steps = plan(f"{activity.SELECT} WHERE timeline.link_id IN (?, ?, ?) {activity.ORDER} LIMIT ?")

    assert "SEARCH timeline USING INDEX timeline_link (link_id=?)" in steps


@pytest.mark.parametrize(("statement", "table"), [(figures.OF_SPAN, "figure"), (figures.TIMES_OF_SPAN, "figure_time")])
def test_figures_are_read_from_where_they_begin(plan, statement, table):
    """Of all in the order of time, so that nothing is sorted, of one integration by its own rows."""
    every = plan(statement.format(whose=figures.OF_ALL))
    assert f"SEARCH {table} USING PRIMARY KEY (span=? AND start>?)" in every
    assert "TEMP B-TREE" not in every
    own = plan(statement.format(whose=figures.OF_ONE))
    assert f"SEARCH {table} USING INDEX {table}_of_integration (integration_id=? AND start>?)" in own


def test_what_waits_is_counted_from_the_indexes_of_what_waits(plan):
    """Links that are settled are not read."""
    steps = plan(figures.WAITING)

    assert "USING COVERING INDEX link_to_ticket" in steps
    assert "USING COVERING INDEX link_to_incident" in steps
