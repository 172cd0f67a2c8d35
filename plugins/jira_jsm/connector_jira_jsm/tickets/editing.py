"""Writing an incident's changed fields to its ticket: only those, and the rest when Jira refuses one.

A look comes first: what somebody finished is not touched. What Jira shows afterwards is compared with what was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector_core import (
    FieldName,
    Receipt,
    RemoteError,
    TicketChanged,
    TicketGone,
    TicketSnapshot,
    UnreadableTicket,
    WriteFields,
)
from connector_core.kit import texts
from connector_core.kit.editing import was_faster
from connector_core.kit.values import Json, as_object
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.api.responses import named_in
from connector_jira_jsm.fields import mapping
from connector_jira_jsm.fields.filling import as_shown
from connector_jira_jsm.fields.forms import KEPT_FOR_S, priorities
from connector_jira_jsm.fields.mapping import JIRA_FIELDS
from connector_jira_jsm.fields.priorities import JiraPriority, to_jira
from connector_jira_jsm.settings import JiraIntegration
from connector_jira_jsm.text import descriptions, titles
from connector_jira_jsm.text.mentions import NAMES
from connector_jira_jsm.tickets.creating import note_of
from connector_jira_jsm.tickets.workflow import status_unreadable

_NAMES = {jira: jira.capitalize() for jira in JIRA_FIELDS.values()}
NO_PARTNER = "Jira has no priority for this one."
NOT_SHOWN = "Jira does not show this field: it is hidden in the field configuration."
UNKEPT = "It was written twice; the ticket shows {}."
MOST_WRITES = 2  # of what Jira takes and does not keep
OFF_SCREEN = "not on the appropriate screen"  # what Jira says of a field that the edit screen lacks


def edit(integration: JiraIntegration, client: JiraClient, change: WriteFields) -> Receipt:
    """Write the fields in one call, unless the ticket is done; what Jira refuses is left out of another try.

    What it takes and does not show is written once more, and no more: whatever undoes it would do so again.

    Raises:
        RetryLater: Jira does not tell whether the ticket is done.
        TicketChanged: a person changed what is to be written, and nobody has seen that yet.
    """
    ticket = change.ticket
    offered = priorities(integration, client)
    change = change.model_copy(update={"incident": as_shown(change.incident, integration.settings)})
    names = {JIRA_FIELDS[name] for name in change.fields if name in JIRA_FIELDS}
    refused = {name: text for name, text in _off_screen(integration, ticket).items() if name in names}
    if "priority" in names and to_jira(change.incident.priority, offered) is None:
        refused["priority"] = NO_PARTNER
    if names <= refused.keys():
        return Receipt(ticket=ticket, refused=_by_our_names(refused))
    present = client.issue(ticket.id)
    before = mapping.snapshot(present, offered, client.site_url(), asked=ticket.id)
    if isinstance(before, UnreadableTicket) or not before.tells(FieldName.STATUS):
        raise status_unreadable()
    before = before.over(ticket)
    if before.done:
        return Receipt(ticket=before, untouched=True)
    if was_faster(before, change):
        raise TicketChanged(before)
    if "description" in names and "description" not in _fields(present):
        refused["description"] = NOT_SHOWN
    wanted = {
        JIRA_FIELDS[name]: _value(name, change, offered, present) for name in change.fields if name in JIRA_FIELDS
    }
    writing = _Writing(integration, client, ticket, refused, note_of(integration, change))
    shown, unkept = before, {}
    for _ in range(MOST_WRITES):
        written = writing.write({name: value for name, value in wanted.items() if name not in refused})
        if written is None:
            break
        issue, taken = written
        shown = _ticket_after(issue, before, taken, offered, client.site_url())
        unkept = _unkept(issue, present, taken)
        wanted = {name: taken[name] for name in unkept}
    kept = {name for name in change.fields if JIRA_FIELDS.get(name) in names - refused.keys() - unkept.keys()}
    return Receipt(
        ticket=shown, refused=_by_our_names(refused), unkept=_by_our_names(unkept), as_written=frozenset(kept)
    )


@dataclass
class _Writing:
    """The writes of one edit; `refused` grows by what Jira does not take, the note goes along with the first one."""

    integration: JiraIntegration
    client: JiraClient
    ticket: TicketSnapshot
    refused: dict[str, str]
    note: Json | None

    def write(self, fields: Json) -> tuple[Json, Json] | None:
        """Write fields, without those that are refused; return the issue as it is then and what was taken, if any."""
        while fields:
            try:
                answer = self.client.edit_issue(self.ticket.id, fields, self.note)
            except TicketGone:
                raise
            except RemoteError as exc:
                named = named_in(exc, {name: _NAMES.get(name, name) for name in fields})
                if not named and (self.note is None or "propert" not in exc.detail.casefold()):
                    raise
                self.note = self.note if named else None
                _remember_off_screen(self.integration, self.ticket, named)
                self.refused.update(named)
                fields = {name: value for name, value in fields.items() if name not in named}
            else:
                self.note = None
                # Sites that do not know `returnIssue` yet answer without a body.
                told = isinstance(answer.get("fields"), dict)
                return (answer if told else self.client.issue(self.ticket.id)), fields
        return None


def _off_screen(integration: JiraIntegration, ticket: TicketSnapshot) -> Mapping[str, str]:
    """Return the fields that were not on the project's edit screen a short while ago: asking again costs a call."""
    kept = integration.cache.get(_screen_key(ticket))
    is_fresh = isinstance(kept, tuple) and integration.clock.monotonic() - kept[0] < KEPT_FOR_S
    return kept[1] if isinstance(kept, tuple) and is_fresh else {}


