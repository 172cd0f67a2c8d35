"""Comments, which the caller sees, and work notes, which people of the desk see: entries of a journal.

Each write adds an entry, and no id comes back [r_JournalFields]. Entries are read from `sys_journal_field`, which is
closed to many accounts: what we wrote is then looked for in the incident itself, which shows all entries as one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import connector_core as core
from connector_core.kit.comment_texts import comment_text, read_comment, told_comment
from connector_core.kit.comments import Internal, Shown, write_once
from connector_core.kit.signing import moment_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json
from connector_servicenow.settings import ServiceNowIntegration
from connector_servicenow.table import Table, raw, stamp

PUBLIC, INTERNAL = "comments", "work_notes"
_ZONES = timedelta(days=1)  # a time in a query may be read in the zone of the account
_SETTLE_S = 45.0
_FIX = "See in ServiceNow who may read work notes, which are for people of the desk, then authorize again."


@core.implements(core.hookspecs.write_comment)
def write(integration: ServiceNowIntegration, draft: core.CommentDraft) -> core.WrittenComment | core.NotCreated:
    """Write a comment or a work note, with our marker below it, or look for it."""
    return write_once(
        draft,
        write=lambda asked: _add(integration, asked),
        find=lambda asked: _marked(integration, asked),
        keep_internal=Internal(integration, None, _FIX),
        settle_s=_SETTLE_S,
    )


@core.implements(core.hookspecs.fetch_comments)
def fetch(
    integration: ServiceNowIntegration, ticket: core.TicketSnapshot, since: datetime
) -> Sequence[core.TicketComment]:
    """Read the entries since a time; none where the journal is closed to us, which the check of the set-up tells."""
    found = []
    for row in _entries(integration, ticket.id, f"sys_created_on>={stamp(since - _ZONES)}"):
        at, sys_id = moment_of(raw(row, "sys_created_on") or ""), raw(row, "sys_id")
        if at and sys_id and at >= since:
            is_internal, author = raw(row, "element") != PUBLIC, raw(row, "sys_created_by") or ""
            found.append(told_comment(sys_id, author, raw(row, "value") or "", at, internal=is_internal))
    return found


def _add(integration: ServiceNowIntegration, asked: core.WriteComment) -> Shown:
    column = PUBLIC if asked.public else INTERNAL
    Table.of(integration).write({column: comment_text(asked, with_marker=True)}, ("sys_id",), asked.ticket.id)
    if (found := next(_marked(integration, asked), None)) is None:
        raise core.RemoteError(
            f"ServiceNow took the comment and does not show it: our account may not write {column}.",
            code="comment_not_taken",
            fix=f"Have an administrator let the account write {column}, then retry.",
        )
    return found


def _entries(integration: ServiceNowIntegration, sys_id: str, also: str = "") -> Iterator[Json]:
    where = {"element_id": sys_id, "element": (PUBLIC, INTERNAL)}
    fields, order = ("sys_id", "value", "sys_created_on", "sys_created_by"), "sys_created_on^ORDERBYsys_id"
    try:
        yield from Table.of(integration, "sys_journal_field").find(where, also=also, fields=fields, order=order)
    except core.ConfigError as exc:
        integration.log.info("journal_closed", code=exc.code)


def _marked(integration: ServiceNowIntegration, draft: core.WriteComment | core.FindComment) -> Iterator[Shown]:
    """Find what carries the marker of a draft; one that the journal does not show to us goes by the marker as its id.

    That an incident shows its entries as one text is what others saw; only the marker is looked for in it.
    """
    is_found = False
    for row in _entries(integration, draft.ticket.id):
        if read_comment(clean(raw(row, "value") or "")).marker == draft.marker:
            is_found = True
            yield Shown(raw(row, "sys_id") or draft.marker, is_public=raw(row, "element") == PUBLIC)
    if not is_found:
        row = Table.of(integration).get(draft.ticket.id, (PUBLIC, INTERNAL))
        for one in (PUBLIC, INTERNAL):
            if draft.marker in (raw(row, one, "display_value") or raw(row, one) or ""):
                yield Shown(draft.marker, is_public=one == PUBLIC)
