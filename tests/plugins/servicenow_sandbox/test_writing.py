"""Writes of incidents: what is taken, what is computed, what is refused."""

from __future__ import annotations

import pytest

RESOLVED = {"state": "6", "close_code": "Solution provided", "close_notes": "Cable"}


def test_a_new_incident_is_answered_with_its_address(incidents):
    """201, `Location`, the record; and times in whole seconds."""
    answer = incidents.send("POST", json={"short_description": "Display off", "correlation_id": "c-1"})
    row = answer.json()["result"]

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{incidents.url}/{row['sys_id']}"
    assert (row["number"], row["state"], row["sys_mod_count"]) == ("INC0010001", "1", "0")
    assert (row["sys_created_on"], row["sys_created_by"]) == (row["sys_updated_on"], "connector.api")
    assert len(row["sys_created_on"]) == len("2026-11-28 03:58:22")


def test_no_body_comes_where_none_is_wanted(incidents):
    """The header takes the body, not the address."""
    answer = incidents.send("POST", json={"short_description": "x"}, headers={"X-no-response-body": "true"})

    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["Location"]


def test_what_the_table_lacks_is_dropped_without_a_word(incidents):
    """Unknown and read-only columns fall away, also in an update."""
    made = incidents.create(u_nothing="x", number="INC1", sys_id="mine", sys_created_by="somebody")
    changed = incidents.patch(made["sys_id"], u_nothing="y", sys_mod_count="99")

    assert "u_nothing" not in made
    assert (made["number"], made["sys_created_by"]) == ("INC0010001", "connector.api")
    assert changed.status_code == 200
    assert changed.json()["result"]["sys_mod_count"] == "0"


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [
        (1, 1, "1"),
        (1, 2, "2"),
        (1, 3, "3"),
        (2, 1, "2"),
        (2, 2, "3"),
        (2, 3, "4"),
        (3, 1, "3"),
        (3, 2, "4"),
        (3, 3, "5"),
    ],
)
def test_priority_is_looked_up(incidents, impact, urgency, priority):
    """What is written as priority has no effect."""
    made = incidents.create(impact=impact, urgency=urgency, priority=4 if priority == "1" else 1)

    assert made["priority"] == priority


def test_each_change_counts_once(incidents, sandbox):
    """Nothing new is no update; an update tells who and when."""
    made = incidents.create()
    sandbox.clock.advance(5)
    same = incidents.patch(made["sys_id"], short_description=made["short_description"]).json()["result"]
    other = incidents.send("PUT", made["sys_id"], json={"description": "Since noon"}).json()["result"]
    said = incidents.patch(made["sys_id"], comments="Hello").json()["result"]

    assert (same["sys_mod_count"], same["sys_updated_on"]) == ("0", made["sys_updated_on"])
    assert (other["sys_mod_count"], other["short_description"]) == ("1", "Display off")
    assert other["sys_updated_on"] > made["sys_updated_on"]
    assert said["sys_mod_count"] == "2"


def test_journals_only_grow(incidents, open_table):
    """The record shows none of it, the journal table each entry with its writer, the display value all in one."""
    made = incidents.create(comments="First")
    incidents.patch(made["sys_id"], work_notes="Among us")
    row = incidents.patch(made["sys_id"], comments="Second").json()["result"]
    entries = open_table("sys_journal_field").find(f"element_id={made['sys_id']}^element=comments")
    display = incidents.find(sysparm_display_value="true", sysparm_fields="comments")[0]["comments"]

    assert (row["comments"], row["work_notes"]) == ("", "")
    assert [(one["value"], one["sys_created_by"]) for one in entries] == [
        ("First", "connector.api"),
        ("Second", "connector.api"),
    ]
    assert display.index("Second") < display.index("First")
    assert "Connector API (Additional comments)" in display
    assert "Among us" not in display


@pytest.mark.parametrize("missing", ["close_code", "close_notes"])
def test_a_resolution_needs_its_reason(incidents, missing):
    """A data policy refuses with 403 and names what is missing; nothing is stored."""
    made = incidents.create()
    refused = incidents.patch(made["sys_id"], **{**RESOLVED, missing: ""})

    assert refused.status_code == 403
    assert refused.json()["error"]["detail"].startswith("Data Policy Exception")
    assert incidents.find()[0]["state"] == "1"


