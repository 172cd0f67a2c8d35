"""Links: read one whole, store what a step of its lane achieved, find them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Agreed, Side, as_they_are
from connector_core.contract.models import FieldName, Site
from connector_core.store import (
    achieved,
    audit,
    comments,
    gone,
    lanes,
    link_status,
    looks,
    timeline,
)
from connector_core.store.nouns import EVERYBODY, Noun, Scope, reads, writes
from connector_core.store.records import (
    DIFFERS,
    DISCARDED,
    Act,
    Claim,
    Holders,
    Link,
    LinkState,
    LinkStatus,
    Nuance,
    OpenTickets,
    Progress,
    Rest,
    TimelineEntry,
    TimelineKind,
)
from connector_core.store.rows import (
    LINK_COLUMNS,
    LINK_TABLES,
    NO_TESTS,
    read_base,
    read_link,
    write_json,
    write_time,
)
from connector_core.store.statements import Connection

OVER_KEPT_FOR = timedelta(days=7)

_DIFFERS, _AGREES = f"link.code = '{DIFFERS}'", f"link.code != '{DIFFERS}'"
_SOMEBODY_FIRST = "ORDER BY link.state = 'in_sync', link.id DESC"
# Chosen by an index alone: sorting whole rows would read them all.
FINISHED = (
    "SELECT link.id, organization, incident_id FROM link JOIN lane ON lane.link_id = link.id"
    " WHERE link.integration_id IN (SELECT id FROM integration) AND is_open = 0 AND over_at < ?"
    " AND boot IS NULL AND due_at IS NULL LIMIT ?"
)
LISTED = f"SELECT link.id FROM link {{where}} {_SOMEBODY_FIRST} LIMIT ?"  # noqa: S608 - fixed fragments
# Each name has an index that begins with an owner; there are few of those.
NAMED = """
  SELECT id FROM link WHERE organization IN (SELECT organization FROM integration) AND incident_id = ?
  UNION SELECT id FROM link WHERE ticket_key = ?
  UNION SELECT id FROM link WHERE integration_id IN (SELECT id FROM integration) AND ticket_id = ?
  UNION SELECT id FROM link WHERE marker = ?
