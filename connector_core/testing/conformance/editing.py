"""Checks of how fields are written and tickets closed: what was asked, no more, and nothing over a person's head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import pytest

from connector_core.contract.errors import ConnectorError, TicketChanged
from connector_core.contract.models import FieldName, Receipt
from connector_core.contract.sandboxes import Interruptible, SandboxAbility
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.faults import (
    ANSWER_LOST,
    HTML_INSTEAD,
    IGNORED,
    IGNORED_200,
    RESET,
    THROTTLED,
    Fault,
    Rule,
    meanwhile,
)
from connector_core.testing.conformance.ground import Opened
from connector_core.testing.conformance.texts import plain

# When a person acts: between our look and our write, between the write and its answer, right behind the answer.
When: TypeAlias = Literal["before", "within", "behind"]
OF_A_WRITE = (RESET, ANSWER_LOST, THROTTLED, HTML_INSTEAD)


class Editing(Checks):
    """Fields are written, tickets are closed."""

    @needs("edit_title")
    def test_a_new_title_is_written(self) -> None:
        """It is there, the receipt shows it, and so does the next look."""
        opened = self.ground.open()
        title = f"{opened.incident.title} and burns"

        receipt = self.ground.counted("update", lambda: self.ground.write(opened, FieldName.TITLE, title=title))

        assert receipt.ticket.id == opened.ticket.id
        assert not receipt.refused
        assert self.ground.shown(opened.ticket.id)["title"] == title
        assert receipt.ticket.title == self.ground.read(opened.ticket.id).title == title

    @needs("edit_description", "description")
    def test_a_new_description_is_written_and_an_empty_one_too(self) -> None:
        """Both come back as they were written."""
        opened = self.ground.open(description="It is loud.")

        loud = self.ground.write(opened, FieldName.DESCRIPTION, description="It is very loud.")
        silent = self.ground.write(opened, FieldName.DESCRIPTION, ticket=loud.ticket, description=None)

        assert plain(loud.ticket.description) == "It is very loud."
        assert not silent.ticket.description
        assert not self.ground.read(opened.ticket.id).description

    @needs("edit_priority", "priority")
    def test_a_new_priority_is_written(self) -> None:
        """It is another one than before, to people too."""
        opened = self.ground.open(priority="high")
        before = self.ground.shown(opened.ticket.id)["priority"]

        receipt = self.ground.write(opened, FieldName.PRIORITY, priority="low")

        ticket = receipt.ticket
        assert ticket.priority == "low", f"low became {ticket.priority_name}, which is read as {ticket.priority}"
        assert self.ground.shown(opened.ticket.id)["priority"] != before

    @needs("edit_title", "edit_priority")
    def test_only_what_is_asked_for_is_written(self) -> None:
        """A field that is not named stays as people have it."""
        opened = self.ground.open(priority="high")
        self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")

        self.ground.write(opened, FieldName.PRIORITY, priority="low")

        assert self.ground.shown(opened.ticket.id)["title"] == f"{opened.incident.title} - seen to"

    @needs("edit_title")
    def test_no_persons_change_is_written_over_unseen(self) -> None:
        """Where a person was faster the plugin says so, with the ticket as it is, and writes nothing."""
        opened = self.ground.open()
        seen_to = f"{opened.incident.title} - seen to"
        self.ground.desk.edit_ticket(opened.ticket.id, title=seen_to)
        writes = len(self.ground.session.written)

        with pytest.raises(TicketChanged) as raised:
            self.ground.write(opened, FieldName.TITLE, title=f"{opened.incident.title} and burns")

        assert raised.value.ticket.title == seen_to
        assert self.ground.shown(opened.ticket.id)["title"] == seen_to
        assert len(self.ground.session.written) == writes

    @needs("edit_title", "conditional_writes")
    def test_no_persons_change_is_replaced_by_a_write_under_way(self) -> None:
        """A person who changes the field between our look and our write is told as it is; nothing is written."""
        opened = self.ground.open()

        ended = self._write_amid(opened, [self._third(opened)], when="before")

        assert isinstance(ended, TicketChanged), "the write went over the change of a person"
        assert ended.ticket.title == self.ground.shown(opened.ticket.id)["title"] == self._third(opened)

    @needs("edit_title", "told_writes")
    @pytest.mark.parametrize("is_undone", [False, True], ids=["third", "former"])
    def test_a_persons_change_that_a_write_replaced_is_told(self, is_undone: bool) -> None:  # noqa: FBT001 - a parameter
        """Where no write can be made on a condition, a note says that somebody was there at the same moment."""
        opened = self.ground.open()
        titles = [self._third(opened), *([opened.ticket.title] if is_undone else [])]

        ended = self._write_amid(opened, titles, when="before")

        shown = self.ground.shown(opened.ticket.id)["title"]
        assert shown in {titles[-1], self._ours(opened)}
        if isinstance(ended, TicketChanged):
            assert ended.ticket.title == shown == titles[-1]
        else:
            assert ended.ticket.title == shown == self._ours(opened)
            assert ended.note or is_undone, "a change of a person was written over without a word"

    @needs("edit_title", "told_writes")
    @pytest.mark.parametrize("when", ["within", "behind"])
    @pytest.mark.parametrize("is_undone", [False, True], ids=["third", "former"])
    def test_no_persons_change_right_behind_a_write_is_lost(self, when: When, is_undone: bool) -> None:  # noqa: FBT001 - a parameter
        """It stays, and is neither taken for what became of ours nor for ours: agreed is what was written.

        *Within* is before our write was answered, as far as the stand-in lets somebody in there.
        """
        opened = self.ground.open()
        theirs = opened.ticket.title if is_undone else self._third(opened)

        ended = self._write_amid(opened, [theirs], when=when)

        assert self.ground.shown(opened.ticket.id)["title"] == theirs, "a change of a person was written over"
        assert self.ground.read(opened.ticket.id).title == theirs
        if isinstance(ended, TicketChanged):
            assert ended.ticket.title == theirs
            return
        told = ended.refused.keys() | ended.unkept.keys()
        assert FieldName.TITLE not in told, "a change of a person is taken for what became of ours"
        assert ended.ticket.title == self._ours(opened), "a change of a person is agreed on unseen"
        assert ended.since is None or ended.since.title == theirs

    def _write_amid(self, opened: Opened, titles: Sequence[str], *, when: When) -> Receipt | TicketChanged:
        """Write our title while a person gives the ticket others, one after the other; return what is said of it."""
        desk, ticket_id = self.ground.desk, opened.ticket.id

        def act() -> None:
            for title in titles:
                desk.edit_ticket(ticket_id, title=title)

        may_interrupt = SandboxAbility.INTERRUPTS in desk.abilities
        if when == "within" and may_interrupt and isinstance(desk, Interruptible):
            desk.interrupt(act)
        else:
            fault = meanwhile(act, is_before=when == "before")
            self.ground.session.strike(fault, Rule.writes())
        try:
            return self.ground.write(opened, FieldName.TITLE, title=self._ours(opened))
        except TicketChanged as exc:
            return exc

    def _ours(self, opened: Opened) -> str:
        return f"{opened.incident.title} and burns"

    def _third(self, opened: Opened) -> str:
        return f"{opened.incident.title} - seen to"

    @needs("edit_title")
    def test_after_a_look_the_change_is_written(self) -> None:
        """With the ticket as it is now, the same change goes through: nobody waits for ever."""
        opened = self.ground.open()
        self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")
        title = f"{opened.incident.title} and burns"

        self.ground.write(opened, FieldName.TITLE, ticket=self.ground.read(opened.ticket.id), title=title)

        assert self.ground.shown(opened.ticket.id)["title"] == title

    @needs("edit_title")
    @pytest.mark.parametrize("fault", OF_A_WRITE, ids=lambda fault: fault.name)
    def test_a_write_that_failed_can_be_repeated(self, fault: Fault) -> None:
        """It fails with an error of ours, and the same change once more leaves the ticket as it should be."""
        opened = self.ground.open()
        title = f"{opened.incident.title} and burns"
        self.ground.session.strike(fault, Rule.writes())

        for _ in range(3):
            try:
                self.ground.write(opened, FieldName.TITLE, title=title)
                break
            except TicketChanged:
                break  # what we wrote ourselves: the core then sees that nothing is left to be written
            except ConnectorError:
                self.ground.session.heal()

        assert self.ground.session.struck, "the fault never struck: no write was made"
        assert self.ground.shown(opened.ticket.id)["title"] == title

    @needs("edit_title")
    @pytest.mark.parametrize("fault", [IGNORED, IGNORED_200], ids=lambda fault: fault.name)
    def test_a_field_that_is_dropped_silently_is_not_called_written(self, fault: Fault) -> None:
        """Where the other side says yes and does nothing, the receipt does not show what is not there."""
        opened = self.ground.open()
        title = f"{opened.incident.title} and burns"
        self.ground.session.strike(fault, Rule.writes(times=None))

        try:
            receipt = self.ground.write(opened, FieldName.TITLE, title=title)
        except ConnectorError:
            return
        told = receipt.refused.keys() | receipt.unkept.keys()
        assert receipt.ticket.title != title or FieldName.TITLE in told, "it says that a title is there which is not"

    @needs("edit_title")
    def test_a_done_ticket_is_not_edited(self) -> None:
        """What somebody finished stays as it is, and the receipt says so."""
        opened = self.ground.open()
        self.ground.desk.finish_ticket(opened.ticket.id)
        before, writes = self.ground.shown(opened.ticket.id), len(self.ground.session.written)

        receipt = self.ground.write(opened, FieldName.TITLE, title=f"{opened.incident.title} and burns")

        assert receipt.untouched, (
            f"a person finished the ticket, its status is {before['status']}: it was written all the same"
        )
        assert receipt.ticket.done
        assert len(self.ground.session.written) == writes
        assert self.ground.shown(opened.ticket.id) == before

    @needs("close")
    def test_a_resolved_incident_closes_its_ticket(self) -> None:
        """It is done for people, in the receipt, and when it is read."""
        opened = self.ground.open()

        receipt = self.ground.counted("resolve", lambda: self.ground.close(opened))

        assert receipt.ticket.done
        assert self.ground.shown(opened.ticket.id)["done"]
        assert self.ground.read(opened.ticket.id).done

    @needs("close")
    def test_closing_twice_writes_once(self) -> None:
        """The second time nothing is written, and the ticket is shown as it is."""
        opened = self.ground.open()
        self.ground.close(opened)
        before, writes = self.ground.shown(opened.ticket.id), len(self.ground.session.written)

        receipt = self.ground.close(opened)

        assert receipt.ticket.done
        assert len(self.ground.session.written) == writes
        assert self.ground.shown(opened.ticket.id) == before

    @needs("close")
    def test_what_a_person_finished_is_not_closed_anew(self) -> None:
        """Their status stays."""
        opened = self.ground.open()
        self.ground.desk.finish_ticket(opened.ticket.id)
        before, writes = self.ground.shown(opened.ticket.id), len(self.ground.session.written)

        receipt = self.ground.close(opened)

        assert receipt.ticket.done
        assert receipt.ticket.status == before["status"], "a person had finished the ticket, and it was closed anew"
        assert len(self.ground.session.written) == writes
        assert self.ground.shown(opened.ticket.id) == before

    @needs("close")
    @pytest.mark.parametrize("fault", OF_A_WRITE, ids=lambda fault: fault.name)
    def test_a_close_that_failed_can_be_repeated(self, fault: Fault) -> None:
        """In the end the ticket is done, whatever became of the first answer."""
        opened = self.ground.open()
        self.ground.session.strike(fault, Rule.writes())

        receipt = self.ground.close_as_core(opened)

        assert self.ground.session.struck, "the fault never struck: no write was made"
        assert receipt.ticket.done
        assert self.ground.shown(opened.ticket.id)["done"]

    @needs("close", "doubted_close")
    @pytest.mark.parametrize("fault", [IGNORED, IGNORED_200], ids=lambda fault: fault.name)
    def test_a_close_that_did_nothing_is_not_called_done(self, fault: Fault) -> None:
        """A status that is not there may be answered with yes: the ticket is open, and that is what is said."""
        opened = self.ground.open()
        self.ground.session.strike(fault, Rule.writes(times=None))

        try:
            receipt = self.ground.close(opened)
        except ConnectorError:
            return
        assert not receipt.ticket.done, "it says done of a ticket that is open"
