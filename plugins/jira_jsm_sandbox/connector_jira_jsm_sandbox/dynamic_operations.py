"""Dynamic webhooks, `/rest/api/3/webhook`: registered by an app, for 30 days, without a secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector_jira_jsm_sandbox.answers import Answer, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.dynamic_webhook import DynamicWebhook
from connector_jira_jsm_sandbox.issue import epoch_millis
from connector_jira_jsm_sandbox.jql import BadQuery, parse
from connector_jira_jsm_sandbox.payload import bad_payload, numbers, strings, text
from connector_jira_jsm_sandbox.site import Site

LIFE = timedelta(days=30)
MOST = 5  # for one app, one person and one site
SCOPE = "manage:jira-webhook"
EVENTS = frozenset({"jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created"})
_FILTER_FIELDS = ("project", "issueKey", "issuetype", "status", "assignee", "reporter", "priority")


def _as_json(one: DynamicWebhook, site: Site) -> dict[str, Any]:
    """Show a registration as its app sees it."""
    shown: dict[str, Any] = {"id": one.id, "url": one.url, "events": list(one.events), "jqlFilter": one.jql}
    fields = {"fieldIdsFilter": list(one.fields)} if one.fields else {}
    return {**shown, **fields, "expirationDate": _end(site, one.ends)}


def _end(site: Site, ends: datetime) -> int | str:
    """Write a time as the site does: Atlassian's schema says a number, its examples show a text."""
    text = ends.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ends.microsecond // 1000:03}+0000"
    return text if site.webhook_ends_as_text else epoch_millis(ends)


def _apps_only(call: Call) -> dict[int, DynamicWebhook]:
    if "cloud" not in call.params:
        raise jira_error(403, "Only Connect and OAuth 2.0 apps can use this operation.")
    return call.site.dynamic_webhooks


def list_webhooks(call: Call) -> Answer:
    """List the app's registrations, a page at a time."""
    known = sorted(_apps_only(call).values(), key=lambda one: one.id)
    start, most = call.number("startAt", 0), min(call.number("maxResults", 100), 100)
    shown = [_as_json(one, call.site) for one in known[start : start + most]]
    is_last = start + most >= len(known)
    return Answer(200, {"startAt": start, "maxResults": most, "total": len(known), "isLast": is_last, "values": shown})


def register(call: Call) -> Answer:
    """Register webhooks; each succeeds or fails for itself, in the order asked."""
    known = _apps_only(call)
    body = call.json_object(frozenset({"url", "webhooks"}))
    url, wanted = text(body, "url"), body.get("webhooks")
    if not url.startswith(("http://", "https://")) or not isinstance(wanted, list) or not wanted:
        raise bad_payload()
    if any(one.url != url for one in known.values()):
        raise jira_error(400, "Only a single URL per app is allowed to be registered.")
    return Answer(200, {"webhookRegistrationResult": [_register_one(call, known, url, one) for one in wanted]})


def _register_one(call: Call, known: dict[int, DynamicWebhook], url: str, asked: object) -> dict[str, Any]:
    if not isinstance(asked, dict):
        raise bad_payload()
    events, jql, fields = strings(asked, "events"), text(asked, "jqlFilter"), strings(asked, "fieldIdsFilter")
    if unknown := sorted(set(events) - EVENTS) or (() if events else ("none",)):
        return {"errors": [f"The event {unknown[0]} is not supported."]}
    if len(known) >= MOST:
        return {"errors": [f"The limit of {MOST} webhooks is exceeded."]}
    try:
        is_bounded = bool(parse(jql, call.site, call.user).clauses)
    except BadQuery as error:
        return {"errors": [str(error)]}
    if not is_bounded or jql.split()[0].strip('"') not in _FILTER_FIELDS:
        return {"errors": ["The jqlFilter is not supported."]}
    number = call.site.next_webhook_id()
    known[number] = DynamicWebhook(number, url, events, jql, fields, call.site.now() + LIFE)
    return {"createdWebhookId": number}


def refresh(call: Call) -> Answer:
    """Give registrations another 30 days; unknown ones are passed over."""
    known = _apps_only(call)
    ends = call.site.now() + LIFE
    for number in _numbers(call):
        if number in known:
            known[number] = replace(known[number], ends=ends)
    return Answer(200, {"expirationDate": _end(call.site, ends)})


def delete(call: Call) -> Answer:
    """Forget registrations; unknown ones are passed over."""
    known = _apps_only(call)
    for number in _numbers(call):
        known.pop(number, None)
    return Answer(202)


def _numbers(call: Call) -> tuple[int, ...]:
    return numbers(call.json_object(frozenset({"webhookIds"})), "webhookIds", most=100)


OPERATIONS = (
    Operation("GET", "/webhook", list_webhooks, SCOPE),
    Operation("POST", "/webhook", register, SCOPE),
    Operation("DELETE", "/webhook", delete, SCOPE),
    Operation("PUT", "/webhook/refresh", refresh, SCOPE),
)
