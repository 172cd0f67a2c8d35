"""Tickets as they are shown, by deliveries or by reading them: news are kept and wake the lane of their link."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from connector_core.contract.models import SHOWN_AS, FieldName, TicketSnapshot
from connector_core.contract.times import is_ahead, is_late
from connector_core.store import comments, early, lanes, timeline
from connector_core.store.records import DISCARDED, MOVED, TimelineEntry, TimelineKind
from connector_core.store.rows import write_json, write_time
from connector_core.store.statements import Connection


class Seen(NamedTuple):
    """What became of a ticket that was shown: whether a link has it, and whether anything was stored."""

    is_linked: bool
    is_news: bool


def hint(  # noqa: PLR0913 - by keyword, what its timeline will tell
    db: Connection,
    integration_id: str,
    ticket_id: str,
    at: datetime,
    *,
    via: str = "",
    by: Mapping[FieldName, str] | None = None,
) -> bool:
    """Have the lane of a linked ticket read it; False when no link has this ticket.

    What is found then is told as what the last event told of: `via` names that, `by` who changed which field.
    """
    people = {name.value: person for name, person in (by or {}).items()}
    row = db.execute(
        "UPDATE link SET hints = hints + 1, hinted_by = ? WHERE integration_id = ? AND ticket_id = ? RETURNING id",
        (write_json({"via": via, "by": people}) if via else "", integration_id, ticket_id),
    ).fetchone()
    if row is None:
        early.keep_hint(db, integration_id, ticket_id, at)
        return False
    lanes.wake(db, row[0], at)
    return True


def see_tickets(db: Connection, integration_id: str, tickets: Sequence[TicketSnapshot], at: datetime) -> int:
    """Store how linked tickets look that were read to reconcile; return how many were news."""
    news = 0
    for ticket in tickets:
        news += see_ticket(db, integration_id, ticket, at, via="reconcile").is_news
        comments.look_if_changed(db, integration_id, ticket, at)
    return news


def see_ticket(  # noqa: PLR0913 - by keyword, what its timeline tells
    db: Connection,
    integration_id: str,
    ticket: TicketSnapshot,
    at: datetime,
    *,
    via: str,
    by: Mapping[FieldName, str] | None = None,
    is_told: bool = False,
) -> Seen:
    """Store how a linked ticket looks and wake its lane if that is news.

    `by` says who changed which field, as far as that was told. What was told rather than read, `is_told`, is read where
    a time lies ahead: which of two snapshots is the later one cannot be told then.
    """
    if is_told and is_ahead(ticket.updated, at):
        return Seen(hint(db, integration_id, ticket.id, at, via=via, by=by), is_news=True)
    row = db.execute(
        "SELECT id, ticket, state, hinted_by FROM link WHERE integration_id = ? AND ticket_id = ?",
        (integration_id, ticket.id),
    ).fetchone()
    if row is None:
        return Seen(is_linked=False, is_news=early.keep(db, integration_id, ticket, at))
    link_id, known_text, state, hinted_by = row
    if hinted_by and not is_told:
        hinted = json.loads(hinted_by)
        via, by = hinted["via"], {FieldName(name): person for name, person in hinted["by"].items()}
    is_back = state == "gone"  # or this is late news; the lane looks
    if is_back:
        lanes.wake(db, link_id, at)
    known = TicketSnapshot.model_validate_json(known_text)
    if is_told and is_ahead(known.updated, at):
        return Seen(hint(db, integration_id, ticket.id, at, via=via, by=by), is_news=True)
    if is_late(ticket, known, at):
        return Seen(is_linked=True, is_news=is_back)
    ticket = ticket.over(known)
    if ticket == known:
        return Seen(is_linked=True, is_news=is_back)
    keep_ticket(db, link_id, ticket, at)
    if changes := differences(known, ticket):
        note_move(db, link_id, known, ticket, at)
        told = {**changes, **_authors(changes, by or {})}
        entry = TimelineEntry(TimelineKind.TICKET_CHANGED, "ticket", at, {**told, "via": via})
        timeline.append(db, link_id, (entry,))
        lanes.wake_for(db, link_id, "to_incident_since", at)
    elif known.unknown - ticket.unknown:
        lanes.wake(db, link_id, at)  # a field is told for the first time and has nothing in it: the lane agrees on that
    return Seen(is_linked=True, is_news=True)


def _authors(changes: Mapping[str, object], by: Mapping[FieldName, str]) -> dict[str, str]:
    """Say who made which of these changes; of those that were told of late nobody knows."""
    fields: dict[str, list[str]] = {}
    for name, person in by.items():
        if person and any(shown in changes for shown in SHOWN_AS[name]):
            fields.setdefault(person, []).append(name.value)
    told = "; ".join(f"{person} ({', '.join(names)})" for person, names in fields.items())
    return {"changed_by": told} if told else {}


def note_move(db: Connection, link_id: int, before: TicketSnapshot, after: TicketSnapshot, at: datetime) -> None:
    """Have the lane of a ticket that was moved check whether what the link keeps still fits."""
    if "place" not in differences(before, after):
        return
    values = {"key": [before.key, after.key], "place": [before.place, after.place]}
    entry = TimelineEntry(TimelineKind.TICKET_MOVED, "ticket", at, values)
    timeline.append(db, link_id, (entry,))
    db.execute(
        "UPDATE link SET state = 'waiting', code = ?, reason = '', fix = '', since = ?, next_try = NULL"
        " WHERE id = ? AND state != 'gone' AND code != ?",
        (MOVED, write_time(at), link_id, DISCARDED),
    )


def keep_ticket(db: Connection, link_id: int, ticket: TicketSnapshot, at: datetime) -> None:
    """Store a snapshot as the ticket's present look, and when we heard of it."""
    db.execute(
        "UPDATE link SET ticket = ?, ticket_id = ?, ticket_key = ?, ticket_updated = ?, ticket_heard_at = ?"
        " WHERE id = ?",
        (
            ticket.model_dump_json(exclude_none=True),
            ticket.id,
            ticket.key,
            write_time(ticket.updated),
            write_time(at),
            link_id,
        ),
    )


def differences(before: TicketSnapshot, after: TicketSnapshot) -> dict[str, list[object]]:
    """Return what a person sees differently, as name and both values; what is told for the first time counts."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    # A place that is not known, since it was not told, is none that a ticket was moved from. The address is where to
    # find the ticket: nobody changes it there, and a site may be renamed.
    passed_over = {"updated", "url", "unknown"} | (set() if before.place and after.place else {"place"})
    return {name: [old[name], new[name]] for name in new if old[name] != new[name] and name not in passed_over}
