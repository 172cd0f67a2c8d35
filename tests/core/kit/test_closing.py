"""A ticket is closed once, never over somebody who finished it, and never in words alone."""

from __future__ import annotations

import pytest

from connector_core import CloseTicket, RemoteError, TicketSnapshot, sample_incident
from connector_core.kit.closing import LEFT_OPEN, close_once

OPEN = TicketSnapshot(id="7", key="T-7", title="Fan failed", status="Open")
DONE = OPEN.model_copy(update={"status": "Done", "done": True})
CHANGE = CloseTicket(incident=sample_incident(), marker="cnx-1", ticket=OPEN)


def never(*_: object) -> TicketSnapshot:
    """Fail: this must not be asked."""
    pytest.fail("nothing was to be asked or written")


def test_an_open_ticket_is_closed_by_what_was_read():
    """The write is handed the ticket as it is, and the receipt shows it as it is afterwards."""
    handed: list[TicketSnapshot] = []

    def write(before: TicketSnapshot) -> TicketSnapshot:
        handed.append(before)
        return DONE

    renamed = OPEN.model_copy(update={"title": "Fan 2 failed"})
    receipt = close_once(CHANGE, read=lambda: renamed, write=write)

    assert handed == [renamed]
    assert (receipt.ticket, receipt.untouched) == (DONE, False)


def test_what_somebody_finished_is_not_touched():
    """Nor is what has the chosen status already, although that does not count as done."""
    finished = close_once(CHANGE, read=lambda: DONE, write=never)
    solved = OPEN.model_copy(update={"status": "Solved"})
    there = close_once(CHANGE, read=lambda: solved, write=never, is_over=lambda one: one.status == "Solved")

    assert (finished.ticket, finished.untouched) == (DONE, True)
    assert (there.ticket, there.untouched) == (solved, False)


def test_where_people_close_tickets_nothing_is_asked():
    """The receipt shows the ticket as it is known, and says why."""
    receipt = close_once(CHANGE, read=never, write=never, keeps_open=True)

    assert (receipt.ticket, receipt.note) == (OPEN, LEFT_OPEN)


def test_a_status_that_is_taken_and_not_kept_is_an_error():
    """With what the ticket shows in place of it."""
    with pytest.raises(RemoteError, match="it is Open") as told:
        close_once(CHANGE, read=lambda: OPEN, write=lambda before: before)

    assert told.value.code == "close_not_taken"
