"""Tickets: what one shows, whether it is done, reading many at once, and why one is not found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC

import connector_core as core
from connector_core.kit import kept, values
from connector_core.kit.answers import Subject
from connector_core.kit.rest import segment
from connector_core.kit.signing import moment_of, name_of
from connector_core.kit.texts import clean
from connector_core.kit.values import Json
from connector_request_tracker.api import HIDDEN, RIGHT_FIX, address_of, is_number, quoted, rest_of, search
from connector_request_tracker.settings import Tracker

DELETED = "deleted"
#: What a ticket refers to, before its marker: always the same, wherever incident and connector move.
MARK = "urn:connector:"
_AT_ONCE = 50


@core.implements(core.hookspecs.fetch_tickets)
def fetch(integration: Tracker, query: core.TicketQuery) -> Sequence[core.TicketSnapshot | core.UnreadableTicket]:
    """Read tickets by their numbers, those of one page with one search; merged and deleted ones are not found."""
    numbers = sorted((one for one in query.ids if is_number(one)), key=int)

    # Of "2026-11-28T05:00:00Z" only the day counts in a search, and without a zone it is of the user's.
    at = query.changed_since and query.changed_since.astimezone(UTC)
    since = f" AND LastUpdated > '{at:%Y-%m-%d %H:%M:%S} UTC'" if at else ""

    def read(some: Sequence[str]) -> Iterator[core.TicketSnapshot | core.UnreadableTicket]:
        which = " OR ".join(f"id = {number}" for number in some)
        wanted = (one for one in search(integration, f"({which}){since}") if name_of(one.get("id")) in some)
        return (snapshot(integration, shown) for shown in wanted)

    return list(rest_of(integration).by_chunks("tickets", numbers, _AT_ONCE, read))


def snapshot(integration: Tracker, shown: Json) -> core.TicketSnapshot | core.UnreadableTicket:
    """Return what an answer shows of a ticket; its description is never asked for, since nobody can change it."""
    number, status, priority = (name_of(shown.get(name)) for name in ("id", "Status", "Priority"))
    subject, place = shown.get("Subject"), name_of(values.value_at(shown, "Queue.id"))
    if not (is_number(number) and isinstance(subject, str) and status):
        return core.UnreadableTicket(id=number, reason="Request Tracker shows it without number, subject or status.")
    has_priority = is_number(priority.removeprefix("-"))
    return core.TicketSnapshot(
        id=number,
        key=f"#{number}",
        url=f"{address_of(integration)}/Ticket/Display.html?id={number}",
        title=clean(subject),
        priority=integration.settings.priorities.ours(int(priority)) if has_priority else None,
        priority_name=priority or None,
        status=status,
        done=_is_done(integration, number, status, place),
        updated=moment_of(str(shown.get("LastUpdated"))),
        place=place,
        unknown=frozenset({core.FieldName.DESCRIPTION} | (set() if has_priority else {core.FieldName.PRIORITY})),
    )


@core.implements(core.hookspecs.explain_absence)
def explain(integration: Tracker, tickets: Sequence[core.TicketSnapshot]) -> Mapping[str, core.Absence]:
    """Say why tickets cannot be found, none for those that are there after all."""
    reasons = {ticket.id: _why_absent(integration, ticket.id) for ticket in tickets}
    return {number: why for number, why in reasons.items() if why is not None}


def following(shown: object) -> list[str]:
    """Return the statuses that a ticket may be given next, by its lifecycle and the rights of the token's user."""
    links = values.as_objects(values.value_at(shown, "_hyperlinks"))
    return [status for link in links if link.get("ref") == "lifecycle" and (status := name_of(link.get("to")))]


def references(shown: object) -> list[str]:
    """Return the addresses that a ticket refers to: our mark is one."""
    return [name_of(link.get("_url")) for link in values.as_objects(values.value_at(shown, "_hyperlinks"))]


def _is_done(integration: Tracker, number: str, status: str, place: str) -> bool:
    """Return whether nothing is left to be done in a status: each queue may have its own, and only a search tells.

    What is known of a status in a queue holds for as long as the process: a lifecycle is part of Request Tracker's own
    configuration. Somebody may move the ticket meanwhile, so that a search without a find says nothing.
    """
    key = f"is done: {place} {status}"
    told: bool | None = True if status == DELETED else kept.known(integration, key)
    if told is not None:
        return told
    for kind, is_done in (("__Inactive__", True), ("__Active__", False)):
        query = f"id = {number} AND Status = {quoted(status)} AND Status = '{kind}'"
        if any(name_of(one.get("id")) == number for one in search(integration, query)):
            return kept.keep(integration, key, is_done)
    return False


def _why_absent(integration: Tracker, ticket_id: str) -> core.Absence | None:
    kinds = core.AbsenceKind
    try:
        shown = values.whole(rest_of(integration).get(f"/ticket/{segment(ticket_id)}", about=Subject.TICKET))
    except core.TicketGone as exc:
        if exc.code == HIDDEN:
            return core.Absence(kind=kinds.HIDDEN, reason=exc.message, fix=RIGHT_FIX)
        said = "Request Tracker has no ticket of this number: it was destroyed."
        return core.Absence(kind=kinds.DELETED, reason=said)
    number = name_of(shown.get("id"))
    if not is_number(number):
        raise values.unreadable()
    if number != ticket_id:
        return core.Absence(kind=kinds.MERGED, reason=f"It was merged into #{number}.", into=number)
    fix = "Give it another status in Request Tracker, then retry."
    is_deleted = shown.get("Status") == DELETED
    return core.Absence(kind=kinds.DELETED, reason="It has the status deleted.", fix=fix) if is_deleted else None
