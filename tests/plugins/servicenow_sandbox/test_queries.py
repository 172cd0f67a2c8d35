"""Encoded queries: what they find, and that a wrong part finds more."""

from __future__ import annotations

import pytest

# Each is made in its own second; the clock of the fixture stands at the full hour.
TITLES = ("Alpha", "Beta", "Gamma", "alpine")


@pytest.fixture
def four(incidents, sandbox):
    """Make four incidents, a minute after each other, with priorities 1, 3, 5 and 5."""
    pairs = ((1, 1), (2, 2), (3, 3), (3, 3))
    made = []
    for title, (impact, urgency) in zip(TITLES, pairs, strict=True):
        made.append(incidents.create(title, impact=impact, urgency=urgency, correlation_id=f"c-{title}"))
        sandbox.clock.advance(60)
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "Alpha Beta Gamma alpine"),
        ("short_description=Beta", "Beta"),
        ("short_description!=Beta", "Alpha Gamma alpine"),
        ("short_descriptionINBeta,Gamma", "Beta Gamma"),
        ("short_descriptionNOT INBeta,Gamma", "Alpha alpine"),
        ("short_descriptionLIKEamm", "Gamma"),
        ("short_descriptionNOT LIKEamm", "Alpha Beta alpine"),
        ("short_descriptionSTARTSWITHAl", "Alpha"),
        ("short_descriptionENDSWITHa", "Alpha Beta Gamma"),
        ("priority<3", "Alpha"),
        ("priority>=3^priority<5", "Beta"),
        ("priorityBETWEEN1@3", "Alpha Beta"),
        ("descriptionISEMPTY^priority=1", "Alpha"),
        ("correlation_idISNOTEMPTY^priority=3", "Beta"),
        ("priority=1^ORpriority=3", "Alpha Beta"),
        ("priority=5^short_description=Gamma^ORshort_description=alpine", "Gamma alpine"),
        ("priority=1^short_description=Beta^NQpriority=3", "Beta"),
        ("ORDERBYDESCshort_description", "alpine Gamma Beta Alpha"),
        ("ORDERBYDESCpriority^ORDERBYDESCshort_description", "alpine Gamma Beta Alpha"),
        ("ORDERBYpriority^ORDERBYDESCshort_description", "Alpha Beta alpine Gamma"),
        ("opened_by.user_name=connector.api^priority=1", "Alpha"),
        ("sys_created_by=javascript:gs.getUserName()^priority=1", "Alpha"),
        ("opened_by=javascript:gs.getUserID()^priority=1", "Alpha"),
        ("short_description=Beta^EQ", "Beta"),
    ],
)
def test_a_query_finds_what_it_says(four, incidents, query, found):
    """Each operator and each border does what the table of operators says."""
    assert incidents.titles(query) == found.split()


@pytest.mark.parametrize(
    "wrong",
    [
        "u_nothing=1",
        "short_description~Beta",
        "short_description",
        "sys_updated_on>=yesterday",
        "priority>high",
        "sys_created_by=javascript:gs.nobody()",
        "caller_id.u_nothing=1",
        "ORDERBYu_nothing",
        "comments=hello",
    ],
)
def test_a_wrong_part_is_as_if_it_were_not_there(four, incidents, sandbox, wrong):
    """More comes back than was asked for; with the property set nothing does, and some instances refuse."""
    assert incidents.titles(f"{wrong}^priority<=3") == ["Alpha", "Beta"]
    assert incidents.titles(wrong) == list(TITLES)

    sandbox.administer(invalid_query="no_rows")
    assert incidents.titles(f"{wrong}^priority<=3") == []

    sandbox.administer(invalid_query="refused")
    refused = incidents.send("GET", params={"sysparm_query": wrong})
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "Insufficient rights to query records")


def test_a_wrong_alternative_widens_nothing(four, incidents):
    """Of two alternatives the valid one still holds."""
    assert incidents.titles("priority=1^ORu_nothing=1") == ["Alpha"]
    assert incidents.titles("u_nothing=1^ORpriority=1") == ["Alpha"]
    assert incidents.titles("u_nothing=1^NQpriority=1") == ["Alpha"]


def test_case_counts_unless_the_instance_says_otherwise(four, incidents, sandbox):
    """Values are case-sensitive, as the page says; a switch makes them not."""
    assert incidents.titles("short_description=alpha") == []

    sandbox.administer(values_are_case_sensitive=False)
    assert incidents.titles("short_description=alpha") == ["Alpha"]


def test_a_time_is_read_in_utc_or_in_the_zone_of_the_account(four, incidents, sandbox):
    """Pacific time is behind UTC, so what is now in UTC has not come yet there."""
    third = four[2]["sys_updated_on"]
    assert incidents.titles(f"sys_updated_on>={third}") == ["Gamma", "alpine"]
    assert incidents.titles(f"sys_updated_on>{third}") == ["alpine"]

    sandbox.administer(filter_times="account")
    sandbox.set_account(time_zone="US/Pacific")
    assert incidents.titles(f"sys_updated_on>={third}") == []

    seen = incidents.find(f"number={four[2]['number']}", sysparm_display_value="true")[0]["sys_updated_on"]
    assert seen != third
    assert incidents.titles(f"sys_updated_on>={seen}") == ["Gamma", "alpine"]


def test_names_and_values_stand_in_for_a_query(four, incidents):
    """They are joined by and; beside a query they count for nothing."""
    answer = incidents.send("GET", params={"priority": "5", "short_description": "Gamma"})
    both = incidents.send("GET", params={"sysparm_query": "priority=1", "short_description": "Gamma"})

    assert [row["short_description"] for row in answer.json()["result"]] == ["Gamma"]
    assert [row["short_description"] for row in both.json()["result"]] == ["Alpha"]
