"""Where a link stands: state, reason and since when; and with it whether its ticket is still looked at."""

from __future__ import annotations

from datetime import datetime

from connector_core.contract.models import AbsenceKind
from connector_core.store.records import DISCARDED, LinkStatus
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection


def keep_status(db: Connection, link_id: int, status: LinkStatus, now: datetime) -> None:
    """Store where the link stands; `since` moves only when state or code do."""
    db.execute(
        "UPDATE link SET since = CASE WHEN state = ?1 AND code = ?2 THEN since ELSE ?7 END,"
        " state = ?1, code = ?2, reason = ?3, fix = ?4, next_try = ?5, attempts = ?6 WHERE id = ?8",
        (
            status.state.stored,
            status.code,
            status.reason,
            status.fix,
            write_time(status.next_try),
            status.attempts,
            write_time(now),
            link_id,
        ),
    )
    db.execute(
        "UPDATE link SET is_open = CASE WHEN NOT (state = 'in_sync'"
        " AND COALESCE(CAST(json_extract(ticket, '$.done') AS TEXT), '') IN ('1', 'true') AND EXISTS"
        " (SELECT 1 FROM incident WHERE incident.organization = link.organization AND incident.id = link.incident_id"
        "  AND incident.status = 'closed')) AND (state != 'gone' OR code = ?) AND code != ? THEN 1 ELSE 0 END"
        " WHERE id = ? AND ticket IS NOT NULL",
        (AbsenceKind.HIDDEN, DISCARDED, link_id),
    )
    db.execute(
        "UPDATE link SET over_at = CASE WHEN is_open = 1 THEN NULL ELSE COALESCE(over_at, ?) END WHERE id = ?",
        (write_time(now), link_id),
    )
