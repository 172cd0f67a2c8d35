"""What a webhook delivery says: API v2 shapes, so rich text is wiki markup, with the change that caused it."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.issue import ChangeItem, epoch_millis
from connector_jira_jsm_sandbox.site import Event, Site


def webhook_body(site: Site, event: Event) -> dict[str, Any]:
    """Describe an event with a snapshot of the issue as it is now."""
    issue, reader = event.issue, site.profile.account
    body: dict[str, Any] = {
        "timestamp": epoch_millis(max(site.now(), issue.fields.updated)),
        "webhookEvent": event.name,
        "issue_event_type_name": event.type_name,
        "user": shapes.user(site, event.author, "2"),
        "issue": {
            "id": issue.id,
            # Cloud leaves `/issue/` out of this address; whoever parses the id from it learns that here.
            "self": f"{site.url}/rest/api/2/{issue.id}",
            "key": issue.key,
            "fields": shapes.issue_fields(site, issue, issue.fields, reader, "2"),
        },
    }
    if event.name == "comment_created":
        return _comment_body(site, event, body)
    if event.change is not None:
        body["changelog"] = {"id": event.change.id, "items": [item.as_json() for item in event.change.items]}
    if event.name == "jira:issue_created":
        body["changelog"] = {"id": f"{issue.id}0", "items": [_first_status(site, event)]}
    if event.comment is not None:
        body["comment"] = shapes.comment(site, issue, event.comment, reader, "2")
    if event.name == "jira:issue_deleted":
        del body["issue_event_type_name"]
    return body


def _comment_body(site: Site, event: Event, body: dict[str, Any]) -> dict[str, Any]:
    """Tell of a comment as Cloud does: the issue is thin, and nobody is named beside the comment's author."""
    fields = body["issue"]["fields"]
    named = ("summary", "issuetype", "project", "assignee", "priority", "status")
    thin = {name: fields[name] for name in named if name in fields}
    comment = shapes.comment(site, event.issue, event.comment, site.profile.account, "2") if event.comment else None
    told = {"timestamp": body["timestamp"], "webhookEvent": event.name, "comment": comment}
    return {**told, "issue": {**body["issue"], "fields": thin}, "eventType": "primaryAction"}


def _first_status(site: Site, event: Event) -> dict[str, Any]:
    status = site.profile.status(event.issue.fields.status_id)
    item = ChangeItem("status", None, None, status.id, status.name).as_json()
    # The display name, capital letter and all, is what Cloud was seen to send on creation.
    return {**item, "field": "Status"}
