"""Routing: the rules of organizations, and where each incident was sent by them.

An incident is sent once, in the transaction that takes its first event: whoever reads it later, on whatever node, finds
the same. Without rules nothing is stored of it. What an incident was sent to and could not be linked with yet is kept
with it, and linked when the integration is active.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from connector_core.contract.models import EventType, Incident, IncidentEvent
from connector_core.contract.routing import RoutingRules, matching, read, written
from connector_core.store import audit, lanes, life, looks, new_links, timeline
from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import (
    DISCARDED,
    NO_TICKET,
    Act,
    Lately,
    Origin,
    Route,
    RouteState,
    Routing,
    Target,
    TimelineEntry,
    TimelineKind,
    Unsent,
)
from connector_core.store.rows import must_read_time, read_incident, read_time, write_time
from connector_core.store.statements import Connection, Row

#: Those of the file go before those made in set-up.
IN_FORCE = "SELECT * FROM routing WHERE organization = ? ORDER BY origin DESC LIMIT 1"
#: So many incidents that waited are linked in one transaction.
AT_ONCE = 200

# The few among many, which have large bodies, are found in an index first.
UNSENT = (
    "SELECT organization, body, heard_at, route FROM incident WHERE organization = ?1 AND id IN"
    " (SELECT id FROM incident WHERE organization = ?1 AND route_state IS NOT NULL)"
    " ORDER BY status, occurred_at DESC LIMIT ?2"
)
UNSENT_OPEN = (
    "SELECT organization, route_state, COUNT(*) FROM incident WHERE route_state IS NOT NULL AND status = 'active'"
    " GROUP BY organization, route_state"
)
OF_STATE = "SELECT DISTINCT organization FROM incident WHERE route_state = ?"
WAITING = (
    "SELECT id, body, route FROM incident WHERE organization = ?1 AND status = 'active' AND id IN"
    " (SELECT id FROM incident WHERE organization = ?1 AND route_state = 'waiting')"
    " AND EXISTS (SELECT 1 FROM json_each(json_extract(route, '$.waits_for')) AS one WHERE one.value = ?2) LIMIT ?3"
)
LOOKING = (
    "SELECT id, route FROM incident WHERE organization = ?1 AND id IN"
    " (SELECT id FROM incident WHERE organization = ?1 AND route_state = 'looking')"
    " AND NOT EXISTS (SELECT 1 FROM link WHERE link.organization = ?1 AND link.incident_id = incident.id"
    " AND looks_since IS NOT NULL AND ticket_id IS NULL AND code NOT IN (?2, ?3)) LIMIT ?4"
)
_LOOKED_FOR = (
    "SELECT integration_id FROM link WHERE organization = ? AND incident_id = ?"
    " AND looks_since IS NOT NULL AND ticket_id IS NULL AND code NOT IN (?, ?) ORDER BY id"
)
# A link whose ticket is only looked for, and was not found, says nothing of where an incident belongs.
_LINKED = (
    "SELECT integration_id FROM link WHERE organization = ? AND incident_id = ?"
    " AND (looks_since IS NULL OR ticket_id IS NOT NULL) ORDER BY id"
)


def in_force(db: Connection, organization: str) -> Routing | None:
    """Return the rules that an organization's incidents are sent by; None when each integration takes all."""
    row = db.execute(IN_FORCE, (organization,)).fetchone()
    return None if row is None else _read(row)


def made(db: Connection, organization: str) -> Routing | None:
    """Return the rules that were made in set-up, also while those of the file are in force."""
    row = db.execute(
        "SELECT * FROM routing WHERE organization = ? AND origin = ?", (organization, Origin.SETUP)
    ).fetchone()
    return None if row is None else _read(row)


def every(db: Connection) -> list[Routing]:
    """Return the rules in force of each organization that has any."""
    found = {row["organization"]: _read(row) for row in db.execute("SELECT * FROM routing ORDER BY origin").fetchall()}
    return [found[name] for name in sorted(found)]


