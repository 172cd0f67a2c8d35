"""Deliveries of ticketing systems: each is stored once, with what it shows of linked tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from connector_core.contract.models import Delivery
from connector_core.store import comments, gone, webhooks
from connector_core.store.records import IGNORED, SIGNED, Accepted
from connector_core.store.rows import write_time
from connector_core.store.shown_tickets import hint, see_ticket
from connector_core.store.statements import Connection


class _Facts:
    """What is counted of deliveries, written together: most deliveries of a batch count the same."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, datetime] = {}

    def count(self, integration_id: str, name: str) -> None:
        self._counted[integration_id, name] += 1

    def came(self, integration_id: str, at: datetime) -> None:
        self._last[integration_id] = max(at, self._last.get(integration_id, at))

    def write(self, db: Connection, at: datetime) -> None:
        for (integration_id, name), number in self._counted.items():
            webhooks.count(db, integration_id, name, at, number)
        for integration_id, last in self._last.items():
            db.execute("UPDATE integration SET last_delivery_at = ? WHERE id = ?", (write_time(last), integration_id))


def _accept(db: Connection, facts: _Facts, given: tuple[str, Delivery, str], at: datetime) -> Accepted:
    """Store an authenticated delivery once, and what it shows of linked tickets; it comes with who signed it."""
    integration_id, delivery, secret = given
    if secret:
        facts.count(integration_id, SIGNED + secret)
    stored = db.execute(
        "INSERT INTO delivery (integration_id, id, event, matched, received_at) SELECT ?1, ?2, ?3, 0, ?4"
        " WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE integration_id = ?1 AND id = ?2)"
        " ON CONFLICT (integration_id, id) DO NOTHING",
        (integration_id, delivery.id, delivery.event, write_time(at)),
    )
    if not stored.rowcount:
        facts.count(integration_id, IGNORED + "duplicate")
        return Accepted(duplicate=1)
    facts.came(integration_id, at)
    matched = _matched(db, integration_id, delivery, at)
    if matched:
        db.execute(
            "UPDATE delivery SET matched = ? WHERE integration_id = ? AND id = ?",
            (matched, integration_id, delivery.id),
        )
        return Accepted(new=1)
    facts.count(integration_id, IGNORED + (delivery.ignored or "not_linked"))
    return Accepted(ignored=1)


def _matched(db: Connection, integration_id: str, delivery: Delivery, at: datetime) -> int:
    """Store what a delivery shows; return of how many linked tickets it was."""
    found = sum(
        see_ticket(db, integration_id, ticket, at, via=delivery.event, by=delivery.changed_by, is_told=True).is_linked
        for ticket in delivery.tickets
    )
    found += sum(
        hint(db, integration_id, ticket, at, via=delivery.event, by=delivery.changed_by) for ticket in delivery.hints
    )
    found += sum(comments.told(db, integration_id, ticket, ids, at) for ticket, ids in delivery.commented.items())
    return found + sum(gone.mark_gone(db, integration_id, ticket, at, gone.SAID_DELETED) for ticket in delivery.deleted)


def accept_delivery(
    db: Connection, integration_id: str, delivery: Delivery, at: datetime, secret: str = ""
) -> Accepted:
    """Store an authenticated delivery once, and what it shows of linked tickets; `secret` names the one that signed."""
    return accept_requests(db, "", [([(integration_id, delivery, secret)], at)])[0]


def accept_deliveries(
    db: Connection, organization: str, given: Sequence[tuple[str, Delivery, str]], at: datetime
) -> Accepted:
    """Store what one request says for each of some integrations; counted once, as the most that it is to any."""
    return accept_requests(db, organization, [(given, at)])[0]


def accept_requests(
    db: Connection,
    organization: str,  # noqa: ARG001 - whose they all are is what a database may order writes by
    requests: Sequence[tuple[Sequence[tuple[str, Delivery, str]], datetime]],
) -> list[Accepted]:
    """Store what several requests of one organization say, in their order, as `accept_deliveries` does with each."""
    facts = _Facts()
    accepted: list[Accepted] = []
    for given, at in requests:
        outcomes = [_accept(db, facts, one, at) for one in given]
        accepted.append(max(outcomes, key=lambda one: (one.new, one.duplicate), default=Accepted()))
    if requests:
        facts.write(db, max(at for _, at in requests))
    return accepted
