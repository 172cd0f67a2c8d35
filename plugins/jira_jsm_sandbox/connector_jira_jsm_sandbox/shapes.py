"""Shows the site's things as the platform API and webhooks do. Pure: things in, JSON out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector_jira_jsm_sandbox.adf import adf_to_html
from connector_jira_jsm_sandbox.issue import Change, Comment, Fields, Issue, jira_time
from connector_jira_jsm_sandbox.profile import (
    Desk,
    FieldKind,
    NamedValue,
    Option,
    Priority,
    RequestField,
    Status,
    Transition,
    User,
)
from connector_jira_jsm_sandbox.site import Site
from connector_jira_jsm_sandbox.wiki import wiki_to_adf

JSON = dict[str, Any]

_PICTURE_SIZES = ("48x48", "24x24", "16x16", "32x32")
CATEGORIES: dict[str, JSON] = {
    "undefined": {"id": 1, "key": "undefined", "colorName": "medium-gray", "name": "No Category"},
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}


def rich_text(site: Site, text: str | None, version: str) -> Any:  # noqa: ANN401 - JSON
    """Show text as a document in API v3, which names those it mentions, and as wiki markup in v2, which does not."""
    document = wiki_to_adf(text) if version == "3" else text
    if isinstance(document, dict):
        _name_mentions(document, {one.account_id: one.display_name for one in site.profile.people})
    return document


def _name_mentions(node: JSON, names: dict[str, str]) -> None:
    if node.get("type") == "mention" and node["attrs"]["id"] in names:
        node["attrs"]["text"] = "@" + names[node["attrs"]["id"]]
    for child in node.get("content", []):
        _name_mentions(child, names)


def html(text: str | None) -> str:
    """Render wiki markup."""
    return adf_to_html(wiki_to_adf(text))


def user(site: Site, person: User, version: str = "3") -> JSON:
    """Show a person; e-mail addresses stay private."""
    picture = f"{site.url}/secure/useravatar?avatarId=10000"
    return {
        "self": f"{site.url}/rest/api/{version}/user?accountId={person.account_id}",
        "accountId": person.account_id,
        "avatarUrls": dict.fromkeys(_PICTURE_SIZES, picture),
        "displayName": person.display_name,
        "active": True,
        "timeZone": person.time_zone,
        "accountType": "atlassian",
    }


def category(site: Site, key: str, version: str = "3") -> JSON:
    """Show a status category."""
    shown = CATEGORIES[key]
    return {"self": f"{site.url}/rest/api/{version}/statuscategory/{shown['id']}", **shown}


def status(site: Site, shown: Status, version: str = "3") -> JSON:
    """Show a status with its category."""
    return {
        "self": f"{site.url}/rest/api/{version}/status/{shown.id}",
        "description": "",
        "iconUrl": f"{site.url}/images/icons/status_generic.gif",
        "name": shown.name,
        "id": shown.id,
        "statusCategory": category(site, shown.category, version),
    }


def priority(site: Site, shown: Priority, version: str = "3", *, full: bool = False) -> JSON:
    """Show a priority; lists of priorities show more of it than issues do."""
    short = {
        "self": f"{site.url}/rest/api/{version}/priority/{shown.id}",
        "iconUrl": f"{site.url}/images/icons/priorities/{shown.name.lower()}.svg",
        "name": shown.name,
        "id": shown.id,
    }
    return {**short, "statusColor": shown.color, "description": ""} if full else short


def resolution(site: Site, shown: NamedValue, version: str = "3") -> JSON:
    """Show a resolution."""
    return {
        "self": f"{site.url}/rest/api/{version}/resolution/{shown.id}",
        "id": shown.id,
        "description": "",
        "name": shown.name,
    }


def issue_type(site: Site, type_id: str, version: str = "3") -> JSON:
    """Show an issue type."""
    name = next((kind.name for kind in site.profile.issue_types if kind.id == type_id), "Task")
    return {
        "self": f"{site.url}/rest/api/{version}/issuetype/{type_id}",
        "id": type_id,
        "description": "",
        "iconUrl": f"{site.url}/images/icons/issuetypes/{type_id}.svg",
        "name": name,
        "subtask": False,
        "hierarchyLevel": 0,
    }


def project(site: Site, desk: Desk, version: str = "3") -> JSON:
    """Show a project as issues do."""
    picture = f"{site.url}/rest/api/{version}/universal_avatar/view/type/project/avatar/10400"
    return {
        "self": f"{site.url}/rest/api/{version}/project/{desk.project_id}",
        "id": desk.project_id,
        "key": desk.project_key,
        "name": desk.name,
        "projectTypeKey": "service_desk",
        "simplified": False,
        "avatarUrls": dict.fromkeys(_PICTURE_SIZES, picture),
    }


def comment(  # noqa: PLR0913 - what is shown, to whom and how
    site: Site, issue: Issue, shown: Comment, reader: User, version: str, *, with_properties: bool = False
) -> JSON:
    """Show a comment as the platform API does."""
    properties = [{"key": key, "value": value} for key, value in shown.properties]
    moment = jira_time(shown.created, reader)
    return {
        "self": f"{site.url}/rest/api/{version}/issue/{issue.id}/comment/{shown.id}",
        "id": shown.id,
        "author": user(site, shown.author, version),
        "body": rich_text(site, shown.body, version),
        "updateAuthor": user(site, shown.author, version),
        "created": moment,
        "updated": moment,
        "jsdPublic": shown.public,
        **({"properties": properties} if with_properties else {}),
    }


def change(site: Site, shown: Change, reader: User, version: str) -> JSON:
    """Show one entry of an issue's history."""
    return {
        "id": shown.id,
        "author": user(site, shown.author, version),
        "created": jira_time(shown.created, reader),
        "items": [item.as_json() for item in shown.items],
    }


