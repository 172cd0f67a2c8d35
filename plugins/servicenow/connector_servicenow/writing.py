"""Writing to the table: an incident is made once, changed where nobody was faster, and resolved with code and notes.

There is no ETag: `sys_mod_count` is compared before and after a write. What a person set between look and write is not
kept, only told; what they set behind it stays, and is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import connector_core as core
from connector_core.kit import closing, creating, editing
from connector_core.kit.field_lines import filled
from connector_core.kit.texts import one_line
from connector_core.kit.values import Json
from connector_servicenow import incidents
from connector_servicenow.incidents import DETAILS, FIELDS, LONGEST_TEXT, LONGEST_TITLE, dropped
from connector_servicenow.settings import DO_NOT_CLOSE, ServiceNowIntegration
from connector_servicenow.table import ZONES, FieldsMissing, Table, WriteRefused, raw, stamp

_SETTLE_S = 45.0  # a call that was given up ends within the session's half minute
_CANCELED = "8"
AT_THE_SAME_MOMENT = "Someone, or a rule, changed the incident at the same moment: its history shows what."
_NO_PRIORITY = editing.Refused("An incident of ServiceNow has a priority; it cannot be taken away.")


@core.implements(core.hookspecs.on_incident_event)
def write_change(integration: ServiceNowIntegration, change: core.IncidentChange) -> core.Receipt | core.NotCreated:
    """Create, find, change or resolve an incident."""
    if isinstance(change, creating.AnyCreate):
        title = one_line(change.incident.title, LONGEST_TITLE)
        return creating.create_once(
            change,
            make=lambda: _make(Ticket(integration, ""), change),
            find=lambda: [incidents.snapshot(integration, row) for row in _ours(integration, change)],
            settle_s=_SETTLE_S,
            as_created=lambda found: creating.as_sent(found, change.incident, title=title, details=DETAILS),
        )
    ticket = Ticket(integration, change.ticket.id)
    receipt = _edit(ticket, change) if isinstance(change, core.WriteFields) else _close(ticket, change)
    return receipt.model_copy(update={"note": " ".join(dict.fromkeys([receipt.note, *ticket.notes])).strip()})


@dataclass
class Ticket:
    """An incident, its row as it was last read, and what a person should know of what was written."""

    integration: ServiceNowIntegration
    sys_id: str
    row: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Of the last write: whether others wrote since the look before it, and what shows otherwise than sent.
    others: bool | None = None
    lost: frozenset[str] = frozenset()

    def read(self) -> core.TicketSnapshot:
        """Read it anew."""
        self.row = Table.of(self.integration).get(self.sys_id, FIELDS)
        return creating.certain(incidents.snapshot(self.integration, self.row))

    def write(self, sent: Mapping[str, str]) -> core.TicketSnapshot:
        """Change columns, or make it where it has no id yet; return it as it is then.

        Raises:
            core.TicketChanged: a rule refuses, since someone has ended it just now.
        """
        before = self.row
        try:
            self.row = Table.of(self.integration).write(sent, [*FIELDS, *sent], self.sys_id)
        except WriteRefused as exc:
            if (present := self.read()).done:
                raise core.TicketChanged(present) from exc
            raise
        if "impact" in sent:
            incidents.note_priority(self.integration, self.row)
        self.others = others_between(before, self.row)
        self.lost = dropped(self.row, sent)
        self.notes += [AT_THE_SAME_MOMENT] if self.others else []
        return creating.certain(incidents.snapshot(self.integration, self.row))

    def edit(self, values: Mapping[core.FieldName, object], change: core.WriteFields) -> editing.Written:
        """Write fields; what then shows otherwise is someone's if anybody else wrote: which field, no page tells."""
        ticket = self.write(_columns(values, change, self.row))
        if self.others:
            theirs = frozenset(name for name in values if self.lost & set(incidents.COLUMNS[name]))
            return editing.Written(ticket, behind=theirs)
        self.notes += not_taken(self.lost)
        return editing.Written(ticket, is_alone=self.others is False)


def _make(ticket: Ticket, change: creating.AnyCreate) -> core.Receipt:
    try:
        made = ticket.write(incidents.new(ticket.integration.settings, change.incident, change.marker))
    except FieldsMissing as exc:
        fix = "Give them values in set-up, under Further Fields of a new incident."
        raise core.ConfigError(exc.message, code=exc.code, fix=fix) from exc
    return core.Receipt(ticket=made, note=" ".join(not_taken(ticket.lost)))


