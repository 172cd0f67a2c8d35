"""Deliveries with everything that Jira puts into them, in each form that was seen: Cloud, an old Server, and a log's.

The words, numbers and addresses are ours; the keys and the kinds of their values are Jira's, which
`test_recorded_deliveries.py` checks where recorded deliveries are at hand.
"""

from __future__ import annotations

from typing import Any

CLOUD, SERVER = "https://helpdesk.example.test", "http://jira.example.test:2990/jira"
# A timesheet or planning app adds its own parts to custom fields.
PLANNING = {
    "hasEpicLinkFieldDependency": False,
    "showField": False,
    "nonEditableReason": {"reason": "NOT_LICENSED", "message": "The planning app has no licence."},
}
LOGIN = {"name": "hana", "key": "hana", "emailAddress": "hana@example.test"}
ACCOUNT = {"accountId": "712020:1-2"}


def user(site: str, **names: object) -> dict[str, Any]:
    """Show somebody, named as this form of delivery names people."""
    return {
        "self": f"{site}/rest/api/2/user?who=1",
        "avatarUrls": _pictures(site),
        "displayName": "Hana Helper",
        "active": True,
        "timeZone": "Asia/Tokyo",
        **names,
    }


def item(field: str, before: str | None, after: str | None, **more: object) -> dict[str, Any]:
    """Tell of one change; `more` are the ids of values that have some, and the field's own id."""
    return {
        "field": field,
        "fieldtype": "jira",
        "from": None,
        "fromString": before,
        "to": None,
        "toString": after,
        **more,
    }


def status(site: str, number: str, name: str, category: tuple[int, str, str]) -> dict[str, Any]:
    """Show a status; a category is its id, key and name."""
    return {
        "self": f"{site}/rest/api/2/status/{number}",
        "description": "",
        "iconUrl": f"{site}/images/status.png",
        "name": name,
        "id": number,
        "statusCategory": {
            "self": f"{site}/rest/api/2/statuscategory/{category[0]}",
            "id": category[0],
            "key": category[1],
            "colorName": "yellow",
            "name": category[2],
        },
    }


