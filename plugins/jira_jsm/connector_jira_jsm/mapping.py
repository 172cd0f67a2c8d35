"""Jira's JSON to the core's words and back. Pure: no network, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from connector_core import FieldName, Incident, TicketSnapshot, utc
from connector_jira_jsm import details, fields, titles, wiki
from connector_jira_jsm.fields import FormField
from connector_jira_jsm.mentions import NAMES
from connector_jira_jsm.priorities import JiraPriority, from_jira, to_jira

ISSUE_FIELDS = ("summary", "description", "priority", "status", "updated")
JIRA_FIELDS = {FieldName.TITLE: "summary", FieldName.DESCRIPTION: "description", FieldName.PRIORITY: "priority"}
LINK_PROPERTY = "connector.link"
COMMENT_PROPERTY = "connector.comment"  # what tells our comments from others
INTERNAL_PROPERTY = "sd.public.comment"  # what Jira itself tells internal comments by
OWN_FIELDS = frozenset({"summary", "description", "priority"})  # filled in from the incident itself

_KEY = re.compile(r"[\w-]{1,255}")  # it becomes part of an address, and is shown in listings

Json = Mapping[str, Any]


@dataclass(frozen=True)
class RequestFields:
    """What a request type asks for: the ids of its fields, those it insists on, and the priorities it offers.

    `others` are the fields that are filled in by what settings say. `for_others` tells whether requests can be raised
    on behalf of somebody, `with_people` whether people can take part in them.
    """

    ids: frozenset[str]
    required: Mapping[str, str]
    priorities: tuple[JiraPriority, ...] = ()
    others: tuple[FormField, ...] = ()
    for_others: bool = True
    with_people: bool = True


def request_fields(body: Json) -> RequestFields:
    """Read the form of a request type.

    The valid values of its priority field are the only list of a project's priorities that can be read without
    administrator scopes. Hidden fields are listed for administrators only and are not ours to fill.
    """
    shown = [f for f in _dicts(body.get("requestTypeFields")) if f.get("visible") is not False and f.get("fieldId")]
    priority: Json = next((f for f in shown if f["fieldId"] == "priority"), {})
    offered = tuple(
        JiraPriority(str(value["value"]), str(value.get("label", "")))
        for value in _dicts(priority.get("validValues"))
        if value.get("value")
    )
    preset = {f["fieldId"] for f in shown if f.get("defaultValues") or f.get("presetValues")}
    required = {
        str(f["fieldId"]): str(f.get("name") or f["fieldId"])
        for f in shown
        if f.get("required") is True and f["fieldId"] not in preset
    }
    others = tuple(fields.of_form(f) for f in shown if f["fieldId"] not in OWN_FIELDS)
    return RequestFields(
        frozenset(str(f["fieldId"]) for f in shown),
        required,
        offered,
        others,
        for_others=body.get("canRaiseOnBehalfOf") is not False,
        with_people=body.get("canAddRequestParticipants") is not False,
    )


def request_values(incident: Incident, marker: str, form: RequestFields) -> dict[str, Any]:
    """Write an incident as the values of a request; only what the request type has."""
    values: dict[str, Any] = {"summary": titles.fit(incident.title)}
    if "description" in form.ids:
        values["description"] = details.write(incident, marker)
    if "priority" in form.ids and (priority := to_jira(incident.priority, form.priorities)):
        values["priority"] = {"id": priority.id}
    return values


def snapshot(issue: Json, priorities: Sequence[JiraPriority], site_url: str | None) -> TicketSnapshot | None:
    """Read an issue of the platform's API or of a webhook; None when it is too thin to tell.

    Webhooks about comments carry an issue without description and time (recorded payloads): taken at its word, it would
    clear the incident's description.
    """
    fields = issue.get("fields")
    number, key = issue.get("id"), issue.get("key")
    if not isinstance(fields, dict) or not is_key(key) or set(ISSUE_FIELDS) - set(fields):
        return None
    if not number or not isinstance(number, str | int):
        return None
    status = _dict(fields["status"])
    summary, description = fields["summary"], fields["description"]
    if not isinstance(summary, str) or not status or not _is_rich_text(description):
        return None
    priority = _dict(fields["priority"])
    name = _text(priority.get("name"))
    return TicketSnapshot(
        id=wiki.clean(str(number))[:255],
        key=key,
        url=browse_url(site_url, key),
        title=wiki.clean(summary),
        description=details.read(description, _dict(issue.get(NAMES))),
        priority=from_jira(name, _text(priority.get("id")), priorities),
        priority_name=name,
        status=_text(status.get("name")) or "",
        done=is_done(status),
        updated=moment(fields["updated"]),
        place=project_of(key),
    )


def created_snapshot(
    answer: Json, values: Json, priorities: Sequence[JiraPriority], site_url: str | None
) -> TicketSnapshot | None:
    """Build the ticket from the answer to its creation and what was sent; None when these do not tell all.

    Without a priority sent, Jira chose one that the answer does not show.
    """
    status = _dict(answer.get("currentStatus"))
    number, key = answer.get("issueId"), answer.get("issueKey")
    if not number or not is_key(key) or not status.get("status") or "priority" not in values:
        return None
    chosen = next((p for p in priorities if p.id == values["priority"]["id"]), None)
    if chosen is None:
        return None
    return TicketSnapshot(
        id=wiki.clean(str(number)),
        key=key,
        url=browse_url(site_url, key),
        title=values["summary"],
        description=details.read(values.get("description")),
        priority=from_jira(chosen.name, chosen.id, priorities),
        priority_name=chosen.name,
        status=wiki.clean(str(status["status"])),
        # The service desk API writes categories in upper case, the platform in lower case.
        done=str(status.get("statusCategory", "")).casefold() == "done",
        updated=moment(_dict(answer.get("createdDate")).get("iso8601")),
        place=project_of(key),
    )


def as_sent(ticket: TicketSnapshot, values: Json, priorities: Sequence[JiraPriority]) -> TicketSnapshot:
    """Return a ticket with the values of the request that made it; what the request left to Jira stays as it is."""
    sent: dict[str, Any] = {"title": values["summary"], "done": False}
    if "description" in values:
        sent["description"] = details.read(values["description"])
    chosen = next((p for p in priorities if p.id == _dict(values.get("priority")).get("id")), None)
    if chosen is not None:
        sent |= {"priority": from_jira(chosen.name, chosen.id, priorities), "priority_name": chosen.name}
    return ticket.model_copy(update=sent)


def is_done(status: Json) -> bool:
    """Tell by the category: names are translated and renamed, keys are not."""
    return _dict(status.get("statusCategory")).get("key") == "done"


def moment(text: object) -> datetime | None:
    """Read a time such as 2024-10-08T16:38:03.790+0800; None for what is none, or has no equal in UTC."""
    try:
        parsed = datetime.fromisoformat(text) if isinstance(text, str) else None
        return utc(parsed) if parsed is not None and parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def project_of(key: str) -> str:
    """Return the key of the project that an issue is in."""
    return key.rpartition("-")[0]


def browse_url(site_url: str | None, key: str) -> str | None:
    """Return where a person opens the ticket."""
    return f"{site_url}/browse/{key}" if site_url else None


def is_key(value: object) -> TypeGuard[str]:
    """Tell whether a value can be the key of an issue or a project."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _is_rich_text(value: object) -> bool:
    """Tell whether a value can be a description: none, wiki markup, or a document."""
    return isinstance(value, str | None) or (isinstance(value, dict) and isinstance(value.get("content"), list))


def _text(value: object) -> str | None:
    return wiki.clean(value) if isinstance(value, str) else None


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
