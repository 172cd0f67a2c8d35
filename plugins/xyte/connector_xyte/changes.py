"""What changed between what is remembered and what a look shows. Pure: no clock, no I/O.

Content decides, not a time stamp. Whoever left the list of open incidents is closed only if the list of closed ones
says so; until then it is missing, which is told and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connector_core import EventType
from connector_xyte.cursor import Cursor, Entry, Status
from connector_xyte.mapping import ACTIVE, Seen, differs, remembered

# How much older than the last look an incident may be that nobody saw open: clocks and lists lag.
LAG_S = 300.0
# What was opened and closed while nobody looked becomes a request only if that is not long ago.
MISSED_FOR_S = 24 * 3600.0
OVER_KEPT_S = 2 * 3600.0
LOOK_AGAIN_S, LOOK_AGAIN_LONGEST_S = 30.0, 3600.0
UNSEEN_KEPT_S = 7 * 24 * 3600.0
LOOKS_IN_VAIN = 750
# An unchanged cursor is not stored anew; this is how old its time may grow.
LOOKED_FRESH_S = 300.0


@dataclass(frozen=True)
class Rules:
    """Which incidents matter; what was opened before `active_since` is not new, and left if it is open at first."""

    matters: Callable[[Seen], bool]
    active_since: float
    open_after_s: float = 0.0
    leaves_already_open: bool = True


@dataclass(frozen=True)
class Look:
    """What one look showed, at the hub's time `now`.

    `closed` are the lately closed and those that were `looked_for` and found. `is_whole` tells that no open incident
    can have been overlooked.
    """

    now: float
    active: Sequence[Seen]
    closed: Sequence[Seen] = ()
    is_whole: bool = True
    looked_for: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Happening:
    """Something to tell of an incident, with the hub's time of it."""

    type: EventType
    seen: Seen
    at: float


def compare(cursor: Cursor, look: Look, rules: Rules) -> tuple[list[Happening], Cursor]:
    """Return what happened, and what to remember."""
    entries = dict(cursor.entries)
    over = {name: at for name, at in cursor.over.items() if at > look.now - OVER_KEPT_S}
    happened: list[Happening] = []
    closed = {seen.id for seen in look.closed}
    shown = set()
    for seen in look.active:
        shown.add(seen.id)
        if seen.id in closed or seen.id in over:
            continue  # an older page, or one read before the other list
        entries[seen.id], happening = _open(entries.get(seen.id), seen, cursor, look, rules)
        happened += [happening] if happening is not None else []
    for seen in look.closed:
        if seen.id not in over:
            happened += _closed(entries.pop(seen.id, None), seen, cursor, look, rules)
            over[seen.id] = look.now
    if look.is_whole:
        _mark_missing(entries, shown, look)
    happened.sort(key=lambda happening: happening.at)
    return happened, _next(cursor, entries, over, look, happened)


def to_look_for(cursor: Cursor, look: Look) -> dict[str, Entry]:
    """Return the told and held incidents that are in neither list, and whose turn it is to be looked for."""
    there = {seen.id for seen in look.active} | {seen.id for seen in look.closed}
    return {
        name: entry
        for name, entry in cursor.entries.items()
        if name not in there
        and entry.status in {Status.TOLD, Status.HELD}
        and (not entry.missing or look.now >= entry.look_at)
    }


def missing(cursor: Cursor) -> int:
    """Count the told incidents that were looked for in vain more than once."""
    return sum(entry.status is Status.TOLD and entry.missing > 1 for entry in cursor.entries.values())


def _open(entry: Entry | None, seen: Seen, cursor: Cursor, look: Look, rules: Rules) -> tuple[Entry, Happening | None]:
    if entry is None:
        if cursor.is_first and _was_there(seen, look, rules):
            return Entry(Status.LEFT, seen.digest, seen.created, look.now), None
        return _decided(seen, look.now, look, rules)
    if entry.missing:
        entry = entry._replace(missing=0, look_at=0.0)
    if entry.status is Status.HELD:
        return _decided(seen, entry.at, look, rules)
    if entry.status is Status.LEFT or not differs(entry.digest, seen):
        return _as_told(entry, seen), None
    if entry.status is Status.OUT:
        return _decided(seen, entry.at, look, rules)
    # A time that did not move with the content is no time of the change.
    at = seen.updated if seen.updated is not None and seen.updated > entry.at else max(look.now, entry.at)
    return entry._replace(digest=remembered(entry.digest, seen), at=at), Happening(EventType.UPDATED, seen, at)


