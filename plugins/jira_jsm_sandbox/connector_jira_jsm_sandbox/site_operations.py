"""The platform API's operations on the site itself: who am I, projects, statuses, priorities, fields."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.issue import jira_time
from connector_jira_jsm_sandbox.issue_operations import READ
from connector_jira_jsm_sandbox.profile import Desk

USER, ADMIN = "read:jira-user", "manage:jira-configuration"

_PERMISSIONS = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "ADD_COMMENTS",
    "DELETE_ISSUES",
    "LINK_ISSUES",
    "ADMINISTER_PROJECTS",
    "ADMINISTER",
    "SERVICEDESK_AGENT",
)


def myself(call: Call) -> Answer:
    """Show the account behind the credentials."""
    shown = shapes.user(call.site, call.user, call.version)
    groups: dict[str, Any] = {"size": 1, "items": []}
    body = {**shown, "emailAddress": call.user.email, "locale": "en_US", "groups": groups, "expand": "groups"}
    return Answer(200, body)


def get_user(call: Call) -> Answer:
    """Show a person by account id."""
    wanted = call.query.get("accountId", "")
    found = next((one for one in call.site.profile.people if one.account_id == wanted), None)
    if found is None:
        raise jira_error(404, f"Specified user does not exist or you do not have required permissions: {wanted}")
    return Answer(200, shapes.user(call.site, found, call.version))


def find_users(call: Call) -> Answer:
    """Search for people by the beginnings of their names or of their e-mail addresses; some may browse nobody."""
    wanted = call.query.get("query", "").casefold()
    if not wanted and not call.query.get("accountId"):
        raise jira_error(400, "Either query, accountId or property must be given.")
    most = call.query.get("maxResults", "50")
    found = [
        one
        for one in call.site.profile.people
        if any(text.casefold().startswith(wanted) for text in (one.display_name, *one.display_name.split(), one.email))
    ]
    may_browse = "USER_PICKER" not in call.site.profile.denied
    shown = found[: int(most) if most.isdecimal() else 0] if may_browse else []
    return Answer(200, [shapes.user(call.site, one, call.version) for one in shown])


def my_permissions(call: Call) -> Answer:
    """Tell which of the asked permissions the caller has; asking for none or an unknown one is refused."""
    asked = call.listed("permissions")
    if not asked:
        raise jira_error(400, "The 'permissions' query parameter is required.")
    if unknown := [name for name in asked if name not in _PERMISSIONS]:
        raise jira_error(400, f"Unrecognized permission: {unknown[0]}")
    wanted = call.query.get("projectKey") or call.query.get("projectId")
    desk = call.site.profile.desk(wanted) if wanted else None
    if wanted and desk is None:
        raise jira_error(404, f"No project could be found with key '{wanted}'.")
    is_forbidden = desk is not None and desk.project_key in call.site.forbidden
    shown = {
        name: {
            "id": str(_PERMISSIONS.index(name) + 10),
            "key": name,
            "name": name.replace("_", " ").title(),
            "type": "GLOBAL" if name == "ADMINISTER" else "PROJECT",
            "description": "",
            "havePermission": not is_forbidden and name not in call.site.profile.denied,
        }
        for name in asked
    }
    return Answer(200, {"permissions": shown})


def server_info(call: Call) -> Answer:
    """Describe the installation; no login needed."""
    body = {
        "baseUrl": call.site.url,
        "version": "1001.0.0-SNAPSHOT",
        "versionNumbers": [1001, 0, 0],
        "deploymentType": "Cloud",
        "buildNumber": 100300,
        "buildDate": "2026-06-01T00:00:00.000+0000",
        "serverTime": jira_time(call.site.now(), call.user),
        "scmInfo": "sandbox",
        "serverTitle": "Jira",
    }
    return Answer(200, body)


def _full_project(call: Call, desk: Desk) -> dict[str, Any]:
    return {
        "expand": "description,lead,issueTypes,url,projectKeys,permissions,insight",
        **shapes.project(call.site, desk, call.version),
        "description": "",
        "lead": shapes.user(call.site, call.site.profile.account, call.version),
        "issueTypes": [shapes.issue_type(call.site, kind.id, call.version) for kind in call.site.profile.issue_types],
        "assigneeType": "UNASSIGNED",
        "components": [],
        "versions": [],
        "roles": {},
        "style": "classic",
        "isPrivate": False,
        "archived": desk.project_key in call.site.archived_projects,
        "properties": {},
    }


def _desk(call: Call) -> Desk:
    wanted = call.params["project"]
    desk = next((d for d in call.site.profile.desks if wanted in (d.project_id, d.project_key)), None)
    if desk is None or desk.project_key in call.site.forbidden:
        raise jira_error(404, f"No project could be found with key '{wanted}'.")
    return desk


def get_project(call: Call) -> Answer:
    """Show a project by key or id."""
    return Answer(200, _full_project(call, _desk(call)))


def list_projects(call: Call) -> Answer:
    """List all projects."""
    return Answer(200, [_full_project(call, desk) for desk in call.site.profile.desks])


def search_projects(call: Call) -> Answer:
    """List projects a page at a time, perhaps those with a word in name or key."""
    word = call.query.get("query", "").casefold()
    keys = call.listed("keys")
    found = [
        desk
        for desk in call.site.profile.desks
        if word in f"{desk.project_key} {desk.name}".casefold() and (not keys or desk.project_key in keys)
    ]
    start, most = call.number("startAt", 0), min(call.number("maxResults", 50), call.page_cap)
    address = f"{call.site.url}/rest/api/{call.version}/project/search"
    page: dict[str, Any] = {
        "self": f"{address}?startAt={start}&maxResults={most}",
        "maxResults": most,
        "startAt": start,
        "total": len(found),
        "isLast": start + most >= len(found),
        "values": [_full_project(call, desk) for desk in found[start : start + most]],
    }
    if not page["isLast"]:
        page["nextPage"] = f"{address}?startAt={start + most}&maxResults={most}"
    return Answer(200, page)


def project_statuses(call: Call) -> Answer:
    """List a project's statuses by issue type."""
    known = _desk(call).status_ids
    statuses = [one for one in call.site.profile.statuses if not known or one.id in known]
    shown = [shapes.status(call.site, one, call.version) for one in statuses]
    kinds = call.site.profile.issue_types
    types = [shapes.issue_type(call.site, kind.id, call.version) for kind in kinds]
    return Answer(
        200, [{**{key: t[key] for key in ("self", "id", "name", "subtask")}, "statuses": shown} for t in types]
    )


