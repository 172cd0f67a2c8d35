"""Test incidents: one at a time for each integration, with what became of each leg, and the links that they leave.

The link of one is a link as all others, marked with `is_test`: lists, totals and ages leave it out, see `NO_TESTS`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector_core.contract.models import FieldName, Incident
from connector_core.store import audit, lanes, new_links, timeline
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import (
    LeftOpen,
    Leg,
    LegFacts,
    LegState,
    Outcome,
    RoundTrip,
    Target,
    TimelineEntry,
    TimelineKind,
)
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

KEPT_TRIPS = 30
KEPT_FOR = timedelta(days=7)

OVER = (
    "SELECT link.id, organization, incident_id FROM link JOIN lane ON lane.link_id = link.id"
    " WHERE is_test = 1 AND is_open = 0 AND over_at < ? AND boot IS NULL AND due_at IS NULL LIMIT ?"
)
LATEST = (
    "SELECT * FROM round_trip WHERE outcome != '' AND started_at = (SELECT MAX(started_at) FROM round_trip AS other"
    " WHERE other.integration_id = round_trip.integration_id AND other.outcome != '')"
)


def begin(db: Connection, organization: str, trip: RoundTrip, incident: Incident, target: Target) -> RoundTrip | None:
    """Store a test incident with its link, whose lane creates the ticket; None where one is under way."""
    if running(db, trip.integration_id) is not None:
        return None
    at = trip.started_at
    db.execute(
        "INSERT INTO incident (organization, id, body, status, occurred_at, event_rank, heard_at)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        (
            organization,
            incident.id,
            incident.model_dump_json(exclude_none=True),
            incident.status,
            write_time(at),
            write_time(at),
        ),
    )
    link_id = new_links.make(db, organization, incident.id, target, at, made_since=None, is_test=True)
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.INCIDENT_OPENED, "incident", at),))
    lanes.wake_for(db, link_id, "to_ticket_since", at)
    trip = replace(trip, link_id=link_id)
    db.execute(
        "INSERT INTO round_trip (id, organization, integration_id, link_id, started_at, facts)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (trip.id, organization, trip.integration_id, link_id, write_time(at), _write(trip)),
    )
    db.execute(
        "DELETE FROM round_trip WHERE integration_id = ?1 AND started_at <= (SELECT started_at FROM round_trip"
        " WHERE integration_id = ?1 ORDER BY started_at DESC LIMIT 1 OFFSET ?2)",
        (trip.integration_id, KEPT_TRIPS),
    )
    audit.note_tested(db, trip.integration_id, incident.id)
    return trip


def keep(db: Connection, organization: str, trip: RoundTrip, known: RoundTrip) -> bool:
    """Store what is known of a test incident by now; False where more became known meanwhile."""
    kept = db.execute(
        "UPDATE round_trip SET facts = ?, ended_at = ?, outcome = ? WHERE id = ? AND organization = ? AND facts = ?"
        " AND ended_at IS NULL",
        (_write(trip), write_time(trip.ended_at), trip.outcome, trip.id, organization, _write(known)),
    ).rowcount
    return bool(kept)


def running(db: Connection, integration_id: str) -> RoundTrip | None:
    """Return the test incident of an integration that is under way."""
    row = db.execute(
        "SELECT * FROM round_trip WHERE integration_id = ? AND ended_at IS NULL", (integration_id,)
    ).fetchone()
    return None if row is None else _read(row)


def of_link(db: Connection, link_id: int, integration_id: str) -> RoundTrip | None:
    """Return the test incident of a link if it is under way."""
    trip = running(db, integration_id)
    return trip if trip is not None and trip.link_id == link_id else None


def all_running(db: Connection) -> list[str]:
    """Return the integrations that have a test incident under way."""
    return [row[0] for row in db.execute("SELECT integration_id FROM round_trip WHERE ended_at IS NULL").fetchall()]


def get(db: Connection, trip_id: str) -> RoundTrip | None:
    """Return one."""
    row = db.execute("SELECT * FROM round_trip WHERE id = ?", (trip_id,)).fetchone()
    return None if row is None else _read(row)


def last(db: Connection, integration_id: str) -> RoundTrip | None:
    """Return the latest test incident of an integration, also one that is under way."""
    row = db.execute(
        "SELECT * FROM round_trip WHERE integration_id = ? ORDER BY started_at DESC LIMIT 1", (integration_id,)
    ).fetchone()
    return None if row is None else _read(row)


def last_ended(db: Connection, integration_id: str) -> RoundTrip | None:
    """Return the latest test incident of an integration that has ended."""
    row = db.execute(
        "SELECT * FROM round_trip WHERE integration_id = ? AND ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 1",
        (integration_id,),
    ).fetchone()
    return None if row is None else _read(row)


def latest(db: Connection) -> dict[str, RoundTrip]:
    """Return the latest test incident that has ended, by integration."""
    return {row["integration_id"]: _read(row) for row in db.execute(LATEST).fetchall()}


def left_open(db: Connection, integration_id: str) -> list[LeftOpen]:
    """Return the tickets of tests that are over and that nobody has closed, the latest first."""
    rows = db.execute(
        "SELECT id, ticket_key, json_extract(ticket, '$.url') AS url, created_at FROM link"
        " WHERE integration_id = ?1 AND is_test = 1 AND is_open = 1 AND ticket_id IS NOT NULL AND id NOT IN"
        " (SELECT link_id FROM round_trip WHERE integration_id = ?1 AND ended_at IS NULL) ORDER BY id DESC",
        (integration_id,),
    )
    return [LeftOpen(row["id"], row["ticket_key"], row["url"], must_read_time(row["created_at"])) for row in rows]


def give_up(db: Connection, link_id: int, at: datetime) -> None:
    """Have no ticket made any more; one that may have been made is looked for, and closed."""
    db.execute(
        "UPDATE link SET looks_since = COALESCE(attempted_at, ?) WHERE id = ? AND is_test = 1 AND ticket_id IS NULL",
        (write_time(at), link_id),
    )
    lanes.wake(db, link_id, at)


def forget(db: Connection, now: datetime, most: int) -> int:
    """Delete links of tests that are over for long; return how many. Their incidents go too."""
    found = db.execute(OVER, (write_time(now - KEPT_FOR), most)).fetchall()
    db.executemany("DELETE FROM link WHERE id = ?", [(link_id,) for link_id, *_ in found])
    db.executemany(
        "DELETE FROM incident WHERE organization = ?1 AND id = ?2"
        " AND NOT EXISTS (SELECT 1 FROM link WHERE organization = ?1 AND incident_id = ?2)",
        [(organization, incident_id) for _, organization, incident_id in found],
    )
    return len(found)


def _write(trip: RoundTrip) -> str:
    return write_json(
        {
            "incident_id": trip.incident_id,
            "started_by": trip.started_by,
            "field": trip.field,
            "before": trip.before,
            "reads": trip.reads,
            "ticket_key": trip.ticket_key,
            "ticket_url": trip.ticket_url,
            "is_left_open": trip.is_left_open,
            "legs": {leg: _write_leg(facts) for leg, facts in trip.legs.items()},
        }
    )


def _write_leg(facts: LegFacts) -> dict[str, object]:
    times = {"began_at": write_time(facts.began_at), "ended_at": write_time(facts.ended_at)}
    return {"state": facts.state, "why": facts.why, "reason": facts.reason, **times}


def _read(row: Row) -> RoundTrip:
    facts: dict[str, Any] = json.loads(row["facts"])
    legs = {
        Leg(leg): LegFacts(
            state=LegState(one["state"]),
            began_at=read_time(one["began_at"]),
            ended_at=read_time(one["ended_at"]),
            why=one["why"],
            reason=one["reason"],
        )
        for leg, one in facts["legs"].items()
    }
    return RoundTrip(
        id=row["id"],
        organization=row["organization"],
        integration_id=row["integration_id"],
        link_id=row["link_id"],
        started_at=must_read_time(row["started_at"]),
        ended_at=read_time(row["ended_at"]),
        outcome=Outcome(row["outcome"]),
        **{**facts, "legs": legs, "field": None if facts["field"] is None else FieldName(facts["field"])},
    )


class RoundTrips(Noun):
    """Test incidents."""

    begin = writes(begin)
    keep = writes(keep)
    running = reads(running)
    of_link = reads(of_link)
    all_running = reads(all_running)
    get = reads(get)
    last = reads(last)
    last_ended = reads(last_ended)
    latest = reads(latest)
    left_open = reads(left_open)
    give_up = writes(give_up)
