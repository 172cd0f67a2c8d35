"""Checks of tickets that are there already: found by what people call them, marked, and found again by the mark."""

from __future__ import annotations

from connector_core.contract.models import FoundTicket, MarkedTickets, Receipt, TicketSnapshot
from connector_core.testing.conformance import changes
from connector_core.testing.conformance.checks import Checks, needs
from connector_core.testing.conformance.ground import MOST_TRIES

MOST_PAGES = 200


class Marking(Checks):
    """Tickets can be linked by hand, and a lost database is made anew from the marks on them."""

    @needs("find_by_name")
    def test_a_ticket_is_found_by_what_people_call_it(self) -> None:
        """By id, key and address of its page, with whose it is; what names none of this site is left out."""
        opened = self.ground.open()
        called = {name for name in (opened.ticket.id, opened.ticket.key, opened.ticket.url) if name}
        strange = ["https://elsewhere.example.com/tickets/1", "../1", "x" * 400, "", "' OR 1=1 ^"]

        found = self._found([*called, *strange])

        assert found.keys() == called
        assert {one.ticket.id for one in found.values()} == {opened.ticket.id}
        assert {one.marker for one in found.values()} <= {"", opened.marker}, "it would be taken for somebody else's"
        assert self._found(strange) == {}

    @needs("marks")
    def test_a_mark_that_was_put_on_a_ticket_is_found_again(self) -> None:
        """By a look for it, once or twice; what people wrote stays as it was."""
        opened, marker = self.ground.open(), self.ground.some_marker()
        other = self.ground.some_incident()
        before = self.ground.shown(opened.ticket.id)

        for _ in range(2):
            self.ground.call("mark_ticket", mark=changes.to_mark(opened.ticket, other, marker))

        found = self.ground.look(other, marker)
        assert isinstance(found, Receipt), "nothing has the mark"
        assert found.ticket.id == opened.ticket.id
        after = self.ground.shown(opened.ticket.id)
        changed = [name for name in ("title", "description", "priority", "status") if before[name] != after[name]]
        assert not changed, f"marking changed {', '.join(changed)}"

    @needs("listed_marks")
    def test_the_tickets_with_a_mark_are_listed(self) -> None:
        """All of them, page by page to the end, each with its mark: the one that it has now."""
        first, second, marker = self.ground.open(), self.ground.open(), self.ground.some_marker()
        expected = {first.ticket.id: first.marker, second.ticket.id: second.marker}
        if self.ground.plugin.implements("mark_ticket") and "marks" not in self.cannot:
            self.ground.call("mark_ticket", mark=changes.to_mark(second.ticket, self.ground.some_incident(), marker))
            expected[second.ticket.id] = marker

        listed: dict[str, str] = {}
        for _ in range(MOST_TRIES):
            listed = self._listed()
            if expected.items() <= listed.items():
                break
            self.ground.wait(self.ground.system.longest_wait_s)

        assert expected.items() <= listed.items(), (
            f"listed are {len(listed)} marks, these not, or otherwise: {expected}"
        )
        assert all(listed.values()), "one is listed without a mark"

    def _found(self, names: list[str]) -> dict[str, FoundTicket]:
        found = self.ground.call("find_tickets", names=names)
        unreadable = [name for name, one in found.items() if not isinstance(one.ticket, TicketSnapshot)]
        assert not unreadable, f"these cannot be read: {unreadable}"
        return dict(found)

    def _listed(self) -> dict[str, str]:
        """Walk all pages; of two with one mark the first counts."""
        found: dict[str, str] = {}
        cursor = None
        for _ in range(MOST_PAGES):
            page: MarkedTickets = self.ground.call("list_marked", cursor=cursor)
            assert page.seen >= len(page.tickets), "it looked at fewer tickets than it found"
            for one in page.tickets:
                found.setdefault(one.ticket.id, one.marker)
            if page.cursor is None:
                return found
            assert page.cursor != cursor, "a page leads to itself"
            cursor = page.cursor
        raise AssertionError(f"the list has no end after {MOST_PAGES} pages")