def test_resolved_reopens_and_closed_does_not(incidents, sandbox):
    """From Resolved back to work, counted; closing is for admins; a closed one is theirs alone."""
    sys_id = incidents.create()["sys_id"]
    resolved = incidents.patch(sys_id, **RESOLVED).json()["result"]
    reopened = incidents.patch(sys_id, state="2").json()["result"]
    incidents.patch(sys_id, **RESOLVED)
    may_not = incidents.patch(sys_id, state="7")
    sandbox.people.close(sys_id)
    late = incidents.patch(sys_id, short_description="x")

    assert (resolved["active"], resolved["resolved_by"]["value"]) == ("true", resolved["opened_by"]["value"])
    assert (reopened["reopen_count"], reopened["resolved_at"]) == ("1", "")
    assert (may_not.status_code, late.status_code) == (403, 403)
    assert incidents.find()[0]["active"] == "false"


def test_what_is_closed_reopens_for_nobody(incidents, sandbox):
    """Not even for an administrator, who may still edit it; an instance can allow it."""
    sys_id = incidents.create()["sys_id"]
    sandbox.people.cancel(sys_id)
    incidents.session.auth = ("admin", "admin-password")
    refused = incidents.patch(sys_id, state="2")
    edited = incidents.patch(sys_id, description="Since noon")
    sandbox.administer(reopens_from=("6", "8"))
    allowed = incidents.patch(sys_id, state="2")

    assert (refused.status_code, edited.status_code, allowed.status_code) == (403, 200, 200)
    assert allowed.json()["result"]["state"] == "2"


def test_a_write_to_a_closed_one_may_be_dropped(incidents, sandbox):
    """Where it is, the answer is 200 and nothing is changed."""
    sys_id = incidents.create()["sys_id"]
    sandbox.people.cancel(sys_id)
    sandbox.administer(closed_write="dropped")

    answer = incidents.patch(sys_id, short_description="x")

    assert (answer.status_code, answer.json()["result"]["short_description"]) == (200, "Display off")


def test_the_caller_takes_it_out_of_on_hold(incidents, sandbox):
    """A comment of the caller's clears the reason; one of anybody else does not."""
    caller = next(one for one in sandbox.profile.people if one.user_name == "carl.caller")
    sandbox.administer(
        people=tuple(
            one if one != caller else type(one)(one.user_name, one.name, one.password, frozenset({"itil"}))
            for one in sandbox.profile.people
        )
    )
    row = incidents.send(
        "POST",
        json={
            "short_description": "x",
            "caller_id": "Carl Caller",
            "state": "On Hold",
            "hold_reason": "Awaiting Caller",
        },
        params={"sysparm_input_display_value": "true"},
    ).json()["result"]
    sandbox.write_comment(row["sys_id"], "Any news?")
    assert (row["state"], incidents.find()[0]["state"]) == ("3", "3")

    incidents.session.auth = ("carl.caller", "carl-password")
    incidents.patch(row["sys_id"], comments="Here it is")

    assert (incidents.find()[0]["state"], incidents.find()[0]["hold_reason"]) == ("2", "")


def test_a_time_is_read_in_utc_or_as_the_account_sees_it(incidents, sandbox):
    """A value is UTC, a displayed one of the account's zone; what is no time is dropped."""
    sandbox.set_account(time_zone="US/Pacific")
    noon = "2026-07-01 12:00:00"
    made = incidents.create(opened_at=noon)
    row = incidents.send(
        "PATCH", made["sys_id"], json={"opened_at": noon}, params={"sysparm_input_display_value": "true"}
    ).json()["result"]
    same = incidents.patch(made["sys_id"], opened_at="at noon").json()["result"]

    assert (made["opened_at"], row["opened_at"]) == (noon, "2026-07-01 19:00:00")
    assert same["opened_at"] == row["opened_at"]


def test_lengths_are_those_of_the_database(incidents, sandbox):
    """A short column cuts, a long one does not keep to what is declared; switches refuse or keep."""
    cut = incidents.create("x" * 161, description="y" * 5000)
    assert (len(cut["short_description"]), len(cut["description"])) == (160, 5000)

    sandbox.administer(too_long="refused")
    assert incidents.patch(cut["sys_id"], short_description="x" * 161).status_code == 403
    sandbox.administer(too_long="kept")
    assert len(incidents.patch(cut["sys_id"], short_description="z" * 161).json()["result"]["short_description"]) == 161


