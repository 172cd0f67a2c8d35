"""Priorities find their partner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Priority
from connector_jira_jsm.fields.priorities import JiraPriority, from_jira, paired, to_jira

DEFAULT = [JiraPriority(str(i), name) for i, name in enumerate(("Highest", "High", "Medium", "Low", "Lowest"), 1)]
THREE = [JiraPriority("10", "Rot"), JiraPriority("11", "Gelb"), JiraPriority("12", "Gr\u00fcn")]
C, H, M, L, P = Priority


@pytest.mark.parametrize(("ours", "theirs"), list(zip(Priority, DEFAULT, strict=True)))
def test_default_names_go_both_ways(ours: Priority, theirs: JiraPriority):
    """The five default names are partners by name, even when nothing is known about the site."""
    assert to_jira(ours, DEFAULT) == theirs
    assert from_jira(theirs.name.upper(), theirs.id, ()) is ours


@pytest.mark.parametrize(("ours", "position"), [(C, 0), (H, 0), (M, 1), (L, 2), (P, 2)])
def test_three_priorities_are_spread_by_order(ours: Priority, position: int):
    """Of three, each end takes two of ours."""
    assert to_jira(ours, THREE) == THREE[position]


@pytest.mark.parametrize(("position", "ours"), [(0, C), (1, M), (2, P)])
def test_three_priorities_are_read_by_order(position: int, ours: Priority):
    """The ends are the extremes, the middle is moderate."""
    assert from_jira(THREE[position].name, THREE[position].id, THREE) is ours


def test_names_win_over_order():
    """A list without the extremes still maps its known names by name."""
    offered = DEFAULT[1:4]

    assert to_jira(H, offered) == DEFAULT[1]
    assert to_jira(C, offered) == DEFAULT[1]
    assert to_jira(P, offered) == DEFAULT[3]


@pytest.mark.parametrize(
    ("name", "offered"), [("Rot", ()), ("Blau", THREE), (None, DEFAULT), ("Einzig", [JiraPriority("1", "Einzig")])]
)
def test_unknown_priority_has_no_partner(name: str | None, offered: list[JiraPriority]):
    """A priority that is not in the list, or the only one, says nothing."""
    assert from_jira(name, "1" if name == "Einzig" else "99", offered) is None


def test_default_id_with_another_name_is_not_taken_for_the_default():
    """Ids 1 to 5 mean what the site names them."""
    assert from_jira("Trivial", "1", ()) is None


@pytest.mark.parametrize("offered", [(), DEFAULT])
def test_no_priority_is_not_sent(offered: list[JiraPriority]):
    """An incident without priority, or a site without any, leaves the field out."""
    assert to_jira(None, offered) is None
    assert to_jira(C, ()) is None


def test_settings_pair_priorities_each_way():
    """By id or name; what is written to one is what it is read as, and none is read as nothing."""
    offered = paired(THREE, {C: "10", M: "grün"}, {"Gelb": H})

    assert to_jira(C, offered) == offered[0]
    assert to_jira(M, offered) == offered[2]
    assert to_jira(L, offered) == offered[2]
    assert from_jira("Rot", "10", offered) is C
    assert from_jira("Gelb", "11", offered) is H
    assert from_jira("Grün", "12", offered) is M
    assert from_jira("Grün", "12", paired(THREE, {}, {"12": None})) is None


def test_default_name_gives_way_to_settings():
    """Also the five default names mean what settings say."""
    offered = paired(DEFAULT, {C: "High"}, {"Highest": L})

    assert to_jira(C, offered) == offered[1]
    assert from_jira("High", "2", offered) is C
    assert from_jira("Highest", "1", offered) is L


def test_partner_that_is_not_offered_leaves_the_default():
    """A choice that the site no longer has does not stop anything."""
    assert to_jira(C, paired(THREE, {C: "Blocker"}, {"Blocker": C})) == THREE[0]


@given(st.dictionaries(st.sampled_from(Priority), st.text(max_size=3)), st.dictionaries(st.text(max_size=3), st.none()))
def test_any_settings_leave_every_priority_with_a_partner_or_none(
    to_ticket: dict[Priority, str], to_incident: dict[str, None]
):
    """Whatever is written in settings breaks nothing."""
    offered = paired(THREE, to_ticket, to_incident)

    assert all(to_jira(ours, offered) in offered for ours in Priority)
    assert {from_jira(one.name, one.id, offered) for one in offered} <= {*Priority, None}
