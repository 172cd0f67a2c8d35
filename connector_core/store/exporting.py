"""Everything that is stored of an organization, or of one of its incidents, in pages: for whoever it is about."""

from __future__ import annotations

import json
from typing import Any

from connector_core.store import links, timeline
from connector_core.store.nouns import Noun, reads
from connector_core.store.records import Link, StoredEntry
from connector_core.store.statements import Connection

AT_ONCE = 200


def incident_page(db: Connection, organization: str, after: str, incident_id: str | None) -> list[dict[str, Any]]:
    """Return the next incidents behind an id, in the order of their ids, or the one that is named."""
    rows = db.execute(
        "SELECT id, body, status, occurred_at, heard_at, route FROM incident WHERE organization = ?1 AND id > ?2"
        " AND (CAST(?3 AS TEXT) IS NULL OR id = ?3) ORDER BY id LIMIT ?4",
        (organization, after, incident_id, AT_ONCE),
    ).fetchall()
    return [
        {
            "id": row["id"],
            "incident": json.loads(row["body"]),
            "status": row["status"],
            "occurred_at": row["occurred_at"],
            "heard_at": row["heard_at"],
            "route": None if row["route"] is None else json.loads(row["route"]),
        }
        for row in rows
    ]


def event_page(db: Connection, organization: str, after: int, incident_id: str | None) -> list[dict[str, Any]]:
    """Return the next events behind a number; what they told is in the incident."""
    rows = db.execute(
        "SELECT seq, id, type, incident_id, occurred_at, received_at FROM event WHERE organization = ?1 AND seq > ?2"
        " AND (CAST(?3 AS TEXT) IS NULL OR incident_id = ?3) ORDER BY seq LIMIT ?4",
        (organization, after, incident_id, AT_ONCE),
    ).fetchall()
    names = ("seq", "id", "type", "incident_id", "occurred_at", "received_at")
    return [{name: row[name] for name in names} for row in rows]


def link_page(
    db: Connection, organization: str, after: int, incident_id: str | None
) -> list[tuple[Link, list[StoredEntry], list[dict[str, Any]]]]:
    """Return the next links behind a number, each with its timeline and its comments."""
    ids = db.execute(
        "SELECT id FROM link WHERE organization = ?1 AND id > ?2 AND (CAST(?3 AS TEXT) IS NULL OR incident_id = ?3)"
        " ORDER BY id LIMIT ?4",
        (organization, after, incident_id, AT_ONCE),
    ).fetchall()
    found = [links.get(db, link_id) for (link_id,) in ids]
    return [(link, timeline.read(db, link.id), _comments(db, link.id)) for link in found if link is not None]


def _comments(db: Connection, link_id: int) -> list[dict[str, Any]]:
    names = ("side", "their_id", "author", "text", "internal", "created_at", "state")
    rows = db.execute(
        "SELECT side, their_id, author, text, internal, created_at, state FROM comment WHERE link_id = ? ORDER BY id",
        (link_id,),
    )
    return [{name: row[name] for name in names} for row in rows.fetchall()]


class Exporting(Noun):
    """What is stored of an organization, page by page."""

    incident_page = reads(incident_page)
    event_page = reads(event_page)
    link_page = reads(link_page)
