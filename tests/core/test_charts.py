"""Where the bars, lines and labels of charts stand."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.web.console.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Series,
    Slot,
    bars,
    count_step,
    lines,
    short,
    spoken,
)

SLOTS = [Slot("10:00", "10:00 to 11:00"), Slot("", "11:00 to 12:00"), Slot("12:00", "12:00 to 13:00")]
BAR = re.compile(r"M([\d.]+) 146V([\d.]+)h([\d.]+)V146z")


def drawn(chart):
    """Return the bars of a chart: left end, top and width of each, by series."""
    return [[tuple(map(float, bar)) for bar in BAR.findall(shape.path)] for shape in chart.shapes]


def test_bars_stand_side_by_side_in_their_slots():
    """As high as their values on an axis that begins at zero; nothing is drawn of nothing."""
    chart = bars([Series("In", "one", [4, 0, 2]), Series("Made", "two", [2, None, 4])], SLOTS)

    first, second = drawn(chart)
    assert [top for _, top, _ in first] == [TOP, pytest.approx((TOP + BOTTOM) / 2)]
    assert [top for _, top, _ in second] == [pytest.approx((TOP + BOTTOM) / 2), TOP]
    assert first[0][0] + first[0][2] == pytest.approx(second[0][0], abs=0.2)
    assert first[0][0] > LEFT
    assert second[1][0] + second[1][2] < RIGHT
    assert [(tick.at, tick.label) for tick in chart.up] == [
        (BOTTOM, "0"),
        (112.0, "1"),
        (78.0, "2"),
        (44.0, "3"),
        (TOP, "4"),
    ]
    assert [tick.label for tick in chart.across] == ["10:00", "12:00"]
    assert chart.columns[0].title == "10:00 to 11:00: In 4, Made 2"
    assert chart.columns[1].title == "11:00 to 12:00: In 0, Made 0"


def test_an_empty_chart_has_axes_too():
    """Nothing happened: the axis goes to one, and no bar is drawn."""
    chart = bars([Series("In", "one", [0, 0, 0])], SLOTS)

    assert drawn(chart) == [[]]
    assert [tick.label for tick in chart.up] == ["0", "1"]
    assert lines([Series("Median", "one", [None] * 3)], SLOTS).shapes[0].path == ""
    assert bars([Series("In", "one", [])], []).columns == []


def test_the_least_value_is_seen():
    """One among thousands is a line of its own, not nothing."""
    ((_, small),) = drawn(bars([Series("In", "one", [9000, 1])], SLOTS[:2]))

    assert small[1] == BOTTOM - 1


@given(st.lists(st.floats(0.3, 5_000_000) | st.none(), min_size=1, max_size=40))
def test_lines_stay_in_their_place(values):
    """Whatever the times are, every point is inside the axes, and gaps stay gaps."""
    chart = lines([Series("Median", "one", values)], [Slot("", "") for _ in values])

    line, dots = (shape.path for shape in chart.shapes)
    points = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", line)
    assert all(LEFT <= float(x) <= RIGHT and TOP <= float(y) <= BOTTOM for x, y in points)
    assert dots.count("M") == sum(value is not None for value in values)
    assert line.count("M") == sum(a is not None and b is not None for a, b in itertools.pairwise(values))
    assert all(TOP <= tick.at <= BOTTOM + 0.1 for tick in chart.up)
    assert len(chart.up) > 1


@given(st.integers(0, 10**9))
def test_the_steps_of_an_axis_are_round_and_few(most):
    """1, 2 or 5 with zeros behind; five lines at most beside that at zero."""
    step = count_step(most)

    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert most / step <= 4


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.27, "0.3 s"), (1, "1 s"), (41, "41 s"), (60, "1 min"), (330, "5.5 min"), (7200, "2 h"), (864000, "10 d")],
)
def test_times_are_said_in_one_unit(seconds, words):
    """The largest that fits."""
    assert spoken(seconds) == words


def test_large_counts_are_short_on_an_axis():
    """A thousand and more is told in thousands."""
    assert [short(number) for number in (0, 950, 1200, 20000, 3_000_000)] == ["0", "950", "1.2k", "20k", "3M"]


def test_an_axis_of_times_is_cut_at_round_times():
    """Of an hour and a half: half hours."""
    chart = bars([Series("Longest", "one", [5400])], SLOTS[:1], are_times=True)

    assert [tick.label for tick in chart.up] == ["0 s", "30 min", "1 h", "1.5 h"]
