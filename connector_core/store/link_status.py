"""Where a link stands: state, reason and since when; and with it whether its ticket is still looked at."""

from __future__ import annotations

from datetime import datetime

from connector_core.contract.models import AbsenceKind
from connector_core.store.records import DISCARDED, LinkState, LinkStatus
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

_IS_OPEN = (
    "CASE WHEN ticket IS NULL THEN is_open WHEN ?9 = 1 THEN 0"
    " WHEN ?1 = 'in_sync' AND COALESCE(CAST(json_extract(ticket, '$.done') AS TEXT), '') IN ('1', 'true') AND EXISTS"
    " (SELECT 1 FROM incident WHERE incident.organization = link.organization AND incident.id = link.incident_id"
    "  AND incident.status = 'closed') THEN 0 ELSE 1 END"
)
_KEEP = (
    "UPDATE link SET since = CASE WHEN state = ?1 AND code = ?2 THEN since ELSE ?7 END,"  # noqa: S608 - ours
    f" state = ?1, code = ?2, reason = ?3, fix = ?4, next_try = ?5, attempts = ?6, is_open = {_IS_OPEN},"
    f" over_at = CASE WHEN {_IS_OPEN} = 1 THEN NULL ELSE COALESCE(over_at, ?7) END WHERE id = ?8"
    # Most often all is as it was: then nothing is written, and nothing that follows from it looked at.
    " AND NOT (state = ?1 AND code = ?2 AND reason = ?3 AND fix = ?4 AND COALESCE(next_try, '') = COALESCE(?5, '')"
    f" AND attempts = ?6 AND is_open = {_IS_OPEN} AND is_open = CASE WHEN over_at IS NULL THEN 1 ELSE 0 END)"
)


def keep_status(
    db: Connection, link_id: int, status: LinkStatus, now: datetime, *, unless_given_up: bool = False
) -> None:
    """Store where the link stands; `since` moves only when state or code do.

    What a person gave up stays so with `unless_given_up`.
    """
    is_out = status.code == DISCARDED or (status.state is LinkState.GONE and status.code != AbsenceKind.HIDDEN)
    db.execute(
        f"{_KEEP} AND code != '{DISCARDED}'" if unless_given_up else _KEEP,
        (
            status.state.stored,
            status.code,
            status.reason,
            status.fix,
            write_time(status.next_try),
            status.attempts,
            write_time(now),
            link_id,
            int(is_out),
        ),
    )
