"""A tour through all operations of a sandbox, right and wrong calls alike, for tests that look at what was recorded."""

from __future__ import annotations

from typing import Any

from tests.support.jira.visitor import Client

DOCUMENT = {"version": 1, "type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "a"}]}]}


def tour(client: Client, issue: str) -> None:
    """Call all operations, those of an issue in both versions."""
    _tour_desk(client, issue)
    for version in ("2", "3"):
        _tour_issue(client, version, issue)
    _tour_site(client, issue)


def _tour_desk(client: Client, issue: str) -> None:
    base = "/rest/servicedeskapi"
    for path in (
        "/info",
        "/servicedesk?start=0&limit=2",
        "/servicedesk/10",
        "/servicedesk/10/requesttype",
        "/servicedesk/10/requesttype/25",
        "/servicedesk/10/requesttype/25/field?expand=hiddenFields",
        "/request?requestOwnership=ALL_REQUESTS",
        f"/request/{issue}?expand=status&expand=serviceDesk&expand=requestType",
        f"/request/{issue}/status",
        f"/request/{issue}/transition",
        f"/request/{issue}/comment",
        "/request/SUP-404",
    ):
        client.get(base + path)
    body: dict[str, Any] = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": {"summary": "x"}}
    made = client.post(base + "/request", json=body).json()["issueId"]
    client.post(base + "/request", json={**body, "requestFieldValues": {}})
    client.post(f"{base}/request/{made}/comment", json={"body": "hello", "public": True})
    client.post(f"{base}/request/{made}/transition", json={"id": "31", "additionalComment": {"body": "bye"}})


def _tour_issue(client: Client, version: str, issue: str) -> None:
    base = f"/rest/api/{version}/issue/{issue}"
    text: Any = DOCUMENT if version == "3" else "*text*"
    client.put(base, json={"fields": {"summary": "v" + version, "description": text, "priority": {"id": "1"}}})
    client.put(base + "?returnIssue=true&notifyUsers=false", json={"update": {"summary": [{"set": "again"}]}})
    client.put(base, json={"fields": {"summary": ""}})
    client.put(base + "/properties/marker", json={"a": version})
    client.put(base + "/properties/marker", json={"a": 1})
    link = {"globalId": "g" + version, "object": {"url": "https://x.test", "title": "x"}, "relationship": "reports"}
    client.post(base + "/remotelink", json=link)
    client.post(base + "/remotelink", json=link)
    client.post(base + "/comment", json={"body": text})
    client.post(base + "/transitions", json={"transition": {"id": "41"}, "fields": {"resolution": {"name": "Done"}}})
    client.post(base + "/transitions", json={"transition": {"id": "61"}})
    for path in (
        "?fields=summary,status&properties=marker&expand=renderedFields,transitions,changelog,names",
        "",
        "/editmeta",
        "/comment",
        "/changelog",
        "/properties",
        "/properties/marker",
        "/remotelink",
        f"/remotelink?globalId=g{version}",
        "/transitions?expand=transitions.fields",
    ):
        client.get(base + path)
    client.delete(base + "/properties/marker")


def _tour_site(client: Client, issue: str) -> None:
    base = "/rest/api/3"
    for path in (
        "/myself",
        "/mypermissions?permissions=BROWSE_PROJECTS,EDIT_ISSUES",
        "/serverInfo",
        "/project",
        "/project/SUP",
        "/project/search?maxResults=2",
        "/project/SUP/statuses",
        "/priority",
        "/status",
        "/status/10002",
        "/statuscategory",
        "/resolution",
        "/field",
        "/issue/createmeta?projectKeys=SUP&expand=projects.issuetypes.fields",
        "/issue/createmeta/SUP/issuetypes",
        "/issue/createmeta/SUP/issuetypes/10010",
        "/search/jql?jql=project=SUP&fields=summary&maxResults=1",
    ):
        client.get(base + path)
    fields = {"project": {"key": "SUP"}, "issuetype": {"id": "10010"}, "summary": "made"}
    client.post(base + "/issue", json={"fields": fields})
    search = {
        "jql": 'project = SUP AND updated >= "-30m"',
        "fields": ["*all"],
        "maxResults": 1,
        "properties": ["marker"],
    }
    client.post(base + "/search/jql", json=search)
    client.post(base + "/search/jql", json={"jql": "colour = red"})
    client.post(base + "/search/approximate-count", json={"jql": "project = SUP"})
    client.post(base + "/changelog/bulkfetch", json={"issueIdsOrKeys": [issue], "fieldIds": ["summary"]})
    client.post(base + "/issue/bulkfetch", json={"issueIdsOrKeys": [issue], "fields": ["summary", "updated"]})
