"""The platform API's transitions, and what hangs on an issue: properties, remote links, its history."""

from __future__ import annotations

from typing import Any

from connector_jira_jsm_sandbox import shapes
from connector_jira_jsm_sandbox.answers import Answer, Refusal, jira_error
from connector_jira_jsm_sandbox.call import Call, Operation
from connector_jira_jsm_sandbox.custom_values import custom_value
from connector_jira_jsm_sandbox.field_input import comment_in_update
from connector_jira_jsm_sandbox.issue_operations import READ, WRITE, check_property, property_pairs
from connector_jira_jsm_sandbox.payload import BadValue, mapping, units
from connector_jira_jsm_sandbox.profile import Transition

_TRANSITION_KEYS = frozenset({"transition", "fields", "update", "historyMetadata", "properties"})
# That of the address is a guess on the safe side: none is published.
_LINK_LIMITS = {"globalId": 255, "title": 255, "summary": 255, "url": 2_000}


def list_transitions(call: Call) -> Answer:
    """List the transitions that may be walked now; an unknown `transitionId` gives an empty list."""
    issue = call.issue()
    only = call.query.get("transitionId")
    with_fields = "transitions.fields" in call.listed("expand")
    shown = [
        shapes.transition(call.site, transition, call.version, with_fields=with_fields)
        for transition in call.site.open_transitions(issue)
        if only in (None, "", transition.id)
    ]
    return Answer(200, {"expand": "transitions", "transitions": shown})


def walk_transition(call: Call) -> Answer:
    """Walk a transition, with the fields of its screen and perhaps a comment."""
    issue = call.issue()
    body = call.json_object(_TRANSITION_KEYS)
    wanted = mapping(body, "transition").get("id")
    if wanted in (None, ""):
        raise jira_error(400, "Missing 'transition' identifier")
    transition = next((t for t in call.site.open_transitions(issue) if t.id == str(wanted)), None)
    if transition is None:
        raise jira_error(400, "It is not possible to transition the issue: the transition is not valid from here.")
    resolution_id, custom = _screen(call, transition, body)
    comment = comment_in_update(call, body)
    issue.properties.update(property_pairs(body.get("properties") or []))
    call.site.move(issue, transition, call.user, resolution_id=resolution_id, custom=custom, comment=comment)
    return Answer(204)


