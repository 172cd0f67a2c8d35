"""The platform API's operations on one issue: read, edit, delete, create, and its comments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, Refusal, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.field_input import comment_in_update, comment_text, field_changes
from connector_jira_jsm_sandbox.issue import Comment, Fields, Issue
from connector_jira_jsm_sandbox.payload import bad_payload, mapping, units

READ, WRITE = "read:jira-work", "write:jira-work"

_EDIT_KEYS = frozenset({"fields", "update", "historyMetadata", "properties", "transition"})
PROPERTY_KEY_LIMIT = 255
PROPERTY_VALUE_LIMIT = 32_768


@dataclass(frozen=True, slots=True)
class View:
    """What of an issue is to be shown; in `fields`, `*all` and `*navigable` stand for all of them."""

    fields: tuple[str, ...] = ("*all",)
    expand: frozenset[str] = frozenset()
    properties: tuple[str, ...] = ()


def issue_json(call: Call, issue: Issue, view: View, fields: Fields | None = None) -> dict[str, Any]:
    """Show an issue, with the fields as they are now or as `fields` has them."""
    version, shown = call.version, fields or issue.fields
    body: dict[str, Any] = {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        "id": issue.id,
        "self": f"{call.site.url}/rest/api/{version}/issue/{issue.id}",
        "key": issue.key,
    }
    if view.fields:
        every = shapes.issue_fields(call.site, issue, shown, call.user, version)
        every["comment"] = _comments(call, issue, shown)
        body["fields"] = _picked(every, view.fields)
    if "renderedFields" in view.expand:
        body["renderedFields"] = {"description": shapes.html(shown.description)}
    if "transitions" in view.expand:
        body["transitions"] = [shapes.transition(call.site, t, version) for t in call.site.open_transitions(issue)]
    if "names" in view.expand:
        body["names"] = {field_id: name for field_id, name, _ in shapes.field_names()}
    if "changelog" in view.expand:
        entries = [shapes.change(call.site, change, call.user, version) for change in reversed(issue.history)]
        body["changelog"] = {"startAt": 0, "maxResults": len(entries), "total": len(entries), "histories": entries}
    if view.properties:
        body["properties"] = {key: issue.properties[key] for key in view.properties if key in issue.properties}
    return body


def _comments(call: Call, issue: Issue, fields: Fields) -> dict[str, Any]:
    shown = [shapes.comment(call.site, issue, comment, call.user, call.version) for comment in fields.comments]
    address = f"{call.site.url}/rest/api/{call.version}/issue/{issue.id}/comment"
    return {"comments": shown, "self": address, "maxResults": len(shown), "total": len(shown), "startAt": 0}


def _picked(every: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    if {"*all", "*navigable"} & set(wanted):
        without = {name[1:] for name in wanted if name.startswith("-")}
        if "*all" not in wanted:
            without.add("comment")
        return {name: value for name, value in every.items() if name not in without}
    if all(name.startswith("-") for name in wanted):
        return {name: value for name, value in every.items() if "-" + name not in wanted}
    return {name: every[name] for name in wanted if name in every}


def expansions(call: Call) -> frozenset[str]:
    """Read `expand`, which names what else to show."""
    return frozenset(call.listed("expand"))


def get_issue(call: Call) -> Answer:
    """Show an issue."""
    properties = tuple(call.listed("properties"))
    issue = call.issue()
    if "*all" in properties:
        properties = tuple(issue.properties)
    view = View(tuple(call.listed("fields")) or ("*all",), expansions(call), properties)
    return Answer(200, issue_json(call, issue, view))


def edit_issue(call: Call) -> Answer:
    """Set fields and properties in one write; a transition in the body is ignored, as on the site."""
    issue = call.issue()
    if "EDIT_ISSUES" in call.site.profile.denied:
        raise jira_error(403, "You do not have permission to edit issues in this project.")
    body = call.json_object(_EDIT_KEYS)
    asked, reverted = field_changes(call, body, call.site.profile.editable), call.site.profile.reverted_fields
    changes = {name: value for name, value in asked.items() if name.removesuffix("_id") not in reverted}
    comment = comment_in_update(call, body)
    issue.properties.update(property_pairs(body.get("properties") or []))
    # Whoever administers neither Jira nor the project may wish for silence, and is not heard.
    may_be_silent = not {"ADMINISTER_PROJECTS", "ADMINISTER"} <= call.site.profile.denied
    mailed = call.query.get("notifyUsers", "true") != "false" or not may_be_silent
    call.site.edit(issue, call.user, comment, mailed=mailed, **changes)
    call.site.after_write()
    if call.flag("returnIssue"):
        return Answer(200, issue_json(call, issue, View(expand=expansions(call))))
    return Answer(204)


def property_pairs(given: object) -> dict[str, Any]:
    """Read properties that go along with a write."""
    if not isinstance(given, list) or not all(isinstance(one, dict) and "key" in one for one in given):
        raise bad_payload()
    pairs = {str(one["key"]): one.get("value") for one in given}
    for key, value in pairs.items():
        check_property(key, value)
    return pairs


def check_property(key: str, value: object) -> None:
    """Refuse a property whose key or value is too long; nothing is no value."""
    if units(key) > PROPERTY_KEY_LIMIT:
        raise jira_error(400, "The property key length must not exceed 255 characters.")
    if value is None or units(json.dumps(value, ensure_ascii=False)) > PROPERTY_VALUE_LIMIT:
        raise jira_error(400, "The property value must be valid JSON of at most 32768 characters.")


def delete_issue(call: Call) -> Answer:
    """Remove an issue for good."""
    call.site.delete(call.issue(), call.user)
    return Answer(204)


def create_issue(call: Call) -> Answer:
    """Create an issue without the portal."""
    body = call.json_object(_EDIT_KEYS)
    given = dict(mapping(body, "fields"))
    project, kind = given.pop("project", None), given.pop("issuetype", None)
    desk = call.site.profile.desk(str(_reference(project, "key", "id")))
    if desk is None:
        raise jira_error(400, errors={"project": "Specify a valid project ID or key"})
    type_name = str(_reference(kind, "id", "name"))
    type_id = next((t.id for t in call.site.profile.issue_types if type_name in (t.id, t.name)), None)
    if type_id is None:
        raise jira_error(400, errors={"issuetype": "Specify a valid issue type"})
    changes = field_changes(call, {**body, "fields": given}, call.site.profile.editable)
    if not changes.get("summary"):
        raise jira_error(400, errors={"summary": "You must specify a summary of the issue."})
    issue = call.site.create(call.user, project_key=desk.project_key, issue_type_id=type_id, **changes)
    issue.properties.update(property_pairs(body.get("properties") or []))
    address = f"{call.site.url}/rest/api/{call.version}/issue/{issue.id}"
    return Answer(201, {"id": issue.id, "key": issue.key, "self": address})


def _reference(given: object, *keys: str) -> object:
    if not isinstance(given, dict):
        return None
    return next((given[key] for key in keys if given.get(key)), None)


def edit_meta(call: Call) -> Answer:
    """List the fields that may be edited, with what may be put in."""
    screen = sorted(call.site.profile.editable)
    desk = call.site.profile.desk(call.issue().project_key)
    metas = {
        name: shapes.field_meta(call.site, name, call.version, required=name == "summary", desk=desk) for name in screen
    }
    return Answer(200, {"fields": metas})


def list_comments(call: Call) -> Answer:
    """List an issue's comments, a page at a time."""
    issue = call.issue()
    start, most = call.number("startAt", 0), min(call.number("maxResults", 100), 100)
    order = call.query.get("orderBy", "created")
    if order not in {"created", "+created", "-created"}:
        raise jira_error(400, "The orderBy parameter is not valid.")
    listed = issue.fields.comments[::-1] if order == "-created" else issue.fields.comments
    shown = [_comment_json(call, issue, one) for one in listed]
    page = {"startAt": start, "maxResults": most, "total": len(shown), "comments": shown[start : start + most]}
    return Answer(200, page)


