"""Jira's JSON to the core's words and back. Pure: no network, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from connector_core import FieldName, Incident, TicketSnapshot, UnreadableTicket, utc
from connector_core.kit import texts
from connector_core.kit.fields import FormField
from connector_core.kit.values import Json, as_object, as_objects
from connector_jira_jsm.fields import form_fields
from connector_jira_jsm.fields.priorities import JiraPriority, from_jira, to_jira
from connector_jira_jsm.text import descriptions, titles
from connector_jira_jsm.text.mentions import NAMES

JIRA_FIELDS = {FieldName.TITLE: "summary", FieldName.DESCRIPTION: "description", FieldName.PRIORITY: "priority"}
OWN_FIELDS = frozenset({"summary", "description", "priority"})  # filled in from the incident itself

_KEY = re.compile(r"[\w-]{1,255}")  # it becomes part of an address, and is shown in listings


@dataclass(frozen=True)
class RequestFields:
    """What a request type asks for: the ids of its fields, those it insists on, and the priorities it offers.

    `others` are the fields that are filled in by what settings say. `for_others` tells whether requests can be raised
    on behalf of somebody, `with_people` whether people can take part in them. `names` are what people call the fields.
    """

    ids: frozenset[str]
    required: Mapping[str, str]
    priorities: tuple[JiraPriority, ...] = ()
    others: tuple[FormField, ...] = ()
    for_others: bool = True
    with_people: bool = True
    names: Mapping[str, str] = field(default_factory=dict)


def request_fields(body: Json) -> RequestFields:
    """Read the form of a request type.

    The valid values of its priority field are the only list of a project's priorities that can be read without
    administrator scopes. Hidden fields are listed for administrators only and are not ours to fill.
    """
    shown = [f for f in as_objects(body.get("requestTypeFields")) if f.get("visible") is not False and f.get("fieldId")]
    priority: Json = next((f for f in shown if f["fieldId"] == "priority"), {})
    offered = tuple(
        JiraPriority(str(value["value"]), str(value.get("label", "")))
        for value in as_objects(priority.get("validValues"))
        if value.get("value")
    )
    preset = {f["fieldId"] for f in shown if f.get("defaultValues") or f.get("presetValues")}
    required = {
        str(f["fieldId"]): str(f.get("name") or f["fieldId"])
        for f in shown
        if f.get("required") is True and f["fieldId"] not in preset
    }
    others = tuple(form_fields.of_form(f) for f in shown if f["fieldId"] not in OWN_FIELDS)
    return RequestFields(
        frozenset(str(f["fieldId"]) for f in shown),
        required,
        offered,
        others,
        for_others=body.get("canRaiseOnBehalfOf") is not False,
        with_people=body.get("canAddRequestParticipants") is not False,
        names={str(f["fieldId"]): str(f.get("name") or f["fieldId"]) for f in shown},
    )


def request_values(incident: Incident, marker: str, form: RequestFields) -> dict[str, Any]:
    """Write an incident as the values of a request; only what the request type has."""
    values: dict[str, Any] = {"summary": titles.fit(incident.title)}
    if "description" in form.ids:
        values["description"] = descriptions.write(incident, marker)
    if "priority" in form.ids and (priority := to_jira(incident.priority, form.priorities)):
        values["priority"] = {"id": priority.id}
    return values


def id_of(issue: object) -> str:
    """Return the id that an issue shows; empty when it shows none."""
    given = issue.get("id") if isinstance(issue, dict) else None
    number = given if isinstance(given, str | int) and not isinstance(given, bool) and given else ""
    return texts.clean(str(number)).strip()[:255]


def snapshot(
    issue: Json, priorities: Sequence[JiraPriority], site_url: str | None, *, asked: str = ""
) -> TicketSnapshot | UnreadableTicket:
    """Read an issue of the platform's API or of a webhook; only its id is needed, and `asked` is the one asked for.

    A field that the field configuration hides is not in the JSON at all; one that Jira shows empty is there and null.
    Webhooks about comments carry an issue without description and time (recorded payloads). What is absent, or has no
    form that is known, is unknown.
    """
    ticket_id = id_of(issue) or asked
    if not ticket_id:
        return UnreadableTicket(reason="Jira shows an issue without its id.")
    shown = as_object(issue.get("fields"))
    key = issue.get("key")
    key = key if is_key(key) else ""
    told: dict[str, Any] = {}
    unknown = set(FieldName)
    if isinstance(shown.get("summary"), str):
        told["title"] = texts.clean(shown["summary"])
        unknown.discard(FieldName.TITLE)
    if "description" in shown and _is_rich_text(shown["description"]):
        told["description"] = descriptions.read(shown["description"], as_object(issue.get(NAMES)))
        unknown.discard(FieldName.DESCRIPTION)
    if (priority := _priority(shown, priorities)) is not None:
        told |= {"priority": from_jira(*priority, priorities), "priority_name": priority[0]}
        unknown.discard(FieldName.PRIORITY)
    status = as_object(shown.get("status"))
    if (done := done_of(status)) is not None:
        told |= {"status": status_name(status), "done": done}
        unknown.discard(FieldName.STATUS)
    return TicketSnapshot(
        id=ticket_id,
        key=key,
        url=browse_url(site_url, key) if key else None,
        updated=moment(shown.get("updated")),
        place=project_of(key),
        unknown=frozenset(unknown),
        **told,
    )


def created_snapshot(
    answer: Json, values: Json, priorities: Sequence[JiraPriority], site_url: str | None
) -> TicketSnapshot | UnreadableTicket:
    """Build the ticket from the answer to its creation and what was sent.

    Without a priority sent, Jira chose one that the answer does not show: it is unknown.
    """
    number = answer.get("issueId")
    shown = snapshot({"id": number, "key": answer.get("issueKey")}, priorities, site_url)
    if isinstance(shown, UnreadableTicket):
        return shown
    status = as_object(answer.get("currentStatus"))
    # The service desk API writes categories in upper case, the platform in lower case.
    category = status.get("statusCategory")
    told: dict[str, Any] = {"updated": moment(as_object(answer.get("createdDate")).get("iso8601"))}
    unknown = set(shown.unknown)
    if isinstance(category, str) and category:
        told |= {"status": _text(status.get("status")) or "", "done": category.casefold() == "done"}
        unknown.discard(FieldName.STATUS)
    if "description" not in values:
        told["description"] = None
        unknown.discard(FieldName.DESCRIPTION)
    return as_written(shown.model_copy(update={**told, "unknown": frozenset(unknown)}), values, priorities)


def as_sent(ticket: TicketSnapshot, values: Json, priorities: Sequence[JiraPriority]) -> TicketSnapshot:
    """Return a ticket with the values of the request that made it; what the request left to Jira stays as it is."""
    as_made = as_written(ticket, values, priorities)
    return as_made.model_copy(update={"done": False, "unknown": as_made.unknown - {FieldName.STATUS}})


def as_written(ticket: TicketSnapshot, values: Json, priorities: Sequence[JiraPriority]) -> TicketSnapshot:
    """Return a ticket with values that Jira took, in the form in which it shows them."""
    written: dict[str, Any] = {}
    told = set()
    if "summary" in values:
        written["title"] = values["summary"]
        told.add(FieldName.TITLE)
    if "description" in values:
        written["description"] = descriptions.read(values["description"])
        told.add(FieldName.DESCRIPTION)
    chosen = next((p for p in priorities if p.id == as_object(values.get("priority")).get("id")), None)
    if chosen is not None:
        written |= {"priority": from_jira(chosen.name, chosen.id, priorities), "priority_name": chosen.name}
        told.add(FieldName.PRIORITY)
    return ticket.model_copy(update={**written, "unknown": ticket.unknown - told})


def is_done(status: Json) -> bool:
    """Return whether a status is known to count as done, by its category: names are translated and renamed."""
    return done_of(status) is True


def done_of(status: Json) -> bool | None:
    """Return whether a status counts as done; None when its category was not told, which is neither."""
    key = as_object(status.get("statusCategory")).get("key")
    return key == "done" if isinstance(key, str) and key else None


def status_name(status: Json) -> str:
    """Return what people call a status, its id when that was not told."""
    return _text(status.get("name")) or texts.clean(str(status.get("id") or ""))


def _priority(shown: Json, priorities: Sequence[JiraPriority]) -> tuple[str | None, str | None] | None:
    """Return the name and the id of a priority, both None where the ticket has none; None when that is unknown."""
    if "priority" not in shown:
        return None
    value = shown["priority"]
    if value is None:
        return None, None
    number, name = _text(as_object(value).get("id")), _text(as_object(value).get("name"))
    if name is None:
        name = next((one.name for one in priorities if one.id == number), None)
    return None if name is None else (name, number)


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
    """Return whether a value can be the key of an issue or a project."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _is_rich_text(value: object) -> bool:
    """Return whether a value can be a description: none, wiki markup, or a document."""
    return isinstance(value, str | None) or (isinstance(value, dict) and isinstance(value.get("content"), list))


def _text(value: object) -> str | None:
    return texts.clean(value) if isinstance(value, str) else None