def put(  # noqa: PLR0913, PLR0917 - rules, whose they are, and what they replace
    db: Connection, organization: str, rules: RoutingRules, known: Routing | None, by: str, at: datetime
) -> bool:
    """Store rules that were made in set-up; none means that there are none. False when somebody changed them since."""
    if made(db, organization) != known:
        return False
    _put(db, Routing(organization, Origin.SETUP, rules, at, by))
    return True


def put_written(db: Connection, rules: Mapping[str, RoutingRules], by: str, at: datetime) -> list[str]:
    """Make the rules of the file those that it has now; return the organizations whose rules are others by that."""
    rows = db.execute("SELECT * FROM routing WHERE origin = ?", (Origin.YAML,)).fetchall()
    known = {row["organization"]: _read(row).rules for row in rows}
    changed = [name for name in sorted({*known, *rules}) if known.get(name, ()) != rules.get(name, ())]
    for name in changed:
        _put(db, Routing(name, Origin.YAML, rules.get(name, ()), at, by))
    return changed


def _put(db: Connection, routing: Routing) -> None:
    row = db.execute(
        "SELECT rules FROM routing WHERE organization = ? AND origin = ?", (routing.organization, routing.origin)
    ).fetchone()
    before, after = None if row is None else str(row["rules"]), written(routing.rules) if routing.rules else None
    if before != after:
        audit.note_routing(db, routing.organization, before, after)
    if not routing.rules:
        db.execute("DELETE FROM routing WHERE organization = ? AND origin = ?", (routing.organization, routing.origin))
        return
    db.execute(
        "INSERT INTO routing (organization, origin, rules, changed_at, changed_by) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (organization, origin) DO UPDATE SET rules = excluded.rules, changed_at = excluded.changed_at,"
        " changed_by = excluded.changed_by",
        (
            routing.organization,
            routing.origin,
            written(routing.rules),
            write_time(routing.changed_at),
            routing.changed_by,
        ),
    )


def route(
    db: Connection, organization: str, incident: Incident, active: Collection[str], *, is_beginning: bool
) -> tuple[Route | None, bool]:
    """Return where an incident goes, and whether that was decided just now; None when no rules have a say.

    What was decided stays, and what is linked stays where it is. Nothing is decided before `is_beginning`, when news
    of the incident first ask for a ticket; until then it goes nowhere.
    """
    row = db.execute(
        "SELECT route, (SELECT rules FROM routing WHERE routing.organization = ?1 ORDER BY origin DESC LIMIT 1)"
        " AS rules FROM incident WHERE organization = ?1 AND id = ?2",
        (organization, incident.id),
    ).fetchone()
    if row["route"] is not None:
        return Route.model_validate_json(row["route"]), False
    if row["rules"] is None:
        return None, False
    linked = _linked(db, organization, incident.id)
    if linked or not is_beginning:
        return Route(to=tuple(linked)), False
    rules = read(row["rules"])
    number = matching(rules, incident)
    if not number:
        decided = Route()
    else:
        rule = rules[number - 1]
        waits_for = tuple(one for one in rule.to if one not in active)
        decided = Route(rule=number, when=rule.when, to=rule.to, waits_for=waits_for)
    _keep(db, organization, incident.id, decided)
    return decided, True


def after_looks(db: Connection, organization: str, incident_id: str, decided: Route) -> Route:
    """Let what was decided just now wait where the incident may have a ticket that this database lacks, elsewhere.

    That one counts if it is found: by other rules, or what the incident was like then, it was sent there before.
    """
    rows = db.execute(_LOOKED_FOR, (organization, incident_id, NO_TICKET, DISCARDED)).fetchall()
    looks_at = tuple(row[0] for row in rows if row[0] not in decided.to)
    if not looks_at or not decided.to:
        return decided
    waiting = decided.model_copy(update={"waits_for": decided.to, "looks_at": looks_at})
    _keep(db, organization, incident_id, waiting)
    return waiting