def _ours(integration: ServiceNowIntegration, change: creating.AnyCreate) -> Sequence[Json]:
    """Find what carries our marker, the first one only: two that were made at once are one too many.

    Where the instance drops `correlation_id`, the marker is in the description still.
    """
    table = Table.of(integration)
    found = list(table.find({"correlation_id": change.marker}, fields=FIELDS))
    if not found and isinstance(change, core.FindTicket):
        also = f"descriptionLIKE{change.marker}^sys_created_on>={stamp(change.attempted_at - ZONES)}"
        rows = table.find({}, also=also, fields=FIELDS)
        found = [row for row in rows if DETAILS.mentions(raw(row, "description"), change.marker)]
    found.sort(key=lambda row: (raw(row, "sys_created_on") or "", raw(row, "sys_id") or ""))
    for row in found[1:]:
        _cancel(integration, row, found[0])
    return found[:1]


def _cancel(integration: ServiceNowIntegration, row: Json, kept: Json) -> None:
    """Cancel a second incident of ours; a copy that a person made, which has our marker too, is left alone."""
    settings, sys_id = integration.settings, raw(row, "sys_id") or ""
    is_ours = raw(row, "sys_created_by") == raw(kept, "sys_created_by") and not integration.core.is_linked(sys_id)
    if not sys_id or not is_ours or raw(row, "state") in settings.done:
        return
    notes = f"The connector made this one twice; {raw(kept, 'number')} is kept."
    values = {"state": _CANCELED, "work_notes": notes, "close_code": settings.close_code, "close_notes": notes}
    failed = creating.left_undone({"It stays open": lambda: Table.of(integration).write(values, FIELDS, sys_id)})
    integration.log.warning("made_twice", ticket=raw(row, "number"), failed=failed)


def _edit(ticket: Ticket, change: core.WriteFields) -> core.Receipt:
    values: dict[core.FieldName, object] = dict.fromkeys((core.FieldName.TITLE, core.FieldName.DESCRIPTION))
    values[core.FieldName.PRIORITY] = (
        ticket.integration.settings.priorities.theirs(change.incident.priority) or _NO_PRIORITY
    )

    def write(fields: Mapping[core.FieldName, object]) -> editing.Written:
        return ticket.edit(fields, change)

    return editing.write_fields(change, read=ticket.read, write=write, values=values)


def _columns(values: Mapping[core.FieldName, object], change: core.WriteFields, present: Json) -> dict[str, str]:
    """Return the columns to be written: a description over the one that is there, since people add to it."""
    sent: dict[str, str] = {}
    if core.FieldName.TITLE in values:
        sent["short_description"] = one_line(change.incident.title, LONGEST_TITLE)
    if core.FieldName.DESCRIPTION in values:
        sent["description"] = DETAILS.rewrite(raw(present, "description"), change.incident, change.marker)
    pair = values.get(core.FieldName.PRIORITY)
    return {**sent, **(pair if isinstance(pair, Mapping) else {})}


def _close(ticket: Ticket, change: core.CloseTicket) -> core.Receipt:
    settings = ticket.integration.settings
    values = {
        "state": settings.close_status,
        "close_code": settings.close_code,
        **filled({"close_notes": settings.close_notes, **settings.close_fields}, change.incident, LONGEST_TEXT),
    }

    def write(_: core.TicketSnapshot) -> core.TicketSnapshot:
        if raw(ticket.row, "state") is None:
            raise core.RetryLater("ServiceNow does not show the state of the incident.", code="status_unreadable")
        after = ticket.write({name: text for name, text in values.items() if text})
        ticket.notes += not_taken(ticket.lost)
        return after

    try:
        return closing.close_once(
            change, read=ticket.read, write=write, keeps_open=settings.close_status == DO_NOT_CLOSE
        )
    except FieldsMissing as exc:
        fix = "Give them values in set-up, under Close Status, or resolve this one in ServiceNow."
        raise core.RemoteError(exc.message, code=exc.code, fix=fix) from exc


def not_taken(columns: Iterable[str]) -> list[str]:
    """Say what was sent and is not there afterwards: it may be dropped, or cut, without a word."""
    lost = ", ".join(sorted(columns))
    return [f"Not taken as sent: {lost}."] if lost else []


def others_between(before: Json, after: Json) -> bool | None:
    """Return whether anybody changed an incident beside one write of ours; None where its count is not shown."""
    counts = [raw(row, "sys_mod_count") or "" for row in (before, after)]
    return int(counts[1]) - int(counts[0]) > 1 if all(count.isdecimal() for count in counts) else None