def test_an_empty_value_clears_all_but_lists(incidents):
    """As the page says of choice columns."""
    made = incidents.create(description="x", urgency=1)
    row = incidents.patch(made["sys_id"], description="", urgency="").json()["result"]

    assert (row["description"], row["urgency"]) == ("", "1")


def test_a_state_that_nobody_has(incidents, sandbox):
    """It is stored, dropped or refused: no page says which."""
    sys_id = incidents.create()["sys_id"]
    sandbox.administer(unknown_choice="dropped")
    dropped = incidents.patch(sys_id, state="99")
    sandbox.administer(unknown_choice="refused")
    refused = incidents.patch(sys_id, state="99")
    sandbox.administer(unknown_choice="stored")
    stored = incidents.patch(sys_id, state="99")

    assert (dropped.status_code, dropped.json()["result"]["state"]) == (200, "1")
    assert refused.status_code == 403
    assert (stored.status_code, stored.json()["result"]["state"]) == (200, "99")


@pytest.mark.parametrize("text", ["--1", "²", "1.5", "one"])
def test_a_number_that_is_none_is_dropped(incidents, text):
    """Of lists and of counts; afterwards the table can still be sorted by it."""
    made = incidents.create(state=text, reopen_count=text)

    assert (made["state"], made["reopen_count"]) == ("1", "0")
    assert incidents.titles("state>=1^ORDERBYstate^ORDERBYreopen_count") == ["Display off"]


def test_half_a_character_is_no_character(incidents):
    """JSON can carry one, no database of texts does; what comes back can be read."""
    answer = incidents.send(
        "POST", data=rb'{"short_description": "a\ud800b"}', headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["result"]["short_description"]) == (201, "a?b")


def test_deleting_is_for_administrators(incidents):
    """204 for them, 403 for the account."""
    sys_id = incidents.create()["sys_id"]
    refused = incidents.send("DELETE", sys_id)
    incidents.session.auth = ("admin", "admin-password")
    done = incidents.send("DELETE", sys_id)

    assert (refused.status_code, done.status_code, done.content) == (403, 204, b"")
    assert incidents.send("GET", sys_id).status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b'"x"', {"Content-Type": "application/json"}, 400),
        (b"\xff", {"Content-Type": "application/json"}, 400),
        (b"<x/>", {"Content-Type": "text/xml"}, 415),
        (b"{}", {}, 400),
    ],
)
def test_a_body_that_is_none_is_refused(incidents, body, headers, status):
    """Nothing is made of it."""
    answer = incidents.send("POST", data=body, headers=headers)

    assert (answer.status_code, answer.json()["status"], incidents.find()) == (status, "failure", [])


def test_of_several_records_the_first_is_taken(incidents):
    """The others are ignored; and a method can be named by a header."""
    made = incidents.send("POST", json=[{"short_description": "a"}, {"short_description": "b"}]).json()["result"]
    changed = incidents.send(
        "POST", made["sys_id"], json={"short_description": "c"}, headers={"X-HTTP-Method-Override": "PATCH"}
    )

    assert (made["short_description"], changed.json()["result"]["short_description"]) == ("a", "c")
    assert len(incidents.find()) == 1


def test_a_column_can_be_closed_for_writing_alone(incidents, sandbox):
    """It is seen and not written, and the answer is 200; an administrator may."""
    made = incidents.create(description="Since noon")
    sandbox.administer(unwritable_fields=frozenset({"description"}))
    row = incidents.patch(made["sys_id"], description="x", short_description="y").json()["result"]
    incidents.session.auth = ("admin", "admin-password")
    by_admin = incidents.patch(made["sys_id"], description="x").json()["result"]

    assert (row["description"], row["short_description"]) == ("Since noon", "y")
    assert by_admin["description"] == "x"


def test_who_only_reads_cannot_write(incidents, sandbox):
    """Neither make nor change."""
    sys_id = incidents.create()["sys_id"]
    sandbox.set_account(roles=frozenset({"sn_incident_read"}))

    assert incidents.send("POST", json={"short_description": "x"}).status_code == 403
    assert incidents.patch(sys_id, short_description="x").status_code == 403
    assert incidents.titles("") == ["Display off"]
