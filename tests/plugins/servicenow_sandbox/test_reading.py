"""Pages, columns and rights of reads."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests


def test_pages_are_cut_before_access_rules_look(incidents, sandbox):
    """A page of hidden rows is empty, and the link to the next one is what tells that there is more."""
    made = [incidents.create(f"No. {number}") for number in range(5)]
    for row in made[2:4]:
        sandbox.hide_ticket(row["sys_id"])
    params = {"sysparm_query": "ORDERBYnumber", "sysparm_fields": "short_description", "sysparm_limit": "2"}

    answers = [incidents.send("GET", params=params)]
    while "next" in answers[-1].links:
        following = answers[-1].links["next"]["url"]
        answers.append(incidents.session.get(following, timeout=10))

    assert [len(answer.json()["result"]) for answer in answers] == [2, 0, 1]
    assert [answer.headers["X-Total-Count"] for answer in answers] == ["5", "5", "5"]
    assert set(answers[1].links) == {"next", "prev", "first", "last"}
    assert answers[2].json()["result"] == [{"short_description": "No. 4"}]
    for name, start in (("prev", "0"), ("next", "4"), ("first", "0"), ("last", "4")):
        assert parse_qs(urlsplit(answers[1].links[name]["url"]).query)["sysparm_offset"] == [start]


def test_count_and_links_can_be_left_out(incidents):
    """Each has its parameter."""
    incidents.create()
    without = incidents.send(
        "GET", params={"sysparm_no_count": "true", "sysparm_suppress_pagination_header": "true", "sysparm_limit": "1"}
    )

    assert {"X-Total-Count", "Link"} & set(without.headers) == set()


@pytest.mark.parametrize(("version", "status"), [("", 200), ("/v2", 200), ("/v1", 404), ("/v9", 400)])
def test_an_empty_list_depends_on_the_version(open_table, version, status):
    """The first version answers 404, later ones an empty list; one that is not there is a wrong address."""
    answer = open_table(version=version).send("GET")

    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"result": []}
    else:
        assert answer.json()["status"] == "failure"


def test_a_reference_shows_in_six_ways(incidents):
    """As value or display or both, with its link or without."""
    made = incidents.create()
    link, value = made["opened_by"]["link"], made["opened_by"]["value"]

    def shown(display: str, without: str):
        params = {
            "sysparm_fields": "opened_by,state",
            "sysparm_display_value": display,
            "sysparm_exclude_reference_link": without,
        }
        return incidents.send("GET", made["sys_id"], params=params).json()["result"]

    both = {"display_value": "Connector API", "value": value}
    assert shown("false", "false") == {"opened_by": {"link": link, "value": value}, "state": "1"}
    assert shown("false", "true") == {"opened_by": value, "state": "1"}
    assert shown("true", "false") == {"opened_by": {"display_value": "Connector API", "link": link}, "state": "New"}
    assert shown("true", "true") == {"opened_by": "Connector API", "state": "New"}
    assert shown("all", "false")["opened_by"] == both | {"link": link}
    assert shown("all", "true") == {"opened_by": both, "state": {"display_value": "New", "value": "1"}}


def test_unknown_columns_are_left_out_and_paths_are_followed(incidents):
    """What does not exist is not an error; a path leads through references."""
    made = incidents.create()
    fields = {"sysparm_fields": "number,u_nothing,opened_by.user_name,opened_by.nothing"}

    answer = incidents.send("GET", made["sys_id"], params=fields)

    assert answer.json()["result"] == {"number": made["number"], "opened_by.user_name": "connector.api"}


def test_gone_and_hidden_look_the_same(incidents, sandbox):
    """Nobody can tell one 404 from the other, nor change what is hidden."""
    hidden, gone = incidents.create(), incidents.create()
    sandbox.hide_ticket(hidden["sys_id"])
    sandbox.delete_ticket(gone["sys_id"])

    answers = [incidents.send("GET", row["sys_id"]) for row in (hidden, gone)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["error"]["message"] == "No Record found"
    assert incidents.patch(hidden["sys_id"], short_description="x").status_code == 404


def test_a_closed_table_is_refused_or_looks_empty(open_table, incidents, sandbox):
    """Which of the two, no page says; the rest of the instance stays open."""
    journal = open_table("sys_journal_field")
    made = incidents.create(comments="hello")
    assert len(journal.find(f"element_id={made['sys_id']}")) == 1

    sandbox.set_account(roles=frozenset({"itil"}))
    assert journal.send("GET").status_code == 403
    sandbox.administer(closed_table="empty")
    assert journal.find() == []
    assert len(incidents.find()) == 1


def test_a_closed_column_is_left_out_and_cannot_be_asked_for(incidents, sandbox):
    """Reads lack it, queries with it are refused, writes of it are dropped."""
    sandbox.administer(hidden_fields=frozenset({"correlation_id"}))
    made = incidents.create(correlation_id="c-1")

    assert "correlation_id" not in made
    assert incidents.send("GET", params={"sysparm_query": "correlation_id=c-1"}).status_code == 403
    assert sandbox.people.row(made["sys_id"])["correlation_id"] == ""


def test_what_is_asked_for_in_set_up_can_be_read(open_table, sandbox):
    """States in their order, groups, who one is, and which columns there are under which table."""
    states = open_table("sys_choice").find("name=incident^element=state^inactive=false^ORDERBYsequence")
    groups = open_table("sys_user_group").find("ORDERBYname")
    myself = open_table("sys_user").find("user_name=javascript:gs.getUserName()")
    columns = open_table("sys_dictionary").find("element=short_description^ORelement=close_code")

    assert [row["label"] for row in states] == ["New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"]
    assert [row["value"] for row in states] == ["1", "2", "3", "6", "7", "8"]
    assert [row["name"] for row in groups] == ["AV Support", "Network", "Service Desk"]
    assert [row["name"] for row in myself] == ["Connector API"]
    assert {(row["name"], row["element"], row["max_length"]) for row in columns} == {
        ("task", "short_description", "160"),
        ("incident", "close_code", "40"),
    }


def test_deleted_records_are_known_to_administrators(open_table, incidents, sandbox):
    """An account without the right is refused, the administrator finds the row."""
    made = incidents.create()
    sandbox.delete_ticket(made["sys_id"])
    audit = open_table("sys_audit_delete")

    assert audit.send("GET").status_code == 403
    audit.session.auth = ("admin", "admin-password")
    assert [row["documentkey"] for row in audit.find("tablename=incident")] == [made["sys_id"]]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/now/table/nothing", {}, 400),
        ("/api/now/nothing", {}, 400),
        ("/api/now/table/incident", {"Accept": "text/html"}, 406),
        ("/api/now/table/incident", {"Accept": ""}, 400),
    ],
)
def test_a_wrong_address_or_header_is_told(sandbox, path, headers, status):
    """In the shape of all errors."""
    answer = requests.get(sandbox.url + path, headers=headers, auth=sandbox.account, timeout=10)

    assert answer.status_code == status
    assert answer.json()["status"] == "failure"


def test_head_has_no_body(incidents):
    """It is a read that answers without one."""
    answer = incidents.send("HEAD")

    assert (answer.status_code, answer.content, answer.headers["X-Total-Count"]) == (200, b"", "0")