def _screen(call: Call, transition: Transition, body: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Check what the screen was filled in with; a validator complains as a screen does."""
    fields = mapping(body, "fields")
    for name in fields:
        if name not in transition.screen:
            text = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            raise jira_error(400, errors={name: text})
    for name in transition.screen:
        if name not in fields:
            raise jira_error(400, errors={name: f"{shapes.field_label(call.site, name)} is required."})
    for name in transition.demanded_fields:
        if name not in dict(call.issue().fields.custom):
            raise jira_error(400, errors={name: f"{shapes.field_label(call.site, name)} is required."})
    custom = {}
    for name, value in fields.items():
        field = call.site.profile.custom_field(name)
        if name == "resolution" or field is None:
            continue
        try:
            custom[name] = custom_value(field, value, call.site.profile)
        except BadValue as error:
            raise jira_error(400, errors={name: str(error)}) from error
    return _resolution(call, fields.get("resolution")), custom


def _resolution(call: Call, given: object) -> str | None:
    if given is None:
        return None
    named = given.get("id") or given.get("name") if isinstance(given, dict) else None
    found = call.site.profile.resolution(str(named)) if named else None
    if found is None:
        raise jira_error(400, errors={"resolution": "Specify a valid 'id' or 'name' for resolution"})
    return found.id


def list_properties(call: Call) -> Answer:
    """List an issue's property keys."""
    issue = call.issue()
    base = f"{call.site.url}/rest/api/{call.version}/issue/{issue.id}/properties/"
    return Answer(200, {"keys": [{"self": base + key, "key": key} for key in sorted(issue.properties)]})


def get_property(call: Call) -> Answer:
    """Show one property."""
    issue, key = call.issue(), call.params["property"]
    if key not in issue.properties:
        raise _property_missing(key)
    return Answer(200, {"key": key, "value": issue.properties[key]})


def put_property(call: Call) -> Answer:
    """Set one property, which tells no webhook."""
    issue, key = call.issue(), call.params["property"]
    check_property(key, call.body)
    is_new = key not in issue.properties
    issue.properties[key] = call.body
    return Answer(201 if is_new else 200, {})


def delete_property(call: Call) -> Answer:
    """Remove one property."""
    issue, key = call.issue(), call.params["property"]
    if issue.properties.pop(key, None) is None:
        raise _property_missing(key)
    return Answer(204)


def _property_missing(key: str) -> Refusal:
    return jira_error(404, f"The property with key '{key}' does not exist.")


def list_links(call: Call) -> Answer:
    """List remote links, or show the one with a global id."""
    issue = call.issue()
    base = f"{call.site.url}/rest/api/{call.version}/issue/{issue.key}/remotelink/"
    shown = [{"self": base + str(link["id"]), **link} for link in issue.remote_links]
    wanted = call.query.get("globalId")
    if not wanted:
        return Answer(200, shown)
    found = next((link for link in shown if link.get("globalId") == wanted), None)
    if found is None:
        raise jira_error(404, "The remote issue link does not exist.")
    return Answer(200, found)


def put_link(call: Call) -> Answer:
    """Add a remote link, or replace the one with the same global id."""
    issue = call.issue()
    body = call.json_object()
    shown = body.get("object")
    errors = {
        name: f"'{name}' is required."
        for name in ("title", "url")
        if not isinstance(shown, dict) or not isinstance(shown.get(name), str) or not shown[name]
    }
    if errors:
        raise jira_error(400, errors=errors)
    texts = {"globalId": body.get("globalId"), **(shown if isinstance(shown, dict) else {})}
    for name, limit in _LINK_LIMITS.items():
        if units(str(texts.get(name) or "")) > limit:
            raise jira_error(400, errors={name: f"The {name} must not exceed {limit} characters."})
    stored, is_new = call.site.link(issue, {key: value for key, value in body.items() if key != "id"})
    address = f"{call.site.url}/rest/api/{call.version}/issue/{issue.key}/remotelink/{stored['id']}"
    return Answer(201 if is_new else 200, {"id": stored["id"], "self": address})


def issue_history(call: Call) -> Answer:
    """List an issue's changes, oldest first."""
    issue = call.issue()
    start, most = call.number("startAt", 0), min(call.number("maxResults", 100), 100)
    entries = [shapes.change(call.site, change, call.user, call.version) for change in issue.history]
    address = f"{call.site.url}/rest/api/{call.version}/issue/{issue.key}/changelog"
    page = {
        "self": f"{address}?maxResults={most}&startAt={start}",
        "maxResults": most,
        "startAt": start,
        "total": len(entries),
        "isLast": start + most >= len(entries),
        "values": entries[start : start + most],
    }
    return Answer(200, page)


OPERATIONS = (
    Operation("GET", "/issue/{issue}/transitions", list_transitions, READ),
    Operation("POST", "/issue/{issue}/transitions", walk_transition, WRITE),
    Operation("GET", "/issue/{issue}/properties", list_properties, READ),
    Operation("GET", "/issue/{issue}/properties/{property}", get_property, READ),
    Operation("PUT", "/issue/{issue}/properties/{property}", put_property, WRITE),
    Operation("DELETE", "/issue/{issue}/properties/{property}", delete_property, WRITE),
    Operation("GET", "/issue/{issue}/remotelink", list_links, READ),
    Operation("POST", "/issue/{issue}/remotelink", put_link, WRITE),
    Operation("GET", "/issue/{issue}/changelog", issue_history, READ),
)