def _remember_off_screen(integration: JiraIntegration, ticket: TicketSnapshot, refused: Mapping[str, str]) -> None:
    missing = {name: text for name, text in refused.items() if OFF_SCREEN in text}
    if missing:
        known = _off_screen(integration, ticket)
        integration.cache[_screen_key(ticket)] = (integration.clock.monotonic(), {**known, **missing})


def _screen_key(ticket: TicketSnapshot) -> str:
    return f"edit screen {ticket.key.rpartition('-')[0]}"


def _ticket_after(
    issue: Json, before: TicketSnapshot, written: Json, offered: Sequence[JiraPriority], site_url: str | None
) -> TicketSnapshot:
    """Return the ticket after an edit; of a field that Jira took and does not show, what was written."""
    shown = mapping.snapshot(issue, offered, site_url, asked=before.id)
    if isinstance(shown, UnreadableTicket):
        shown = before
    hidden = {JIRA_FIELDS[name] for name in shown.unknown if name in JIRA_FIELDS} & written.keys()
    taken = {name: written[name] for name in hidden}
    return mapping.as_written(shown.over(before), taken, offered)


def _unkept(issue: Json, present: Json, written: Json) -> dict[str, str]:
    """Return the fields that were written and show something else; a description, that shows what it did before.

    Jira writes markup in its own way.
    """
    shown, former = _fields(issue), _fields(present)
    found: dict[str, str] = {}
    title = shown.get("summary")
    if "summary" in written and isinstance(title, str) and _words(title) not in {"", _words(written["summary"])}:
        found["summary"] = UNKEPT.format(f'"{_words(title)}"')
    priority = shown.get("priority", {})
    if "priority" in written and (priority is None or as_object(priority).get("id")):
        known = as_object(priority)
        if str(known.get("id")) != written["priority"]["id"]:
            found["priority"] = UNKEPT.format(f'"{_words(known["name"])}"' if known.get("name") else "another one")
    if "description" in written and "description" in shown:
        texts = [descriptions.read(one) for one in (shown["description"], former.get("description"))]
        if texts[0] == texts[1] != descriptions.read(written["description"]):
            found["description"] = UNKEPT.format("the former text")
    return found


def _words(text: object) -> str:
    return " ".join(texts.clean(str(text)).split())


def _fields(issue: Json) -> Json:
    """Return what an issue shows: a text that is not among it, and that nobody can see, must not be written over."""
    fields = issue.get("fields")
    return fields if isinstance(fields, dict) else {}


def _rewritten(change: WriteFields, present: Json) -> str:
    """Write the description over the one that is there, since people may have added to the part that is ours."""
    text = _fields(present).get("description")
    names = present.get(NAMES) or {}
    return descriptions.rewrite(text if isinstance(text, str) else None, change.incident, change.marker, names)


def _value(name: FieldName, change: WriteFields, offered: Sequence[JiraPriority], present: Json) -> object:
    if name is FieldName.TITLE:
        return titles.fit(change.incident.title)
    if name is FieldName.DESCRIPTION:
        return _rewritten(change, present)
    priority = to_jira(change.incident.priority, offered)
    return {"id": priority.id} if priority else None


def _by_our_names(refused: Mapping[str, str]) -> dict[FieldName, str]:
    ours = {jira: name for name, jira in JIRA_FIELDS.items()}
    return {ours[jira]: text for jira, text in refused.items()}
