"""Rules as values: which one an incident matches, what makes no sense, and how people's lists are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core import Incident, Priority
from connector_core.contract.models import Device, Location
from connector_core.contract.routing import (
    LONGEST_TEXT,
    MOST_RULES,
    Conditions,
    RoutingRule,
    checked,
    matching,
    read,
    understood,
    written,
)

LOBBY = Location(id="3220", name="Lobby", path="Acme/US/New York/Lobby")


def an_incident(**fields):
    """Return an incident with what is named."""
    return Incident(**{"id": "1", "title": "Display offline", **fields})


def rule(to="desk", **when):
    """Return a rule."""
    return RoutingRule(when=Conditions(**when), to=(to,))


@pytest.mark.parametrize(
    ("space", "is_matched"),
    [
        ("3220", True),
        ("lobby", True),
        ("Acme/US", True),
        ("acme / us / new york", True),
        ("/Acme/US/", True),
        ("Acme/US/New York/Lobby", True),
        ("Acme/US/New", False),
        ("US", False),
        ("US/New York", False),
        ("Acme/US/New York/Lobby/Desk", False),
        ("/", False),
        ("322", False),
    ],
)
def test_a_space_is_an_id_a_name_or_a_path_with_all_below(space, is_matched):
    """Steps of a path are compared whole and from the top; capitals and blanks around them do not count."""
    assert Conditions(space=space).match(an_incident(location=LOBBY)) is is_matched


@pytest.mark.parametrize("priority", list(Priority))
def test_a_least_priority_takes_what_is_more_urgent(priority):
    """High takes critical and high; exactly high takes high alone."""
    incident = an_incident(priority=priority)

    assert Conditions(priority_at_least=Priority.HIGH).match(incident) is (priority in {"critical", "high"})
    assert Conditions(priority=Priority.HIGH).match(incident) is (priority == "high")


def test_what_an_incident_does_not_tell_matches_no_condition_on_it():
    """Without priority, device and place only conditions on the title can match."""
    bare = an_incident()

    for when in ({"priority": "low"}, {"priority_at_least": "planning"}, {"space": "Lobby"}, {"device_model": "X"}):
        assert not Conditions(**when).match(bare)
    assert Conditions(title="OFF").match(bare)


def test_a_model_is_compared_whole_and_a_title_in_part():
    """X-200 is not X-2000; a part of a title may begin anywhere, whatever its capitals."""
    incident = an_incident(device=Device(model="X-2000"), title="Straße: DISPLAY  offline")

    assert not Conditions(device_model="X-200").match(incident)
    assert Conditions(device_model="x-2000").match(incident)
    assert Conditions(title="strasse: display off").match(incident)
    assert not Conditions(title="display.*off").match(incident)


def test_all_conditions_of_a_rule_have_to_hold():
    """One that does not is enough for the next rule to be asked."""
    rules = (rule("a", priority="critical", title="display"), rule("b", title="display"))

    assert matching(rules, an_incident(priority="critical")) == 1
    assert matching(rules, an_incident(priority="low")) == 2
    assert matching(rules, an_incident(title="Sensor silent", priority="critical")) == 0


_texts = st.sampled_from(["Lobby", "Acme", "Acme/US", "X-200", "offline", "é", "ß", "\x00a", "  b "])
_conditions = st.builds(
    Conditions,
    space=st.none() | _texts,
    priority_at_least=st.none() | st.sampled_from(Priority),
    device_model=st.none() | _texts,
    title=st.none() | _texts,
)
_rule_lists = st.lists(
    st.builds(RoutingRule, when=_conditions, to=st.lists(st.sampled_from("abc"), unique=True).map(tuple)), max_size=8
).map(tuple)
_incidents = st.builds(
    an_incident,
    title=st.text(min_size=1).filter(lambda text: text.replace("\0", "").strip()) | st.just("Display offline"),
    priority=st.none() | st.sampled_from(Priority),
    location=st.none() | st.just(LOBBY) | st.builds(Location, name=st.none() | st.text(), path=st.none() | st.text()),
    device=st.none() | st.builds(Device, model=st.none() | st.text() | st.just("x-200")),
)


@given(_rule_lists, _incidents)
def test_the_first_match_wins_and_there_is_always_an_answer(rules, incident):
    """No rule before the answer matches, the answer does; none is an answer too, and reading them back changes none."""
    number = matching(rules, incident)

    assert 0 <= number <= len(rules)
    assert not any(one.when.match(incident) for one in rules[: max(number - 1, 0) if number else len(rules)])
    assert not number or rules[number - 1].when.match(incident)
    assert matching(read(written(rules)), Incident.model_validate_json(incident.model_dump_json())) == number


@given(_rule_lists, _incidents)
def test_a_last_rule_without_conditions_takes_what_is_left(rules, incident):
    """With it some rule always matches, and those before it match as without it."""
    number = matching((*rules, RoutingRule(to=("rest",))), incident)

    assert number == (matching(rules, incident) or len(rules) + 1)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nonsense", "expected a list of rules"),
        ({"to": "a"}, "expected a list of rules"),
        (None, "expected a list of rules"),
        ([{"to": "a"}, {"to": "b"}], "rule 2 is never reached: rule 1 matches every incident"),
        (
            [{"when": {"title": "x"}, "to": "a"}, {"when": {"title": " x "}, "to": "b"}],
            "rule 2 is never reached: rule 1 has the same conditions",
        ),
        ([{"to": ["a", "a"]}], "rule 1 names an integration twice"),
        ([{"when": {"title": str(n)}, "to": "a"} for n in range(MOST_RULES + 1)], f"there may be {MOST_RULES} rules"),
        ([{"when": {"title": f"{n}{'é' * 198}"}, "to": "a"} for n in range(MOST_RULES)], "the rules are too long"),
        (
            [{"when": {"title": "x" * (LONGEST_TEXT + 1)}, "to": "a"}],
            "rule 1, when.title: too long, 200 characters at most",
        ),
        ([{"when": {"title": "  "}, "to": "a"}], "rule 1, when.title"),
        ([{"when": {"titel": "x"}, "to": "a"}], "rule 1, when.titel: unknown key"),
        ([{"when": {"priority": "urgent"}, "to": "a"}], "rule 1, when.priority"),
        ([{"when": {"priority": "low", "priority_at_least": "low"}, "to": "a"}], "exclude each other"),
        ([{"to": "a"}, {"when": {}}], "rule 2, to: missing"),
        ([{"to": [str(n) for n in range(21)]}], "rule 1, to: too many, 20 at most"),
        ([{"to": 3}], "rule 1, to: expected a list"),
        ([3], "rule 1: expected keys and values"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_with_its_place(given, reason):
    """The sentence names the rule and the key, never more than that."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        understood(given)

    assert reason in str(caught.value)