def list_priorities(call: Call) -> Answer:
    """List all priorities of the site."""
    shown = [shapes.priority(call.site, one, call.version, full=True) for one in call.site.profile.priorities]
    return Answer(200, shown)


def search_priorities(call: Call) -> Answer:
    """List priorities a page at a time, for administrators."""
    shown = [
        {
            **shapes.priority(call.site, one, call.version, full=True),
            "isDefault": one.id == call.site.profile.default_priority,
        }
        for one in call.site.profile.priorities
    ]
    return Answer(200, {"maxResults": 50, "startAt": 0, "total": len(shown), "isLast": True, "values": shown})


def list_statuses(call: Call) -> Answer:
    """List all statuses of the site."""
    return Answer(200, [shapes.status(call.site, one, call.version) for one in call.site.profile.statuses])


def get_status(call: Call) -> Answer:
    """Show a status by id or name."""
    wanted = call.params["status"]
    for one in call.site.profile.statuses:
        if wanted.casefold() in (one.id, one.name.casefold()):
            return Answer(200, shapes.status(call.site, one, call.version))
    raise jira_error(404, "The requested status could not be found.")


def list_categories(call: Call) -> Answer:
    """List the status categories, which are the same everywhere."""
    return Answer(200, [shapes.category(call.site, key, call.version) for key in shapes.CATEGORIES])


def list_resolutions(call: Call) -> Answer:
    """List all resolutions."""
    return Answer(200, [shapes.resolution(call.site, one, call.version) for one in call.site.profile.resolutions])


def list_fields(_: Call) -> Answer:
    """List the system fields."""
    shown = [
        {
            "id": field_id,
            "key": field_id,
            "name": name,
            "custom": False,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [field_id],
            "schema": schema,
        }
        for field_id, name, schema in shapes.field_names()
    ]
    return Answer(200, shown)


def list_issue_types(call: Call) -> Answer:
    """List all issue types."""
    kinds = call.site.profile.issue_types
    return Answer(200, [shapes.issue_type(call.site, kind.id, call.version) for kind in kinds])


def license_info(call: Call) -> Answer:
    """Tell which products the site has."""
    profile = call.site.profile
    products = [("jira-software", profile.has_jira), ("jira-servicedesk", profile.has_jsm)]
    return Answer(200, {"applications": [{"id": name, "plan": "PAID"} for name, present in products if present]})


OPERATIONS = (
    Operation("GET", "/myself", myself, USER),
    Operation("GET", "/user", get_user, USER),
    Operation("GET", "/user/search", find_users, USER),
    Operation("GET", "/mypermissions", my_permissions, READ),
    Operation("GET", "/serverInfo", server_info, None),
    Operation("GET", "/project", list_projects, READ),
    Operation("GET", "/project/search", search_projects, READ),
    Operation("GET", "/project/{project}", get_project, READ),
    Operation("GET", "/project/{project}/statuses", project_statuses, READ),
    Operation("GET", "/priority", list_priorities, READ),
    Operation("GET", "/priority/search", search_priorities, ADMIN),
    Operation("GET", "/status", list_statuses, READ),
    Operation("GET", "/status/{status}", get_status, READ),
    Operation("GET", "/statuscategory", list_categories, READ),
    Operation("GET", "/resolution", list_resolutions, READ),
    Operation("GET", "/field", list_fields, READ),
    Operation("GET", "/issuetype", list_issue_types, READ),
    Operation("GET", "/instance/license", license_info, ADMIN),
)
