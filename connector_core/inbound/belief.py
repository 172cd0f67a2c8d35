"""How much of a delivery is believed: all of it, that something happened to its tickets, or nothing."""

from __future__ import annotations

from connector_core.contract.models import Delivery


def as_hint(delivery: Delivery) -> Delivery:
    """Return a delivery of which nothing is believed but that something happened to a ticket: it is read."""
    return delivery.model_copy(
        update={
            "tickets": (),
            "deleted": frozenset(),
            "changed_by": {},
            "hints": delivery.hints | delivery.deleted | {ticket.id for ticket in delivery.tickets},
        }
    )


def to_be_read(delivery: Delivery) -> Delivery:
    """Return a delivery whose tickets are read: of two that it shows nobody could say which is the later."""
    ids = {ticket.id for ticket in delivery.tickets}
    return delivery.model_copy(update={"tickets": (), "hints": delivery.hints | ids})


def only_hint(delivery: Delivery) -> Delivery:
    """Return of a delivery that nobody signed what may be believed: which tickets are to be read."""
    return Delivery(id=delivery.id, event=delivery.event, hints=delivery.hints, ignored=delivery.ignored)


def ignored(delivery: Delivery, why: str) -> Delivery:
    """Return a delivery of which nothing is taken, and why; what its plugin ignored for a reason keeps that."""
    nothing = {"tickets": (), "deleted": frozenset(), "hints": frozenset(), "commented": {}}
    return delivery.model_copy(update={**nothing, "ignored": delivery.ignored or why})