def test_a_list_is_read_as_people_write_it():
    """One integration needs no list, none is an empty one, and conditions may be left out."""
    found = understood([{"when": {"priority_at_least": "high"}, "to": "desk"}, {"to": []}])

    assert found == (rule(priority_at_least=Priority.HIGH), RoutingRule(to=()))
    assert json.loads(written(found)) == [
        {"when": {"priority_at_least": "high"}, "to": ["desk"]},
        {"when": {}, "to": []},
    ]
    assert [str(one.when) for one in found] == ["priority is high or higher", "any incident"]


@pytest.mark.parametrize(
    "title",
    [
        "a" * 1_000_000,
        "aab" * 400_000,
        "\u0301" * 500_000,
        "\u202e\N{GRINNING FACE}" * 100_000,
        " " * 10 + "\x1b[2J",
        "ß" * 500_000,
    ],
    ids=["alike", "almost", "marks", "turned", "control", "folded"],
)
def test_a_hostile_title_is_compared_as_any_other(title):
    """Nothing in a title or in a rule is a pattern, and signs of control mean nothing."""
    rules = (rule(title="a" * 190 + "b"), rule(title="[a-z]*"), rule(title=".*"))

    assert matching(rules, an_incident(title=title)) == 0
    assert matching(rules, an_incident(title=f"{title}[A-Z]*")) == 2


def test_a_rule_is_said_in_words():
    """Only what it asks for, in the order of the form; and where it sends what matches."""
    whole = Conditions(space="Acme", priority_at_least="high", device_model="X", title="fan")

    assert str(whole) == (
        'space is "Acme" and priority is high or higher and device model is "X" and title contains "fan"'
    )
    assert [str(Conditions(**when)) for when in ({}, {"title": "a"}, {"priority": "low"}, {"space": "b"})] == [
        "any incident",
        'title contains "a"',
        "priority is low",
        'space is "b"',
    ]
    assert [one.when.is_any for one in (RoutingRule(to=()), rule(title="x"))] == [True, False]
    assert [RoutingRule(to=to).targets for to in (("a", "b"), ())] == ["a, b", "no integration"]


def test_rules_that_pass_have_no_rule_that_never_applies():
    """What is accepted comes back as it was."""
    rules = (rule("a", title="x"), rule("a", title="y"), RoutingRule(to=()))

    assert checked(rules) == rules