def end_looks(db: Connection, organization: str) -> int:
    """Let some incidents go on of which it is known by now whether they have a ticket elsewhere; return how many."""
    rows = db.execute(LOOKING, (organization, NO_TICKET, DISCARDED, AT_ONCE)).fetchall()
    for row in rows:
        decided = Route.model_validate_json(row["route"])
        found = tuple(_linked(db, organization, row["id"]))
        ended: dict[str, object] = {"looks_at": None}
        if found:
            ended |= {"to": found, "waits_for": (), "is_found": True}
        _keep(db, organization, row["id"], decided.model_copy(update=ended))
    return len(rows)


def tell(db: Connection, link_id: int, integration_id: str, decided: Route, at: datetime) -> None:
    """Say on a link's timeline why its incident came to this integration."""
    values = {"integration": integration_id, "how": decided.why, "rule": decided.rule or "", "by": decided.by}
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.ROUTED, "connector", at, values),))


def release(db: Connection, organization: str, target: Target, at: datetime) -> int:
    """Link some incidents that waited for an integration, which is active now; return how many.

    As many as `AT_ONCE` are linked: there may be more. One that is over meanwhile gets no ticket.
    """
    rows = db.execute(WAITING, (organization, target.integration_id, AT_ONCE)).fetchall()
    for row in rows:
        decided = Route.model_validate_json(row["route"])
        _link(db, organization, read_incident(row["body"]), target, decided, at)
        waits_for = tuple(one for one in decided.waits_for if one != target.integration_id)
        _keep(db, organization, row["id"], decided.model_copy(update={"waits_for": waits_for}))
    return len(rows)


def send(db: Connection, organization: str, incident_id: str, target: Target, by: str, at: datetime) -> int | None:  # noqa: PLR0913, PLR0917 - what, where to, and who says so
    """Send an incident that waits or was sent nowhere to an integration; return the link, None when it is not such."""
    row = db.execute(
        "SELECT body FROM incident WHERE organization = ? AND id = ? AND route_state IS NOT NULL AND status = 'active'",
        (organization, incident_id),
    ).fetchone()
    if row is None:
        return None
    to = dict.fromkeys([*_linked(db, organization, incident_id), target.integration_id])
    decided = Route(to=tuple(to), by=by)
    _keep(db, organization, incident_id, decided)
    link_id = _link(db, organization, read_incident(row["body"]), target, decided, at)
    sent = {"incident": (None, incident_id), "integration": (None, target.integration_id)}
    audit.note_link(db, Act.SENT, link_id, sent)
    return link_id


def _link(  # noqa: PLR0913, PLR0917 - what is linked, and why
    db: Connection, organization: str, incident: Incident, target: Target, decided: Route, at: datetime
) -> int:
    """Link an incident with an integration that it came to late, whose ticket may be there without our knowing."""
    event = IncidentEvent(id=incident.id, type=EventType.UPDATED, occurred_at=at, incident=incident)
    since = life.made_since(db, event, target.integration_id, target.activated_at, at)
    row = db.execute(
        "SELECT id FROM link WHERE organization = ? AND integration_id = ? AND incident_id = ?",
        (organization, target.integration_id, incident.id),
    ).fetchone()
    if row is None:
        link_id = new_links.make(db, organization, incident.id, target, at, made_since=since)
    else:
        link_id = int(row["id"])
        looks.let_make(db, link_id, since, at)
    tell(db, link_id, target.integration_id, decided, at)
    lanes.wake_for(db, link_id, "to_ticket_since", at)
    return link_id


def route_of(db: Connection, organization: str, incident_id: str) -> Route | None:
    """Return where an incident was sent; None when that was not decided by rules, or nothing is known of it."""
    row = db.execute(
        "SELECT route FROM incident WHERE organization = ? AND id = ?", (organization, incident_id)
    ).fetchone()
    return None if row is None or row["route"] is None else Route.model_validate_json(row["route"])


