"""The platform API's description of what may be created, for clients that ask before they create."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.issue_operations import READ
from connector_jira_jsm_sandbox.profile import Desk


def _fields(call: Call, desk: Desk | None) -> dict[str, Any]:
    names = ["project", "issuetype", *sorted(call.site.profile.editable)]
    needed = {"project", "issuetype", "summary"}
    return {
        name: shapes.field_meta(call.site, name, call.version, required=name in needed, desk=desk) for name in names
    }


def _types(call: Call, desk: Desk | None) -> list[dict[str, Any]]:
    if desk is None:
        raise jira_error(400, "No project could be found with that key or id.")
    return [shapes.issue_type(call.site, kind.id, call.version) for kind in call.site.profile.issue_types]


def create_meta(call: Call) -> Answer:
    """Describe projects, their issue types and, when asked, the fields."""
    wanted = {*call.listed("projectKeys"), *call.listed("projectIds")}
    with_fields = "projects.issuetypes.fields" in call.query.get("expand", "")
    projects = []
    for desk in call.site.profile.desks:
        if wanted and not wanted & {desk.project_key, desk.project_id}:
            continue
        types = _types(call, desk)
        shown = shapes.project(call.site, desk, call.version)
        kept = {key: shown[key] for key in ("self", "id", "key", "name", "avatarUrls")}
        issue_types = [{**kind, "fields": _fields(call, desk)} if with_fields else kind for kind in types]
        projects.append({**kept, "issuetypes": issue_types})
    return Answer(200, {"expand": "projects", "projects": projects})


def create_meta_types(call: Call) -> Answer:
    """List the issue types of a project."""
    types = _types(call, call.site.profile.desk(call.params["project"]))
    return Answer(200, {"issueTypes": types, "maxResults": 50, "startAt": 0, "total": len(types)})


def create_meta_fields(call: Call) -> Answer:
    """List the fields of an issue type."""
    desk = call.site.profile.desk(call.params["project"])
    _types(call, desk)
    fields = [{"fieldId": name, **meta} for name, meta in _fields(call, desk).items()]
    return Answer(200, {"fields": fields, "maxResults": 50, "startAt": 0, "total": len(fields)})


OPERATIONS = (
    Operation("GET", "/issue/createmeta", create_meta, READ),
    Operation("GET", "/issue/createmeta/{project}/issuetypes", create_meta_types, READ),
    Operation("GET", "/issue/createmeta/{project}/issuetypes/{type}", create_meta_fields, READ),
)
