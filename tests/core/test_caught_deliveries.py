"""What the suite catches of deliveries: which are of a ticket, and what it says when none is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector_core.contract.models import Incident, Receipt, TicketSnapshot
from connector_core.testing.conformance.catcher import Catcher, Caught
from connector_core.testing.conformance.deliveries import is_about
from connector_core.testing.conformance.ground import Opened


@pytest.fixture
def catcher():
    """Return a catcher that does not wait long."""
    found = Catcher()
    found.patience_s = 0.01
    yield found
    found.stop()


@pytest.mark.parametrize(
    ("body", "is_it"),
    [
        (b'{"ticket_id": 12}', True),
        (b'{"ticket": {"id":12, "state": "new"}}', True),
        (b'{"ticket_id": "12"}', True),
        (b'{"text": "Fan failed"}', True),
        (b'{"key": "D-12"}', True),
        (b'{"ticket_id": 121}', False),
        (b'{"ticket_id": 3, "at": "2026-12-12"}', False),
        (b"", False),
    ],
)
def test_a_delivery_names_its_ticket(body, is_it):
    """By its id as a text or as a number, its key, or its title."""
    ticket = TicketSnapshot(id="12", key="D-12", title="Fan failed")
    incident = Incident(id="1", title="Fan failed", opened_at=datetime(2026, 11, 24, tzinfo=UTC))
    opened = Opened(incident, "cnx-1", Receipt(ticket=ticket))

    assert is_about(Caught({}, body), opened) is is_it


def test_of_a_delivery_that_does_not_come_it_is_said_what_came_in_its_place(catcher):
    """Or that nothing did, and whom to look at."""
    with pytest.raises(TimeoutError, match=r"no note came within 0\.01 s, nor any other: does the stand-in tell"):
        catcher.next_of(lambda _: True, after=0, what="note")

    catcher.keep(Caught({}, b'{"ticket": 7}'))
    with pytest.raises(TimeoutError, match=r'no note came within 0.01 s; of 1 others the last was: {"ticket": 7}'):
        catcher.wait_for(lambda _: False, what="note")