"""

WITH_TICKET = (
    "SELECT integration.id, integration.organization, integration.site FROM integration"
    " JOIN link ON link.integration_id = integration.id AND link.ticket_id = ?"
)
FOLLOWS = (
    "SELECT EXISTS (SELECT 1 FROM link WHERE organization = ? AND ticket_id = ?)"
    " OR EXISTS (SELECT 1 FROM link WHERE organization = ? AND ticket_id IS NULL AND attempted_at IS NOT NULL)"
)


def get(db: Connection, link_id: int) -> Link | None:
    """Return one link."""
    row = db.execute(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id = ?", (link_id,)).fetchone()  # noqa: S608
    return None if row is None else read_link(row)


def holders(db: Connection, integration_ids: Collection[str], ticket_ids: Collection[str]) -> Holders:
    """Return which of some integrations have one of some tickets, and which are just creating one."""
    some, these = write_json(list(integration_ids)), write_json(list(ticket_ids))
    linked = db.execute(
        "SELECT DISTINCT integration_id FROM link WHERE integration_id IN (SELECT value FROM json_each(?))"
        " AND ticket_id IN (SELECT value FROM json_each(?))",
        (some, these),
    )
    creating = db.execute(
        "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM link"
        "  WHERE integration_id = value AND ticket_id IS NULL AND attempted_at IS NOT NULL)",
        (some,),
    )
    return Holders(frozenset(row[0] for row in linked), frozenset(row[0] for row in creating))


def with_ticket(db: Connection, ticket_id: str) -> list[tuple[str, str, Site | None]]:
    """Return which integrations have a ticket of some id, of which organization they are and at which site."""
    rows = db.execute(WITH_TICKET, (ticket_id,))
    return [(name, whose, None if site is None else Site.model_validate_json(site)) for name, whose, site in rows]


def follows(db: Connection, organization: str, ticket_id: str) -> bool:
    """Return whether a link of an organization has a ticket, or is just being created and may get it."""
    (found,) = db.execute(FOLLOWS, (organization, ticket_id, organization)).fetchone()
    return bool(found)


def find(  # noqa: PLR0913 - each is one way to narrow the list
    db: Connection,
    *,
    state: LinkState | None = None,
    organization: str | None = None,
    integration_id: str | None = None,
    text: str | None = None,
    link_id: int | None = None,
    limit: int = 500,
) -> list[Link]:
    """Return links, those that need attention first; `text` is an incident id, ticket id or key, exactly.

    Those of tests are found by their names only.
    """
    conditions: list[str] = [] if text is not None or link_id is not None else [NO_TESTS]
    values: list[object] = []
    if state is not None:
        conditions.append("link.state = ?")
        values.append(state.stored)
        if state.is_settled:
            conditions.append(_DIFFERS if state is LinkState.DIFFERS else _AGREES)
    if organization is not None:
        conditions.append("link.organization = ?")
        values.append(organization)
    if integration_id is not None:
        conditions.append("link.integration_id = ?")
        values.append(integration_id)
    if text is not None:
        conditions.append(f"link.id IN ({NAMED})")
        values.extend([text] * 4)
    if link_id is not None:
        conditions.append("link.id = ?")
        values.append(link_id)
    chosen = LISTED.format(where=f"WHERE {' AND '.join(conditions)}" if conditions else "")
    rows = db.execute(
        f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id IN ({chosen}) {_SOMEBODY_FIRST}",  # noqa: S608 - fixed fragments
        (*values, limit),
    )
    return [read_link(row) for row in rows]


def open_tickets(db: Connection, integration_id: str, now: datetime) -> list[OpenTickets]:
    """Return the tickets of an integration by the settings they were made with.

    Left out are those that have been over on both sides for longer than `OVER_KEPT_FOR`: people may still edit one that
    was finished just now, and its webhook may be lost.
    """
    ids: dict[str, set[str]] = {}
    places: dict[str, set[str]] = {}
    rows = db.execute(
        "SELECT settings, ticket_id, json_extract(ticket, '$.place')"
        " FROM link WHERE integration_id = ?1 AND ticket_id IS NOT NULL AND is_open = 1"
        " UNION ALL SELECT settings, ticket_id, json_extract(ticket, '$.place')"
        " FROM link WHERE integration_id = ?1 AND ticket_id IS NOT NULL"
        " AND is_open = 0 AND over_at > ?2",
        (integration_id, write_time(now - OVER_KEPT_FOR)),
    )
    for settings, ticket_id, place in rows:
        ids.setdefault(settings, set()).add(ticket_id)
        places.setdefault(settings, set()).update({place} if place else ())
    return [OpenTickets(json.loads(text), frozenset(ids[text]), frozenset(places[text])) for text in ids]


def compare(db: Connection, link_id: int, now: datetime) -> None:
    """Have the ticket of a link that is settled read, and compared with the incident."""
    db.execute("UPDATE link SET hints = hints + 1 WHERE id = ?", (link_id,))
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.COMPARED, "connector", now),))
    lanes.wake(db, link_id, now)


def resume(db: Connection, link_id: int, now: datetime, settings: Mapping[str, object] | None = None) -> None:
    """Let a person have a link tried again, whatever stopped it; `settings` are for a ticket that was never made."""
    unlinked = "SELECT 1 FROM link WHERE id = ? AND code = ? AND ticket IS NOT NULL"
    was_unlinked = db.execute(unlinked, (link_id, DISCARDED)).fetchone() is not None
    if settings is not None:
        db.execute(
            "UPDATE link SET settings = ? WHERE id = ? AND ticket IS NULL AND attempted_at IS NULL",
            (write_json(dict(settings)), link_id),
        )
    db.execute(
        "UPDATE link SET code = 'retrying', fix = '', next_try = NULL,"
        " reason = '', state = CASE state WHEN 'gone' THEN 'gone' ELSE 'waiting' END"
        " WHERE id = ? AND state != 'in_sync'",
        (link_id,),
    )
    _write_again(db, link_id)
    looks.look_again(db, link_id)
    audit.note_link(db, Act.RETRIED, link_id)
    values = {"why": Nuance.LINKED_AGAIN} if was_unlinked else {}
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.RESUMED, "connector", now, values),))
    lanes.wake(db, link_id, now)


def _write_again(db: Connection, link_id: int) -> None:
    """Have written again what the ticket did not keep."""
    (known,) = db.execute("SELECT base FROM link WHERE id = ?", (link_id,)).fetchone()
    unkept = {
        name: agreed.model_copy(update={"unkept": None, "pending": Side.TICKET, "sent": agreed.incident})
        for name, agreed in read_base(known).items()
        if agreed.unkept
    }
    if unkept:
        achieved.agree(db, link_id, unkept)


def discard(db: Connection, link_id: int, now: datetime) -> LinkState:
    """Give up what could not be synced; return where the link stands afterwards.

    With a ticket, both sides are taken as they are. Without one, or with one that is gone, the link rests for good.
    """
    row = db.execute(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id = ?", (link_id,)).fetchone()  # noqa: S608
    link = read_link(row)
    given_up: dict[str, object] = {"state": link.status.state, "code": link.status.code, "reason": link.status.reason}
    if link.ticket is not None and link.status.state is not LinkState.GONE:
        achieved.agree(db, link_id, as_they_are(link.incident, link.ticket))
        status = LinkStatus(LinkState.IN_SYNC)
    else:
        status = LinkStatus(LinkState.PAUSED, DISCARDED)
    link_status.keep_status(db, link_id, status, now)
    given_up["comments"] = comments.give_up(db, link_id)
    db.execute("UPDATE link SET to_ticket_since = NULL, to_incident_since = NULL WHERE id = ?", (link_id,))
    audit.note_link(db, Act.DISCARDED, link_id)
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.DISCARDED, "connector", now, given_up),))
    lanes.wake(db, link_id, now)
    return status.state


def unlink(db: Connection, link_id: int, now: datetime) -> None:
    """Let incident and ticket stay as they are for good: nothing is synced any more, whatever happens to either."""
    status = LinkStatus(LinkState.PAUSED, DISCARDED)
    link_status.keep_status(db, link_id, status, now)
    db.execute("UPDATE link SET to_ticket_since = NULL, to_incident_since = NULL WHERE id = ?", (link_id,))
    audit.note_link(db, Act.UNLINKED, link_id)
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.UNLINKED, "connector", now),))


def resolve(db: Connection, link_id: int, name: FieldName, winner: Side, now: datetime) -> None:
    """Settle a conflict as a person says: the other side then counts as not having moved, and has yet to be written.

    It may be a write of ours with an unknown end, rather than a person, that stands against the other side's value.
    """
    row = db.execute(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id = ?", (link_id,)).fetchone()  # noqa: S608
    link = read_link(row)
    incident = incident_value(link.incident, name)
    if winner is Side.INCIDENT and link.ticket is not None:
        shown = ticket_value(link.ticket, name) if link.ticket.tells(name) else None
        agreed = Agreed(incident=incident, ticket=shown, pending=Side.TICKET, sent=incident)
    else:
        shown = link.base[name].ticket if link.ticket is None else ticket_value(link.ticket, name)
        agreed = Agreed(incident=incident, ticket=shown, pending=Side.INCIDENT, sent=shown)
    achieved.agree(db, link_id, {name: agreed})
    audit.note_link(db, Act.DECIDED, link_id, {name: (None, winner)})
    values = {"field": name, "winner": winner}
    timeline.append(db, link_id, (TimelineEntry(TimelineKind.CONFLICT_RESOLVED, "connector", now, values),))
    lanes.wake(db, link_id, now)


def forget_finished(db: Connection, before: datetime, most: int) -> int:
    """Delete links at rest that were over on both sides before a time, and incidents that nothing links then."""
    found = db.execute(FINISHED, (write_time(before), most)).fetchall()
    db.executemany("DELETE FROM link WHERE id = ?", [(link_id,) for link_id, *_ in found])
    db.executemany(
        "DELETE FROM incident WHERE organization = ?1 AND id = ?2"
        " AND NOT EXISTS (SELECT 1 FROM link WHERE organization = ?1 AND incident_id = ?2)",
        [(organization, incident_id) for _, organization, incident_id in found],
    )
    return len(found)


class Links(Noun):
    """Incidents and their tickets."""

    get = reads(get)
    find = reads(find)
    holders = reads(holders)
    follows = reads(follows)
    with_ticket = reads(with_ticket)
    open_tickets = reads(open_tickets)

    def record(self, held: Claim, progress: Progress, now: datetime, rest: Rest | None = None) -> bool:
        """Store what a step achieved; False, and nothing stored, when the claim is no longer good.

        With a `rest` it was the last step, and its lane is given back in the same transaction.

        Before something is made, that is told beside the database: a copy of before is then known to lack it.
        """
        scope = Scope("organization", held.organization)
        is_held, place = self._database.write(
            scope, lambda db: achieved.record_and_count(db, held, progress, now, rest)
        )
        if place is not None:
            self._database.beside.keep(place)
        return is_held

    mark_gone = writes(gone.mark_gone)
    note_merged = writes(gone.note_merged)
    compare = writes(compare)
    resume = writes(resume)
    recreate = writes(gone.recreate)
    discard = writes(discard)
    unlink = writes(unlink)
    resolve = writes(resolve)
    forget_finished = writes(forget_finished, EVERYBODY)
