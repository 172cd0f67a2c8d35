"""Incidents of ServiceNow: reading, making, changing and resolving them, with their journal and our marks.

There is no ETag: `sys_mod_count` is compared before and after a write. What a person set between look and write is not
kept, only told; what they set behind it stays, and is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from pydantic import TypeAdapter

import connector_core as core
from connector_core import FieldName
from connector_core.kit import comments, creating, desk_comments, desk_marks, field_lines, grants, kept, marks
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.details import Details
from connector_core.kit.editing import Written
from connector_core.kit.signing import moment_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json
from connector_servicenow.settings import DO_NOT_CLOSE, PLUGIN, ServiceNowSettings
from connector_servicenow.table import API, RULES, ZONES, FieldsMissing, Table, WriteRefused, is_sys_id, raw, stamp

#: The declared length of the base system, that no page tells: where an instance has less, what it shows afterwards is
#: compared with what was sent.
LONGEST_TEXT = 4_000
DISPLAY = "connector"  # beside our marker, to find all of them by
COLUMNS: Mapping[FieldName, tuple[str, ...]] = {
    FieldName.TITLE: ("short_description",),
    FieldName.DESCRIPTION: ("description",),
    FieldName.PRIORITY: ("impact", "urgency"),
    FieldName.STATUS: ("state",),
}
FIELDS: Final[Sequence[str]] = (
    *("sys_id", "number", "short_description", "description", "state", "impact", "urgency", "priority"),
    *("sys_updated_on", "sys_mod_count", "sys_created_on", "sys_created_by", "correlation_id"),
)
PUBLIC, INTERNAL = "comments", "work_notes"
AT_THE_SAME_MOMENT = "Someone, or a rule, changed the incident at the same moment: its history shows what."
PAGE_OF_MARKED = 100

_CANCELED = "8"
_ENTRY = ("sys_id", "value", "sys_created_on", "sys_created_by")
_BY_TIME = "sys_created_on^ORDERBYsys_id"
_SEEN = "priority of pairs"
_SEEN_AS = TypeAdapter(dict[str, str])


@dataclass
class ServiceNow(desk_comments.CommentedDesk[ServiceNowSettings], desk_marks.MarkedDesk[ServiceNowSettings]):
    """An instance, for one integration."""

    #: Of the last write: whether others wrote since the look before it, and what shows otherwise than sent.
    others: bool | None = None
    lost: frozenset[str] = frozenset()

    info = PLUGIN
    rules = RULES
    address_setting = "instance"
    api_path = API
    keep_open = DO_NOT_CLOSE
    longest_title = 160
    details = Details(longest=LONGEST_TEXT)
    settle_s = comment_settles_s = 45.0  # a call that was given up ends within the session's half minute
    names = marks.TicketNames(alone=r"([0-9a-f]{32}|[a-z]+[0-9]{1,20})", below=r"\S*sys_id(?:=|%3[Dd])([0-9a-f]{32})\b")
    mark_fix = "Let the account write correlation_id."
    internal_fix = "See in ServiceNow who may read work notes, which are for people of the desk, then authorize again."

    def table(self, name: str = "incident") -> Table:
        """Return a table of the instance."""
        return Table(self.rest, name)

    def whoami(self) -> grants.Account:
        """Return our account."""
        row = self.own_row()
        return grants.Account(raw(row, "sys_id") or "", raw(row, "user_name") or "", (grants.site_at(self.site_url),))

    def own_row(self) -> Json:
        """Return the user that we act as; an empty one where that cannot be told.

        That a query may ask for `gs.getUserID()` is documented [c_RESTAPI]; whether an account without roles may look
        is not. Where it is ignored many users come back: then nobody is named.
        """
        query = {"sys_id": "javascript:gs.getUserID()"}
        try:
            found = list(islice(self.table("sys_user").find(query, fields=("sys_id", "user_name"), most="2"), 2))
        except core.ConfigError as exc:
            if exc.code not in {"permission_missing", "column_closed"}:  # that the address is wrong, say
                raise
            return {}
        return found[0] if len(found) == 1 else {}

    def is_id(self, text: str) -> bool:
        """Return whether it is a sys_id."""
        return is_sys_id(text)

    def look(self, ticket_id: str) -> Json:
        """Read one."""
        return self.table().get(ticket_id, FIELDS)

    def found(self, ids: Sequence[str], since: datetime | None) -> Iterable[Json]:
        """Search by sys_id, and by time in UTC or the account's zone, which no page settles: `read_lag` is a day."""
        also = f"sys_updated_on>={stamp(since)}" if since else ""
        return self.table().find({"sys_id": ids}, also=also, fields=FIELDS)

    def snapshot(self, shown: Json) -> core.TicketSnapshot | core.UnreadableTicket:
        """Read a row; a column that our account may not see is not told."""
        sys_id, state = raw(shown, "sys_id"), raw(shown, "state")
        if not sys_id or not is_sys_id(sys_id):
            return core.UnreadableTicket(reason="It has no sys_id.")
        hidden = (name for name, columns in COLUMNS.items() if any(raw(shown, one) is None for one in columns))
        return core.TicketSnapshot(
            id=sys_id,
            key=raw(shown, "number") or "",
            url=f"{self.site_url}/nav_to.do?uri=incident.do?sys_id={sys_id}",  # a custom; no page tells the address
            title=clean(raw(shown, "short_description") or ""),
            description=self.details.own_words(self.text_in(shown)),
            priority=self._priority_in(shown),
            priority_name=raw(shown, "priority", "display_value") or raw(shown, "priority"),
            status=raw(shown, "state", "display_value") or state or "",
            done=state in self.settings.done,
            updated=_changed_at(shown),
            unknown=frozenset(hidden),
        )

    def text_in(self, shown: Json) -> str | None:
        """Return the description."""
        return raw(shown, "description")

    def priority(self, ours: core.Priority) -> Mapping[str, str]:
        """Return impact and urgency."""
        return self.settings.priorities.theirs(ours)

    def _priority_in(self, row: Json) -> core.Priority | None:
        """Read the priority back: our pair with what the instance makes of it is ours, else its number counts."""
        shown = {name: raw(row, name) for name in ("impact", "urgency", "priority")}
        number, priorities = shown.pop("priority"), self.settings.priorities
        ours, by_number = priorities.ours(shown), priorities.ours({"priority": number})
        made = (kept.known(self.integration, _SEEN, remembered_as=_SEEN_AS) or {}).get(_pair(row))
        return ours if ours and (by_number is None or number == made) else by_number

    def _note_priority(self, row: Json) -> None:
        """Remember which priority the instance made of a pair that we just wrote: its rules may be its own."""
        pair, made = _pair(row), raw(row, "priority")
        present = kept.known(self.integration, _SEEN, remembered_as=_SEEN_AS) or {}
        if made and present.get(pair) != made:
            kept.keep(self.integration, _SEEN, {**present, pair: made}, remembered_as=_SEEN_AS)

    def create(self, incident: core.Incident, marker: str) -> core.TicketSnapshot:
        """Make an incident with our marker; it may have to have more than we know of."""
        settings, fields = self.settings, self.sent(incident)
        sent = _columns({**fields, FieldName.DESCRIPTION: self.details.write(incident, marker)})
        sent |= {"assignment_group": settings.assignment_group} | (
            {"caller_id": settings.caller} if settings.caller else {}
        )
        sent |= {"correlation_id": marker, "correlation_display": DISPLAY}
        try:
            made = self._put(sent | field_lines.filled(settings.new_fields, incident, LONGEST_TEXT))
        except FieldsMissing as exc:
            fix = "Give them values in set-up, under Further Fields of a new incident."
            raise core.ConfigError(exc.message, code=exc.code, fix=fix) from exc
        self._note_lost()
        return made

    def write(self, known: core.TicketSnapshot, fields: Mapping[FieldName, object]) -> Written:
        """Write fields; what then shows otherwise is somebody's if anybody else wrote: which field, no page tells."""
        ticket = self._put(_columns(fields), known.id)
        if self.others:
            return Written(ticket, frozenset(name for name in fields if self.lost & set(COLUMNS[name])))
        self._note_lost()
        return Written(ticket, is_alone=self.others is False)

    def close(self, change: core.CloseTicket, before: core.TicketSnapshot) -> core.TicketSnapshot:
        """Resolve it, with code and notes and what else the instance asks for."""
        settings = self.settings
        texts = {"close_notes": settings.close_notes, **settings.close_fields}
        sent = {"state": settings.close_status, "close_code": settings.close_code}
        sent |= field_lines.filled(texts, change.incident, LONGEST_TEXT)
        if raw(self.shown, "state") is None:
            raise core.RetryLater("ServiceNow does not show the state of the incident.", code="status_unreadable")
        try:
            after = self._put({name: text for name, text in sent.items() if text}, before.id)
        except FieldsMissing as exc:
            fix = "Give them values in set-up, under Close Status, or resolve this one in ServiceNow."
            raise core.RemoteError(exc.message, code=exc.code, fix=fix) from exc
        self._note_lost()
        return after

    def _put(self, sent: Mapping[str, str], sys_id: str = "") -> core.TicketSnapshot:
        """Change columns, or make it where it has no id yet; return it as it is then.

        Raises:
            core.TicketChanged: a rule refuses, since somebody has ended it just now.
        """
        before = self.shown
        try:
            self.shown = self.table().write(sent, [*FIELDS, *sent], sys_id)
        except WriteRefused as exc:
            if (present := creating.certain(self.snapshot(self.look(sys_id)))).done:
                raise core.TicketChanged(present) from exc
            raise
        if "impact" in sent:
            self._note_priority(self.shown)
        self.others, self.lost = others_between(before, self.shown), dropped(self.shown, sent)
        self.notes += [AT_THE_SAME_MOMENT] if self.others else []
        return creating.certain(self.snapshot(self.shown))

    def _note_lost(self) -> None:
        """Say what was sent and is not there afterwards: it may be dropped, or cut, without a word."""
        self.notes += [f"Not taken as sent: {', '.join(sorted(self.lost))}."] if self.lost else []

    def marked(self, change: core.FindTicket) -> Iterable[Json]:
        """Find what carries our marker, the first one only: two that were made at once are one too many.

        Where the instance drops `correlation_id`, the marker is in the description still.
        """
        found = list(self.table().find({"correlation_id": change.marker}, fields=FIELDS))
        if not found:
            also = f"descriptionLIKE{change.marker}^sys_created_on>={stamp(change.attempted_at - ZONES)}"
            rows = self.table().find({}, also=also, fields=FIELDS)
            found = [row for row in rows if self.marker_of(row) == change.marker]
        found.sort(key=lambda row: (raw(row, "sys_created_on") or "", raw(row, "sys_id") or ""))
        for row in found[1:]:
            self._cancel(row, found[0])
        return found[:1]

    def _cancel(self, row: Json, first: Json) -> None:
        """Cancel a second incident of ours; a copy that a person made, which has our marker too, is left alone."""
        settings, sys_id = self.settings, raw(row, "sys_id") or ""
        is_theirs = raw(row, "sys_created_by") != raw(first, "sys_created_by")
        if is_theirs or self.integration.core.is_linked(sys_id) or raw(row, "state") in settings.done:
            return
        notes = f"The connector made this one twice; {raw(first, 'number')} is kept."
        sent = {"state": _CANCELED, "work_notes": notes, "close_code": settings.close_code, "close_notes": notes}
        failed = creating.left_undone({"It stays open": lambda: self.table().write(sent, FIELDS, sys_id)})
        self.integration.log.warning("made_twice", ticket=raw(row, "number"), failed=failed)

    def marker_of(self, shown: Json) -> str:
        """Return the marker of `correlation_id`, of the description where there is nothing in it."""
        held = raw(shown, "correlation_id")
        return marks.marker_in(held or self.details.markup.unescape(self.text_in(shown) or ""))

    def called(self, wanted: Sequence[str]) -> Iterator[Json]:
        """Search by sys_id, and by number."""
        ids = list(filter(is_sys_id, wanted))
        numbers = sorted({one.upper() for one in wanted if one not in ids})
        for name, some in (("sys_id", ids), ("number", numbers)):
            if some:
                yield from self.table().find({name: some}, fields=FIELDS)

    def leave_mark(self, mark: core.MarkTicket, shown: Json) -> None:
        """Put our marker into `correlation_id`, unless another program has its own there."""
        present = raw(shown, "correlation_id")
        if present and not marks.marker_in(present):
            theirs = f"Another program has put its own mark into correlation_id: {present}."
            fix = "Let it use another column, or go on without a mark."
            raise core.RemoteError(theirs, code="correlation_taken", fix=fix)
        if present != mark.marker:
            self.table().write({"correlation_id": mark.marker, "correlation_display": DISPLAY}, FIELDS, mark.ticket.id)

    def page_of_marked(self, cursor: str | None) -> desk_marks.MarkedPage:
        """List those with our word beside the mark, the oldest first; where access rules hide one, some come twice."""
        page, skip = PAGE_OF_MARKED, int(cursor or 0)
        where = {"correlation_display": DISPLAY}
        found = self.table().find(where, fields=FIELDS, most=str(page), skip=str(skip), order=_BY_TIME)
        rows = list(islice(found, page))
        return desk_marks.MarkedPage(rows, str(skip + page) if len(rows) == page else None)

    def entries(self, ticket_id: str, since: datetime) -> Iterator[comments.Entry]:
        """Read the entries of the journal; none where that is closed to us, which the check of the set-up tells."""
        where = {"element_id": ticket_id, "element": (PUBLIC, INTERNAL)}
        also = f"sys_created_on>={stamp(since - ZONES)}"
        try:
            for row in self.table("sys_journal_field").find(where, also=also, fields=_ENTRY, order=_BY_TIME):
                known, text, created, author = (raw(row, name) or "" for name in _ENTRY)
                at, is_public = moment_of(created), raw(row, "element") == PUBLIC
                if at:
                    yield comments.Entry(known, author, partial(str, text), at, is_public=is_public)
        except core.ConfigError as exc:
            self.integration.log.info("journal_closed", code=exc.code)

    def add_comment(self, draft: core.WriteComment) -> comments.Shown:
        """Write a comment, which the caller sees, or a work note; no id comes back [r_JournalFields]."""
        column = PUBLIC if draft.public else INTERNAL
        since = self.integration.clock.now() - desk_comments.LOOK_BACK
        self.table().write({column: comment_text(draft, with_marker=True)}, ("sys_id",), draft.ticket.id)
        if (found := next(iter(self.comments_with(draft.ticket.id, draft.marker, since)), None)) is None:
            raise core.RemoteError(
                f"ServiceNow took the comment and does not show it: our account may not write {column}.",
                code="comment_not_taken",
                fix=f"Have an administrator let the account write {column}, then retry.",
            )
        return found

    def comments_with(self, ticket_id: str, marker: str, since: datetime) -> Iterable[comments.Shown]:
        """Find what carries a marker; one that the journal does not show to us goes by the marker as its id.

        The incident shows its entries as one text, as others saw; only the marker is looked for in it.
        """
        found = list(super().comments_with(ticket_id, marker, since))
        if not found:
            row = self.table().get(ticket_id, (PUBLIC, INTERNAL))
            held = {one: raw(row, one, "display_value") or raw(row, one) or "" for one in (PUBLIC, INTERNAL)}
            found = [comments.Shown(marker, is_public=one == PUBLIC) for one, text in held.items() if marker in text]
        return found

    @classmethod
    def explain_absence(
        cls, integration: core.Integration[ServiceNowSettings], tickets: Sequence[core.TicketSnapshot]
    ) -> Mapping[str, core.Absence]:
        """Tell deleted incidents from hidden ones where the account may read `sys_audit_delete`, which few may.

        That the table keeps a row of each is documented for audited tables only [rollback-delete-recovery].
        """
        absent, log = super().explain_absence(integration, tickets), cls(integration).table("sys_audit_delete")

        def read(some: Sequence[str]) -> Iterator[str | None]:
            where = {"tablename": "incident", "documentkey": some}
            return (raw(row, "documentkey") for row in log.find(where, fields=("sys_id",)))

        try:
            deleted = set(log.rest.by_chunks("deletions at once", filter(is_sys_id, absent), cls.at_once, read))
        except core.ConfigError as exc:
            integration.log.info("deletions_not_shown", code=exc.code)
            return absent
        gone = core.Absence(kind=core.AbsenceKind.DELETED, reason="The incident was deleted in ServiceNow.")
        return {one: gone if one in deleted else why for one, why in absent.items()}


