"""The service desk API's operations on desks and request types, and its paging."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, jsm_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.issue import epoch_millis, jira_time
from connector_jira_jsm_sandbox.profile import Desk, Option, RequestField, RequestType, User

READ, WRITE = "read:servicedesk-request", "write:servicedesk-request"


def paged(call: Call, values: list[Any]) -> Answer:
    """Cut a page out of a list; the server may lower the limit, and links name the site's own address."""
    start, asked = max(0, call.number("start", 0)), call.number("limit", 50)
    limit = max(1, min(asked, call.page_cap))
    shown = values[start : start + limit]
    is_last = start + limit >= len(values)
    links: dict[str, str] = {"base": call.site.url, "context": "", "self": call.site.url + call.path}
    if not is_last:
        links["next"] = _page_link(call, start + limit, limit)
    if start > 0:
        links["prev"] = _page_link(call, max(0, start - limit), limit)
    page = {
        "_expands": [],
        "size": len(shown),
        "start": start,
        "limit": limit,
        "isLastPage": is_last,
        "_links": links,
        "values": shown,
    }
    return Answer(200, page)


def _page_link(call: Call, start: int, limit: int) -> str:
    others = [(key, value) for key, value in call.query.multi_items() if key not in {"start", "limit"}]
    return f"{call.site.url}{call.path}?{urlencode([*others, ('limit', limit), ('start', start)])}"


def date_json(call: Call, moment: datetime) -> dict[str, Any]:
    """Show a time in the four ways of the service desk API."""
    jira = jira_time(moment, call.user)
    return {"iso8601": jira[:19] + jira[23:], "jira": jira, "friendly": "Today", "epochMillis": epoch_millis(moment)}


def user_json(call: Call, person: User) -> dict[str, Any]:
    """Show a person as the service desk API does."""
    shown = shapes.user(call.site, person, "2")
    links = {"jiraRest": shown["self"], "self": shown["self"], "avatarUrls": shown["avatarUrls"]}
    kept = {key: shown[key] for key in ("accountId", "displayName", "active", "timeZone")}
    return {**kept, "_links": links}


def info(call: Call) -> Answer:
    """Describe the service desk application; no scope needed."""
    body = {
        "version": "5.0.0",
        "platformVersion": "1001.0.0",
        "buildDate": date_json(call, call.site.now()),
        "buildChangeSet": "sandbox",
        "isLicensedForUse": call.site.profile.has_jsm,
        "_links": {"self": f"{call.site.url}/rest/servicedeskapi/info"},
    }
    return Answer(200, body)


def find_desk(call: Call, wanted: str) -> Desk:
    """Return a desk by id, or by its project's id or key."""
    desk = call.site.profile.desk(wanted)
    if desk is None:
        raise jsm_error(404, "The service desk does not exist or you do not have permission to see it.")
    return desk


def find_request_type(desk: Desk, wanted: str) -> RequestType:
    """Return one of a desk's request types."""
    found = next((kind for kind in desk.request_types if kind.id == wanted), None)
    if found is None:
        raise jsm_error(404, "The request type does not exist or you do not have permission to see it.")
    return found


def desk_json(call: Call, desk: Desk) -> dict[str, Any]:
    """Show a desk."""
    return {
        "id": desk.id,
        "projectId": desk.project_id,
        "projectName": desk.name,
        "projectKey": desk.project_key,
        "_links": {"self": f"{call.site.url}/rest/servicedeskapi/servicedesk/{desk.id}"},
    }


def request_type_json(call: Call, desk: Desk, kind: RequestType) -> dict[str, Any]:
    """Show a request type."""
    icons = f"{call.site.url}/rest/servicedeskapi/requesttype/icon/10500"
    address = f"{call.site.url}/rest/servicedeskapi/servicedesk/{desk.id}/requesttype/{kind.id}"
    return {
        "_expands": ["field"],
        "id": kind.id,
        "_links": {"self": address},
        "name": kind.name,
        "description": kind.description,
        "helpText": "",
        "issueTypeId": kind.issue_type_id,
        "serviceDeskId": desk.id,
        "portalId": desk.id,
        "groupIds": ["1"],
        "icon": {"id": "10500", "_links": {"iconUrls": {"48x48": f"{icons}?size=large", "16x16": icons}}},
        "canCreateRequest": True,
        "restrictionStatus": "OPEN",
    }


def list_desks(call: Call) -> Answer:
    """List the desks."""
    return paged(call, [desk_json(call, desk) for desk in call.site.profile.desks])


def get_desk(call: Call) -> Answer:
    """Show one desk."""
    return Answer(200, desk_json(call, find_desk(call, call.params["desk"])))


def list_request_types(call: Call) -> Answer:
    """List a desk's request types, perhaps those with a word in their name."""
    desk = find_desk(call, call.params["desk"])
    word = call.query.get("searchQuery", "").casefold()
    found = [kind for kind in desk.request_types if word in f"{kind.name} {kind.description}".casefold()]
    return paged(call, [request_type_json(call, desk, kind) for kind in found])


def get_request_type(call: Call) -> Answer:
    """Show one request type."""
    desk = find_desk(call, call.params["desk"])
    return Answer(200, request_type_json(call, desk, find_request_type(desk, call.params["type"])))


def list_request_fields(call: Call) -> Answer:
    """List a request type's fields; this one is not paged."""
    desk = find_desk(call, call.params["desk"])
    kind = find_request_type(desk, call.params["type"])
    with_hidden = "hiddenFields" in call.listed("expand")
    shown = [_field_json(call, desk, one) for one in shown_fields(call, kind) if with_hidden or not one.hidden]
    return Answer(200, {"requestTypeFields": shown, "canRaiseOnBehalfOf": True, "canAddRequestParticipants": True})


def shown_fields(call: Call, kind: RequestType) -> list[RequestField]:
    """Return the fields of a form but for those that the field configuration hides."""
    return [one for one in kind.fields if one.field_id not in call.site.profile.hidden_fields]


def _field_json(call: Call, desk: Desk, shown: RequestField) -> dict[str, Any]:
    if shown.field_id == "priority":
        choices = tuple(Option(one.id, one.name) for one in call.site.profile.offered_priorities(desk))
    else:
        choices = shown.options
    return {
        "fieldId": shown.field_id,
        "name": shown.name,
        "description": shown.description,
        "required": shown.required,
        "defaultValues": [],
        "validValues": [_option_json(one) for one in choices],
        "presetValues": list(shown.preset),
        "jiraSchema": shapes.schema_of(shown),
        "visible": not shown.hidden,
    }


def _option_json(option: Option) -> dict[str, Any]:
    return {"value": option.id, "label": option.name, "children": [_option_json(one) for one in option.children]}


OPERATIONS = (
    Operation("GET", "/info", info, None),
    Operation("GET", "/servicedesk", list_desks, READ),
    Operation("GET", "/servicedesk/{desk}", get_desk, READ),
    Operation("GET", "/servicedesk/{desk}/requesttype", list_request_types, READ),
    Operation("GET", "/servicedesk/{desk}/requesttype/{type}", get_request_type, READ),
    Operation("GET", "/servicedesk/{desk}/requesttype/{type}/field", list_request_fields, READ),
)
