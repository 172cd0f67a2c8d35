"""Making something once: after a lost answer it is looked for before it is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from connector_core.contract.errors import AuthError, ConfigError, RemoteError, RetryLater
from connector_core.contract.models import (
    CreateTicket,
    FieldName,
    FindTicket,
    Incident,
    NotCreated,
    Receipt,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.kit.details import Details

#: What makes a ticket, at once or after a look: what `create_once` takes.
AnyCreate: TypeAlias = CreateTicket | FindTicket

LOST = "It is not known whether the ticket was created, for the answer was lost; it is being looked for."
UNREADABLE_FIX = "It is looked for again automatically."

_LOOK_AGAIN_S = 15.0


def create_once(
    change: AnyCreate,
    *,
    make: Callable[[], Receipt],
    find: Callable[[], Iterable[TicketSnapshot | UnreadableTicket]],
    settle_s: float,
    as_created: Callable[[TicketSnapshot], TicketSnapshot] | None = None,
) -> Receipt | NotCreated:
    """Create a ticket, or find the one that an earlier attempt created although its answer was lost.

    `make` creates it, with `change.marker` on it from the first moment, and raises `RetryLater(outcome_unknown=True)`
    where the answer does not show whether it did. `find` gives the tickets that carry the marker, the oldest first:
    that one is taken. `settle_s` is how many seconds the other side may take to show a ticket to a search, and a call
    that was given up to arrive. `as_created` returns a found ticket as it was when it was made, from what
    `change.incident` says was sent: what people changed since is seen by it.

    >>> once = partial(create_once, find=lambda: [], settle_s=30, make=lambda: receipt)
    >>> once(CreateTicket(incident=incident, marker="cnx-1")) == receipt
    True

    Raises:
        RetryLater: it was not found, but it is too early to say that it is not there; or it is there and unreadable.
    """
    if isinstance(change, CreateTicket):
        return make()
    for found in find():
        ticket = certain(found)  # it is ours and it is there: whatever else it lacks, it must not be made again
        return Receipt(ticket=ticket, as_created=as_created(ticket) if as_created is not None else None)
    wait_for_lost_answer(settle_s - change.attempt_age_s)
    return NotCreated()


def as_sent(
    ticket: TicketSnapshot, incident: Incident, *, title: str, details: Details, priority_name: str | None = None
) -> TicketSnapshot:
    """Return a ticket as it was when it was made, out of what was sent of an incident; for `as_created`.

    `title` is the one that was sent, `priority_name` what people call the priority, where that is known. A priority
    that was not sent stays as the ticket shows it, and what was sent is not unknown.

    >>> as_sent(ticket, incident, title="Display offline", details=Details()).title
    'Display offline'
    """
    sent: dict[str, object] = {
        "title": title,
        "description": details.own_words(details.write(incident, "")),
        "priority": incident.priority or ticket.priority,
        "priority_name": priority_name or ticket.priority_name,
        "done": False,
        "status": "" if ticket.done else ticket.status,
        "unknown": ticket.unknown - {FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY},
    }
    return ticket.model_copy(update=sent)


def certain(found: TicketSnapshot | UnreadableTicket, *, outcome_unknown: bool = False) -> TicketSnapshot:
    """Return a ticket of ours that was read; it is there, so that what cannot be read is not gone.

    `outcome_unknown` says that it is the answer to a create: then it is looked for.

    >>> certain(ticket) == ticket
    True

    Raises:
        RetryLater: it cannot be read.
    """
    if isinstance(found, UnreadableTicket):
        raise unreadable(found, outcome_unknown=outcome_unknown)
    return found


def unreadable(found: UnreadableTicket, *, outcome_unknown: bool = False) -> RetryLater:
    """Return the error for a ticket of ours that is there and cannot be read.

    >>> unreadable(UnreadableTicket(reason="It has no id.")).code
    'ticket_unreadable'
    """
    return RetryLater(
        "The ticket was created and cannot be read.",
        outcome_unknown=outcome_unknown,
        code="ticket_unreadable",
        detail=found.reason,
        fix=UNREADABLE_FIX,
    )


def wait_for_lost_answer(remaining_s: float, said: str = LOST, look_again_s: float = _LOOK_AGAIN_S) -> None:
    """Come again as long as what was not found may still appear, every `look_again_s` seconds at most.

    >>> wait_for_lost_answer(0)

    Raises:
        RetryLater: some seconds remain.
    """
    if remaining_s > 0:
        raise RetryLater(said, after_s=min(look_again_s, remaining_s), code="looking_for_lost_answer")


def left_undone(steps: Mapping[str, Callable[[], object]]) -> list[str]:
    """Do what a new ticket should have beside itself, and return what did not work, each as a sentence.

    The ticket exists, so that nothing of it is fatal. `steps` are by what is said before the reason.

    >>> left_undone({"The link could not be added": lambda: None})
    []
    """
    failed = []
    for said, step in steps.items():
        try:
            step()
        except (RetryLater, RemoteError, ConfigError, AuthError) as exc:
            failed.append(f"{said}: {exc.message}")
    return failed
