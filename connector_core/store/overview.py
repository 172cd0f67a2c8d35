"""What the console shows at a glance: counts and ages over many links, answered by indexes and what triggers keep."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime

from connector_core.store import activity as everything
from connector_core.store import early, lanes, meta, search
from connector_core.store.nouns import Noun, reads
from connector_core.store.records import DIFFERS, DISCARDED, Backlog, LinkState, OpenLinks, Stats
from connector_core.store.rows import NO_TESTS, must_read_time, read_time
from connector_core.store.statements import Connection

#: What tests of the connector left out of all totals; there are few, and an index has them alone.
TESTED = "SELECT integration_id, state, COUNT(*) AS links FROM link WHERE is_test = 1 GROUP BY integration_id, state"
COUNTED = (
    "SELECT COALESCE(SUM(links), 0) FROM link_count JOIN integration ON integration.id = integration_id"
    " WHERE link_count.state IN"
)
DIFFERING = f"SELECT integration_id, COUNT(*) FROM link WHERE code = '{DIFFERS}' AND {NO_TESTS} GROUP BY integration_id"  # noqa: S608 - ours
UNLINKED = (
    f"SELECT integration_id, COUNT(*) FROM link WHERE code = '{DISCARDED}' AND {NO_TESTS} GROUP BY integration_id"  # noqa: S608 - ours
)
OLDEST = f"SELECT MIN({{direction}}) FROM link WHERE integration_id = ? AND {{direction}} IS NOT NULL AND {NO_TESTS}"  # noqa: S608 - ours


def backlogs(db: Connection) -> dict[str, Backlog]:
    """Return, by integration, how many links are in each state and since when each direction waits."""
    counts: dict[str, dict[str, int]] = {row[0]: {} for row in db.execute("SELECT id FROM integration ORDER BY seq")}
    for row in db.execute("SELECT integration_id, state, links FROM link_count WHERE links > 0"):
        counts[row["integration_id"]][row["state"]] = row["links"]
    for row in db.execute(TESTED):
        _take_off(counts[row["integration_id"]], row["state"], row["links"])
    for name, differ in db.execute(DIFFERING):
        agree = counts[name].pop(LinkState.IN_SYNC, 0) - differ
        counts[name] |= {LinkState.IN_SYNC.value: agree} if agree > 0 else {}
        counts[name][LinkState.DIFFERS.value] = differ
    unlinked = {row[0]: int(row[1]) for row in db.execute(UNLINKED)}
    return {
        name: Backlog(
            links,
            _oldest(db, "to_ticket_since", name),
            _oldest(db, "to_incident_since", name),
            unlinked.get(name, 0),
        )
        if links
        else Backlog()
        for name, links in counts.items()
    }


def backlog(db: Connection, integration_id: str) -> Backlog:
    """Return the same of one integration."""
    rows = db.execute(
        "SELECT state, links FROM link_count WHERE integration_id = ? AND links > 0", (integration_id,)
    ).fetchall()
    if not rows:
        return Backlog()
    links = {row["state"]: row["links"] for row in rows}
    for row in db.execute(f"SELECT state, links FROM ({TESTED}) AS tested WHERE integration_id = ?", (integration_id,)):  # noqa: S608 - ours
        _take_off(links, row["state"], row["links"])
    if not links:
        return Backlog()
    return Backlog(
        links, _oldest(db, "to_ticket_since", integration_id), _oldest(db, "to_incident_since", integration_id)
    )


def _take_off(counts: dict[str, int], state: str, links: int) -> None:
    """Take links of tests out of the count of a state."""
    left = counts.pop(state, 0) - links
    counts |= {state: left} if left > 0 else {}


def _oldest(db: Connection, direction: str, integration_id: str) -> datetime | None:
    row = db.execute(OLDEST.format(direction=direction), (integration_id,)).fetchone()
    return read_time(row[0])


def last_activity(db: Connection) -> dict[str, datetime]:
    """Return when something last happened, by integration."""
    rows = db.execute("SELECT integration_id, MAX(last_at) FROM activity GROUP BY integration_id")
    return {row[0]: must_read_time(row[1]) for row in rows}


def first(db: Connection, integration_id: str, states: Collection[str]) -> int | None:
    """Return the link that has been in one of some states for longest."""
    marks = ", ".join("?" * len(states))
    row = db.execute(
        f"SELECT id FROM link WHERE integration_id = ? AND state IN ({marks}) AND {NO_TESTS} ORDER BY since LIMIT 1",  # noqa: S608 - question marks
        (integration_id, *states),
    ).fetchone()
    return None if row is None else int(row[0])


def count(db: Connection, states: Collection[str], organizations: Collection[str] | None = None) -> int:
    """Count the links in some states, of some organizations or of all."""
    whose = "" if organizations is None else f" AND organization IN ({_marks(organizations) or 'NULL'})"
    counted = f"{COUNTED} ({_marks(states)}){whose}"
    tested = f"SELECT COUNT(*) FROM link WHERE is_test = 1 AND state IN ({_marks(states)}){whose}"  # noqa: S608 - question marks
    values = (*states, *(organizations or ()))
    return int(db.execute(counted, values).fetchone()[0]) - int(db.execute(tested, values).fetchone()[0])


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def open_links(db: Connection, integration_id: str) -> list[OpenLinks]:
    """Count the links that are not over on both sides, by the settings they were made with."""
    rows = db.execute(
        "SELECT settings, COUNT(*) FROM link WHERE integration_id = ? AND is_open = 1 AND is_test = 0"
        " GROUP BY settings",
        (integration_id,),
    )
    return [OpenLinks(settings=json.loads(row[0]), count=row[1]) for row in rows]


def stats(db: Connection) -> Stats:
    """Count links by integration and state, lanes, and what came in."""
    lane = db.execute(
        "SELECT (SELECT COUNT(*) FROM lane WHERE boot IS NULL AND due_at IS NOT NULL) AS due,"
        " (SELECT COUNT(*) FROM lane WHERE boot IS NOT NULL) AS claimed,"
        " (SELECT COUNT(*) FROM lane WHERE breaker IS NOT NULL) AS parked"
    ).fetchone()
    received = db.execute(
        "SELECT (SELECT COALESCE(MAX(seq), 0) FROM event) AS events,"
        " (SELECT COALESCE(MAX(seq), 0) FROM delivery) AS deliveries"
    ).fetchone()
    oldest = lanes.next_due(db)
    return Stats(
        backlogs=backlogs(db),
        due_lanes=lane["due"],
        claimed_lanes=lane["claimed"],
        parked_lanes=lane["parked"],
        oldest_due=None if oldest is None else datetime.fromtimestamp(oldest, UTC),
        events=received["events"],
        deliveries=received["deliveries"],
        early_dropped=meta.number(db, early.DROPPED),
    )


class Overview(Noun):
    """What is shown at a glance, over many links."""

    backlogs = reads(backlogs)
    backlog = reads(backlog)
    last_activity = reads(last_activity)
    first = reads(first)
    count = reads(count)
    open_links = reads(open_links)
    happened = reads(everything.find)
    found = reads(search.count)
    search = reads(search.find)
    stats = reads(stats)
