"""Writes without a condition: what a count of changes tells, and what shows otherwise than it was sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector_core import FieldName, TicketSnapshot
from connector_core.kit.counting import Outcome, in_order

AT = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
TICKET = TicketSnapshot(id="1")
COLUMNS = {FieldName.TITLE: ["title"], FieldName.PRIORITY: ["impact", "urgency"]}


@pytest.mark.parametrize(
    ("before", "after", "others"),
    [("4", "5", False), ("4", "4", False), ("4", "6", True), (None, "6", None), ("4", "", None), ("x", "9", None)],
)
def test_a_count_tells_whether_others_wrote(before, after, others):
    """One more is ours; where it is not shown nothing is said."""
    outcome = Outcome.of((before, after), sent={}, shown={})

    assert outcome.others is others
    assert outcome.written(TICKET, COLUMNS).is_alone is (others is False)


def test_what_shows_otherwise_than_sent_is_lost():
    """Line ends and edges do not matter; what is hidden, or was not sent, tells nothing."""
    sent = {"title": "Fan\nfailed ", "room": "4", "floor": "2", "group": "av"}
    shown = {"title": "Fan\r\nfailed", "room": "", "floor": None, "state": "7"}

    assert Outcome.of(("1", "2"), sent=sent, shown=shown).lost == {"room"}


def test_what_shows_otherwise_is_of_others_where_they_wrote():
    """Of the fields that were written, those with one such column; it stays, and our notes do not call it lost."""
    outcome = Outcome(others=True, lost=frozenset({"urgency", "room"}))

    assert outcome.written(TICKET, COLUMNS).behind == {FieldName.PRIORITY}
    assert len(outcome.notes(is_edit=True)) == 1
    assert outcome.notes()[1:] == ["Not taken as sent: room, urgency."]


@pytest.mark.parametrize("others", [False, None])
def test_without_others_it_was_dropped(others):
    """And no field is somebody's."""
    outcome = Outcome(others, frozenset({"title"}))

    assert outcome.written(TICKET, COLUMNS).behind == frozenset()
    assert outcome.notes(is_edit=True) == ["Not taken as sent: title."]


@pytest.mark.parametrize(("count", "part"), [("7", 7), ("1234567", 999_999), ("9" * 40, 999_999)])
def test_changes_of_one_second_have_an_order(count, part):
    """As far as a second has parts."""
    assert in_order(AT, count) == AT.replace(microsecond=part)


@pytest.mark.parametrize("count", [None, "", "many"])
def test_a_time_without_a_count_stays(count):
    """And none is none."""
    assert (in_order(AT, count), in_order(None, "7")) == (AT, None)
