"""The difficult site: fields of every kind, a long way to done, a priority list of its own, missing permissions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.support.jira.openapi_check import assert_calls_match_openapi
from tests.support.jira.visitor import Client

FORM = "/rest/servicedeskapi/servicedesk/10/requesttype/25/field"
REQUESTS = "/rest/servicedeskapi/request"
GOOD: dict[str, Any] = {
    "summary": "Bild weg",
    "priority": {"id": "10201"},
    "customfield_10101": "Saal 1",
    "customfield_10102": "Seit heute früh.",
    "customfield_10103": 12.5,
    "customfield_10104": "2026-11-23",
    "customfield_10105": "2026-11-24T08:00:00.000+0100",
    "customfield_10106": {"id": "10111"},
    "customfield_10107": [{"id": "10120"}, {"value": "Netz"}],
    "customfield_10108": {"id": "10130", "child": {"id": "10132"}},
    "customfield_10109": {"accountId": DIFFICULT.person.account_id},
    "labels": ["bild", "saal-1"],
}


@pytest.fixture(scope="module")
def difficult() -> Iterator[JiraSandbox]:
    """Serve the site once for this module; every call is held against the published API at the end."""
    with JiraSandbox(DIFFICULT, clock=FrozenClock().now) as running:
        yield running
        assert_calls_match_openapi(running.calls)


@pytest.fixture
def visitor(difficult: JiraSandbox) -> Iterator[Client]:
    """Return a client with an API token; what an administrator changed is undone afterwards."""
    with Client(difficult.url) as client:
        client.auth = (difficult.email, difficult.api_token)
        yield client
    difficult.profile = difficult.site.profile = DIFFICULT


def raise_request(client: Client, **changes: object) -> Any:  # noqa: ANN401 - an answer
    """Raise a request with a good form, but for the changes."""
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return client.post(REQUESTS, json={"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": values})


def names(client: Client, issue: str) -> list[str]:
    """List the transitions that are open now."""
    answer = client.get(f"/rest/api/3/issue/{issue}/transitions", params={"expand": "transitions.fields"})
    return [one["name"] for one in answer.json()["transitions"]]


def move(client: Client, issue: str, transition: str, **fields: object) -> Any:  # noqa: ANN401 - an answer
    """Walk a transition."""
    body: dict[str, Any] = {"transition": {"id": transition}, **({"fields": fields} if fields else {})}
    return client.post(f"/rest/api/3/issue/{issue}/transitions", json=body)


def test_form_tells_every_kind_of_field(visitor: Client) -> None:
    """Each field has its kind, its options with children, and whether it must be filled in."""
    fields = {one["fieldId"]: one for one in visitor.get(FORM).json()["requestTypeFields"]}

    kinds = {name: one["jiraSchema"]["type"] for name, one in fields.items() if name.startswith("customfield")}
    assert set(kinds.values()) >= {
        "string",
        "number",
        "date",
        "datetime",
        "option",
        "array",
        "option-with-child",
        "user",
    }
    assert [one["label"] for one in fields["customfield_10108"]["validValues"][0]["children"]] == [
        "Bildschirm",
        "Kamera",
    ]
    assert [one["label"] for one in fields["priority"]["validValues"]] == [
        "Notfall",
        "Dringend",
        "Normal",
        "Kann warten",
    ]
    assert fields["customfield_10113"]["presetValues"] == ["Konnektor"]


def test_full_form_makes_a_request_in_the_words_of_the_portal(visitor: Client) -> None:
    """Every value is taken; the portal's own name of the status is shown there, the workflow's in the issue."""
    made = raise_request(visitor)

    issue = visitor.get(f"/rest/api/2/issue/{made.json()['issueId']}").json()["fields"]
    assert made.status_code == 201
    assert made.json()["currentStatus"]["status"] == "Eingegangen"
    assert issue["status"]["name"] == "Neu"
    assert issue["customfield_10108"]["child"]["value"] == "Kamera"


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("customfield_10101", None, "Raum"),
        ("labels", None, "Stichwörter"),
        ("customfield_10101", "x" * 256, "255"),
        ("customfield_10103", "12", "number"),
        ("customfield_10103", True, "number"),
        ("customfield_10104", "23.11.2026", "YYYY-MM-DD"),
        ("customfield_10105", "2026-11-24", "YYYY-MM-DDThh"),
        ("customfield_10106", "Köln", "not valid"),
        ("customfield_10106", {"id": "99"}, "not valid"),
        ("customfield_10107", {"id": "10120"}, "array"),
        ("customfield_10108", {"id": "10130", "child": {"id": "10120"}}, "not valid"),
        ("customfield_10109", {"accountId": "nobody"}, "does not exist"),
        ("labels", ["two words"], "spaces"),
        ("priority", {"id": "3"}, "priority"),
    ],
)
def test_a_wrong_value_is_refused(visitor: Client, name: str, value: object, part: str) -> None:
    """Nothing is created with a field that is missing or of the wrong form; so is a priority of another project."""
    refused = raise_request(visitor, **{name: value})

    assert refused.status_code == 400
    assert part in refused.json()["errorMessage"]


def test_close_is_three_transitions_away(visitor: Client, difficult: JiraSandbox) -> None:
    """The way leads over two statuses and a screen, behind which a validator wants one more field."""
    issue = raise_request(visitor).json()["issueId"]

    assert "Sofort schließen" not in names(visitor, issue)
    assert move(visitor, issue, "41").status_code == 400
    assert [move(visitor, issue, step).status_code for step in ("11", "21")] == [204, 204]
    bare = move(visitor, issue, "41", resolution={"id": "10400"})
    closed = move(visitor, issue, "41", resolution={"id": "10400"}, customfield_10115={"id": "10140"})
    assert bare.json()["errors"] == {"customfield_10115": "Ursache is required."}
    assert closed.status_code == 204
    assert difficult.ticket(issue)["done"]


def test_validator_is_not_told_beforehand(visitor: Client) -> None:
    """The list of fields calls only the resolution required."""
    issue = raise_request(visitor).json()["issueId"]
    for step in ("11", "21"):
        move(visitor, issue, step)

    shown = visitor.get(f"/rest/api/3/issue/{issue}/transitions", params={"expand": "transitions.fields"}).json()
    screen = next(one for one in shown["transitions"] if one["id"] == "41")["fields"]
    assert {name: one["required"] for name, one in screen.items()} == {"resolution": True, "customfield_10115": False}


def test_priority_is_not_on_the_edit_screen(visitor: Client) -> None:
    """An edit of the priority is refused by name, one of a field on the screen is taken."""
    issue = raise_request(visitor).json()["issueId"]
    path = f"/rest/api/3/issue/{issue}"

    refused = visitor.put(path, json={"fields": {"priority": {"id": "10200"}, "summary": "neu"}})
    taken = visitor.put(path, json={"fields": {"customfield_10115": {"value": "Bedienung"}}})

    assert list(refused.json()["errors"]) == ["priority"]
    assert taken.status_code == 204
    assert visitor.get(path).json()["fields"]["customfield_10115"]["id"] == "10141"


@pytest.mark.parametrize(
    ("permission", "call"),
    [
        ("CREATE_ISSUES", lambda client, _: raise_request(client)),
        ("EDIT_ISSUES", lambda client, issue: client.put(f"/rest/api/3/issue/{issue}", json={"fields": {}})),
        ("TRANSITION_ISSUES", lambda client, issue: move(client, issue, "11")),
        (
            "ADD_COMMENTS",
            lambda client, issue: client.post(f"{REQUESTS}/{issue}/comment", json={"body": "x", "public": False}),
        ),
    ],
)
def test_missing_permission_stops_its_call(
    visitor: Client, difficult: JiraSandbox, permission: str, call: Callable[[Client, str], Any]
) -> None:
    """What is denied is told by mypermissions and refused when it is done."""
    issue = raise_request(visitor).json()["issueId"]
    difficult.administer(denied=frozenset({permission}))

    held = visitor.get("/rest/api/3/mypermissions", params={"permissions": permission}).json()["permissions"]

    assert held[permission]["havePermission"] is False
    assert call(visitor, issue).status_code in {400, 403}


def test_request_is_raised_on_behalf_of_somebody(visitor: Client) -> None:
    """Reporter and participants are people of the site; others are refused."""
    person = DIFFICULT.person.account_id
    body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": GOOD}

    made = visitor.post(REQUESTS, json={**body, "raiseOnBehalfOf": person, "requestParticipants": [person]})
    stranger = visitor.post(REQUESTS, json={**body, "raiseOnBehalfOf": "nobody"})

    assert made.json()["reporter"]["accountId"] == person
    assert stranger.status_code == 400


def test_person_finishes_over_several_steps(visitor: Client, difficult: JiraSandbox) -> None:
    """The human agent of the sandbox walks to the close status too."""
    issue = raise_request(visitor).json()["issueId"]

    difficult.finish_ticket(issue)

    assert difficult.ticket(issue)["done"]
    assert visitor.get("/rest/api/3/user", params={"accountId": DIFFICULT.person.account_id}).status_code == 200
