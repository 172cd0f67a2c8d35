"""Checks of how tickets are read: none is called gone, changed or missed that is not."""

from __future__ import annotations

import pytest

from connector_core.contract.errors import ConnectorError, TicketGone
from connector_core.contract.models import FieldName, TicketSnapshot, UnreadableTicket
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.faults import HTML_404, OF_A_READ, OTHER_TIMES, Fault, Rule

FEW = 3


class Reading(Checks):
    """Tickets are read again."""

    @pytest.mark.parametrize("fault", OF_A_READ, ids=lambda fault: fault.name)
    def test_no_fault_makes_a_ticket_gone(self, fault: Fault) -> None:
        """A look that fails says so: it neither leaves the ticket out nor shows it otherwise."""
        opened = self.ground.open(description="Still here.")
        before = self.ground.read(opened.ticket.id)
        self.ground.session.strike(fault, Rule.reads(times=None))

        try:
            found = self.ground.fetch(opened.ticket.id)
        except TicketGone as exc:
            pytest.fail(f"{fault.name} was taken for a ticket that is gone: {exc.message}")
        except ConnectorError:
            return
        assert self.ground.session.struck, "no call was made"
        assert found, f"{fault.name} was taken for a ticket that is gone"
        if isinstance(found[0], TicketSnapshot):
            shown = found[0].over(before)
            assert (shown.title, shown.done, shown.description) == (before.title, before.done, before.description)
        else:
            assert found[0].id in {"", opened.ticket.id}

    def test_a_page_that_says_404_is_not_a_ticket_that_is_gone(self) -> None:
        """A 404 in HTML is no word about a ticket, neither when it is read nor when it is written."""
        opened = self.ground.open()
        self.ground.session.strike(HTML_404, Rule.calls())

        with pytest.raises(ConnectorError) as raised:
            self.ground.write(opened, FieldName.TITLE, title=f"{opened.incident.title} again")
        assert not isinstance(raised.value, TicketGone)

    def test_what_was_not_asked_for_changes_nothing(self) -> None:
        """Of several tickets those come that were asked for, each once, in few calls."""
        opened = [self.ground.open() for _ in range(FEW)]
        wanted = [one.ticket.id for one in opened[1:]]

        found = self.ground.counted("read 2 tickets", lambda: self.ground.fetch(*wanted))

        assert sorted(one.id for one in found) == sorted(wanted)

    def test_nothing_is_asked_where_nothing_is_wanted(self) -> None:
        """No ids, no tickets."""
        assert not self.ground.fetch()

    @needs("delete_ticket")
    def test_a_deleted_ticket_is_gone(self) -> None:
        """A ticket that was deleted is left out, and one that is there is not."""
        gone, there = self.ground.open(), self.ground.open()
        self.ground.desk.delete_ticket(gone.ticket.id)

        found = self.ground.fetch(gone.ticket.id, there.ticket.id)

        assert [one.id for one in found] == [there.ticket.id]
        if self.ground.plugin.implements("explain_absence"):
            why = self.ground.call("explain_absence", tickets=[gone.ticket, there.ticket])
            assert set(why) <= {gone.ticket.id}, f"it explains the absence of a ticket that is there: {why}"
            assert all(absence.reason for absence in why.values())

    @needs("delete_ticket")
    def test_a_write_to_a_deleted_ticket_says_that_it_is_gone(self) -> None:
        """`TicketGone`, not a wait without end."""
        opened = self.ground.open()
        self.ground.desk.delete_ticket(opened.ticket.id)

        with pytest.raises(TicketGone):
            self.ground.write(opened, FieldName.TITLE, title=f"{opened.incident.title} again")

    @needs("edit_title")
    def test_what_a_person_changes_is_read(self) -> None:
        """Title, and that the ticket is done."""
        opened = self.ground.open()
        self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")

        read = self.ground.read(opened.ticket.id)

        assert read.title == f"{opened.incident.title} - seen to"
        assert not read.done, f"nobody finished the ticket, and the plugin counts its status {read.status!r} as done"
        told = self.ground.shown(opened.ticket.id).get("updated")
        assert read.updated or not told, f"the ticket was changed at {told}, and the snapshot has no `updated`"

    @needs("edit_priority", "priority")
    def test_a_priority_that_a_person_changes_is_read(self) -> None:
        """As one of ours."""
        opened = self.ground.open(priority="high")
        self.ground.desk.edit_ticket(opened.ticket.id, priority="moderate")

        read = self.ground.read(opened.ticket.id)
        assert read.priority == "moderate", (
            f"the stand-in was told moderate and shows {read.priority_name}, which is read as {read.priority}: "
            "the two pair priorities in different ways"
        )

    @needs("edit_description", "description")
    def test_what_a_person_adds_to_a_description_is_read(self) -> None:
        """And no more than that."""
        opened = self.ground.open(description="It is loud.")
        shown = str(self.ground.shown(opened.ticket.id)["description"])
        self.ground.desk.edit_ticket(
            opened.ticket.id, description=shown.replace("It is loud.", "It is loud. And hot.", 1)
        )

        assert self.ground.read(opened.ticket.id).description == "It is loud. And hot."

    def test_what_a_person_finishes_is_done(self) -> None:
        """Whatever the status is called."""
        opened = self.ground.open()
        self.ground.desk.finish_ticket(opened.ticket.id)

        read = self.ground.read(opened.ticket.id)
        assert read.done, (
            f"a person finished the ticket, and the plugin does not count its status {read.status!r} as done"
        )

    @needs("edit_title", "changed_since")
    @pytest.mark.parametrize("as_told", ["exactly", "in whole seconds of another zone"])
    def test_a_change_within_the_margin_is_not_missed(self, as_told: str) -> None:
        """A change just before the time that is named is found: clocks differ, and searches lag."""
        opened = self.ground.open()
        if as_told != "exactly":
            self.ground.session.strike(OTHER_TIMES, Rule.calls())
        self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")

        found = self.ground.look_for_changes(opened)

        assert [one.id for one in found] == [opened.ticket.id], "the change is missed for ever"
        assert isinstance(found[0], TicketSnapshot)
        assert found[0].title.endswith("seen to")

    @needs("edit_title")
    def test_times_go_forward(self) -> None:
        """A ticket that was changed has a later time than before, or the same, and never an earlier one."""
        opened = self.ground.open()
        before = self.ground.read(opened.ticket.id)
        self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")

        after = self.ground.read(opened.ticket.id)

        assert before.updated is None or after.updated is None or after.updated >= before.updated

    def test_what_cannot_be_there_is_left_out(self) -> None:
        """An id that nobody ever gave a ticket is left out, or is no error of the others."""
        opened = self.ground.open()
        nobody = "9" * len(opened.ticket.id)

        found = self.ground.fetch(opened.ticket.id, nobody)

        assert [one.id for one in found if not isinstance(one, UnreadableTicket)] == [opened.ticket.id]
