"""Which index PostgreSQL can use for a hot statement, as `test_query_plans.py` asks of SQLite.

Tables are empty here, and reading them whole is made dear: a statement that no index fits reads one whole all the same.
"""

from __future__ import annotations

import re

import pytest

from connector_core.store import activity, comments, forgetting, lanes, links, looks, overview, routing, search
from connector_core.store.dialect import translate
from connector_core.store.records import LinkOrder
from connector_core.store.rows import LINK_COLUMNS, LINK_TABLES
from tests.support.postgres import connected

pytestmark = pytest.mark.postgresql_only("these are its plans")


@pytest.fixture
def plan(store, database_place):
    """Return a function that says, a line a step, how PostgreSQL would run a statement."""
    with connected(database_place.url) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")

        def explained(statement):
            with_values = re.sub(r"\$\d+", "'1'", translate(statement))
            return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {with_values}").fetchall())

        yield explained


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (lanes.DUE_OF_INTEGRATION, ["lane_ready"]),
        (lanes.FIRST_OF_EACH, ["lane_ready"]),
        (overview.OLDEST.format(direction="to_ticket_since"), ["link_(to_ticket|standing)"]),
        (overview.OLDEST.format(direction="to_incident_since"), ["link_(to_incident|standing)"]),
        (overview.UNLINKED, ["link_unlinked"]),
        (comments.WAITING, ["comment_waiting"]),
        (comments.WRITTEN, ["comment_written"]),
        (links.FOLLOWS, ["link_ticket", "link_creating"]),
        (forgetting.UNLINKED, ["incident_unlinked"]),
        (looks.WITHOUT, ["link_without"]),
        (activity.FLOOR, ["timeline_at"]),
        (routing.UNSENT, ["incident_unsent"]),
        (routing.UNSENT_OPEN, ["incident_unsent"]),
        (routing.OF_STATE, ["incident_unsent"]),
        (routing.IN_FORCE, ["routing_pkey"]),
        (
            f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id IN ({links.NAMED})",  # noqa: S608 - ours
            ["link_incident", "link_key"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_hot_statement_is_answered_from_its_index(plan, statement, indexes):
    """Nothing of what grows is read whole."""
    steps = plan(statement)

    for index in indexes:
        assert re.search(rf"using {index}\b", steps), steps
    assert not re.search(r"Seq Scan on (lane|link|incident|comment|timeline|event|delivery)\b", steps), steps


@pytest.mark.parametrize(
    ("order", "index"), [(LinkOrder.ATTENTION, "link_listed_in_order"), (LinkOrder.UPDATED, "link_listed_by_change")]
)
def test_a_page_of_the_list_is_read_in_its_order(plan, order, index):
    """Most links fit what people look for: a page is full before all are looked at, and none is sorted."""
    steps = plan(search.listed(" WHERE state IN (?)", order))

    assert f"using {index} on link_listed" in steps
    assert "Sort" not in steps


def test_the_next_lane_is_found_without_sorting(plan):
    """The index has them in the order in which they are due."""
    assert "Sort" not in plan(lanes.DUE_OF_INTEGRATION)
    assert "Sort" not in plan(comments.WAITING)