def transition(site: Site, shown: Transition, version: str, *, with_fields: bool = False) -> JSON:
    """Show a transition and where it leads."""
    body: JSON = {
        "id": shown.id,
        "name": shown.name,
        "to": status(site, site.profile.status(shown.to_status), version),
        "hasScreen": bool(shown.screen),
        "isGlobal": not shown.from_statuses,
        "isInitial": False,
        "isConditional": bool(shown.from_statuses),
        "isAvailable": True,
        "looped": False,
    }
    if with_fields:
        body["fields"] = {
            name: field_meta(site, name, version, required=name in shown.required_fields)
            for name in shown.screen
            if name not in site.profile.hidden_fields
        }
    return body


_FIELD_TYPES: dict[str, tuple[str, JSON]] = {
    "summary": ("Summary", {"type": "string", "system": "summary"}),
    "description": ("Description", {"type": "string", "system": "description"}),
    "priority": ("Priority", {"type": "priority", "system": "priority"}),
    "labels": ("Labels", {"type": "array", "items": "string", "system": "labels"}),
    "resolution": ("Resolution", {"type": "resolution", "system": "resolution"}),
    "project": ("Project", {"type": "project", "system": "project"}),
    "issuetype": ("Issue Type", {"type": "issuetype", "system": "issuetype"}),
    "status": ("Status", {"type": "status", "system": "status"}),
    "created": ("Created", {"type": "datetime", "system": "created"}),
    "updated": ("Updated", {"type": "datetime", "system": "updated"}),
    "reporter": ("Reporter", {"type": "user", "system": "reporter"}),
}


def field_names() -> Iterable[tuple[str, str, JSON]]:
    """List the system fields as (id, name, schema)."""
    return [(field_id, name, schema) for field_id, (name, schema) in _FIELD_TYPES.items()]


def field_label(site: Site, field_id: str) -> str:
    """Return what people call a field."""
    custom = site.profile.custom_field(field_id)
    return _FIELD_TYPES[field_id][0] if field_id in _FIELD_TYPES else (custom.name if custom else field_id)


