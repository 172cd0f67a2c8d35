"""Comments, which the caller sees, and work notes, which people of the desk see: entries of a journal.

Each write adds an entry, and no id comes back [r_JournalFields]. Entries are read from `sys_journal_field`, which is
closed to many accounts: what we wrote is then looked for in the incident itself, which shows all entries as one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import connector_core as core
from connector_core.kit import comments
from connector_core.kit.comment_texts import comment_text
from connector_core.kit.signing import moment_of
from connector_servicenow.settings import ServiceNowIntegration
from connector_servicenow.table import ZONES, Table, raw, stamp

PUBLIC, INTERNAL = "comments", "work_notes"
_FIELDS = ("sys_id", "value", "sys_created_on", "sys_created_by")
_SETTLE_S = 45.0
_FIX = "See in ServiceNow who may read work notes, which are for people of the desk, then authorize again."


@core.implements(core.hookspecs.write_comment)
def write(integration: ServiceNowIntegration, draft: core.CommentDraft) -> core.WrittenComment | core.NotCreated:
    """Write a comment or a work note, with our marker below it, or look for it."""
    internal = comments.Internal(integration, None, _FIX)
    add, marked = partial(_add, integration), partial(_marked, integration)
    return comments.write_once(draft, write=add, find=marked, keep_internal=internal, settle_s=_SETTLE_S)


@core.implements(core.hookspecs.fetch_comments)
def fetch(
    integration: ServiceNowIntegration, ticket: core.TicketSnapshot, since: datetime
) -> Sequence[core.TicketComment]:
    """Read the entries since a time; none where the journal is closed to us, which the check of the set-up tells."""
    entries = _entries(integration, ticket.id, f"sys_created_on>={stamp(since - ZONES)}")
    return comments.told((one for one in entries if one.at), since)


def _add(integration: ServiceNowIntegration, asked: core.WriteComment) -> comments.Shown:
    column = PUBLIC if asked.public else INTERNAL
    Table.of(integration).write({column: comment_text(asked, with_marker=True)}, ("sys_id",), asked.ticket.id)
    if (found := next(_marked(integration, asked), None)) is None:
        raise core.RemoteError(
            f"ServiceNow took the comment and does not show it: our account may not write {column}.",
            code="comment_not_taken",
            fix=f"Have an administrator let the account write {column}, then retry.",
        )
    return found


def _entries(integration: ServiceNowIntegration, sys_id: str, also: str = "") -> Iterator[comments.Entry]:
    where, order = {"element_id": sys_id, "element": (PUBLIC, INTERNAL)}, "sys_created_on^ORDERBYsys_id"
    try:
        for row in Table.of(integration, "sys_journal_field").find(where, also=also, fields=_FIELDS, order=order):
            known, text, created, author = (raw(row, name) or "" for name in _FIELDS)
            is_public = raw(row, "element") == PUBLIC
            yield comments.Entry(known, author, partial(str, text), moment_of(created), is_public=is_public)
    except core.ConfigError as exc:
        integration.log.info("journal_closed", code=exc.code)


def _marked(
    integration: ServiceNowIntegration, draft: core.WriteComment | core.FindComment
) -> Iterator[comments.Shown]:
    """Find what carries the marker of a draft; one that the journal does not show to us goes by the marker as its id.

    That an incident shows its entries as one text is what others saw; only the marker is looked for in it.
    """
    found = list(comments.marked(_entries(integration, draft.ticket.id), draft.marker))
    yield from found
    if not found:
        row = Table.of(integration).get(draft.ticket.id, (PUBLIC, INTERNAL))
        for one in (PUBLIC, INTERNAL):
            if draft.marker in (raw(row, one, "display_value") or raw(row, one) or ""):
                yield comments.Shown(draft.marker, is_public=one == PUBLIC)