def add_comment(call: Call) -> Answer:
    """Add a comment; a `sd.public.comment` property makes it internal."""
    issue = call.issue()
    if "ADD_COMMENTS" in call.site.profile.denied:
        raise jira_error(400, "You do not have the permission to comment on this issue.")
    body = call.json_object()
    text, pairs = comment_text(call, body.get("body")), property_pairs(body.get("properties") or [])
    public = _is_public(pairs) or not call.site.profile.account_is_agent
    added = call.site.comment(issue, call.user, text, public=public, properties=pairs.items())
    return Answer(201, _comment_json(call, issue, added))


def get_comment(call: Call) -> Answer:
    """Show one comment."""
    issue = call.issue()
    found = next((one for one in issue.fields.comments if one.id == call.params["comment"]), None)
    if found is None:
        raise _no_such_comment()
    return Answer(200, _comment_json(call, issue, found))


def delete_comment(call: Call) -> Answer:
    """Remove a comment."""
    issue = call.issue()
    if not call.site.forget_comment(issue, call.params["comment"], call.user):
        raise _no_such_comment()
    return Answer(204)


def _no_such_comment() -> Refusal:
    return jira_error(404, "Can not find a comment for the id.")


def _comment_json(call: Call, issue: Issue, shown: Comment) -> dict[str, Any]:
    with_properties = "properties" in call.listed("expand")
    return shapes.comment(call.site, issue, shown, call.user, call.version, with_properties=with_properties)


def _is_public(pairs: dict[str, Any]) -> bool:
    internal = pairs.get("sd.public.comment")
    return not (isinstance(internal, dict) and internal.get("internal") is True)


OPERATIONS = (
    Operation("POST", "/issue", create_issue, WRITE),
    Operation("GET", "/issue/{issue}", get_issue, READ),
    Operation("PUT", "/issue/{issue}", edit_issue, WRITE),
    Operation("DELETE", "/issue/{issue}", delete_issue, WRITE),
    Operation("GET", "/issue/{issue}/editmeta", edit_meta, READ),
    Operation("GET", "/issue/{issue}/comment", list_comments, READ),
    Operation("POST", "/issue/{issue}/comment", add_comment, WRITE),
    Operation("GET", "/issue/{issue}/comment/{comment}", get_comment, READ),
    Operation("DELETE", "/issue/{issue}/comment/{comment}", delete_comment, WRITE),
)
