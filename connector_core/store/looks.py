"""Links whose ticket is only looked for: nobody told of the beginning of their incident, so none is made.

A daemon that this database does not know may have made one, see `life.py`. Each is looked for once. Every function here
runs inside a transaction of the writer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector_core.store import figures
from connector_core.store.records import DISCARDED
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

KEPT_FOR = timedelta(days=30)

#: What was looked for in vain, and is at rest.
WITHOUT = (
    "SELECT link.id, organization, incident_id FROM link JOIN lane ON lane.link_id = link.id"
    " WHERE looks_since IS NOT NULL AND ticket_id IS NULL AND over_at < ? AND boot IS NULL AND due_at IS NULL LIMIT ?"
)


def let_make(db: Connection, link_id: int, made_since: datetime | None, at: datetime) -> bool:
    """Let a link have a ticket made, since its incident's beginning was told; False when it may have one anyway.

    What a person gave up stays given up.
    """
    changed = bool(
        db.execute(
            "UPDATE link SET looks_since = NULL, attempted_at = COALESCE(attempted_at, ?1), state = 'waiting',"
            " code = 'new', reason = '', since = ?2, is_open = 1, over_at = NULL"
            " WHERE id = ?3 AND looks_since IS NOT NULL AND ticket_id IS NULL AND code != ?4",
            (write_time(made_since), write_time(at), link_id, DISCARDED),
        ).rowcount
    )
    if changed:
        figures.count_incident(db, link_id, at)
    return changed


def look_again(db: Connection, link_id: int) -> None:
    """Have a ticket looked for once more, where it only is."""
    db.execute(
        "UPDATE link SET attempted_at = COALESCE(attempted_at, looks_since), is_open = 1, over_at = NULL,"
        " state = 'waiting', code = 'looking', reason = ''"
        " WHERE id = ? AND looks_since IS NOT NULL AND ticket_id IS NULL",
        (link_id,),
    )


def end(db: Connection, link_id: int, now: datetime) -> None:
    """Note that there is no ticket and that none is to be made: nothing is open.

    Comments stay until the link is forgotten: the beginning of the incident may only be late.
    """
    db.execute("UPDATE link SET is_open = 0, over_at = COALESCE(over_at, ?) WHERE id = ?", (write_time(now), link_id))


def forget(db: Connection, now: datetime, most: int) -> int:
    """Delete links that have stayed without a ticket for long; return how many. Their incidents are then unlinked."""
    found = db.execute(WITHOUT, (write_time(now - KEPT_FOR), most)).fetchall()
    db.executemany("DELETE FROM link WHERE id = ?", [(link_id,) for link_id, *_ in found])
    return len(found)
