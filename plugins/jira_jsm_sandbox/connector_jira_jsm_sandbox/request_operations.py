"""The service desk API's operations on requests: create, show, list, move, comment."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, Refusal, jsm_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.custom_values import custom_value, labels
from connector_jira_jsm_sandbox.field_input import priority_id, rich_text, summary
from connector_jira_jsm_sandbox.issue import Comment, Issue
from connector_jira_jsm_sandbox.jsm_operations import (
    READ,
    WRITE,
    date_json,
    desk_json,
    find_desk,
    find_request_type,
    paged,
    request_type_json,
    shown_fields,
    user_json,
)
from connector_jira_jsm_sandbox.payload import TEXT_LIMIT, BadValue, units
from connector_jira_jsm_sandbox.profile import Desk, RequestField, RequestType, User

_REQUEST_KEYS = frozenset(
    {
        "serviceDeskId",
        "requestTypeId",
        "requestFieldValues",
        "raiseOnBehalfOf",
        "requestParticipants",
        "isAdfRequest",
        "form",
        "channel",
    }
)
_COULD_NOT = "Your request could not be created. Please check the fields have been correctly filled in. "


def create_request(call: Call) -> Answer:
    """Raise a request through the portal's API."""
    body = call.json_object(_REQUEST_KEYS)
    desk_id, type_id = body.get("serviceDeskId"), body.get("requestTypeId")
    if not isinstance(desk_id, str) or not isinstance(type_id, str):
        raise _refused("Please provide a service desk and a request type, as strings.")
    try:
        desk = find_desk(call, desk_id)
        kind = find_request_type(desk, type_id)
    except Refusal as refusal:
        # Asking for what is not there is 404 on a path, and 400 in a body.
        raise jsm_error(400, str(refusal.answer.body["errorMessage"])) from refusal
    values = body.get("requestFieldValues") or {}
    if not isinstance(values, dict):
        raise _refused("requestFieldValues must be an object.")
    changes = _request_fields(call, desk, kind, values, is_adf=body.get("isAdfRequest") is True)
    author = _reporter(call, body.get("raiseOnBehalfOf"))
    participants = _participants(call, body.get("requestParticipants"))
    if "CREATE_ISSUES" in call.site.profile.denied:
        raise jsm_error(403, "You do not have permission to create requests in this service desk.")
    issue = call.site.create(
        author,
        project_key=desk.project_key,
        issue_type_id=kind.issue_type_id,
        request_type_id=kind.id,
        participants=participants,
        creator=call.user,
        **changes,
    )
    return Answer(201, request_json(call, issue))


def _reporter(call: Call, asked: object) -> User:
    if asked is None:
        return call.user
    return _known(call, asked)


def _participants(call: Call, asked: object) -> tuple[str, ...]:
    if asked is not None and not isinstance(asked, list):
        raise _refused("requestParticipants must be a list.")
    return tuple(_known(call, one).account_id for one in asked or ())


def _known(call: Call, account_id: object) -> User:
    found = next((one for one in call.site.profile.people if one.account_id == account_id), None)
    if found is None:
        raise jsm_error(400, f"The user {account_id} does not exist, or is no customer of this service desk.")
    return found


def _request_fields(
    call: Call, desk: Desk, kind: RequestType, values: dict[str, Any], *, is_adf: bool
) -> dict[str, Any]:
    known = {one.field_id: one for one in shown_fields(call, kind)}
    if unknown := sorted(set(values) - set(known)):
        text = f"Field '{unknown[0]}' cannot be set. It is not on the appropriate screen, or unknown."
        raise _refused(text)
    for one in known.values():
        if one.field_id in values and one.field_id in call.site.profile.refused_fields:
            raise _refused(f"Please provide a valid value for field '{one.name}'")
        if one.required and not one.preset and values.get(one.field_id) in (None, "", []):
            raise _refused(f"Please provide a valid value for field '{one.name}'")
    changes: dict[str, Any] = {"custom": ()}
    for name, value in values.items():
        try:
            _put(call, desk, changes, known[name], value, is_adf=is_adf)
        except BadValue as error:
            raise _refused(str(error)) from error
    return changes


