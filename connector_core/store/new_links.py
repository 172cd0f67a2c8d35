"""New links: of an incident and one integration, with the lane that makes their ticket or looks for it.

Every function here runs inside a transaction of the writer.
"""

from __future__ import annotations

from datetime import datetime

from connector_core.store import figures, lanes
from connector_core.store.records import Target
from connector_core.store.rows import link_marker, write_json, write_time
from connector_core.store.statements import Connection


def make(  # noqa: PLR0913 - what is linked, and how
    db: Connection,
    organization: str,
    incident_id: str,
    target: Target,
    at: datetime,
    *,
    made_since: datetime | None,
    is_test: bool = False,
) -> int:
    """Make a link that gets a ticket; return its number. `made_since` is since when it may have one that is unknown."""
    link_id = _insert(db, organization, incident_id, target, at, code="new", attempted_at=made_since, is_test=is_test)
    if not is_test:
        figures.count_incident(db, link_id, at)
    return link_id


def make_looking(  # noqa: PLR0913 - as above
    db: Connection, organization: str, incident_id: str, target: Target, at: datetime, *, looks_since: datetime
) -> int:
    """Make a link whose ticket is only looked for; return its number."""
    return _insert(
        db, organization, incident_id, target, at, code="looking", attempted_at=looks_since, looks_since=looks_since
    )


def _insert(  # noqa: PLR0913 - the columns
    db: Connection,
    organization: str,
    incident_id: str,
    target: Target,
    at: datetime,
    *,
    code: str,
    attempted_at: datetime | None,
    looks_since: datetime | None = None,
    is_test: bool = False,
) -> int:
    (link_id,) = db.execute(
        "INSERT INTO link (organization, integration_id, incident_id, marker, settings, state, code, reason, since,"
        " created_at, attempted_at, looks_since, is_test)"
        " VALUES (?, ?, ?, ?, ?, 'waiting', ?, '', ?, ?, ?, ?, ?) RETURNING id",
        (
            organization,
            target.integration_id,
            incident_id,
            link_marker(organization, target.integration_id, incident_id),
            write_json(dict(target.link_settings)),
            code,
            write_time(at),
            write_time(at),
            write_time(attempted_at),
            write_time(looks_since),
            int(is_test),
        ),
    ).fetchone()
    lanes.create(db, link_id, target.integration_id)
    return int(link_id)