def dropped(row: Json, sent: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that show something else than was sent: it may be dropped, or cut, without a word.

    A column that our account may not see tells nothing; the state, which a close looks at by itself, is none of them.
    """
    held = {name: found for name in sent if (found := raw(row, name)) is not None and name != "state"}
    return frozenset(name for name, found in held.items() if clean(found).strip() != clean(sent[name]).strip())


def others_between(before: Json, after: Json) -> bool | None:
    """Return whether anybody changed an incident beside one write of ours; None where its count is not shown."""
    counts = [raw(row, "sys_mod_count") or "" for row in (before, after)]
    return int(counts[1]) - int(counts[0]) > 1 if all(count.isdecimal() for count in counts) else None


def _columns(fields: Mapping[FieldName, object]) -> dict[str, str]:
    """Return fields as columns: a priority is a pair of them already."""
    sent: dict[str, str] = {}
    for name, value in fields.items():
        sent |= value if isinstance(value, Mapping) else {COLUMNS[name][0]: str(value)}
    return sent


def _changed_at(row: Json) -> datetime | None:
    """Return when an incident was last changed; of changes in one second, `sys_mod_count` tells the order.

    That it rises with each of them, an entry of the journal too, is in no page: where it does not, they look alike.
    """
    at, count = moment_of(raw(row, "sys_updated_on") or ""), raw(row, "sys_mod_count") or ""
    return at.replace(microsecond=min(int(count[:9]), 999_999)) if at and count.isdecimal() else at


def _pair(row: Json) -> str:
    return f"{raw(row, 'impact')}/{raw(row, 'urgency')}"
