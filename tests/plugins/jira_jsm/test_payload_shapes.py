"""Every shape in which Jira's deliveries were seen, one row each, and whole deliveries with all that is in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector_core import FieldName, Integration, Priority
from tests.plugins.jira_jsm.test_incoming_webhook import SECRET, delivered, issue
from tests.support.jira.deliveries import DELIVERIES, SERVER
from tests.support.jira.handles import SETTINGS, build, oauth_grant

PERSON = {"accountId": "712020:1-2", "accountType": "atlassian", "displayName": "Hana"}
STATUS_ITEM = {"field": "status", "fieldId": "status", "from": "10000", "to": "10002", "toString": "Resolved"}
DONE = {"name": "Resolved", "id": "10002", "statusCategory": {"id": 3, "key": "done", "name": "Fertig"}}


@pytest.fixture
def listening() -> Integration:
    """Return an integration with a secret."""
    return build(settings=SETTINGS, grant=oauth_grant(), secrets=(SECRET,))[0]


def changed(*items: dict[str, Any], number: object = "10124") -> dict[str, Any]:
    """Make a changelog."""
    return {"changelog": {"id": number, "items": list(items)}}


def item(field: str, **more: object) -> dict[str, Any]:
    """Make one item of a changelog."""
    return {"field": field, "fieldtype": "jira", "fieldId": field, "from": None, "to": None, **more}


SHAPES: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "edit": ({"issue_event_type_name": "issue_updated", **changed(item("summary"))}, {"title": "Fan failed"}),
    "no type name": ({"issue_event_type_name": None}, {"title": "Fan failed"}),
    "type name never heard of": ({"issue_event_type_name": "issue_teleported"}, {"title": "Fan failed"}),
    "transition": (
        {"issue_event_type_name": "issue_generic", **changed(STATUS_ITEM), "issue": issue(status=DONE)},
        {"done": True},
    ),
    "closed by its own type name": (
        {"issue_event_type_name": "issue_closed", "issue": issue(status=DONE)},
        {"done": True},
    ),
    "resolution before status": (
        {**changed(item("resolution"), STATUS_ITEM), "issue": issue(status=DONE)},
        {"done": True},
    ),
    "only a resolution": ({**changed(item("resolution")), "issue": issue(status=DONE)}, {"done": True}),
    "a resolution without a done status": (changed(item("resolution", to="1")), {"done": False}),
    "reopened": ({**changed(item("resolution"), STATUS_ITEM), "issue": issue()}, {"done": False}),
    "several items": (
        changed(item("summary"), item("description"), item("priority"), item("resolution")),
        {"title": "Fan failed"},
    ),
    "no items": (changed(), {"title": "Fan failed"}),
    "no changelog": ({}, {"title": "Fan failed"}),
    "changelog with a number as id": (changed(item("summary"), number=10124), {"title": "Fan failed"}),
    "item without a field id": (changed({"field": "Status", "toString": "Open"}), {"status": "Waiting for support"}),
    "a move": (
        {
            "issue_event_type_name": "issue_moved",
            **changed(*(item(name) for name in ("project", "issuetype", "status", "Workflow", "Key"))),
            "issue": {**issue(), "key": "FAC-7"},
        },
        {"id": "10040", "key": "FAC-7"},
    ),
    "created": ({"webhookEvent": "jira:issue_created", **changed({"field": "Status"})}, {"title": "Fan failed"}),
    "assigned": ({"issue_event_type_name": "issue_assigned", **changed()}, {"title": "Fan failed"}),
    "with a comment": (
        {"issue_event_type_name": "issue_commented", "comment": {"id": "1", "body": "hello"}},
        {"title": "Fan failed"},
    ),
    "bulk edit": ({"bulkOperationMetaData": {"sendMail": False}}, {"title": "Fan failed"}),
    "dynamic webhook": ({"matchedWebhookIds": [1000, 1001]}, {"title": "Fan failed"}),
    "by a customer": ({"user": {"accountId": "qm:1:2", "accountType": "customer"}}, {"title": "Fan failed"}),
    "by an app": ({"user": {**PERSON, "accountType": "app"}}, {"title": "Fan failed"}),
    "misspelt account": ({"user": {"accoundId": "712020:1-2"}}, {"title": "Fan failed"}),
    "nobody": ({"user": None}, {"title": "Fan failed"}),
    "time in words": ({"timestamp": "2019-2-27 13:30:21,620"}, {"title": "Fan failed"}),
    "description cleared": ({"issue": issue(description=None)}, {"description": None}),
    "description with markup": (
        {"issue": issue(description="{color:red}hot{color}\r\n\r\nreally")},
        {"description": "hot\n\nreally"},
    ),
    "no priority": ({"issue": issue(priority=None)}, {"priority": None, "priority_name": None}),
    "a priority of the site's own": (
        {"issue": issue(priority={"id": "10001", "name": "P1"})},
        {"priority": None, "priority_name": "P1"},
    ),
    "a translated category": ({"issue": issue(status=DONE)}, {"done": True, "status": "Resolved"}),
    "number as id": ({"issue": {**issue(), "id": 10040}}, {"id": "10040"}),
    "old address": (
        {"issue": {**issue(), "self": "https://example.test/rest/api/2/issue/10040"}},
        {"url": "https://example.test/browse/SUP-41"},
    ),
    "address under a path": (
        {"issue": {**issue(), "self": "http://localhost:2990/jira/rest/api/2/10040"}},
        {"url": "http://localhost:2990/jira/browse/SUP-41"},
    ),
    "custom fields and lists": (
        {
            "issue": issue(
                customfield_10010={"requestType": {"id": "25"}}, comment={"comments": []}, worklog={"worklogs": []}
            )
        },
        {"title": "Fan failed"},
    ),
    "offset to the west": (
        {"issue": issue(updated="2026-03-02T01:30:00.005-0800")},
        {"updated": datetime(2026, 3, 2, 9, 30, 0, 5000, UTC)},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(listening: Integration, name: str):
    """Whatever else a delivery holds or lacks, the ticket is read from the issue's present fields."""
    more, expected = SHAPES[name]
    whole = {"timestamp": 1772443800005, "webhookEvent": "jira:issue_updated", "user": PERSON, "issue": issue(), **more}
    body = json.dumps({key: value for key, value in whole.items() if value is not None or key == "user"}).encode()

    (ticket,) = delivered(listening, body).tickets

    assert {key: getattr(ticket, key) for key in expected} == expected