def _put(  # noqa: PLR0913 - one field needs all of it
    call: Call, desk: Desk, changes: dict[str, Any], shown: RequestField, value: object, *, is_adf: bool
) -> None:
    if shown.field_id == "summary":
        changes["summary"] = summary(value)
    elif shown.field_id == "description":
        changes["description"] = rich_text(value, "3" if is_adf else "2")
    elif shown.field_id == "priority":
        changes["priority_id"] = priority_id(call, value, desk)
    elif shown.field_id == "labels":
        changes["labels"] = tuple(labels(value))
    elif value is not None:
        changes["custom"] += ((shown.field_id, custom_value(shown, value, call.site.profile)),)


def _refused(text: str) -> Refusal:
    return jsm_error(400, _COULD_NOT + text)


def request_json(call: Call, issue: Issue) -> dict[str, Any]:
    """Show an issue as a request, with what `expand` asks for."""
    site, fields = call.site, issue.fields
    desk = site.profile.desk(issue.project_key) or site.profile.desks[0]
    kind = find_request_type(desk, issue.request_type_id or "")
    base = f"{site.url}/rest/servicedeskapi/request/{issue.id}"
    body: dict[str, Any] = {
        "_expands": ["participant", "status", "sla", "requestType", "serviceDesk", "attachment", "action", "comment"],
        "issueId": issue.id,
        "issueKey": issue.key,
        "summary": fields.summary,
        "requestTypeId": kind.id,
        "serviceDeskId": desk.id,
        "createdDate": date_json(call, issue.created),
        "reporter": user_json(call, issue.reporter),
        "requestFieldValues": _field_values(call, issue, kind),
        "currentStatus": _status_json(call, issue),
        "_links": {
            "jiraRest": f"{site.url}/rest/api/2/issue/{issue.id}",
            "web": f"{site.url}/servicedesk/customer/portal/{desk.id}/{issue.key}",
            "self": base,
            "agent": f"{site.url}/browse/{issue.key}",
        },
    }
    wanted = call.listed("expand")
    if "serviceDesk" in wanted:
        body["serviceDesk"] = desk_json(call, desk)
    if "requestType" in wanted:
        body["requestType"] = request_type_json(call, desk, kind)
    return body


def _field_values(call: Call, issue: Issue, kind: RequestType) -> list[dict[str, Any]]:
    fields = issue.fields
    shown_priority = call.site.profile.priority(fields.priority_id)
    values: dict[str, Any] = {
        "summary": fields.summary,
        "description": fields.description,
        "priority": shapes.priority(call.site, shown_priority, "2") if shown_priority else None,
        "labels": list(fields.labels),
        **dict(fields.custom),
    }
    listed = []
    for one in kind.fields:
        if one.hidden or values.get(one.field_id) is None:
            continue
        value: dict[str, Any] = {"fieldId": one.field_id, "label": one.name, "value": values[one.field_id]}
        if one.field_id == "description":
            value["renderedValue"] = {"html": shapes.html(fields.description)}
        listed.append(value)
    return listed


def _status_json(call: Call, issue: Issue) -> dict[str, Any]:
    status = call.site.profile.status(issue.fields.status_id)
    changed = date_json(call, issue.fields.status_changed)
    return {
        "status": status.customer_name or status.name,
        "statusCategory": status.category.upper(),
        "statusDate": changed,
    }


def _request(call: Call) -> Issue:
    issue = call.issue()
    if issue.request_type_id is None:
        raise jsm_error(404, "Issue does not exist or you do not have permission to see it.")
    return issue


def get_request(call: Call) -> Answer:
    """Show a request."""
    return Answer(200, request_json(call, _request(call)))


