"""The platform API on one issue: read, edit, move, properties, links, comments, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.visitor import Client

ISSUE = "/rest/api/3/issue/"
OLD_ISSUE = "/rest/api/2/issue/"
Create = Callable[..., str]


def document(text: str) -> dict[str, Any]:
    """Return a document of one paragraph."""
    return {
        "version": 1,
        "type": "doc",
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def test_description_is_a_document_in_v3_and_wiki_in_v2(create: Create, site: Client) -> None:
    """The same text has two faces."""
    issue = create(description="*bold*\nmove")

    new, old = site.get(ISSUE + issue).json(), site.get(OLD_ISSUE + issue).json()

    assert new["fields"]["description"]["content"][0]["content"][0]["marks"] == [{"type": "strong"}]
    assert old["fields"]["description"] == "*bold*\nmove"
    assert "/rest/api/2/" in old["self"]


def test_fields_properties_and_expansions_are_picked(create: Create, site: Client) -> None:
    """Only what was asked for is shown."""
    issue = create(description="h3. Title")
    site.put(f"{ISSUE}{issue}/properties/marker", json={"incident": "inc-1"})

    asked = {"fields": "summary,status", "properties": "marker", "expand": "renderedFields,transitions"}
    shown = site.get(ISSUE + issue, params=asked).json()
    without = site.get(ISSUE + issue, params={"fields": "-description"}).json()

    assert set(shown["fields"]) == {"summary", "status"}
    assert shown["properties"] == {"marker": {"incident": "inc-1"}}
    assert shown["renderedFields"]["description"] == "<h3>Title</h3>\n"
    assert {t["id"] for t in shown["transitions"]} == {"11", "21", "31", "41", "51"}
    assert "description" not in without["fields"]
    assert "summary" in without["fields"]


def test_times_carry_the_readers_offset(create: Create, site: Client) -> None:
    """Times are in the zone of whoever reads them, milliseconds and all."""
    fields = site.get(ISSUE + create()).json()["fields"]

    assert fields["created"] == "2026-11-23T15:30:00.000+0530"


def test_edit_in_v3_takes_a_document(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """Several fields and a property are set in one write, answered without content."""
    issue = create()
    fields = {"summary": "New", "description": document("a [b] *c*"), "priority": {"id": "1"}}

    body = {"fields": fields, "properties": [{"key": "marker", "value": 7}]}
    answer = site.put(ISSUE + issue, json=body, params={"notifyUsers": "false"})

    ticket = sandbox.ticket(issue)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (ticket["title"], ticket["description"], ticket["priority"]) == ("New", r"a \[b\] \*c\*", "Highest")
    assert site.get(f"{ISSUE}{issue}/properties/marker").json() == {"key": "marker", "value": 7}
    assert site.get(ISSUE + issue).json()["fields"]["description"] == document("a [b] *c*")


def test_edit_in_v2_takes_wiki_and_can_return_the_issue(create: Create, site: Client) -> None:
    """`returnIssue` answers 200 with what the issue is now; `update` sets too."""
    issue = create()
    body = {"fields": {"description": "* one\n* two"}, "update": {"summary": [{"set": "Listed"}]}}

    answer = site.put(OLD_ISSUE + issue, json=body, params={"returnIssue": "true"})

    assert answer.status_code == 200
    assert answer.json()["fields"]["description"] == "* one\n* two"
    assert answer.json()["fields"]["summary"] == "Listed"


def test_description_can_be_emptied(create: Create, site: Client) -> None:
    """Null and an empty document both read back as null."""
    issue = create(description="text")

    site.put(ISSUE + issue, json={"fields": {"description": None}})
    first = site.get(ISSUE + issue).json()["fields"]["description"]
    site.put(ISSUE + issue, json={"fields": {"description": {"version": 1, "type": "doc", "content": []}}})

    assert first is None
    assert site.get(ISSUE + issue).json()["fields"]["description"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"fields": {"summary": "x" * 256}}, ("summary", "Summary can't exceed 255 characters.")),
        ({"fields": {"summary": "a\nb"}}, ("summary", "newline")),
        ({"fields": {"summary": "  "}}, ("summary", "You must specify a summary")),
        ({"fields": {"description": "a string"}}, ("description", "Atlassian Document")),
        ({"fields": {"description": document("x" * 32_768)}}, ("description", "32,767")),
        ({"fields": {"priority": "High"}}, ("priority", "priority")),
        ({"fields": {"priority": {"name": "Urgent"}}}, ("priority", "invalid")),
        ({"fields": {"duedate": "2026-01-01"}}, ("duedate", "It is not on the appropriate screen, or unknown.")),
        ({"fields": {"summary": "a"}, "update": {"summary": [{"set": "b"}]}}, ("summary", "both")),
    ],
    ids=["long", "newline", "blank", "string", "long text", "bare", "unknown priority", "off screen", "twice"],
)
def test_bad_edit_writes_nothing(
    create: Create, site: Client, sandbox: JiraSandbox, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    """One bad field refuses the whole edit, and the error names the field."""
    issue = create()
    before = sandbox.ticket(issue)
    body = {**body, "fields": {"labels": ["touched"], **body["fields"]}}

    answer = site.put(ISSUE + issue, json=body)

    assert answer.status_code == 400
    assert expected[1] in answer.json()["errors"][expected[0]]
    assert sandbox.ticket(issue) == before


def test_unknown_issue_is_404_in_jiras_words(site: Client) -> None:
    """Gone and forbidden read the same."""
    answer = site.get(ISSUE + "SUP-404")

    assert answer.status_code == 404
    assert answer.json()["errorMessages"] == ["Issue does not exist or you do not have permission to see it."]


def test_unreadable_json_is_refused(create: Create, site: Client) -> None:
    """A body that is no JSON is a 400 in the platform's shape."""
    answer = site.put(ISSUE + create(), data="{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert "parsing JSON" in answer.json()["errorMessages"][0]


def test_updated_always_moves_forward(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """Two edits in one millisecond still have different times; an edit that changes nothing leaves the time."""
    issue = create()
    times = []
    for title in ("a", "b", "b"):
        site.put(ISSUE + issue, json={"fields": {"summary": title}})
        times.append(sandbox.ticket(issue)["updated"])

    assert times[0] < times[1] == times[2]


def test_transitions_depend_on_where_the_issue_stands(create: Create, site: Client) -> None:
    """A transition that is not open from here is refused, and so is none."""
    url = f"{ISSUE}{create()}/transitions"

    refused = site.post(url, json={"transition": {"id": "61"}})
    missing = site.post(url, json={})
    site.post(url, json={"transition": {"id": "11"}})
    names = [t["name"] for t in site.get(url).json()["transitions"]]

    assert (refused.status_code, missing.status_code) == (400, 400)
    assert missing.json()["errorMessages"] == ["Missing 'transition' identifier"]
    assert "Start progress" not in names
    assert "Back to support" in names
    assert site.get(url, params={"transitionId": "999"}).json()["transitions"] == []


def test_transition_names_its_target_and_screen(create: Create, site: Client) -> None:
    """`to` tells status and category; the screen's fields come when asked for."""
    shown = site.get(f"{ISSUE}{create()}/transitions", params={"expand": "transitions.fields"}).json()["transitions"]

    close = next(t for t in shown if t["name"] == "Close")
    assert (close["to"]["id"], close["to"]["statusCategory"]["key"]) == ("6", "done")
    assert close["hasScreen"]
    assert close["fields"]["resolution"]["required"]
    assert [one["name"] for one in close["fields"]["resolution"]["allowedValues"]] == ["Done", "Won't Do", "Duplicate"]


def test_screen_must_be_filled_in(create: Create, site: Client) -> None:
    """A transition with a screen wants its field, and one without wants none."""
    issue = create()
    url = f"{ISSUE}{issue}/transitions"

    bare = site.post(url, json={"transition": {"id": "41"}})
    wrong = site.post(url, json={"transition": {"id": "31"}, "fields": {"resolution": {"name": "Done"}}})
    comment = {"comment": [{"add": {"body": document("closing")}}]}
    filled = site.post(
        url, json={"transition": {"id": "41"}, "fields": {"resolution": {"name": "Duplicate"}}, "update": comment}
    )

    fields = site.get(ISSUE + issue).json()["fields"]
    assert (bare.status_code, wrong.status_code, filled.status_code) == (400, 400, 204)
    assert "resolution" in bare.json()["errors"]
    assert fields["resolution"]["name"] == "Duplicate"
    assert fields["comment"]["comments"][0]["body"] == document("closing")


def test_properties_live_and_die(create: Create, site: Client) -> None:
    """A property is made, replaced, listed and removed; a value too large is refused."""
    url = f"{ISSUE}{create()}/properties"

    made = site.put(url + "/marker", json={"a": 1})
    replaced = site.put(url + "/marker", json={"a": 2})
    keys = [one["key"] for one in site.get(url).json()["keys"]]
    large = site.put(url + "/large", json="x" * 32_768)

    assert (made.status_code, replaced.status_code, large.status_code) == (201, 200, 400)
    assert keys == ["marker"]
    assert site.delete(url + "/marker").status_code == 204
    assert site.get(url + "/marker").status_code == 404
    assert site.delete(url + "/marker").status_code == 404


def test_remote_link_is_idempotent_by_global_id(create: Create, site: Client) -> None:
    """The same global id updates in place and nulls what was left out."""
    url = f"{ISSUE}{create()}/remotelink"
    link = {
        "globalId": "system=connector&id=inc-1",
        "relationship": "reports",
        "object": {"url": "https://x.test/1", "title": "inc-1"},
    }

    made = site.post(url, json=link)
    again = site.post(url, json={**link, "relationship": None})
    found = site.get(url, params={"globalId": link["globalId"]}).json()

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    assert len(site.get(url).json()) == 1
    assert found["object"]["title"] == "inc-1"
    assert site.get(url, params={"globalId": "other"}).status_code == 404
    assert site.post(url, json={"object": {"title": "no url"}}).status_code == 400


def test_comments_through_the_platform(create: Create, site: Client) -> None:
    """A comment is a document in v3; a string is refused in the recorded words."""
    url = f"{ISSUE}{create()}/comment"

    made = site.post(url, json={"body": document("hello")})
    refused = site.post(url, json={"body": "hello"})

    assert made.status_code == 201
    assert refused.json()["errors"] == {"comment": "Comment body is not valid!"}
    assert site.get(url).json()["total"] == 1


def test_history_tells_who_changed_what(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """Each write is one entry, with ids and words."""
    issue = create()
    site.put(ISSUE + issue, json={"fields": {"summary": "mine"}})
    sandbox.edit_ticket(issue, title="theirs", priority="critical")

    page = site.get(f"{ISSUE}{issue}/changelog").json()

    assert [entry["author"]["displayName"] for entry in page["values"]] == ["Avery Agent", "Hana Helper"]
    assert [item["field"] for item in page["values"][1]["items"]] == ["summary", "priority"]
    assert page["values"][1]["items"][1]["from"] == "3"
    assert page["values"][1]["items"][1]["toString"] == "Highest"


def test_deleted_issue_is_gone(create: Create, site: Client, sandbox: JiraSandbox) -> None:
    """After a delete nothing finds it any more."""
    issue = create()

    assert site.delete(ISSUE + issue).status_code == 204
    assert site.get(ISSUE + issue).status_code == 404
    with pytest.raises(KeyError):
        sandbox.ticket(issue)


def test_issue_can_be_made_without_the_portal(site: Client) -> None:
    """The platform's own create works for clients that know nothing of desks."""
    fields = {"project": {"key": "SUP"}, "issuetype": {"name": "[System] Incident"}, "summary": "Direct"}

    made = site.post("/rest/api/3/issue", json={"fields": fields})
    meta = site.get("/rest/api/3/issue/createmeta/SUP/issuetypes").json()

    assert made.status_code == 201
    assert set(made.json()) == {"id", "key", "self"}
    assert meta["total"] == 2
    assert site.post("/rest/api/3/issue", json={"fields": {**fields, "project": {"key": "NO"}}}).status_code == 400


def test_editmeta_lists_priority_ids(create: Create, site: Client) -> None:
    """Editable fields come with what may be put in."""
    fields = site.get(f"{ISSUE}{create()}/editmeta").json()["fields"]

    assert [one["id"] for one in fields["priority"]["allowedValues"]] == ["1", "2", "3", "4", "5"]


def test_site_wide_lists(site: Client) -> None:
    """Projects, statuses, priorities and the rest are what the profile says."""
    api = "/rest/api/3"
    statuses = site.get(f"{api}/project/SUP/statuses").json()[0]["statuses"]

    assert site.get(f"{api}/project/SUP").json() == site.get(f"{api}/project/10000").json()
    assert site.get(f"{api}/project/NOPE").status_code == 404
    assert {s["id"]: s["statusCategory"]["key"] for s in statuses}["10002"] == "done"
    assert [p["name"] for p in site.get(f"{api}/priority").json()] == ["Highest", "High", "Medium", "Low", "Lowest"]
    assert {c["key"]: c["id"] for c in site.get(f"{api}/statuscategory").json()}["done"] == 3
    assert site.get(f"{api}/project/search", params={"maxResults": 2}).json()["isLast"] is False
    assert site.get(f"{api}/status/Resolved").json()["id"] == "10002"
    assert site.get(f"{api}/serverInfo").json()["deploymentType"] == "Cloud"
    assert site.get(f"{api}/instance/license").json()["applications"][1]["id"] == "jira-servicedesk"
    assert site.get(f"{api}/mypermissions").status_code == 400
    have = site.get(f"{api}/mypermissions", params={"permissions": "EDIT_ISSUES"}).json()["permissions"]
    assert have["EDIT_ISSUES"]["havePermission"] is True


def test_unknown_path_and_method_are_problems(site: Client) -> None:
    """What does not exist is answered as problem details."""
    path, method = site.get("/rest/api/3/nothing"), site.delete("/rest/api/3/myself")

    assert (path.status_code, method.status_code) == (404, 405)
    assert path.headers["Content-Type"].startswith("application/problem+json")
    assert set(path.json()) == {"type", "title", "status", "detail", "instance"}


def test_browser_like_write_is_refused(create: Create, site: Client) -> None:
    """A write with a browser's name draws the XSRF check."""
    answer = site.put(ISSUE + create(), json={"fields": {"summary": "x"}}, headers={"User-Agent": "Mozilla/5.0"})

    assert (answer.status_code, answer.json()["errorMessages"]) == (403, ["XSRF check failed"])


def test_site_time_follows_the_injected_clock(create: Create, sandbox: JiraSandbox, clock: FrozenClock) -> None:
    """A change an hour later is an hour younger."""
    issue = create()
    clock.forward(1 * 3600)

    sandbox.edit_ticket(issue, title="later")

    assert sandbox.ticket(issue)["updated"] == "2026-11-23T11:00:00.000+00:00"