THIN = {"id": "10040", "key": "SUP-41", "self": "https://example.test/rest/api/2/10040"}
UNREAD: dict[str, dict[str, Any]] = {
    "comment with a thin issue": {
        "webhookEvent": "comment_created",
        "issue": {**THIN, "fields": {"summary": "x", "status": DONE}},
    },
    "comment without an issue": {"webhookEvent": "comment_updated", "comment": {"id": "1"}},
    "worklog": {"webhookEvent": "worklog_created", "worklog": {"issueId": "10040"}},
    "property": {"webhookEvent": "issue_property_set", "property": {"key": "connector.link"}},
    "version": {"webhookEvent": "jira:version_released", "version": {"id": "1"}},
    "no event at all": {"timestamp": 1},
}


@pytest.mark.parametrize("name", UNREAD)
def test_shape_without_a_whole_issue_changes_nothing(listening: Integration, name: str):
    """A thin issue would clear the description; events about other things are none of ours."""
    assert delivered(listening, json.dumps(UNREAD[name]).encode()).tickets == ()


WHOLE: dict[str, dict[str, object]] = {
    "summary": {"id": "20077", "key": "OPS-7", "title": "Pump 3 stopped", "done": False},
    "description": {"id": "20077", "description": "No pressure since noon."},
    "priority": {"id": "20077", "priority": Priority.HIGH},
    "in progress": {"id": "20077", "status": "In progress", "done": False},
    "reopened": {"id": "20077", "status": "Open", "done": False},
    "server": {"description": "No pressure since noon.", "url": f"{SERVER}/browse/OPS-7"},
    "moved": {"id": "20077", "key": "OPS-7", "description": "No pressure since noon."},
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_delivery_is_read(listening: Integration, name: str):
    """A delivery with everything that Jira puts into it shows its ticket."""
    (ticket,) = delivered(listening, json.dumps(DELIVERIES[name]).encode()).tickets

    assert {key: getattr(ticket, key) for key in WHOLE[name]} == WHOLE[name]
    assert ticket.updated == datetime(2026, 3, 2, 9, 30, 0, 123000, UTC)


def test_whole_delivery_of_a_deletion_is_read(listening: Integration):
    """The snapshot of before is not believed, only the number of what is gone."""
    found = delivered(listening, json.dumps(DELIVERIES["deleted"]).encode())

    assert (found.tickets, found.deleted) == ((), frozenset({"20077"}))


AUTHORS: dict[str, tuple[dict[str, Any], set[FieldName]]] = {
    "each item": (
        changed(item("summary"), item("priority"), item("resolution")),
        {FieldName.TITLE, FieldName.PRIORITY},
    ),
    "a display name as field": (changed({"field": "Status"}), {FieldName.STATUS}),
    "no item": (changed(), set()),
    "no changelog": ({}, set()),
    "nobody": ({"user": None, **changed(item("summary"))}, set()),
    "without a name": ({"user": {"accountId": "712020:1-2", "name": "hana"}, **changed(item("summary"))}, set()),
    "name of another kind": ({"user": {"displayName": ["Hana"]}, **changed(item("summary"))}, set()),
    "items of another kind": ({"changelog": {"items": ["summary", None, {"field": 7}]}}, set()),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_who_changed_what_is_read(listening: Integration, name: str):
    """The person's name for the fields that the changelog names, and nothing where either is missing."""
    more, fields = AUTHORS[name]
    whole = {"webhookEvent": "jira:issue_updated", "user": PERSON, "issue": issue(), **more}

    found = delivered(listening, json.dumps(whole).encode())

    assert found.changed_by == dict.fromkeys(fields, "Hana")
    assert "712020" not in found.model_dump_json()


WHO: dict[str, set[FieldName]] = {
    "summary": {FieldName.TITLE},
    "description": {FieldName.DESCRIPTION},
    "priority": {FieldName.PRIORITY},
    "in progress": {FieldName.STATUS},
    "reopened": {FieldName.STATUS},
    "server": {FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY},
    "moved": {FieldName.STATUS},
    "deleted": set(),
}


@pytest.mark.parametrize("name", WHO)
def test_who_changed_what_of_whole_deliveries(listening: Integration, name: str):
    """Old and new forms, and no address of anybody is kept."""
    found = delivered(listening, json.dumps(DELIVERIES[name]).encode())

    assert found.changed_by == dict.fromkeys(WHO[name], "Hana Helper")
    assert "@" not in found.model_dump_json()