def unsent(db: Connection, organization: str, limit: int) -> list[Unsent]:
    """Return incidents that lack a ticket by the rules, the open ones first, of these the latest."""
    return [_read_unsent(row) for row in db.execute(UNSENT, (organization, limit)).fetchall()]


def unsent_named(db: Connection, incident_id: str) -> list[Unsent]:
    """Return those that have a name, in whatever organization."""
    rows = db.execute(
        "SELECT organization, body, heard_at, route FROM incident WHERE route_state IS NOT NULL AND id = ?"
        " ORDER BY organization",
        (incident_id,),
    )
    return [_read_unsent(row) for row in rows.fetchall()]


def unsent_open(db: Connection) -> dict[str, dict[RouteState, int]]:
    """Count the open incidents that lack a ticket by the rules, by organization and by why."""
    found: dict[str, dict[RouteState, int]] = {}
    for organization, state, count in db.execute(UNSENT_OPEN).fetchall():
        found.setdefault(organization, {})[RouteState(state)] = count
    return found


def organizations(db: Connection, state: RouteState) -> list[str]:
    """Return the organizations that have incidents in a state."""
    return [row[0] for row in db.execute(OF_STATE, (state,)).fetchall()]


def lately(db: Connection, organization: str, since: datetime, limit: int) -> list[Lately]:
    """Return the incidents that were opened since a time, the latest first, and what each is linked with.

    One that does not tell when it was opened counts from its first link, or the last news of it.
    """
    rows = db.execute(
        "SELECT id, body, occurred_at FROM incident WHERE organization = ?1 AND occurred_at >= ?2"
        " AND id NOT IN (SELECT incident_id FROM link WHERE organization = ?1 AND is_test = 1)"
        " ORDER BY occurred_at DESC LIMIT ?3",
        (organization, write_time(since), limit),
    ).fetchall()
    linked: dict[str, list[tuple[str, str]]] = {}
    for one in db.execute(
        "SELECT incident_id, integration_id, created_at FROM link WHERE organization = ?1 AND incident_id IN"
        " (SELECT id FROM incident WHERE organization = ?1 AND occurred_at >= ?2)"
        " AND (looks_since IS NULL OR ticket_id IS NOT NULL) ORDER BY id",
        (organization, write_time(since)),
    ).fetchall():
        linked.setdefault(one[0], []).append((one[1], one[2]))
    found = []
    for row in rows:
        incident, links = read_incident(row["body"]), linked.get(row["id"], [])
        begun = min((at for _, at in links), default=row["occurred_at"])
        found.append(Lately(incident, incident.opened_at or must_read_time(begun), [name for name, _ in links]))
    return [one for one in found if one.opened_at >= since]


def _linked(db: Connection, organization: str, incident_id: str) -> Sequence[str]:
    return [row[0] for row in db.execute(_LINKED, (organization, incident_id)).fetchall()]


def _keep(db: Connection, organization: str, incident_id: str, decided: Route) -> None:
    db.execute(
        "UPDATE incident SET route = ?, route_state = ? WHERE organization = ? AND id = ?",
        (decided.model_dump_json(exclude_none=True), decided.state, organization, incident_id),
    )


def _read(row: Row) -> Routing:
    return Routing(
        row["organization"],
        Origin(row["origin"]),
        read(row["rules"]),
        must_read_time(row["changed_at"]),
        row["changed_by"],
    )


def _read_unsent(row: Row) -> Unsent:
    return Unsent(
        row["organization"],
        read_incident(row["body"]),
        Route.model_validate_json(row["route"]),
        read_time(row["heard_at"]),
    )


class Routings(Noun):
    """Which integrations incidents are sent to."""

    in_force = reads(in_force)
    made = reads(made)
    every = reads(every)
    put = writes(put)
    put_written = writes(put_written, EVERYBODY)
    route_of = reads(route_of)
    release = writes(release)
    send = writes(send)
    unsent = reads(unsent)
    unsent_named = reads(unsent_named)
    unsent_open = reads(unsent_open)
    organizations = reads(organizations)
    end_looks = writes(end_looks)
    lately = reads(lately)