def field_meta(site: Site, field_id: str, version: str, *, required: bool = False, desk: Desk | None = None) -> JSON:
    """Show what may be put into a field."""
    custom = site.profile.custom_field(field_id)
    schema = _FIELD_TYPES[field_id][1] if field_id in _FIELD_TYPES else schema_of(custom)
    meta: JSON = {
        "required": required,
        "schema": schema,
        "name": field_label(site, field_id),
        "key": field_id,
        "hasDefaultValue": field_id == "priority",
        "operations": ["add", "set", "remove"] if schema["type"] == "array" else ["set"],
    }
    if field_id == "priority":
        meta["allowedValues"] = [priority(site, shown, version) for shown in site.profile.offered_priorities(desk)]
    elif field_id == "resolution":
        meta["allowedValues"] = [resolution(site, shown, version) for shown in site.profile.resolutions]
    elif custom is not None and custom.options:
        meta["allowedValues"] = [_allowed(site, one, version) for one in custom.options]
    return meta


def _allowed(site: Site, option: Option, version: str) -> JSON:
    shown: JSON = {
        "self": f"{site.url}/rest/api/{version}/customFieldOption/{option.id}",
        "value": option.name,
        "id": option.id,
    }
    return (
        {**shown, "children": [_allowed(site, one, version) for one in option.children]} if option.children else shown
    )


_CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes:"
_CUSTOM_SCHEMAS: dict[FieldKind, JSON] = {
    FieldKind.TEXT: {"type": "string", "custom": _CUSTOM + "textfield"},
    FieldKind.LONG_TEXT: {"type": "string", "custom": _CUSTOM + "textarea"},
    FieldKind.NUMBER: {"type": "number", "custom": _CUSTOM + "float"},
    FieldKind.DATE: {"type": "date", "custom": _CUSTOM + "datepicker"},
    FieldKind.DATE_TIME: {"type": "datetime", "custom": _CUSTOM + "datetime"},
    FieldKind.SELECT: {"type": "option", "custom": _CUSTOM + "select"},
    FieldKind.MULTI_SELECT: {"type": "array", "items": "option", "custom": _CUSTOM + "multiselect"},
    FieldKind.CASCADING: {"type": "option-with-child", "custom": _CUSTOM + "cascadingselect"},
    FieldKind.USER: {"type": "user", "custom": _CUSTOM + "userpicker"},
    FieldKind.LABELS: {"type": "array", "items": "string", "custom": _CUSTOM + "labels"},
    FieldKind.ASSET: {
        "type": "array",
        "items": "cmdb-object-field",
        "custom": "com.atlassian.jira.plugins.cmdb:cmdb-object-cftype",
    },
}


def schema_of(field: RequestField | None) -> JSON:
    """Show what kind of values a field holds."""
    if field is None:
        return _CUSTOM_SCHEMAS[FieldKind.TEXT]
    if field.field_id in _FIELD_TYPES:
        return _FIELD_TYPES[field.field_id][1]
    number = field.field_id.removeprefix("customfield_")
    return {**_CUSTOM_SCHEMAS[field.kind], **({"customId": int(number)} if number.isdigit() else {})}


def issue_fields(site: Site, issue: Issue, fields: Fields, reader: User, version: str) -> JSON:
    """Show all fields of an issue, as one moment had them; those that the field configuration hides are not there."""
    profile = site.profile
    desk = profile.desk(issue.project_key) or profile.desks[0]
    shown_priority = profile.priority(fields.priority_id)
    shown_resolution = profile.resolution(fields.resolution_id) if fields.resolution_id else None
    every = {
        "summary": fields.summary,
        "description": rich_text(site, fields.description, version),
        "priority": priority(site, shown_priority, version) if shown_priority else None,
        "status": status(site, profile.status(fields.status_id), version),
        "resolution": resolution(site, shown_resolution, version) if shown_resolution else None,
        "resolutiondate": jira_time(fields.resolved, reader) if fields.resolved else None,
        "statuscategorychangedate": jira_time(fields.status_changed, reader),
        "created": jira_time(issue.created, reader),
        "updated": jira_time(fields.updated, reader),
        "project": project(site, desk, version),
        "issuetype": issue_type(site, issue.issue_type_id, version),
        "reporter": user(site, issue.reporter, version),
        "creator": user(site, issue.creator or issue.reporter, version),
        "assignee": None,
        "labels": list(fields.labels),
        "components": [],
        "duedate": None,
        "environment": None,
        **dict(fields.custom),
    }
    return {name: value for name, value in every.items() if name not in profile.hidden_fields}
