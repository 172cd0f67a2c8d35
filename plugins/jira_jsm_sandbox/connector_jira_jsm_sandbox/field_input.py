"""Checks what callers put into fields and turns it into what the site keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_jira_jsm_sandbox.adf import adf_to_wiki, is_document
from connector_jira_jsm_sandbox.answers import Refusal, jira_error
from connector_jira_jsm_sandbox.call import Call
from connector_jira_jsm_sandbox.custom_values import custom_value, labels
from connector_jira_jsm_sandbox.payload import LINE_LIMIT, TEXT_LIMIT, BadValue, bad_payload, mapping, units
from connector_jira_jsm_sandbox.profile import Desk


def field_changes(call: Call, body: Mapping[str, Any], screen: frozenset[str]) -> dict[str, Any]:
    """Return the changes that `fields` and `update` ask for; one bad field refuses them all."""
    wanted = _set_values(body)
    changes: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in wanted.items():
        if name not in screen:
            errors[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            continue
        try:
            custom = call.site.profile.custom_field(name) if name.startswith("customfield_") else None
            if custom is None:
                changes.update(_change(call, name, value))
            else:
                issue = call.site.find(call.params.get("issue", ""))
                known = changes.get("custom", issue.fields.custom if issue is not None else ())
                changed = custom_value(custom, value, call.site.profile)
                changes["custom"] = tuple({**dict(known), name: changed}.items())
        except BadValue as error:
            errors[name] = str(error)
    if errors:
        raise jira_error(400, errors=errors)
    return changes


def _set_values(body: Mapping[str, Any]) -> dict[str, Any]:
    fields, update = mapping(body, "fields"), mapping(body, "update")
    wanted = dict(fields)
    for name, steps in update.items():
        if name in fields:
            raise jira_error(400, errors={name: f"Field '{name}' cannot appear in both 'fields' and 'update'"})
        if name == "comment":  # read by comment_in_update
            continue
        if not isinstance(steps, list) or not steps or not all(isinstance(s, dict) and "set" in s for s in steps):
            raise jira_error(400, errors={name: "Only the operation 'set' is supported here"})
        wanted[name] = steps[-1]["set"]
    return wanted


def _change(call: Call, name: str, value: object) -> dict[str, Any]:
    if name == "summary":
        return {"summary": summary(value)}
    if name == "description":
        return {"description": rich_text(value, call.version)}
    if name == "priority":
        issue = call.site.find(call.params.get("issue", ""))
        desk = call.site.profile.desk(issue.project_key) if issue is not None else None
        return {"priority_id": priority_id(call, value, desk)}
    if name == "labels":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadValue("data was not an array")
        return {"labels": tuple(labels(value))}
    raise BadValue("Operation value is not supported here")


def summary(value: object) -> str:
    """Check a summary and return it without surrounding space."""
    if not isinstance(value, str):
        raise BadValue("Operation value must be a string")
    if "\n" in value or "\r" in value:
        raise BadValue("The summary is invalid because it contains newline characters.")
    if units(value) > LINE_LIMIT:
        raise BadValue(f"Summary can't exceed {LINE_LIMIT} characters.")
    if not value.strip():
        raise BadValue("You must specify a summary of the issue.")
    return value.strip()


def rich_text(value: object, version: str) -> str | None:
    """Check rich text, a document in API v3 and wiki markup in v2, and return wiki markup."""
    if value is None:
        return None
    if version == "3":
        if not is_document(value) or not isinstance(value, dict):
            raise BadValue("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
        text = adf_to_wiki(value)
    elif isinstance(value, str):
        text = value or None
    else:
        raise BadValue("Operation value must be a string")
    if text is not None and units(text) > TEXT_LIMIT:
        raise BadValue(f"The entered text is too long. It exceeds the allowed limit of {TEXT_LIMIT:,} characters.")
    return text


def priority_id(call: Call, value: object, desk: Desk | None = None) -> str:
    """Check a priority, which is an object naming an id or a name."""
    if not isinstance(value, dict) or not isinstance(value.get("id", value.get("name")), str):
        raise BadValue("Specify a valid 'id' or 'name' for priority")
    wanted = value.get("id", value.get("name"))
    found = next((p for p in call.site.profile.offered_priorities(desk) if wanted in (p.id, p.name)), None)
    if found is None:
        raise BadValue("The priority selected is invalid.")
    return found.id


def comment_text(call: Call, value: object) -> str:
    """Check a comment's body and return it as wiki markup."""
    try:
        text = rich_text(value, call.version)
    except BadValue as error:
        if "too long" in str(error):
            raise jira_error(400, errors={"comment": str(error)}) from error
        raise _bad_comment() from error
    if not text:
        raise _bad_comment()
    return text


def comment_in_update(call: Call, body: Mapping[str, Any]) -> str | None:
    """Return the comment that `update` adds, if any."""
    steps = mapping(body, "update").get("comment") or []
    if not isinstance(steps, list):
        raise bad_payload()
    added = [step["add"] for step in steps if isinstance(step, dict) and isinstance(step.get("add"), dict)]
    return comment_text(call, added[-1].get("body")) if added else None


def _bad_comment() -> Refusal:
    return jira_error(400, errors={"comment": "Comment body is not valid!"})
