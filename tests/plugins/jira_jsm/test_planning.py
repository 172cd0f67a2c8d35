"""Which transition comes next: decided over values, with nobody asked and nothing stored."""

from __future__ import annotations

import pytest

from connector_core.kit.fields import FormField
from connector_jira_jsm.settings import Fallback, JiraSettings
from connector_jira_jsm.tickets.planning import next_step, shortest_path
from connector_jira_jsm.tickets.workflow import Chart, Step

CAUSE = FormField("cause", "Cause", required=True)


def step(number: str, to: str, *, done: bool | None = False, screen: tuple[FormField, ...] = ()) -> Step:
    """Make a step to a status whose id is its name."""
    return Step(number, f"To {to}", to, to, done, screen)


CLOSED = step("9", "Closed", done=True)
CHART = Chart(
    "Open",
    {
        "Open": (step("1", "Busy"), step("2", "Cancelled", done=True), step("3", "Parked")),
        "Busy": (step("4", "Review"), step("5", "Open")),
        "Review": (CLOSED, step("6", "Busy")),
        "Parked": (),
        "Cancelled": (CLOSED,),
    },
    frozenset({"Open", "Busy", "Review"}),
)


def settings(**more: object) -> JiraSettings:
    """Make settings that close at Closed."""
    return JiraSettings.model_validate({"service_desk": "1", "request_type": "25", "close_status": "Closed", **more})


def numbers(path: tuple[Step, ...] | None) -> list[str] | None:
    """Return the ids of a path's steps."""
    return None if path is None else [one.id for one in path]


def test_shortest_path_leads_over_open_statuses_only():
    """Cancelled is done: it is no place to pass through."""
    assert numbers(shortest_path(CHART, lambda one: one.to == "Closed")) == ["1", "4", "9"]


def test_what_is_barred_is_no_path():
    """A step is barred where it leads on from, and nowhere else."""
    assert shortest_path(CHART, lambda one: one.to == "Closed", {("Busy", "4")}) is None
    assert numbers(shortest_path(CHART, lambda one: one.to == "Closed", {("Open", "4")})) == ["1", "4", "9"]


def test_step_that_asks_for_nothing_is_preferred():
    """Of two ways of one length the one without a screen."""
    chart = Chart("Open", {"Open": (step("1", "Closed", done=True, screen=(CAUSE,)), CLOSED)}, frozenset({"Open"}))

    assert numbers(shortest_path(chart, lambda one: one.to == "Closed")) == ["9"]


@pytest.mark.parametrize(
    ("barred", "visited", "more", "expected"),
    [
        (set(), {"Open"}, {}, "1"),
        ({("Review", "9")}, {"Open"}, {}, "3"),
        ({("Review", "9")}, {"Open", "Parked"}, {}, "2"),
        ({("Review", "9")}, {"Open"}, {"close_explore": False}, "2"),
        ({("Review", "9")}, {"Open", "Parked"}, {"close_fallback": (Fallback.OTHER_PATH,)}, None),
        ({("Review", "9"), ("Open", "2"), ("Open", "3")}, {"Open"}, {}, None),
    ],
)
def test_next_step(barred: set[tuple[str, str]], visited: set[str], more: dict[str, object], expected: str | None):
    """Towards the close status; else to where nobody looked; else to another done status, as settings allow."""
    chosen = next_step(CHART, barred, visited, settings(**more))

    assert (chosen and chosen.id) == expected


def test_choosing_changes_nothing():
    """The same question gets the same answer."""
    barred, visited = {("Review", "9")}, {"Open"}

    first, second = (next_step(CHART, barred, visited, settings()) for _ in range(2))

    assert first == second
    assert (barred, visited) == ({("Review", "9")}, {"Open"})


def test_status_that_nobody_saw_leaves_a_chart_open():
    """Only a whole chart proves that there is no way."""
    assert not CHART.is_whole
    assert Chart("Open", {"Open": ()}, frozenset({"Open"})).is_whole
