"""One look at an organization: read both lists, look for what is missing, tell what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b

from connector_core import (
    EventType,
    Finding,
    Incident,
    IncidentEvent,
    Poll,
    Priority,
    RetryLater,
    Scope,
    Severity,
    hookspecs,
    implements,
)
from connector_xyte.changes import Happening, Look, Rules, compare, missing, to_look_for
from connector_xyte.client import XyteClient
from connector_xyte.cursor import Cursor, Entry, Status, new_cursor, read_cursor
from connector_xyte.mapping import (
    ACTIVE,
    CLOSED,
    Seen,
    identifier,
    incident_of,
    knows_priority,
    priority_of,
    read_incident,
    text,
    with_known,
)
from connector_xyte.pages import Listing
from connector_xyte.settings import XyteSettings, XyteSource
from connector_xyte.spaces import SpaceTree, needs_tree
from connector_xyte.surroundings import Surroundings

# How far a list reaches beyond the hub's time, and back behind the last look.
AHEAD_S = 60.0
OVERLAP_S = 900.0
TOLERATED_S = 30.0
# How the closed ones are looked for by when they were opened: so wide, so many stretches of time, so many pages each.
WINDOW_S = 3600.0
MOST_WINDOWS = 20
PAGES_PER_WINDOW = 50

_AHEAD = "ahead_s"
_TENANT = "tenant"
_RANK = {priority: rank for rank, priority in enumerate(Priority)}


@implements(hookspecs.poll_incidents)
def poll(source: XyteSource, cursor: str | None, active_since: datetime) -> Poll:
    """Look once."""
    client = XyteClient(source)
    before, name, findings = _same_tenant(source, client, _remembered(source, cursor))
    surroundings = Surroundings(source, client)
    if before.is_first and not findings:
        before = replace(before, entries=_followed(source))
    settings = source.settings
    tree = surroundings.tree() if needs_tree(settings.spaces) else None
    look, noticed = _look(source, client, before)
    if before.is_first and not look.is_whole:
        # What was overlooked now would later look as if it had just been opened.
        raise RetryLater(
            "The first list of incidents could not be read to its end.",
            code="list_incomplete",
            scope=Scope.SITE,
            fix="Check base_url and page_size_parameter; is there a proxy in between?",
        )
    since = look.now if findings else active_since.timestamp() + source.cache.get(_AHEAD, 0.0)
    happened, after = compare(before, look, _rules(settings, tree or SpaceTree(), since))
    events = tuple(_events(after, happened, surroundings, tree)) if happened else ()
    findings += [*noticed, *surroundings.findings, *_unknown_words(look.active), *_missing(after)]
    return Poll(
        cursor=cursor if cursor is not None and after is before else after.write(),
        events=events,
        open_incidents=len(look.active),
        account_name=name,
        findings=tuple(findings),
    )


def _remembered(source: XyteSource, text_of_cursor: str | None) -> Cursor:
    """Return what earlier looks saw; the beginning where there was none, or its form does not fit any more."""
    known = None if text_of_cursor is None else read_cursor(text_of_cursor)
    if known is None and text_of_cursor is not None:
        source.log.warning("cursor_unreadable")
    return known or new_cursor()


def _same_tenant(source: XyteSource, client: XyteClient, cursor: Cursor) -> tuple[Cursor, str, list[Finding]]:
    """Make sure, once in the life of the process, that the cursor belongs to the organization of the key."""
    if _TENANT not in source.cache:
        info = client.info()
        source.cache[_TENANT] = (identifier(info.get("id")) or "", text(info.get("name")) or "")
        _note_time(source, client)
    tenant, name = source.cache[_TENANT]
    settings = source.settings
    written = f"{settings.base_url} {settings.organization_key.get_secret_value()}"
    key = blake2b(written.encode(), digest_size=8).hexdigest()
    if cursor.is_first or (cursor.tenant, cursor.key) == (tenant, key):
        return (cursor if not cursor.is_first else replace(cursor, tenant=tenant, key=key)), name, []
    if cursor.tenant == tenant and tenant:
        return replace(cursor, key=key), name, []
    finding = Finding(
        code="other_organization",
        severity=Severity.WARNING,
        title="The key belongs to another organization than before; its incidents are read from the beginning.",
    )
    return replace(new_cursor(), tenant=tenant, key=key), name, [finding]


def _followed(source: XyteSource) -> dict[str, Entry]:
    """Remember the incidents that have a request already: a first look may come after others, and leaves none alone."""
    known = {}
    for incident in source.followed():
        opened = None if incident.opened_at is None else incident.opened_at.timestamp()
        known[incident.id] = Entry(Status.TOLD, "", opened, opened or 0.0)
    return known


def _rules(settings: XyteSettings, tree: SpaceTree, active_since: float) -> Rules:
    least = _RANK[settings.minimum_priority]

    def matters(seen: Seen) -> bool:
        priority = priority_of(seen, settings.unknown_priority)
        return (priority is None or _RANK[priority] <= least) and tree.is_chosen(seen, settings.spaces)

    return Rules(matters, active_since, settings.open_after.total_seconds(), settings.already_open == "leave")


# Looking


@dataclass
class _Read:
    """What was read so far; an item without an id is only counted."""

    active: dict[str, Seen]
    closed: dict[str, Seen]
    nameless: int = 0

    def take(self, listing: Listing, listed_as: str, wanted: Mapping[str, object] | None = None) -> None:
        for item in listing.items:
            seen = read_incident(item, listed_as)
            if seen is None:
                self.nameless += 1
            elif not seen.is_active and (wanted is None or seen.id in wanted):
                self.closed[seen.id] = seen
            elif seen.is_active and listed_as == ACTIVE:
                self.active[seen.id] = seen


def _look(source: XyteSource, client: XyteClient, cursor: Cursor) -> tuple[Look, list[Finding]]:
    """Read both lists; open ones first, so that one that closes meanwhile is in one list at least."""
    now = _hub_time(source)
    listing = client.incidents(ACTIVE, 0, now + AHEAD_S)
    if _note_time(source, client):
        # This machine's clock was set: with the wrong bound the latest incidents would have been left out.
        now = _hub_time(source)
        listing = client.incidents(ACTIVE, 0, now + AHEAD_S)
    read = _Read({}, {})
    read.take(listing, ACTIVE)
    problems = [listing.problem]
    looked_for: frozenset[str] = frozenset()
    if not cursor.is_first:
        lately = client.incidents(CLOSED, min(cursor.before, now) - OVERLAP_S, now + AHEAD_S)
        read.take(lately, CLOSED)
        problems.append(lately.problem)
        if listing.is_complete:
            wanted = to_look_for(cursor, Look(now, list(read.active.values()), list(read.closed.values())))
            looked_for = frozenset(_look_for(client, wanted, now, read))
    look = Look(now, list(read.active.values()), list(read.closed.values()), not any(problems), looked_for)
    return look, [*_incomplete(problems), *_nameless(read.nameless)]


def _look_for(client: XyteClient, wanted: Mapping[str, Entry], now: float, read: _Read) -> Iterator[str]:
    """Look among the closed for those that left the list of open ones; yield whom the calls of this look were for."""
    for start, end, names in _windows(wanted, now)[:MOST_WINDOWS]:
        if all(name in read.closed for name in names):
            continue
        read.take(client.incidents(CLOSED, start, end, PAGES_PER_WINDOW), CLOSED, wanted)
        yield from names


def _windows(wanted: Mapping[str, Entry], now: float) -> list[tuple[float, float, list[str]]]:
    """Return stretches of time around when the wanted were opened, those that touch as one."""
    windows: list[tuple[float, float, list[str]]] = []
    for name, entry in sorted(wanted.items(), key=lambda pair: pair[1].created or 0.0):
        start = 0.0 if entry.created is None else entry.created - WINDOW_S
        end = now + AHEAD_S if entry.created is None else entry.created + WINDOW_S
        if windows and start <= windows[-1][1]:
            before = windows[-1]
            windows[-1] = (before[0], max(before[1], end), [*before[2], name])
        else:
            windows.append((start, end, [name]))
    return windows


def _hub_time(source: XyteSource) -> float:
    ahead_s: float = source.cache.get(_AHEAD, 0.0)
    return source.clock.now().timestamp() + ahead_s


def _note_time(source: XyteSource, client: XyteClient) -> bool:
    """Learn how far the hub's clock is ahead of ours; return whether that is news."""
    if client.told_time is None:
        return False
    ahead_s = client.told_time.timestamp() - source.clock.now().timestamp()
    if abs(ahead_s - source.cache.get(_AHEAD, 0.0)) <= TOLERATED_S:
        return False
    source.cache[_AHEAD] = ahead_s
    return True


