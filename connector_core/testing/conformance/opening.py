"""Checks of how a ticket is made: once, whatever becomes of the answer, and with what the incident says."""

from __future__ import annotations

import pytest

from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import NotCreated, Priority, Receipt
from connector_core.testing.conformance import changes
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.faults import (
    ANSWER_LOST,
    OF_A_CREATE,
    THROTTLED,
    THROTTLED_FOR_7_S,
    Fault,
    Rule,
    fuzzy_search,
)
from connector_core.testing.conformance.texts import HOSTILE, plain


class Opening(Checks):
    """A ticket is made once."""

    def test_a_ticket_shows_what_the_incident_says(self) -> None:
        """Title, description and priority arrive, and the ticket is open."""
        opened = self.ground.counted("open", lambda: self.ground.open(description="It is loud.\nIt smells."))

        shown, ticket = self.ground.shown(opened.ticket.id), opened.ticket
        assert opened.incident.title in shown["title"]
        assert ticket.title == opened.incident.title
        assert not ticket.done, f"the ticket is new, and the plugin counts its status {ticket.status!r} as done"
        assert not shown["done"], f"the ticket is new, and people see it as done: {shown['status']}"
        if "priority" not in self.cannot:
            assert ticket.priority is opened.incident.priority
        if "description" not in self.cannot:
            assert plain(ticket.description) == plain(opened.incident.description), "the description is another one"
            assert "It smells." in (shown["description"] or "")

    @needs("priority")
    def test_priorities_keep_their_order(self) -> None:
        """A more urgent incident never has a less urgent ticket, and the most and the least urgent differ."""
        tickets = [self.ground.open(priority=priority).ticket for priority in Priority]

        told = [ticket.priority for ticket in tickets]
        assert None not in told, "a priority has no partner"
        ranks = [list(Priority).index(priority) for priority in told if priority is not None]
        assert ranks == sorted(ranks)
        assert tickets[0].priority_name != tickets[-1].priority_name
        assert [self.ground.read(ticket.id).priority for ticket in tickets] == told

    @pytest.mark.parametrize("fault", OF_A_CREATE, ids=lambda fault: fault.name)
    def test_one_ticket_whatever_becomes_of_the_answer(self, fault: Fault) -> None:
        """However the first write ends, there is one ticket when the core has done what it does then."""
        incident, marker = self.ground.some_incident(description="Once only."), self.ground.some_marker()
        self.ground.session.strike(fault, Rule.writes())

        receipt = self.ground.settle(incident, marker)

        assert self.ground.session.struck, "the fault never struck: no write was made"
        made = self.ground.tickets_of(incident)
        assert len(made) == 1, f"{len(made)} tickets after: {fault.name}"
        assert str(made[0]["id"]) == receipt.ticket.id

    @pytest.mark.parametrize("nth", [2, 3])
    @pytest.mark.parametrize("fault", [ANSWER_LOST, *OF_A_CREATE[9:12]], ids=lambda fault: fault.name)
    def test_one_ticket_when_a_later_write_fails(self, fault: Fault, nth: int) -> None:
        """Where making a ticket takes several writes, the one that makes it may be any of them."""
        incident, marker = self.ground.some_incident(), self.ground.some_marker()
        self.ground.session.strike(fault, Rule.writes(nth=nth))

        receipt = self.ground.settle(incident, marker)

        made = self.ground.tickets_of(incident)
        assert [str(ticket["id"]) for ticket in made] == [receipt.ticket.id]

    def test_a_look_finds_what_was_made_and_makes_nothing(self) -> None:
        """A look by the marker finds the ticket, writes no ticket, and says how it was made although people edit it."""
        opened = self.ground.open(description="As it was.")
        if "edit_title" not in self.cannot:
            self.ground.desk.edit_ticket(opened.ticket.id, title=f"{opened.incident.title} - seen to")
        found = self.ground.look(opened.incident, opened.marker)

        assert isinstance(found, Receipt), "a look does not find its ticket"
        assert found.ticket.id == opened.ticket.id
        assert len(self.ground.tickets_of(opened.incident)) == 1
        if "edit_title" not in self.cannot:
            assert found.ticket.title == f"{opened.incident.title} - seen to"
            assert found.as_created is not None, "what people changed since would be taken for agreed"
            assert found.as_created.title == opened.incident.title

    def test_a_look_for_what_was_never_made_finds_nothing(self) -> None:
        """With other tickets there, a look for an unknown marker says that nothing was created, and creates nothing."""
        self.ground.open()
        incident = self.ground.some_incident()

        found = self.ground.look(incident, self.ground.some_marker())

        assert isinstance(found, NotCreated)
        assert not self.ground.tickets_of(incident)

    def test_a_search_that_is_not_exact_gives_nobody_elses_ticket(self) -> None:
        """A search that gives back the ticket of another marker leads to no wrong ticket."""
        other, incident, marker = self.ground.open(), self.ground.some_incident(), self.ground.some_marker()
        self.ground.session.strike(fuzzy_search(marker, other.marker), Rule.reads(times=None))

        try:
            found = self.ground.look(incident, marker)
        except ConnectorError:
            return
        assert not isinstance(found, Receipt) or found.ticket.id != other.ticket.id, "it took another incident's ticket"

    @pytest.mark.parametrize("fault", [THROTTLED, THROTTLED_FOR_7_S], ids=lambda fault: fault.name)
    def test_a_limit_creates_nothing_and_waits(self, fault: Fault) -> None:
        """A 429 is a wait, as long as the answer says, whose outcome is known; nothing was created."""
        incident = self.ground.some_incident()
        self.ground.session.strike(fault, Rule.calls())

        with pytest.raises(RetryLater) as raised:
            self.ground.call("on_incident_event", change=changes.to_create(incident, self.ground.some_marker()))

        assert not raised.value.outcome_unknown
        assert raised.value.after_s is None or raised.value.after_s > 0
        if fault is THROTTLED_FOR_7_S:
            assert raised.value.after_s == pytest.approx(7, abs=3)
        self.ground.session.heal()
        assert not self.ground.tickets_of(incident)

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
    def test_no_text_comes_back_as_a_change(self, text: str) -> None:
        """What is read after a ticket was made is what the receipt showed, whatever stands in it."""
        incident = self.ground.some_incident(description=text)
        incident = changes.changed(incident, title=f"{incident.title} {text[:60]}".replace("\n", " ").strip())
        opened = self.ground.open(incident)

        read = self.ground.read(opened.ticket.id).over(opened.ticket)  # what it does not tell is no change

        for name in ("title", "description", "priority", "done"):
            assert getattr(read, name) == getattr(opened.ticket, name), name

    @needs("description")
    def test_no_description_stays_none(self) -> None:
        """An incident without a description makes a ticket without one: none of our own words come back."""
        opened = self.ground.open(description=None)

        assert not opened.ticket.description
        assert not self.ground.read(opened.ticket.id).description

    def test_a_ticket_is_named_and_has_an_address(self) -> None:
        """People find it: it has a key, a link, and a place that stays the same when it is read again."""
        opened = self.ground.open()

        read = self.ground.read(opened.ticket.id)
        assert opened.ticket.key
        assert (read.key, read.url, read.place) == (opened.ticket.key, opened.ticket.url, opened.ticket.place)

    def test_another_handle_finds_it_too(self) -> None:
        """Nothing that a plugin keeps in its cache or memory is needed to find a ticket."""
        opened = self.ground.open()
        fresh = self.ground.renewed()

        assert fresh.read(opened.ticket.id).title == opened.ticket.title
