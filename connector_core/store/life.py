"""Whether the database is the one that the last daemon left, and so whether a new link may have a ticket already.

A daemon whose database was restored, lost or copied made tickets that this one knows nothing of. It is told by a name
and a count that the running daemon keeps, in the database first and then in a file beside it, before it makes a
ticket; by the time at which it was last alive; and by a note in backups. Where nothing proves that no life is missing,
a link that may be of one has its ticket looked for before it gets one. A daemon that is started again within a minute
owes nobody such a look.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

from connector_core.contract.models import EventType, IncidentEvent
from connector_core.store import duties, lanes, meta
from connector_core.store.beside import Place
from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import NO_TICKET
from connector_core.store.rows import read_time, write_time
from connector_core.store.statements import Connection

# A copy of the files that is younger than this, put back without the file beside them, is taken for a restart.
PROVES_CONTINUITY = timedelta(seconds=60)
# So long a link of a database that surely lost a life may be of it: an hour, when the clock may be wrong by one.
SURELY_FOR = timedelta(hours=2)

# By so much platforms' clocks and ours are taken to differ at most.
CLOCKS_DIFFER = timedelta(hours=2)
# A database that was lost with all that it knew: news since this long before is looked into, and an incident that does
# not tell since when it is open is taken to be open so long at most.
LOST_FOR, OPEN_FOR = timedelta(days=1), timedelta(days=30)

# The names of so many removed integrations are kept: whoever has one of them again has its tickets looked for.
MOST_REMOVED = 1_000

ALIVE = "life_at"
_NAME, _BEFORE, _COUNT = "life", "life_before", "life_count"
_CLOCK_SET = "clock_set_by_s"
#: All nodes agree within so many seconds by how much the clock was set.
ALIKE_S = 3.0
_COPY, _DOUBTS, _REMOVED, _REMOVALS = "life_copied", "life_doubts", "removed:", "removals"
_BREAKS = "life_breaks"


def begin(db: Connection, now: datetime, beside: Place | None) -> tuple[Place, str]:
    """Note that a daemon begins; return its place, and in a word why a life may be missing, if so."""
    alive = read_time(meta.get(db, ALIVE))
    if meta.get(db, _COPY) is not None:
        why = "restored"
    elif beside is not None and not is_known(db, beside):
        why = "another_was_here"
    elif alive is None:
        why = "new"
    elif beside is None:
        why = "moved"
    elif abs(now - alive) > PROVES_CONTINUITY:
        why = "long_away"
    else:
        why = ""
    if why:
        _doubt(db, now, alive, surely=why not in {"new", "long_away"})
    meta.put(db, _COPY, None)
    meta.put(db, _BEFORE, meta.get(db, _NAME))
    meta.put(db, _NAME, secrets.token_hex(8))
    meta.put(db, _COUNT, "0")
    return beat(db, now), why


def beat(db: Connection, now: datetime) -> Place:
    """Note that the daemon is alive, or is about to make a ticket; return its place, to be kept beside the database."""
    meta.add(db, _COUNT)  # in one statement: others may beat at the same time
    place = Place(meta.number(db, _COUNT), meta.get(db, _NAME) or "")
    meta.put(db, ALIVE, write_time(now))
    return place


def has_begun(db: Connection) -> bool:
    """Return whether a daemon ever began: other commands keep no place."""
    return meta.get(db, _NAME) is not None


def is_known(db: Connection, beside: Place) -> bool:
    """Return whether the database has come as far as what stands beside it, which is written after it.

    A daemon may have ended before it wrote its name there: then it is the one before.
    """
    if beside.name == meta.get(db, _BEFORE):
        return True
    return beside.name == meta.get(db, _NAME) and beside.count <= meta.number(db, _COUNT)


def is_same(db: Connection, other: Connection) -> bool:
    """Return whether one of two databases is a copy of the other, and no daemon has begun with either since."""
    known = [[meta.get(one, key) for key in (_NAME, _COUNT, ALIVE)] for one in (db, other)]
    return known[0] == known[1] and known[0][0] is not None


def clock_was_set(db: Connection, by_s: float, now: datetime, since_s: float | None = None) -> float:
    """Move along what was planned by a clock that was then set forward, or back when `by_s` is negative.

    Where several watch the clock, `since_s` is by how much it had been set in all as far as this one had seen it before
    (`clock_set_by_s`): what others have told of since is done already. Return by how much it has been set in all.
    """
    in_all_s = clock_set_by_s(db)
    if since_s is not None:
        by_s -= in_all_s - since_s
        if abs(by_s) < ALIKE_S:
            return in_all_s
        in_all_s += by_s
        meta.put(db, _CLOCK_SET, str(in_all_s))
    lanes.clock_was_set(db, by_s, now)
    duties.clock_was_set(db, by_s, now)
    doubts = _doubts(db)
    if doubts is not None:
        moved = {name: read_time(doubts[name]) for name in ("before", "until")}
        later = {name: write_time(at + timedelta(seconds=by_s)) for name, at in moved.items() if at is not None}
        meta.put(db, _DOUBTS, json.dumps({**doubts, **later}))
    return in_all_s


def clock_set_by_s(db: Connection) -> float:
    """Return by how much the clock of this database has been set in all, as far as its nodes have told."""
    return float(meta.get(db, _CLOCK_SET) or 0)


def mark_copy(db: Connection) -> None:
    """Note in a backup that it is one."""
    meta.put(db, _COPY, "1")


def note_removed(db: Connection, integration_id: str) -> None:
    """Remember that an integration had links that are not known any more; the names of the first go."""
    meta.add(db, _REMOVALS)
    meta.put(db, _REMOVED + integration_id, str(meta.number(db, _REMOVALS)))
    meta.keep_latest(db, _REMOVED, MOST_REMOVED)


def was_removed(db: Connection, integration_id: str) -> bool:
    """Return whether there was an integration of that name before."""
    return meta.get(db, _REMOVED + integration_id) is not None


def made_since(
    db: Connection, event: IncidentEvent, integration_id: str, activated_at: datetime, now: datetime
) -> datetime | None:
    """Return since when a life that is not known may have made a ticket for an incident; None when none did."""
    opened = event.incident.opened_at or (event.occurred_at if event.type is EventType.OPENED else None)
    doubts = _doubts(db)
    if doubts is not None:
        before, since, until = (read_time(doubts[name]) for name in ("before", "since", "until"))
        if opened is None or (before and opened <= before) or (until and now <= until):
            return since or opened or now
    if (opened is None or opened <= activated_at) and was_removed(db, integration_id):
        return opened or activated_at
    return None


def looked_for_since(
    db: Connection, event: IncidentEvent, integration_id: str, activated_at: datetime, now: datetime
) -> datetime | None:
    """Return since when a ticket may have been made for an incident that would get none now; None when none was.

    What happened before this database could miss anything is known, or was done with: nobody looks for the tickets of
    all that ever ended, which a platform may tell at the first import.
    """
    doubts = _doubts(db)
    if doubts is None:
        return None
    missing_from = read_time(doubts.get("from") or doubts["since"] or doubts["before"])
    if missing_from is None or event.occurred_at < missing_from - CLOCKS_DIFFER:
        return None
    made = made_since(db, event, integration_id, activated_at, now)
    is_guess = made is not None and event.incident.opened_at is None and doubts["since"] is None
    return missing_from - OPEN_FOR if is_guess else made


def made_anew_since(db: Connection, linked_at: datetime) -> datetime | None:
    """Return since when a life that is not known may have made a new ticket for a link; None when none did."""
    doubts = _doubts(db)
    if doubts is None:
        return None
    before, since = read_time(doubts["before"]), read_time(doubts["since"])
    return since or linked_at if before and linked_at <= before else None


def may_be_of_lately(db: Connection, link_id: int, linked_at: datetime) -> bool:
    """Return whether a link may have got its ticket just before a start.

    It was there by then, or a life is surely missing that may have ended just before it was made.
    """
    doubts = _doubts(db)
    if doubts is None:
        return False
    if link_id <= int(doubts.get("links") or 0):
        return True
    before, until = read_time(doubts["before"]), read_time(doubts["until"])
    return before is not None and until is not None and before < until and linked_at <= until


def comment_made_since(db: Connection, written_at: datetime, now: datetime) -> datetime | None:
    """Return since when a life that is not known may have written a comment; None when none did."""
    doubts = _doubts(db)
    if doubts is None:
        return None
    before, until = read_time(doubts["before"]), read_time(doubts["until"])
    return written_at if (before and written_at <= before) or (until and now <= until) else None


def _doubt(db: Connection, now: datetime, alive: datetime | None, *, surely: bool) -> None:
    """Store which links may have a ticket that is not known; doubts of before stay."""
    known = _doubts(db) or {}
    until = now + SURELY_FOR if surely else now
    started = alive or (now - LOST_FOR if surely else now)
    times = {
        "from": min(filter(None, (started, read_time(known.get("from"))))),
        "before": max(filter(None, (now, read_time(known.get("before"))))),
        "since": None if known and known["since"] is None else _earliest(alive, read_time(known.get("since"))),
        "until": max(filter(None, (until, read_time(known.get("until"))))),
    }
    (links,) = db.execute("SELECT MAX(id) FROM link").fetchone()
    meta.put(
        db, _DOUBTS, json.dumps({"links": str(links or 0), **{name: write_time(at) for name, at in times.items()}})
    )
    since = write_time(times["since"] or now)
    # What waited to be made when the copy was taken may have been made since, of whatever the incident was by then.
    db.execute(
        "UPDATE link SET attempted_at = MIN(COALESCE(attempted_at, ?1), ?1), attempted_incident = NULL"
        " WHERE ticket_id IS NULL AND code != ?2",
        (since, NO_TICKET),
    )
    db.execute(
        "UPDATE comment SET attempted_at = created_at WHERE state = 'waiting' AND side = 'incident'"
        " AND attempted_at IS NULL"
    )


def _earliest(alive: datetime | None, since: datetime | None) -> datetime | None:
    return None if alive is None else min(filter(None, (alive, since)))


def _doubts(db: Connection) -> dict[str, str | None] | None:
    text = meta.get(db, _DOUBTS)
    return None if text is None else json.loads(text)


class Life(Noun):
    """How far the daemon of this database has come."""

    def begin(self, now: datetime) -> str:
        """Note that a daemon begins; return in a word why tickets of an earlier one may not be known, if so."""
        beside = self._database.beside.read()
        place, why = self._database.write(EVERYBODY, lambda db: begin(db, now, beside))
        self._database.beside.keep(place)
        return why

    def has_moved(self) -> bool:
        """Return whether it began once more since this was last asked: its server went on from an earlier time.

        One that took the place of another may lack what that one stored last.
        """
        self._database.write(None, lambda db: meta.add(db, _BREAKS))  # on a connection of now
        return self._database.beside.has_moved()

    def beat(self, now: datetime) -> None:
        """Note that the daemon is alive."""
        self._database.beside.keep(self._database.write(None, lambda db: beat(db, now)))

    may_be_of_lately = reads(may_be_of_lately)
    was_removed = reads(was_removed)
    clock_was_set = writes(clock_was_set, EVERYBODY)
    clock_set_by_s = reads(clock_set_by_s)
