"""Links with tickets that are there already: somebody named one for an incident, or its mark was found again.

Every function here runs inside a transaction of the writer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from connector_core.contract.merge import Agreed
from connector_core.contract.models import FieldName, Incident, TicketSnapshot
from connector_core.store import audit, lanes, new_links, shown_tickets, timeline
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import DISCARDED, REPLACEABLE, Act, Nuance, Target, TimelineEntry, TimelineKind
from connector_core.store.rows import link_marker, must_read_time, read_incident, read_time, write_base, write_json
from connector_core.store.rows import write_time as at_rest
from connector_core.store.statements import Connection

#: Before any news of an incident of which only its ticket is known.
NEVER_TOLD = datetime(1970, 1, 1, tzinfo=UTC)


class Attached(StrEnum):
    """What came of linking a ticket."""

    LINKED = "linked"
    #: The incident has this ticket already.
    KNOWN = "known"
    #: The incident has another ticket.
    HAS_TICKET = "has_ticket"
    #: Another incident has the ticket.
    TAKEN = "taken"
    #: A ticket is being created for the incident at this moment.
    BUSY = "busy"
    #: There is no such incident.
    INCIDENT_UNKNOWN = "incident_unknown"


@dataclass(frozen=True)
class Holder:
    """A link of an incident, as far as that decides whether a ticket may be linked."""

    link_id: int
    integration_id: str
    ticket_id: str | None
    ticket_key: str | None
    code: str

    @property
    def is_free(self) -> bool:
        """Whether another ticket may take the place of the present one, or there is none."""
        return self.ticket_id is None or self.code == DISCARDED or self.code in REPLACEABLE


@dataclass(frozen=True)
class Candidate:
    """An incident for which a ticket may be linked."""

    organization: str
    incident: Incident
    incident_at: datetime
    heard_at: datetime | None
    links: Sequence[Holder]


def candidates(db: Connection, incident_ids: Collection[str], organization: str | None) -> list[Candidate]:
    """Return the incidents of some ids, in one organization or in all, with what is linked to them."""
    these = write_json(sorted(incident_ids))
    rows = db.execute(
        "SELECT organization, id, body, occurred_at, heard_at FROM incident"
        " WHERE id IN (SELECT value FROM json_each(?1)) AND organization IN (SELECT organization FROM integration"
        " WHERE CAST(?2 AS TEXT) IS NULL OR organization = ?2)",
        (these, organization),
    ).fetchall()
    found: dict[tuple[str, str], list[Holder]] = {(row["organization"], row["id"]): [] for row in rows}
    links = db.execute(
        "SELECT organization, incident_id, id, integration_id, ticket_id, ticket_key, code FROM link"
        " WHERE organization IN (SELECT organization FROM integration)"
        " AND incident_id IN (SELECT value FROM json_each(?))",
        (these,),
    )
    for whose, incident_id, *about in links.fetchall():
        if (whose, incident_id) in found:
            found[whose, incident_id].append(Holder(*about))
    return [
        Candidate(
            row["organization"],
            read_incident(row["body"]),
            must_read_time(row["occurred_at"]),
            read_time(row["heard_at"]),
            found[row["organization"], row["id"]],
        )
        for row in rows
    ]


def unticketed(db: Connection, organization: str, integration_id: str) -> dict[str, str]:
    """Return the incidents of an organization without a ticket of an integration, by the marker that it would have."""
    rows = db.execute(
        "SELECT id FROM incident WHERE organization = ?1 AND NOT EXISTS (SELECT 1 FROM link WHERE organization = ?1"
        " AND incident_id = incident.id AND integration_id = ?2 AND ticket_id IS NOT NULL)",
        (organization, integration_id),
    )
    return {link_marker(organization, integration_id, name): name for (name,) in rows.fetchall()}


def holder_of(db: Connection, integration_id: str, ticket_id: str) -> tuple[str, str] | None:
    """Return which incident has a ticket of an integration, and the code of its link; None where none does."""
    row = db.execute(
        "SELECT incident_id, code FROM link WHERE integration_id = ? AND ticket_id = ?", (integration_id, ticket_id)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def is_stale(db: Connection, marker: str, ticket_id: str) -> bool:
    """Return whether a mark on a ticket is of a link that has another ticket by now, or was given up."""
    row = db.execute("SELECT ticket_id, code FROM link WHERE marker = ?", (marker,)).fetchone()
    return row is not None and (row["code"] == DISCARDED or row["ticket_id"] not in {None, ticket_id})


def attach(  # noqa: PLR0913 - an incident, a ticket, and what they agree on
    db: Connection,
    organization: str,
    incident_id: str,
    target: Target,
    ticket: TicketSnapshot,
    *,
    base: Mapping[FieldName, Agreed],
    at: datetime,
    marker: str | None = None,
) -> Attached:
    """Link an incident with a ticket that was read; its lane then compares both.

    A ticket gets our mark, unless it was found by that: then `marker` is what it carries. What is being created at this
    moment is left alone. A link that was given up lets go of its ticket.
    """
    if (
        db.execute("SELECT 1 FROM incident WHERE organization = ? AND id = ?", (organization, incident_id)).fetchone()
        is None
    ):
        return Attached.INCIDENT_UNKNOWN
    holder = holder_of(db, target.integration_id, ticket.id)
    if holder is not None and holder[0] != incident_id and holder[1] != DISCARDED:
        return Attached.TAKEN
    row = db.execute(
        "SELECT id FROM link WHERE organization = ? AND incident_id = ? AND integration_id = ?",
        (organization, incident_id, target.integration_id),
    ).fetchone()
    make = partial(new_links.make, db, organization, incident_id, target, at, made_since=None)
    link_id = make() if row is None else int(row[0])
    # Woken first, so that nobody claims the lane from here on, and then looked at whether somebody had before.
    lanes.wake(db, link_id, at)
    present = db.execute(
        "SELECT link.ticket_id, link.code, link.marker, lane.boot FROM link JOIN lane ON lane.link_id = link.id"
        " WHERE link.id = ?",
        (link_id,),
    ).fetchone()
    is_known = present["ticket_id"] == ticket.id and present["code"] not in {DISCARDED, *REPLACEABLE}
    is_free = present["ticket_id"] is None or present["code"] in {DISCARDED, *REPLACEABLE}
    if is_known:
        return Attached.KNOWN
    if not (is_free or _is_later(marker, present["marker"])):
        return Attached.HAS_TICKET
    if present["boot"] is not None:
        return Attached.BUSY
    if holder is not None and holder[0] != incident_id:
        _let_go(db, target.integration_id, ticket.id)
    shown_tickets.keep_ticket(db, link_id, ticket, at)
    db.execute(
        "UPDATE link SET settings = ?, base = ?, marker = ?, mark_due = ?, attempted_at = NULL,"
        " attempted_incident = NULL, looks_since = NULL, is_open = 1, over_at = NULL, state = 'waiting',"
        " code = 'linking', reason = '', fix = '', since = ?, next_try = NULL, attempts = 0, comments_at = ?,"
        " hints = 0, hinted_by = '' WHERE id = ?",
        (
            write_json(dict(target.link_settings)),
            write_base(base),
            marker or present["marker"],
            0 if marker else 1,
            at_rest(at),
            at_rest(ticket.updated or at),
            link_id,
        ),
    )
    audit.note_link(db, Act.LINKED, link_id, {"ticket": (None, ticket.key or ticket.id)})
    values = {"ticket": ticket.key or ticket.id, "why": Nuance.BY_MARK if marker else ""}
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.TICKET_LINKED, "ticket", at, values),))
    return Attached.LINKED


def remember(db: Connection, organization: str, incident: Incident, at: datetime) -> bool:
    """Keep an incident of which only its ticket is known, until the platform tells of it; False where it is known."""
    return bool(
        db.execute(
            "INSERT INTO incident (organization, id, body, status, occurred_at, event_rank, heard_at, unlinked_since)"
            " VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6) ON CONFLICT (organization, id) DO NOTHING",
            (
                organization,
                incident.id,
                incident.model_dump_json(exclude_none=True),
                incident.status,
                at_rest(NEVER_TOLD),
                at_rest(at),
            ),
        ).rowcount
    )


def _let_go(db: Connection, integration_id: str, ticket_id: str) -> None:
    """Have a link that was given up be without its ticket."""
    db.execute(
        "UPDATE link SET ticket = NULL, ticket_id = NULL, ticket_key = NULL, ticket_updated = NULL"
        " WHERE integration_id = ? AND ticket_id = ? AND code = ?",
        (integration_id, ticket_id, DISCARDED),
    )


def _is_later(marker: str | None, present: str) -> bool:
    """Return whether a mark is of a ticket that was made later for the same link, in place of the present one."""
    if marker is None or marker == present:
        return False
    first = "-".join(present.split("-")[:2])
    return marker.startswith(f"{first}-") and _number(marker) > _number(present)


def _number(marker: str) -> int:
    _, _, *number = marker.split("-")
    return int(number[0]) if number and number[0].isdecimal() else 1


class Attaching(Noun):
    """Linking tickets that are there already."""

    candidates = reads(candidates)
    unticketed = reads(unticketed)
    holder_of = reads(holder_of)
    is_stale = reads(is_stale)
    attach = writes(attach)
    remember = writes(remember)