def issue(site: str, who: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Show a whole issue; a change of None leaves a field empty, `absent` names those that a form does not have."""
    absent = changes.pop("absent", ())
    assert isinstance(absent, tuple)
    key = str(changes.pop("key", "OPS-7"))
    address = f"{site}/rest/api/2/issue/{key}"
    empty = dict.fromkeys(_EMPTY)
    lists: dict[str, list[Any]] = {name: [] for name in _LISTS}
    progress = {"progress": 0, "total": 0}
    fields = {
        **empty,
        **lists,
        "issuetype": {
            "self": f"{site}/rest/api/2/issuetype/21",
            "id": "21",
            "description": "Something does not work.",
            "iconUrl": f"{site}/images/incident.png",
            "name": "Incident",
            "subtask": False,
            "avatarId": 7,
        },
        "project": {
            "self": f"{site}/rest/api/2/project/31",
            "id": "31",
            "key": key.partition("-")[0],
            "name": "Operations",
            "projectTypeKey": "service_desk",
            "avatarUrls": _pictures(site),
        },
        "summary": "Pump 3 stopped",
        "description": "No pressure since noon.",
        "priority": {
            "self": f"{site}/rest/api/2/priority/2",
            "iconUrl": f"{site}/images/high.png",
            "name": "High",
            "id": "2",
        },
        "status": status(site, "51", "Open", (2, "new", "To do")),
        "labels": ["pumps"],
        "components": [
            {"self": f"{site}/rest/api/2/component/41", "id": "41", "name": "Pumps", "description": "All pumps."}
        ],
        "customfield_10101": None,
        "customfield_10102": [],
        "customfield_10103": "0|i00007:",
        "customfield_10104": PLANNING,
        "created": "2026-03-01T08:00:00.001+0900",
        "updated": "2026-03-02T18:30:00.123+0900",
        "lastViewed": "2026-03-02T18:29:59.000+0900",
        "creator": who,
        "reporter": who,
        "watches": {"self": f"{address}/watchers", "watchCount": 1, "isWatching": True},
        "votes": {"self": f"{address}/votes", "votes": 0, "hasVoted": False},
        "progress": progress,
        "aggregateprogress": progress,
        "timetracking": {},
        "workratio": -1,
        **changes,
    }
    shown = {name: value for name, value in fields.items() if name not in absent}
    return {"id": "20077", "self": f"{site}/rest/api/2/issue/20077", "key": key, "fields": shown}


def cloud(*items: dict[str, Any], kind: str = "issue_updated", **changes: object) -> dict[str, Any]:
    """Tell of a change as Cloud does."""
    who = user(CLOUD, **LOGIN, **ACCOUNT)
    return {
        "timestamp": 1772443800123,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": kind,
        "user": who,
        "issue": issue(CLOUD, who, **changes),
        "changelog": {"id": "90001", "items": list(items)},
    }


def deleted() -> dict[str, Any]:
    """Tell of a deletion: no changelog, no type's name, and the issue as it was."""
    who = user(CLOUD, **LOGIN, **ACCOUNT, accountType="atlassian")
    custom = ("customfield_10101", "customfield_10102", "customfield_10104", "aggregatetimespent")
    shown = issue(
        CLOUD,
        who,
        absent=custom,
        labels=[],
        components=[],
        comment=_page(comments=[]),
        worklog=_page(worklogs=[]),
        statuscategorychangedate="2026-03-01T08:00:00.001+0900",
    )
    shown["fields"]["project"]["simplified"] = False
    return {"timestamp": 1772443800123, "webhookEvent": "jira:issue_deleted", "user": who, "issue": shown}


def server() -> dict[str, Any]:
    """Tell of several changes as an old Server does: people without account ids, items without field ids."""
    who = user(SERVER, **LOGIN)
    written = {
        "self": f"{SERVER}/rest/api/2/issue/20077/comment/61",
        "id": "61",
        "author": who,
        "updateAuthor": who,
        "body": "The spare part is ordered.",
        "created": "2026-03-02T10:00:00.000+0900",
        "updated": "2026-03-02T10:00:00.000+0900",
    }
    custom = tuple(f"customfield_1010{number}" for number in range(1, 5))
    shown = issue(
        SERVER,
        who,
        absent=(*custom, "security"),
        labels=[],
        components=[],
        assignee=who,
        comment=_page(comments=[written]),
        worklog=_page(worklogs=[]),
        resolution={
            "self": f"{SERVER}/rest/api/2/resolution/3",
            "id": "3",
            "description": "It works.",
            "name": "Mended",
        },
    )
    del shown["fields"]["project"]["projectTypeKey"]
    changes = [
        item("summary", "Pump stopped", "Pump 3 stopped"),
        item("description", "No pressure.", "No pressure since noon."),
        item("priority", "Low", "High", **{"from": "4", "to": "2"}),
        item("resolution", None, "Mended", to="3"),
    ]
    return {
        "timestamp": 1772443800123,
        "webhookEvent": "jira:issue_updated",
        "user": who,
        "issue": shown,
        "changelog": {"id": "90001", "items": changes},
    }


def moved() -> dict[str, Any]:
    """Tell of a move to another project as somebody's log kept it: time in words, and the log's own keys."""
    who = user(CLOUD, **ACCOUNT)
    items = [
        item("issuetype", "Fault", "Incident", fieldId="issuetype", **{"from": "20", "to": "21"}),
        item("project", "Facilities", "Operations", fieldId="project", **{"from": "30", "to": "31"}),
        item("status", "New", "Open", fieldId="status", **{"from": "50", "to": "51"}),
        item("Workflow", "Faults of FAC", "Incidents of OPS", **{"from": "70", "to": "71"}),
        item("Key", "FAC-2", "OPS-7"),
    ]
    told = cloud(*items, kind="issue_moved", labels=[], components=[])
    log = {"timestamp": "2026-3-2 18:30:00,123", "level": "debug", "message": "delivery", "label": "hooks.js"}
    return {**told, **log, "user": who, "issue": issue(CLOUD, who, labels=[], components=[])}


_EMPTY = (
    "aggregatetimeestimate",
    "aggregatetimeoriginalestimate",
    "aggregatetimespent",
    "assignee",
    "duedate",
    "environment",
    "resolution",
    "resolutiondate",
    "security",
    "timeestimate",
    "timeoriginalestimate",
    "timespent",
)
_LISTS = ("attachment", "fixVersions", "issuelinks", "subtasks", "versions")


def _pictures(site: str) -> dict[str, str]:
    return {f"{size}x{size}": f"{site}/images/{size}.png" for size in (16, 24, 32, 48)}


def _page(**entries: list[Any]) -> dict[str, Any]:
    (listed,) = entries.values()
    return {"startAt": 0, "maxResults": 20, "total": len(listed), **entries}


DELIVERIES: dict[str, dict[str, Any]] = {
    "summary": cloud(item("summary", "Pump stopped", "Pump 3 stopped", fieldId="summary")),
    "description": cloud(item("description", "No pressure.", "No pressure since noon.", fieldId="description")),
    "priority": cloud(item("priority", "Low", "High", fieldId="priority", **{"from": "4", "to": "2"})),
    "in progress": cloud(
        item("status", "Open", "In progress", fieldId="status", **{"from": "51", "to": "52"}),
        kind="issue_generic",
        status=status(CLOUD, "52", "In progress", (4, "indeterminate", "In progress")),
    ),
    "reopened": cloud(
        item("resolution", "Mended", None, fieldId="resolution", **{"from": "3"}),
        item("status", "Closed", "Open", fieldId="status", **{"from": "53", "to": "51"}),
        kind="issue_generic",
    ),
    "deleted": deleted(),
    "server": server(),
    "moved": moved(),
}
