"""What was last found when everything that an integration needs was tried."""

from __future__ import annotations

import json
from functools import cache

from pydantic import TypeAdapter

from connector_core.contract.models import Finding
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import Checkup
from connector_core.store.rows import must_read_time, write_time
from connector_core.store.statements import Connection, Row

_findings = cache(lambda: TypeAdapter(tuple[Finding, ...]))  # made when some are read: it takes a while


def record(db: Connection, checkup: Checkup) -> None:
    """Keep what was found, in place of what was found before."""
    findings = json.dumps([finding.model_dump(mode="json") for finding in checkup.findings], ensure_ascii=False)
    db.execute(
        "INSERT INTO checkup (integration_id, at, findings) SELECT ?1, ?2, ?3"
        " WHERE EXISTS (SELECT 1 FROM integration WHERE id = ?1)"
        " ON CONFLICT (integration_id) DO UPDATE SET at = excluded.at, findings = excluded.findings",
        (checkup.integration_id, write_time(checkup.at), findings),
    )


def forget(db: Connection, integration_id: str) -> None:
    """Drop what was found: what it was about has changed."""
    db.execute("DELETE FROM checkup WHERE integration_id = ?", (integration_id,))


def of(db: Connection, integration_id: str) -> Checkup | None:
    """Return what was last found of one integration; None where nothing was tried as it is now."""
    row = db.execute("SELECT * FROM checkup WHERE integration_id = ?", (integration_id,)).fetchone()
    return None if row is None else _read(row)


def unchecked(db: Connection) -> list[str]:
    """Return the active integrations of which nothing was tried as they are now."""
    rows = db.execute(
        "SELECT id FROM integration WHERE state = 'active' AND problem_code = ''"
        " AND NOT EXISTS (SELECT 1 FROM checkup WHERE integration_id = integration.id) ORDER BY seq"
    )
    return [row["id"] for row in rows]


def every(db: Connection) -> dict[str, Checkup]:
    """Return what was last found, by integration."""
    rows = db.execute("SELECT * FROM checkup ORDER BY integration_id")
    return {row["integration_id"]: _read(row) for row in rows}


def get(db: Connection, integration_id: str) -> Checkup | None:
    """Return what was last found of one integration."""
    row = db.execute("SELECT * FROM checkup WHERE integration_id = ?", (integration_id,)).fetchone()
    return None if row is None else _read(row)


def _read(row: Row) -> Checkup:
    return Checkup(row["integration_id"], must_read_time(row["at"]), _findings().validate_json(row["findings"]))


class Checkups(Noun):
    """What was last found, by integration."""

    record = writes(record)
    forget = writes(forget)
    of = reads(of)
    unchecked = reads(unchecked)
    every = reads(every)
    get = reads(get)
