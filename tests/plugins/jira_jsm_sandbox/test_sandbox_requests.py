"""The service desk API: desks, request types, requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.visitor import Client

DESKS = "/rest/servicedeskapi/servicedesk"
REQUESTS = "/rest/servicedeskapi/request"
Create = Callable[..., str]


def refused(site: Client, values: dict[str, Any], **changes: object) -> str:
    """Return the text with which a request is refused."""
    body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": values, **changes}
    answer = site.post(REQUESTS, json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"errorMessage", "i18nErrorMessage"}
    return str(answer.json()["errorMessage"])


def test_desks_come_in_pages(sandbox: JiraSandbox, site: Client) -> None:
    """Following `start` by `size` shows every desk once; links name the site's own address."""
    seen, start, links = [], 0, []
    while True:
        page = site.get(DESKS, params={"start": start, "limit": 2}).json()
        seen += [desk["id"] for desk in page["values"]]
        links.append(page["_links"].get("next"))
        if page["isLastPage"]:
            break
        start += page["size"]

    assert seen == ["10", "11", "12"]
    assert links == [f"{sandbox.url}{DESKS}?limit=2&start=2", None]


def test_server_lowers_the_limit(clock: FrozenClock) -> None:
    """A page is never larger than the server's cap, whatever was asked."""
    with JiraSandbox(clock=clock.now, page_cap=1) as sandbox, Client(sandbox.url) as site:
        site.auth = (sandbox.email, sandbox.api_token)
        page = site.get(DESKS, params={"limit": 100}).json()

    assert (page["size"], page["limit"], page["isLastPage"]) == (1, 1, False)


def test_desk_is_found_by_id_and_project_key(site: Client) -> None:
    """A desk answers to its id and to its project."""
    assert site.get(DESKS + "/10").json() == site.get(DESKS + "/SUP").json()
    assert site.get(DESKS + "/99").status_code == 404


def test_request_types_and_their_search(site: Client) -> None:
    """A desk's request types are strings-only ids, and can be searched by word."""
    everything = site.get(DESKS + "/10/requesttype").json()["values"]
    found = site.get(DESKS + "/10/requesttype", params={"searchQuery": "incident"}).json()["values"]

    assert [kind["id"] for kind in everything] == ["25", "26", "27"]
    assert [kind["name"] for kind in found] == ["Report an incident"]
    assert site.get(DESKS + "/10/requesttype/25").json() == found[0]
    assert site.get(DESKS + "/10/requesttype/404").status_code == 404


def test_request_fields_list_priorities(site: Client) -> None:
    """The priority field lists the ids that are usable; hidden fields show only when asked for."""
    fields = site.get(DESKS + "/10/requesttype/25/field").json()["requestTypeFields"]
    with_hidden = site.get(DESKS + "/10/requesttype/25/field", params={"expand": "hiddenFields"}).json()

    by_id = {field["fieldId"]: field for field in fields}
    assert [one["value"] for one in by_id["priority"]["validValues"]] == ["1", "2", "3", "4", "5"]
    assert by_id["summary"]["required"]
    assert "labels" not in by_id
    assert [f["fieldId"] for f in with_hidden["requestTypeFields"] if not f["visible"]] == ["labels"]


def test_created_request_has_strings_and_upper_case_category(site: Client) -> None:
    """The answer to a create is the request as it can be read later."""
    body = {
        "serviceDeskId": "10",
        "requestTypeId": "25",
        "requestFieldValues": {"summary": "Hi", "description": "*bold* move", "priority": {"id": "2"}},
    }

    answer = site.post(REQUESTS, json=body)

    shown = answer.json()
    values = {value["fieldId"]: value for value in shown["requestFieldValues"]}
    assert answer.status_code == 201
    assert (shown["issueId"], shown["issueKey"]) == ("10100", "SUP-1")
    assert shown["currentStatus"]["statusCategory"] == "NEW"
    assert values["description"]["renderedValue"]["html"] == "<p><b>bold</b> move</p>\n"
    assert values["priority"]["value"]["name"] == "High"
    assert site.get(f"{REQUESTS}/SUP-1").json() == shown


