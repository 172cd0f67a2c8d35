"""Duties: what happens once on all nodes of a database, who does it, and when it is due next.

A duty is a lane without a link. Whoever comes first when it is due takes it, and gives it back with the time at which
it is due again; so the time is known to all nodes, and survives all of them. The fence grows each time that it is
taken: what a node that was held for dead brings afterwards is refused (`fences.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import Duty, DutyRow, HeldDuty
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

#: A duty that is due further ahead can only mean that the clock was set back.
LONGEST = timedelta(days=31)
#: Later than any time of a node.
_NEVER = "~"

# A call of a node that has ended may be under way until a while after its last beat.
_HOLDER = "SELECT 1 FROM node WHERE node.id = duty.node AND (node.ended = '' OR node.seen_at > {since})"
TAKE = (
    "UPDATE duty SET node = ?1, fence = fence + 1"  # noqa: S608 - fixed fragments
    " WHERE name = ?2 AND (due_at <= ?3 OR due_at > ?4 OR mark != ?5)"
    f" AND (node IS NULL OR node = ?1 OR NOT EXISTS ({_HOLDER.format(since='?6')})) RETURNING fence"
)
FIND = (
    "SELECT due_at, mark, CASE WHEN EXISTS"  # noqa: S608 - as above
    f" ({_HOLDER.format(since='?2')}) THEN node END AS node FROM duty WHERE name = ?1"
)
LEFT_BEHIND = (
    "SELECT name FROM duty WHERE node IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM node WHERE node.id = duty.node AND node.ended = '')"
)


def find(db: Connection, duty: Duty, quiet_since: datetime | None = None) -> DutyRow | None:
    """Return when a duty is due and who does it at present; None when it was never taken."""
    row = db.execute(FIND, (duty.name, write_time(quiet_since) or _NEVER)).fetchone()
    if row is None:
        return None
    return DutyRow(datetime.fromtimestamp(row["due_at"], UTC), row["mark"], row["node"])


def take(  # noqa: PLR0913, PLR0917 - as the statement needs them
    db: Connection,
    duty: Duty,
    node: str,
    now: datetime,
    quiet_since: datetime | None = None,
    longest: timedelta = LONGEST,
) -> HeldDuty | None:
    """Take a duty for a node if it is due, and no node that lives has it.

    One that is due further ahead than the `longest` that it is ever put off was planned by a clock that was wrong.
    With `quiet_since` it is not taken from a node that ended and beat later than that: its last call may still arrive.
    """
    ahead = (now + longest).timestamp()
    values = (node, duty.name, now.timestamp(), ahead, duty.mark, write_time(quiet_since) or _NEVER)
    row = db.execute(TAKE, values).fetchone()
    if row is None and _add(db, duty, now):
        row = db.execute(TAKE, values).fetchone()
    return None if row is None else HeldDuty(duty.name, duty.organization, node, row["fence"])


def _add(db: Connection, duty: Duty, now: datetime) -> bool:
    """Make the row of a duty that was never done, due at once; False when there is one."""
    return bool(
        db.execute(
            "INSERT INTO duty (name, organization, due_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            (duty.name, duty.organization, now.timestamp()),
        ).rowcount
    )


def give_back(db: Connection, held: HeldDuty, due_at: datetime, mark: str | None) -> bool:
    """Give a duty back, with the time at which it is due again, and what it was done for; None where it was not done.

    False, and nothing changed, when another node has it by now.
    """
    return bool(
        db.execute(
            "UPDATE duty SET node = NULL, due_at = ?1, mark = COALESCE(CAST(?2 AS TEXT), mark)"
            " WHERE name = ?3 AND node = ?4 AND fence = ?5",
            (due_at.timestamp(), mark, held.name, held.node, held.fence),
        ).rowcount
    )


def bring_forward(db: Connection, duty: Duty, at: datetime) -> None:
    """Let a duty be due at a time at the latest."""
    db.execute("UPDATE duty SET due_at = ?1 WHERE name = ?2 AND due_at > ?1", (at.timestamp(), duty.name))


def forget_marks(db: Connection, kind: str) -> None:
    """Let all duties of a kind be due at once, as if what they are done for had changed."""
    db.execute("UPDATE duty SET mark = '' WHERE substr(name, 1, CAST(?1 AS INTEGER)) = ?2", (len(kind) + 1, f"{kind}:"))


def clock_was_set(db: Connection, by_s: float, now: datetime) -> None:
    """Move along what was planned by a clock that was then set back; one that was set forward makes it early only.

    How long a node is quiet is told from its last beat: nobody has beaten later than now.
    """
    if by_s < 0:
        db.execute("UPDATE duty SET due_at = due_at + ?", (by_s,))
        db.execute("UPDATE node SET seen_at = ?1 WHERE seen_at > ?1", (write_time(now),))


def left_behind(db: Connection) -> list[str]:
    """Return the duties that nodes had taken which have ended since."""
    return [row[0] for row in db.execute(LEFT_BEHIND)]


class Duties(Noun):
    """What happens once on all nodes."""

    find = reads(find)
    take = writes(take)
    give_back = writes(give_back)
    bring_forward = writes(bring_forward)
    forget_marks = writes(forget_marks, EVERYBODY)
    left_behind = reads(left_behind)