def _as_told(entry: Entry, seen: Seen) -> Entry:
    """Return an entry with what is told for the first time; that alone is no change."""
    digest = remembered(entry.digest, seen)
    if entry.status is Status.LEFT or digest == entry.digest:
        return entry
    return entry._replace(digest=digest)


def _was_there(seen: Seen, look: Look, rules: Rules) -> bool:
    """Return whether an incident of the first look is left: it was there before anybody wanted a request for it."""
    if not rules.leaves_already_open:
        return False
    return seen.created is None or seen.created < max(rules.active_since, look.now - MISSED_FOR_S)


def _decided(seen: Seen, first_seen: float, look: Look, rules: Rules) -> tuple[Entry, Happening | None]:
    """Decide about an incident that was not told so far."""
    entry = Entry(Status.OUT, seen.digest, seen.created, first_seen)
    if not rules.matters(seen):
        return entry, None
    # One that says it opens in the future is open since it was seen.
    since = first_seen if seen.created is None else min(seen.created, first_seen)
    if look.now - since < rules.open_after_s:
        return entry._replace(status=Status.HELD), None
    opened = look.now if seen.created is None else seen.created
    at = max(opened, seen.updated or opened)
    return entry._replace(status=Status.TOLD, at=at), Happening(EventType.OPENED, seen, opened)


def _closed(entry: Entry | None, seen: Seen, cursor: Cursor, look: Look, rules: Rules) -> list[Happening]:
    ended = look.now if seen.updated is None else seen.updated
    if entry is not None and entry.status is Status.TOLD:
        return [Happening(EventType.RESOLVED, seen, max(ended, entry.at))]
    was_held = entry is not None and entry.status is Status.HELD
    if not was_held and not (entry is None and _was_missed(seen, cursor, look, rules)):
        return []
    opened = min(seen.created, ended) if seen.created is not None else ended
    if ended - opened < rules.open_after_s or not rules.matters(seen):
        return []
    as_opened = replace(seen, status=ACTIVE)
    return [Happening(EventType.OPENED, as_opened, opened), Happening(EventType.RESOLVED, seen, max(ended, opened))]


def _was_missed(seen: Seen, cursor: Cursor, look: Look, rules: Rules) -> bool:
    """Return whether a closed incident that nobody saw open is news.

    The last look may have overlooked it: when one closes between two pages, those behind it move up. The one before
    would have had to overlook it too.
    """
    if cursor.is_first or seen.created is None:
        return False
    return seen.created >= max(cursor.before - LAG_S, look.now - MISSED_FOR_S, rules.active_since)


def _mark_missing(entries: dict[str, Entry], shown: set[str], look: Look) -> None:
    for name in [name for name in entries if name not in shown]:
        entry = entries[name]
        if entry.status in {Status.LEFT, Status.OUT}:
            if not entry.missing:
                entries[name] = entry._replace(missing=1, look_at=look.now + UNSEEN_KEPT_S)
            elif look.now >= entry.look_at:
                del entries[name]
        elif name in look.looked_for:
            wait_s = min(LOOK_AGAIN_S * 2.0 ** min(entry.missing, 10), LOOK_AGAIN_LONGEST_S)
            entries[name] = entry._replace(missing=entry.missing + 1, look_at=look.now + wait_s)
            if entry.missing >= LOOKS_IN_VAIN:
                del entries[name]


def _next(
    cursor: Cursor,
    entries: Mapping[str, Entry],
    over: Mapping[str, float],
    look: Look,
    happened: Sequence[Happening],
) -> Cursor:
    is_same = entries == cursor.entries and over == cursor.over
    if is_same and not cursor.is_first and 0 <= look.now - cursor.looked < LOOKED_FRESH_S:
        return cursor
    number = cursor.number + 1 if happened else cursor.number
    # Only a whole look moves the time on: what was overlooked may have been opened and closed before the next one.
    if not look.is_whole and not cursor.is_first:
        return replace(cursor, number=number, entries=entries, over=over)
    before = look.now if cursor.is_first else cursor.looked
    return replace(cursor, number=number, looked=look.now, before=before, entries=entries, over=over)
