"""The difficult instance: other lists, more that is needed, fewer rights."""

from __future__ import annotations

import pytest


@pytest.fixture
def incidents(open_table, difficult):
    """Return a client of the difficult instance's incidents."""
    return open_table(of=difficult)


def test_a_column_of_the_customers_is_needed(incidents):
    """Without it nothing is made; the answer names it by its label."""
    refused = incidents.send("POST", json={"short_description": "x"})

    assert refused.status_code == 403
    assert "Location code" in refused.json()["error"]["detail"]
    assert incidents.create(u_location_code="4.01")["u_location_code"] == "4.01"


def test_a_resolution_needs_more_than_its_reason(incidents):
    """One more column, of a list."""
    sys_id = incidents.create(u_location_code="4.01")["sys_id"]
    resolved = {"state": "6", "close_code": "Solved (Permanently)", "close_notes": "Cable"}

    assert "Root cause" in incidents.patch(sys_id, **resolved).json()["error"]["detail"]
    assert incidents.patch(sys_id, **resolved, u_root_cause="hardware").status_code == 200


def test_on_hold_needs_its_reason(incidents):
    """Through the API too."""
    sys_id = incidents.create(u_location_code="4.01")["sys_id"]

    assert incidents.patch(sys_id, state="3").status_code == 403
    assert incidents.patch(sys_id, state="3", hold_reason="1").status_code == 200


def test_priorities_are_the_customers(incidents):
    """No pair makes a 4."""
    made = {
        incidents.create(u_location_code="1", impact=impact, urgency=urgency)["priority"]
        for impact in (1, 2, 3)
        for urgency in (1, 2, 3)
    }

    assert made == {"1", "2", "3", "5"}


def test_states_are_the_customers(open_table, difficult):
    """Renamed, one more, and one that is kept but not offered."""
    states = open_table("sys_choice", of=difficult).find("name=incident^element=state^ORDERBYsequence")

    assert [(row["value"], row["label"]) for row in states if row["inactive"] == "false"][:3] == [
        ("1", "Neu"),
        ("10", "Zugewiesen"),
        ("2", "In Bearbeitung"),
    ]
    assert [row["label"] for row in states if row["inactive"] == "true"] == ["Awaiting User Info"]


def test_the_journal_and_the_dictionary_look_empty(open_table, difficult, incidents):
    """200 and no row, though the count tells that there are some."""
    incidents.create(u_location_code="4.01", comments="hello")

    for name in ("sys_journal_field", "sys_dictionary"):
        answer = open_table(name, of=difficult).send("GET")
        assert (answer.status_code, answer.json()["result"]) == (200, [])
        assert int(answer.headers["X-Total-Count"]) > 0
    assert len(difficult.comments(incidents.find()[0]["sys_id"])) == 1


def test_filters_are_read_in_pacific_time(incidents):
    """What was changed this second is not found by its own stored time."""
    made = incidents.create(u_location_code="4.01")

    assert incidents.find(f"sys_updated_on>={made['sys_updated_on']}") == []
