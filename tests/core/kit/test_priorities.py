"""Priorities find their partner: names in any number, numbers, fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Priority
from connector_core.kit.priorities import FieldPriorities, Level, NumberPriorities, Priorities

C, H, M, L, P = Priority
FOUR = [Level(name, name.title()) for name in ("urgent", "high", "normal", "low")]
NAMES = {C: "urgent", H: "high", M: "normal", L: "low", P: "planning"}
SETTINGS = st.dictionaries(st.sampled_from(Priority), st.sampled_from(["urgent", "High", "normal", "low", "gone"]))


@pytest.mark.parametrize(("ours", "theirs"), [(C, "urgent"), (H, "high"), (M, "normal"), (L, "low"), (P, "low")])
def test_five_are_written_to_four_and_come_back(ours: Priority, theirs: str):
    """Two of ours share the last one; which of them it was is kept."""
    four = Priorities.spread(FOUR, NAMES)

    assert four.theirs(ours) == Level(theirs, theirs.title())
    assert four.ours(theirs, known=ours) is ours
    assert four.ours(theirs) is (L if ours is P else ours)


def test_what_somebody_changed_there_is_read_whatever_was_known():
    """What was known stays only where it would be written as what the ticket shows."""
    four = Priorities.spread(FOUR, NAMES)

    assert four.ours("urgent", known=P) is C
    assert four.ours("gone", known=P) is None
    assert four.ours(None, known=P) is None


def test_settings_are_stronger_than_what_was_known():
    """What settings read a priority as holds, also against what was written."""
    four = Priorities.spread(FOUR, NAMES, {P: "low"}, {"Low": M, "High": None})

    assert four.ours("low", known=P) is M
    assert four.ours("high", known=H) is None
    assert four.named(" LOW ") == four.levels[3]
    assert four.named("other") is None


@given(offered=st.lists(st.text(max_size=8), unique=True, max_size=12), ours=st.sampled_from(Priority))
def test_what_was_written_is_read_back(offered: list[str], ours: Priority):
    """Whatever is offered, a priority that was written comes back as what was written."""
    listed = Priorities.spread(Level(str(at), name) for at, name in enumerate(offered))
    written = listed.theirs(ours)

    assert (written is None) == (not offered)
    if written is not None:
        assert listed.ours(written.id, written.name, known=ours) is ours
        assert listed.ours(written.id, known=ours) is ours


@given(to_ticket=SETTINGS, ours=st.sampled_from(Priority))
def test_settings_are_read_back_too(to_ticket: dict[Priority, str], ours: Priority):
    """Also where settings pair several of ours with one of theirs."""
    four = Priorities.spread(FOUR, NAMES, to_ticket)
    written = four.theirs(ours)

    assert written is not None
    if (wanted := four.named(to_ticket.get(ours, "?"))) is not None:
        assert written == wanted
    assert four.ours(written.id, known=ours) is ours


def test_order_is_kept_both_ways():
    """Nothing more urgent is written as something less urgent, nor read so."""
    for most in range(2, 12):
        listed = Priorities.spread(Level(str(at), str(at)) for at in range(most))
        there = [int(level.id) for ours in Priority if (level := listed.theirs(ours)) is not None]
        back = [found for at in range(most) if (found := listed.ours(str(at))) is not None]

        assert there == sorted(there)
        assert (there[0], there[-1]) == (0, most - 1)
        assert back == sorted(back, key=list(Priority).index)
        assert len(back) == most


def test_a_single_one_says_nothing():
    """Where there is only one priority, it is written and read as none."""
    only = Priorities.spread([Level("1", "Normal")])

    assert only.theirs(H) == Level("1", "Normal")
    assert only.ours("1") is None


@pytest.mark.parametrize(
    ("number", "ours"), [(100, C), (1000, C), (88, C), (87.5, C), (87, H), (50, M), (13, L), (12, P), (0, P), (-5, P)]
)
def test_the_nearest_number_is_read(number: float, ours: Priority):
    """Of two that are equally near it is the more urgent one."""
    assert NumberPriorities.between(0, 100).ours(number) is ours


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.sampled_from(Priority))
def test_numbers_come_back(least: int, most: int, ours: Priority):
    """Whatever the range is, what was written comes back as what it was."""
    numbers = NumberPriorities.between(least, most)
    written = numbers.theirs(ours)

    assert written is not None
    assert numbers.ours(written, known=ours) is ours
    assert (numbers.numbers[C], numbers.numbers[P]) == (most, least)


def test_no_number_is_no_priority():
    """Neither is what is no number, nor anything where none is given."""
    numbers = NumberPriorities.between(0, 100)

    assert [numbers.ours(None), numbers.ours(float("nan")), NumberPriorities({}).ours(5)] == [None, None, None]
    assert numbers.theirs(None) is None
    assert numbers.ours(70, known=P) is H


PAIRS = FieldPriorities(
    {
        C: {"impact": "1", "urgency": "1"},
        H: {"impact": "1", "urgency": "2"},
        M: {"impact": "2", "urgency": "2"},
        L: {"impact": "2", "urgency": "3"},
        P: {"impact": "3", "urgency": "3"},
    },
    also=[({"impact": "2", "urgency": "1"}, H), ({"impact": "3"}, L)],
)


@pytest.mark.parametrize("ours", Priority)
def test_fields_come_back(ours: Priority):
    """Each of ours is a set of values of its own."""
    assert PAIRS.ours({"state": 6, **PAIRS.theirs(ours)}) is ours
    assert PAIRS.ours({name: int(value) for name, value in PAIRS.theirs(ours).items()}) is ours
    assert PAIRS.fields == {"impact", "urgency"}


@pytest.mark.parametrize(
    ("impact", "urgency", "ours"), [("2", "1", H), ("3", "1", L), ("1", "3", None), ("", "", None), ("3", None, L)]
)
def test_other_values_are_read_as_said(impact: str, urgency: str | None, ours: Priority | None):
    """What was never written has a partner only where one is given."""
    assert PAIRS.ours({"impact": impact, "urgency": urgency}) is ours
    assert PAIRS.ours({}) is None
    assert PAIRS.theirs(None) == {}


def test_shared_fields_keep_what_was_known():
    """Where two of ours are written alike, the known one stays."""
    coarse = FieldPriorities({ours: {"severity": "low" if ours in {L, P} else "high"} for ours in Priority})

    assert coarse.ours({"severity": "low"}, known=P) is P
    assert coarse.ours({"severity": "low"}, known=C) is L
    assert coarse.ours({"severity": "low"}) is L
    assert FieldPriorities({L: {}}).ours({"severity": "low"}, known=L) is None