def test_request_may_be_written_as_a_document(site: Client) -> None:
    """With `isAdfRequest` rich text is a document, and a string is refused."""
    document = {"type": "doc", "version": 1, "content": [{"type": "rule"}]}
    body = {
        "serviceDeskId": "10",
        "requestTypeId": "25",
        "isAdfRequest": True,
        "requestFieldValues": {"summary": "Hi", "description": document},
    }

    made = site.post(REQUESTS, json=body).json()

    assert made["requestFieldValues"][1]["value"] == "----"
    refused(site, {"summary": "Hi", "description": "plain"}, isAdfRequest=True)


def test_request_without_priority_gets_the_default(create: Create, sandbox: JiraSandbox) -> None:
    """Who names no priority gets the site's."""
    assert sandbox.ticket(create())["priority"] == "Medium"


def test_missing_summary_is_refused_with_the_recorded_text(site: Client) -> None:
    """The text is the one that the real service was seen to send."""
    text = refused(site, {"description": "x"})

    assert text == (
        "Your request could not be created. Please check the fields have been correctly filled in. "
        "Please provide a valid value for field 'Summary'"
    )


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"summary": "x", "color": "red"}, "Field 'color' cannot be set"),
        ({"summary": "x" * 256}, "255"),
        ({"summary": "two\nlines"}, "newline"),
        ({"summary": "x", "description": "x" * 32_768}, "32,767"),
        ({"summary": "x", "priority": "low"}, "priority"),
        ({"summary": "x", "priority": {"id": "77"}}, "priority"),
    ],
    ids=["unknown field", "long", "newline", "long text", "bare priority", "unknown priority"],
)
def test_bad_field_values_are_refused(site: Client, sandbox: JiraSandbox, values: dict[str, Any], part: str) -> None:
    """A bad value is refused, and nothing is created."""
    assert part in refused(site, values)
    assert sandbox.tickets() == []


@pytest.mark.parametrize(
    "changes", [{"serviceDeskId": "99"}, {"requestTypeId": "99"}, {"serviceDeskId": 10}, {"colour": 1}], ids=str
)
def test_bad_request_bodies_are_refused(site: Client, changes: dict[str, object]) -> None:
    """Unknown desks and types, numbers for ids and unknown properties are refused."""
    refused(site, {"summary": "x"}, **changes)


def test_requests_are_listed_by_latest_activity(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """A change moves a request to the top of the list."""
    first, second = create("first"), create("second")
    sandbox.edit_ticket(first, title="first, changed")

    page = site.get(REQUESTS, params={"requestOwnership": "ALL_REQUESTS", "serviceDeskId": "10"}).json()

    assert [one["issueId"] for one in page["values"]] == [first, second]


def test_portal_transitions_hide_where_they_lead(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """The portal lists id and name only, and walks them with a comment."""
    issue = create()
    listed = site.get(f"{REQUESTS}/{issue}/transition").json()["values"]

    walked = site.post(f"{REQUESTS}/{issue}/transition", json={"id": "31", "additionalComment": {"body": "Done"}})
    again = site.post(f"{REQUESTS}/{issue}/transition", json={"id": "31"})

    assert listed == [{"id": "31", "name": "Resolve this issue"}, {"id": "51", "name": "Cancel request"}]
    assert (walked.status_code, again.status_code) == (204, 400)
    assert sandbox.ticket(issue)["status"] == "Resolved"
    assert site.get(f"{REQUESTS}/{issue}/comment").json()["values"][0]["body"] == "Done"


def test_comments_need_to_say_whether_public(create: Create, site: Client) -> None:
    """A comment without `public` is refused; internal ones can be left out of the list."""
    url = f"{REQUESTS}/{create()}/comment"

    refused_one = site.post(url, json={"body": "hello"})
    site.post(url, json={"body": "hello", "public": True})
    site.post(url, json={"body": "psst", "public": False})

    assert refused_one.status_code == 400
    assert [c["body"] for c in site.get(url).json()["values"]] == ["hello", "psst"]
    assert [c["body"] for c in site.get(url, params={"internal": "false"}).json()["values"]] == ["hello"]


def test_unknown_request_is_404_in_the_service_desk_shape(site: Client) -> None:
    """The service desk API has an error shape of its own."""
    answer = site.get(f"{REQUESTS}/SUP-404")

    assert answer.status_code == 404
    assert "errorMessage" in answer.json()


def test_info_needs_no_login(sandbox: JiraSandbox) -> None:
    """Anyone may ask whether the service desk is licensed."""
    with Client(sandbox.url) as nobody:
        assert nobody.get("/rest/servicedeskapi/info").json()["isLicensedForUse"] is True
        assert nobody.get(DESKS).status_code == 401
