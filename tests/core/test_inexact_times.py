"""Deliveries of a system whose times are no order: they say which ticket to read, and what is read is believed."""

from __future__ import annotations

import pytest
import structlog
from pydantic import SecretStr

from connector_core import FieldName
from connector_core.inbound.intake import Intake
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk
from tests.support.sync_lab import happen, make_lab, run

SECRET = "of the desk"


class SlowClockDesk(MemoryDesk):
    """A desk that knows whole seconds only."""

    times_are_exact = False

    def _moment_after(self, ticket):
        return self.clock.now().replace(microsecond=0)


@pytest.fixture
def lab(store, clock):
    """Put a lab together whose ticket was created in the same second as whatever comes next."""
    lab = make_lab(store, clock, desk=SlowClockDesk(clock))
    lab.change_record(webhook_secrets=(SecretStr(SECRET),))
    happen(lab)
    return lab


def deliver(lab, *deliveries):
    """Take deliveries in this order, as signed requests."""
    intake = Intake(lab.store, lab.registry, structlog.get_logger("test"))
    for delivery in deliveries:
        intake.take_webhook("desk", lab.desk.signed(delivery, SECRET)).result()


def test_an_older_delivery_of_the_same_second_reverts_nothing(lab):
    """The agent's edit is there; the delivery of our own create, which shows the former title, comes after it."""
    created = lab.desk.told[-1]
    lab.desk.edit("1", title="Seen to")
    edited = lab.desk.told[-1]

    deliver(lab, edited, created)
    link = run(lab)

    assert link.ticket.title == "Seen to"
    assert lab.platform.incidents["inc-1"].title == "Seen to"
    assert link.status.state is LinkState.IN_SYNC


def test_several_deliveries_are_one_read_and_keep_their_event_and_person(lab):
    """They are coalesced; the timeline names what told of the change, and who made it."""
    lab.desk.edit("1", title="Seen to")
    told = lab.desk.told[-1].model_copy(update={"event": "ticket.retitled", "changed_by": {FieldName.TITLE: "Hana"}})
    deliver(lab, *[told.model_copy(update={"id": str(number)}) for number in range(3)])
    lab.calls.clear()

    run(lab)

    assert [call.hook for call in lab.calls].count("fetch_tickets") == 1
    (entry,) = [one for one in lab.store.timelines.read(1) if one.kind == "ticket_changed"]
    assert entry.values["via"] == "ticket.retitled"
    assert entry.values["changed_by"] == "Hana (title)"


def test_a_later_look_is_not_told_by_a_delivery_of_before(lab):
    """Once it was read, what a reconciling look finds is told as what it is."""
    lab.desk.edit("1", title="Seen to")
    deliver(lab, lab.desk.told[-1])
    run(lab)
    lab.clock.forward(60)
    lab.desk.edit("1", title="Seen to again")

    lab.operations.reconciler.reconcile("desk", full=True)

    assert [one.values["via"] for one in lab.store.timelines.read(1) if one.kind == "ticket_changed"] == [
        "ticket_changed",
        "reconcile",
    ]


def test_where_times_are_exact_nothing_is_read(store, clock):
    """What a signed delivery shows is believed, without a call."""
    lab = make_lab(store, clock)
    lab.change_record(webhook_secrets=(SecretStr(SECRET),))
    happen(lab)
    lab.clock.forward(1)
    lab.desk.edit("1", title="Seen to")
    lab.calls.clear()

    deliver(lab, lab.desk.told[-1])
    run(lab)

    assert [call.hook for call in lab.calls] == ["apply_change"]


def test_a_deleted_ticket_and_comments_are_told_as_before(lab):
    """Only what a delivery shows of tickets is read."""
    lab.desk.delete("1")

    deliver(lab, lab.desk.told[-1])

    assert lab.store.links.get(1).status.code == "ticket_deleted"