# Telling


def _events(
    cursor: Cursor, happened: Sequence[Happening], surroundings: Surroundings, tree: SpaceTree | None
) -> Iterator[IncidentEvent]:
    settings = surroundings.source.settings
    tree = surroundings.tree_or_nothing() if tree is None else tree
    devices = surroundings.devices([happening.seen for happening in happened])
    known: Mapping[str, Incident] = {}
    if any(happening.seen.untold and happening.type is not EventType.OPENED for happening in happened):
        known = {incident.id: incident for incident in surroundings.source.followed()}
    for happening in happened:
        seen = happening.seen
        incident = incident_of(seen, settings.unknown_priority, devices.get(seen.id), tree.location(seen))
        if happening.type is not EventType.OPENED and seen.id in known:
            incident = with_known(incident, seen, known[seen.id])
        name = blake2b(seen.id.encode(), digest_size=9).hexdigest()
        yield IncidentEvent(
            id=f"poll-{cursor.line}-{cursor.number}-{name}-{happening.type.value.rpartition('.')[2]}",
            type=happening.type,
            occurred_at=datetime.fromtimestamp(happening.at, UTC),
            incident=incident,
        )


def _incomplete(problems: Iterable[str]) -> Iterator[Finding]:
    for problem in sorted(set(filter(None, problems))):
        yield _warning(
            "list_incomplete",
            "A list of incidents could not be read to its end; nothing that is missing in it counts as closed.",
            f"{problem[0].upper()}{problem[1:]}.",
        )


def _nameless(count: int) -> Iterator[Finding]:
    if count:
        yield _warning("without_id", f"{count} incidents have no id and are left out.")


def _unknown_words(active: Sequence[Seen]) -> Iterator[Finding]:
    statuses = Counter(seen.status for seen in active if seen.status != ACTIVE)
    priorities = Counter(seen.priority for seen in active if not knows_priority(seen))
    if statuses:
        yield _warning(
            "status_unknown", "Incidents have a status that is not known; they count as open.", _few(statuses)
        )
    if priorities:
        yield _warning("priority_unknown", "Incidents have a priority that is not known.", _few(priorities))


def _missing(cursor: Cursor) -> Iterator[Finding]:
    if count := missing(cursor):
        yield _warning(
            "incidents_missing",
            f"{count} incidents are neither open nor closed in Xyte; their requests stay as they are.",
            "They may have been deleted with their device. They are looked for again, at last once an hour.",
        )


def _few(words: Counter[str]) -> str:
    return ", ".join(f"{word[:40] or 'none'} ({count})" for word, count in words.most_common(5))


def _warning(code: str, title: str, detail: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, title=title, detail=detail)
