"""Writing an incident's changed fields to its ticket: only those, and the rest when Jira refuses one.

A look comes first: what somebody finished is not touched. What Jira shows afterwards is compared with what was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector_core import FieldName, Receipt, RemoteError, TicketSnapshot, UnreadableTicket, WriteFields
from connector_core.kit import texts
from connector_core.kit.answers import FieldsRefused
from connector_core.kit.editing import UNKEPT, UNKEPT_ONCE, Refused, Written, sort_out, write_fields
from connector_core.kit.values import Json, as_object
from connector_jira_jsm.api import changelog
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
OFF_SCREEN = "not on the appropriate screen"  # what Jira says of a field that the edit screen lacks


def edit(integration: JiraIntegration, client: JiraClient, change: WriteFields) -> Receipt:
    """Write the fields in one call, unless the ticket is done; what Jira refuses is left out of another try.

    What it takes and does not show is written once more, and no more: whatever undoes it would do so again.

    Raises:
        RetryLater: Jira does not tell whether the ticket is done.
        TicketChanged: a person changed what is to be written, and nobody has seen that yet.
    """
    offered = priorities(integration, client)
    change = change.model_copy(update={"incident": as_shown(change.incident, integration.settings)})
    ours = {JIRA_FIELDS[name]: name for name in change.fields if name in JIRA_FIELDS}
    refused = {name: text for name, text in _off_screen(integration, change.ticket).items() if name in ours}
    if "priority" in ours and to_jira(change.incident.priority, offered) is None:
        refused["priority"] = NO_PARTNER
    editing = _Editing(integration, client, change, offered, note_of(integration, change))
    return write_fields(
        change,
        read=editing.read,
        write=editing.write,
        values={name: Refused(refused[jira]) if jira in refused else None for jira, name in ours.items()},
        refused_in=editing.refused_in,
    )


@dataclass
class _Editing:
    """One edit: the issue as it was last read, and the note that goes along with the first write."""

    integration: JiraIntegration
    client: JiraClient
    change: WriteFields
    offered: Sequence[JiraPriority]
    note: Json | None
    present: Json = field(default_factory=dict)
    before: TicketSnapshot = field(init=False)
    writes: int = 0

    def read(self) -> TicketSnapshot:
        """Read the issue, and that it is not done."""
        self.present = self.client.issue(self.change.ticket.id)
        read = mapping.snapshot(self.present, self.offered, self.client.site_url(), asked=self.change.ticket.id)
        if isinstance(read, UnreadableTicket) or not read.tells(FieldName.STATUS):
            raise status_unreadable()
        self.before = read.over(self.change.ticket)
        return self.before

    def write(self, wanted: Mapping[FieldName, object]) -> Written:
        """Write fields; return the issue as it is then, with what its history says of others.

        Raises:
            FieldsRefused: a text that nobody can see must not be written over.
        """
        if FieldName.DESCRIPTION in wanted and "description" not in _fields(self.present):
            raise FieldsRefused(NOT_SHOWN, {"description": NOT_SHOWN})
        fields = {JIRA_FIELDS[name]: _value(name, self.change, self.offered, self.present) for name in wanted}
        answer = self._sent(fields)
        self.writes += 1
        # Sites that do not know `returnIssue` yet answer without a body.
        told = isinstance(answer.get("fields"), dict)
        issue = answer if told else self.client.issue(self.before.id, with_history=True)
        ticket = _ticket_after(issue, self.before, fields, self.offered, self.client.site_url())
        words = UNKEPT if self.writes > 1 else UNKEPT_ONCE
        unkept = {name: words.format(shown) for name, shown in _unkept(issue, self.present, fields).items()}
        changes = changelog.since(issue, self.before.updated)
        if changes is None:
            return Written(ticket, unkept=_by_our_names(unkept))
        found = sort_out(changes, changelog.as_told(fields), changelog.as_told(_fields(self.present)))
        return Written(
            ticket,
            behind=frozenset(_by_our_names(dict.fromkeys(found.behind, ""))),
            replaced=_by_our_names(found.replaced),
            unkept=_by_our_names(unkept),
            is_alone=found.is_alone,
        )

    def refused_in(self, exc: RemoteError) -> Mapping[FieldName, str]:
        """Return the fields that a refusal is about; those that the edit screen lacks are not sent for a while."""
        names = {JIRA_FIELDS[name] for name in self.change.fields if name in JIRA_FIELDS}
        named = named_in(exc, {name: _NAMES.get(name, name) for name in names})
        _remember_off_screen(self.integration, self.change.ticket, named)
        return _by_our_names(named)

    def _sent(self, fields: Json) -> Json:
        """Write fields with the note; without it where the note is what is refused."""
        note, self.note = self.note, None
        try:
            return self.client.edit_issue(self.before.id, fields, note)
        except RemoteError as exc:
            if self.refused_in(exc):
                self.note = note
                raise
            if note is None or "propert" not in exc.detail.casefold():
                raise
            return self.client.edit_issue(self.before.id, fields, None)


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
    """Return what fields show that were written and show something else; a description, where it is as it was before.

    Jira writes markup in its own way.
    """
    shown, former = _fields(issue), _fields(present)
    found: dict[str, str] = {}
    title = shown.get("summary")
    if "summary" in written and isinstance(title, str) and _words(title) not in {"", _words(written["summary"])}:
        found["summary"] = f'"{_words(title)}"'
    priority = shown.get("priority", {})
    if "priority" in written and (priority is None or as_object(priority).get("id")):
        known = as_object(priority)
        if str(known.get("id")) != written["priority"]["id"]:
            found["priority"] = f'"{_words(known["name"])}"' if known.get("name") else "another one"
    if "description" in written and "description" in shown:
        texts = [descriptions.read(one) for one in (shown["description"], former.get("description"))]
        if texts[0] == texts[1] != descriptions.read(written["description"]):
            found["description"] = "the former text"
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
