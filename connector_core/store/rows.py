"""How values are written in columns: times, JSON, whole records."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from connector_core.contract.merge import Agreed
from connector_core.contract.models import FieldName, Incident, TicketSnapshot, utc
from connector_core.store.records import Link, LinkState, LinkStatus
from connector_core.store.statements import Row

NO_TITLE = "(no title)"


def write_time(moment: datetime | None) -> str | None:
    """Write a time so that text order is time order."""
    return None if moment is None else utc(moment).isoformat(timespec="microseconds")


def read_time(text: str | None) -> datetime | None:
    """Read what `write_time` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def must_read_time(text: str) -> datetime:
    """Read a time that is always there."""
    return datetime.fromisoformat(text)


def write_json(value: object) -> str:
    """Write JSON, the same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def read_incident(text: str) -> Incident:
    """Read an incident; one without a title, which an earlier version made of a ticket's, is called `NO_TITLE`."""
    try:
        return Incident.model_validate_json(text)
    except ValidationError:
        known = json.loads(text)
        if str(known.get("title") or "").strip():
            raise
        return Incident.model_validate({**known, "title": NO_TITLE})


def write_base(base: Any) -> str:  # noqa: ANN401 - a mapping of field to agreement
    """Write what both sides agreed on."""
    return write_json(
        {field.value: agreed.model_dump(mode="json", exclude_none=True) for field, agreed in base.items()}
    )


def read_base(text: str) -> dict[FieldName, Agreed]:
    """Read what `write_base` wrote; a left-out half is None. That there is no title is agreed on as it is read."""
    base = json.loads(text)
    title = base.get(FieldName.TITLE, {})
    if "incident" in title and not title["incident"].strip():
        title["incident"] = NO_TITLE
    return {FieldName(field): Agreed(**{"incident": None, "ticket": None, **agreed}) for field, agreed in base.items()}


def link_marker(organization: str, integration_id: str, incident_id: str) -> str:
    """Return the name of a link, which can be told from what it links alone: a database may be lost, tickets stay."""
    parts = json.dumps([organization, integration_id, incident_id])
    return f"cnx-{hashlib.sha256(parts.encode()).hexdigest()[:20]}"


def comment_marker(link: str, side: str, their_id: str) -> str:
    """Return the name of a comment, which follows from its link's as that from its incident."""
    parts = json.dumps([link, side, their_id])
    return f"cnx-{hashlib.sha256(parts.encode()).hexdigest()[:20]}"


def next_marker(marker: str, first: str) -> str:
    """Return the name of a link for another ticket; all begin like the first one of the link."""
    number = marker.removeprefix(f"{first}-") if marker.startswith(f"{first}-") else "1"
    return f"{first}-{int(number) + 1}"


#: Leaves out the links of tests: there are few, and an index has them alone.
NO_TESTS = "link.id NOT IN (SELECT tested.id FROM link AS tested WHERE tested.is_test = 1)"
LINK_COLUMNS = """
  link.id, link.organization, link.integration_id, link.incident_id, link.marker, link.settings, link.base, link.ticket,
  link.attempted_at, link.attempted_incident, link.state, link.since, link.attempts, link.created_at,
  link.to_ticket_since, link.to_incident_since, link.hints, link.comment_looks, link.comments_at,
  COALESCE(breaker.code, link.code) AS code, COALESCE(breaker.reason, link.reason) AS reason,
  COALESCE(breaker.fix, link.fix) AS fix, breaker.until, link.next_try, breaker.key AS breaker,
  incident.body AS incident, incident.occurred_at AS incident_at, incident.heard_at AS incident_heard_at,
  link.ticket_heard_at, link.looks_since, link.is_test, link.mark_due
"""
LINK_TABLES = """
  link JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id
  JOIN lane ON lane.link_id = link.id LEFT JOIN breaker ON breaker.key = lane.breaker
"""


def read_link(row: Row) -> Link:
    """Read a row of `LINK_COLUMNS`."""
    return Link(
        id=row["id"],
        organization=row["organization"],
        integration_id=row["integration_id"],
        incident_id=row["incident_id"],
        marker=row["marker"],
        settings=json.loads(row["settings"]),
        status=LinkStatus(
            state=LinkState.read(row["state"], row["code"]),
            code=row["code"],
            reason=row["reason"],
            fix=row["fix"],
            since=read_time(row["since"]),
            next_try=read_time(row["next_try"]) if row["until"] is None else datetime.fromtimestamp(row["until"], UTC),
            attempts=row["attempts"],
        ),
        created_at=must_read_time(row["created_at"]),
        incident=read_incident(row["incident"]),
        incident_at=must_read_time(row["incident_at"]),
        ticket=None if row["ticket"] is None else TicketSnapshot.model_validate_json(row["ticket"]),
        base=read_base(row["base"]),
        attempted_at=read_time(row["attempted_at"]),
        attempted_incident=None if row["attempted_incident"] is None else read_incident(row["attempted_incident"]),
        to_ticket_since=read_time(row["to_ticket_since"]),
        to_incident_since=read_time(row["to_incident_since"]),
        breaker=row["breaker"],
        hints=row["hints"],
        comment_looks=row["comment_looks"],
        comments_at=read_time(row["comments_at"]),
        incident_heard_at=read_time(row["incident_heard_at"]),
        ticket_heard_at=read_time(row["ticket_heard_at"]),
        looks_since=read_time(row["looks_since"]),
        is_test=bool(row["is_test"]),
        mark_due=bool(row["mark_due"]),
    )