def list_requests(call: Call) -> Answer:
    """List requests, the latest activity first."""
    desk_id, type_id = call.query.get("serviceDeskId"), call.query.get("requestTypeId")
    desk = call.site.profile.desk(desk_id) if desk_id else None
    word = call.query.get("searchTerm", "").casefold()
    wanted_status = call.query.get("requestStatus", "ALL_REQUESTS")
    found = [
        issue
        for issue in filter(call.site.is_listed, call.site.issues())
        if issue.request_type_id is not None
        and (desk_id is None or (desk is not None and issue.project_key == desk.project_key))
        and type_id in (None, issue.request_type_id)
        and word in f"{issue.key} {issue.fields.summary}".casefold()
        and (wanted_status == "ALL_REQUESTS" or call.site.is_done(issue) == (wanted_status == "CLOSED_REQUESTS"))
    ]
    found.sort(key=lambda issue: issue.fields.updated, reverse=True)
    return paged(call, [request_json(call, issue) for issue in found])


def request_statuses(call: Call) -> Answer:
    """Show a request's current status as the newest entry of a list."""
    return paged(call, [_status_json(call, _request(call))])


def list_request_transitions(call: Call) -> Answer:
    """List the transitions that the portal offers now; where they lead is not told."""
    open_now = [one for one in call.site.open_transitions(_request(call)) if one.customer]
    return paged(call, [{"id": one.id, "name": one.name} for one in open_now])


def walk_request_transition(call: Call) -> Answer:
    """Walk a transition of the portal, perhaps with a comment."""
    issue = _request(call)
    body = call.json_object(frozenset({"id", "additionalComment"}))
    open_now = [one for one in call.site.open_transitions(issue) if one.customer]
    transition = next((one for one in open_now if one.id == str(body.get("id"))), None)
    if transition is None:
        raise jsm_error(400, "The transition is not valid for this request.", "sd.transition.invalid")
    comment = body.get("additionalComment")
    text = comment.get("body") if isinstance(comment, dict) else None
    if isinstance(text, str) and units(text) > TEXT_LIMIT:
        raise jsm_error(400, "The comment is too long.")
    call.site.move(issue, transition, call.user, comment=text if isinstance(text, str) else None)
    return Answer(204)


def list_request_comments(call: Call) -> Answer:
    """List a request's comments, public and internal as asked."""
    wanted = {True: call.flag("public", default=True), False: call.flag("internal", default=True)}
    issue = _request(call)
    return paged(call, [_comment_json(call, issue, one) for one in issue.fields.comments if wanted[one.public]])


def add_request_comment(call: Call) -> Answer:
    """Add a comment; whether it is public must be said."""
    issue = _request(call)
    if "ADD_COMMENTS" in call.site.profile.denied:
        raise jsm_error(403, "You do not have permission to comment on this request.")
    body = call.json_object(frozenset({"body", "public"}))
    text, public = body.get("body"), body.get("public")
    if not isinstance(text, str) or not text.strip():
        raise jsm_error(400, "The comment body must not be empty.")
    if not isinstance(public, bool):
        raise jsm_error(400, "The field 'public' is required.")
    if units(text) > TEXT_LIMIT:
        raise jsm_error(400, "The comment is too long.")
    if not public and not call.site.profile.account_is_agent:
        raise jsm_error(403, "You do not have permission to add internal comments.")
    return Answer(201, _comment_json(call, issue, call.site.comment(issue, call.user, text, public=public)))


def _comment_json(call: Call, issue: Issue, shown: Comment) -> dict[str, Any]:
    base = f"{call.site.url}/rest/servicedeskapi/request/{issue.id}/comment/{shown.id}"
    return {
        "_expands": ["attachment", "renderedBody"],
        "id": shown.id,
        "body": shown.body,
        "public": shown.public,
        "author": user_json(call, shown.author),
        "created": date_json(call, shown.created),
        "_links": {"self": base},
    }


OPERATIONS = (
    Operation("POST", "/request", create_request, WRITE),
    Operation("GET", "/request", list_requests, READ),
    Operation("GET", "/request/{issue}", get_request, READ),
    Operation("GET", "/request/{issue}/status", request_statuses, READ),
    Operation("GET", "/request/{issue}/transition", list_request_transitions, READ),
    Operation("POST", "/request/{issue}/transition", walk_request_transition, WRITE),
    Operation("GET", "/request/{issue}/comment", list_request_comments, READ),
    Operation("POST", "/request/{issue}/comment", add_request_comment, WRITE),
)
