"""Incidents of ServiceNow: reading, making, changing and resolving them, with their journal and our marks.

There is no ETag: `sys_mod_count` is compared before and after a write, see the kit's `counting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice

import connector_core as core
from connector_core import FieldName
from connector_core.kit import comments, counting, creating, desk_comments, desk_marks, field_lines, grants, marks
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.details import Details
from connector_core.kit.editing import Written
from connector_core.kit.priority_pairs import Shown, learn, ours_of
from connector_core.kit.settings import PARTS
from connector_core.kit.signing import moment_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json
from connector_servicenow.settings import DO_NOT_CLOSE, PLUGIN, ServiceNowSettings
from connector_servicenow.table import API, RULES, ZONES, Table, WriteRefused, is_sys_id, raw, stamp

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
FIELDS: Sequence[str] = (
    *("sys_id", "number", "short_description", "description", "state", "impact", "urgency", "priority"),
    *("sys_updated_on", "sys_mod_count", "sys_created_on", "sys_created_by", "correlation_id"),
)
PUBLIC, INTERNAL = "comments", "work_notes"
PAGE_OF_MARKED = 100

_CANCELED = "8"
_ENTRY = ("sys_id", "value", "sys_created_on", "sys_created_by")
_BY_TIME = "sys_created_on^ORDERBYsys_id"


class ServiceNow(desk_comments.CommentedDesk[ServiceNowSettings], desk_marks.MarkedDesk[ServiceNowSettings]):
    """An instance, for one integration."""

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
            found = list(islice(self.table("sys_user").find(query, fields=("sys_id", "user_name"), most=2), 2))
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
            priority=ours_of(self.integration, self.settings.priorities, _pair(shown)),
            priority_name=raw(shown, "priority", "display_value") or raw(shown, "priority"),
            status=raw(shown, "state", "display_value") or state or "",
            done=state in self.settings.done,
            # That the count rises with each change, an entry of the journal too, is in no page.
            updated=counting.in_order(moment_of(raw(shown, "sys_updated_on") or ""), raw(shown, "sys_mod_count")),
            unknown=frozenset(hidden),
        )

    def text_in(self, shown: Json) -> str | None:
        """Return the description."""
        return raw(shown, "description")

    def create(self, incident: core.Incident, marker: str) -> core.TicketSnapshot:
        """Make an incident with our marker; it may have to have more than we know of."""
        settings, words = self.settings, self.details.write(incident, marker)
        own = {"assignment_group": settings.assignment_group, "caller_id": settings.caller}
        own |= {"correlation_id": marker, "correlation_display": DISPLAY}
        sent = _columns({**self.sent(incident), FieldName.DESCRIPTION: words}) | _given(own)
        return self._put(sent | field_lines.filled(settings.new_fields, incident, LONGEST_TEXT)).ticket

    def write(self, known: core.TicketSnapshot, fields: Mapping[FieldName, object]) -> Written:
        """Write fields; what then shows otherwise is somebody's if anybody else wrote."""
        return self._put(_columns(fields), known.id, {name: COLUMNS[name] for name in fields})

    def close(self, change: core.CloseTicket, before: core.TicketSnapshot) -> core.TicketSnapshot:
        """Resolve it, with code and notes and what else the instance asks for."""
        if raw(self.shown, "state") is None:
            raise core.RetryLater("ServiceNow does not show the state of the incident.", code="status_unreadable")
        settings = self.settings
        sent = _given({"state": settings.close_status, "close_code": settings.close_code})
        texts = {"close_notes": settings.close_notes, **settings.close_fields}
        return self._put(sent | field_lines.filled(texts, change.incident, LONGEST_TEXT), before.id).ticket

    def _put(
        self, sent: Mapping[str, str], sys_id: str = "", edited: Mapping[FieldName, Sequence[str]] | None = None
    ) -> Written:
        """Change columns, those of `edited` fields say, or make it where it has no id yet; return it as it is then.

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
            learn(self.integration, _pair(self.shown))
        shown = {name: raw(self.shown, name) for name in sent if name != "state"}  # which a close looks at by itself
        counts = raw(before, "sys_mod_count"), raw(self.shown, "sys_mod_count")
        outcome = counting.Outcome.of(counts, sent=sent, shown=shown)
        self.notes += outcome.notes(is_edit=bool(edited))
        return outcome.written(creating.certain(self.snapshot(self.shown)), edited or {})

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
        found = self.table().find(where, fields=FIELDS, most=page, skip=skip, by=_BY_TIME)
        rows = list(islice(found, page))
        return desk_marks.MarkedPage(rows, str(skip + page) if len(rows) == page else None)

    def entries(self, ticket_id: str, since: datetime) -> Iterator[comments.Entry]:
        """Read the entries of the journal; none where that is closed to us, which the check of the set-up tells."""
        where = {"element_id": ticket_id, "element": (PUBLIC, INTERNAL)}
        also = f"sys_created_on>={stamp(since - ZONES)}"
        try:
            for row in self.table("sys_journal_field").find(where, also=also, fields=_ENTRY, by=_BY_TIME):
                known, text, created, author = (raw(row, name) or "" for name in _ENTRY)
                at, is_public = moment_of(created), raw(row, "element") == PUBLIC
                if at:
                    yield comments.Entry(known, author, partial(str, text), at, is_public=is_public)
        except core.ConfigError as exc:
            self.integration.log.info("journal_closed", code=exc.code)

    def add_comment(self, draft: core.WriteComment) -> comments.Shown:
        """Write a comment, which the caller sees, or a work note; no id comes back [r_JournalFields]."""
        column = PUBLIC if draft.public else INTERNAL
        self.table().write({column: comment_text(draft, with_marker=True)}, ("sys_id",), draft.ticket.id)
        return self.as_taken(draft, column)

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

    def deleted(self, ids: Sequence[str]) -> Iterable[str]:
        """Read `sys_audit_delete`, which few accounts may.

        That it keeps a row of each is documented for audited tables only [rollback-delete-recovery].
        """
        where = {"tablename": "incident", "documentkey": ids}
        return (raw(row, "documentkey") or "" for row in self.table("sys_audit_delete").find(where, fields=("sys_id",)))


def _columns(fields: Mapping[FieldName, object]) -> dict[str, str]:
    """Return fields as columns: a priority is a pair of them already."""
    sent: dict[str, str] = {}
    for name, value in fields.items():
        sent |= value if isinstance(value, Mapping) else {COLUMNS[name][0]: str(value)}
    return sent


def _given(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def _pair(row: Json) -> Shown:
    return {name: raw(row, name) for name in PARTS}
