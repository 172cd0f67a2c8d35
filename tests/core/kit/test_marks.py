"""What people call tickets, and the mark on them."""

from __future__ import annotations

import pytest

from connector_core import FoundTicket, TicketSnapshot, UnreadableTicket
from connector_core.kit.marks import TicketNames, found_by, marker_in

SITE = "https://desk.test/support"
NAMES = TicketNames(alone=r"(?:#|AV-)?([1-9]\d{0,17})", below=r"ticket/([1-9]\d{0,17})\b")
MARKER = "cnx-0123456789abcdef0123"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("7", "7"),
        ("#7", "7"),
        ("av-7", "7"),
        (f"{SITE}/ticket/7", "7"),
        (f"{SITE}/a/ticket/7?x=1#y", "7"),
        (f"{SITE}/ticket/7x", ""),
        ("https://desk.test/ticket/7", ""),
        ("https://desk.test/supporters/ticket/7", ""),
        ("https://elsewhere.test/?https://desk.test/support/ticket/7", ""),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", ""),
        ("7 OR 1=1", ""),
        ("", ""),
    ],
)
def test_a_name_is_of_a_ticket_of_the_site_or_left_out(name, wanted):
    """Whatever somebody typed: a number in other signs, or an address that only begins alike, is none."""
    assert NAMES.wanted([name], SITE) == ({name: wanted} if wanted else {})
    assert NAMES.wanted([name], f"{SITE}/") == NAMES.wanted([name], SITE)


def test_without_an_address_of_the_site_no_address_is_of_it():
    """As long as it is not known."""
    assert NAMES.wanted(["#7", f"{SITE}/ticket/7"], None) == {"#7": "7"}


def test_tickets_are_given_by_the_names_that_were_asked_for():
    """By id or key in any case; what came beside that is of no name."""
    ticket = FoundTicket(ticket=TicketSnapshot(id="7", key="AV-7"), marker=MARKER)
    unreadable = FoundTicket(ticket=UnreadableTicket(id="8", reason="It has no title."))
    beside = FoundTicket(ticket=TicketSnapshot(id="9", key=""))

    found = found_by(
        {"seven": "7", "key": "av-7", "eight": "8", "none": "10", "nothing": ""}, [ticket, unreadable, beside]
    )

    assert found == {"seven": ticket, "key": ticket, "eight": unreadable}


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        (f"urn:connector:{MARKER}", MARKER),
        (f"Reference: {MARKER}-2.", f"{MARKER}-2"),
        (f"x{MARKER}", ""),
        (f"{MARKER}0", ""),
        ("cnx-", ""),
        (None, ""),
    ],
)
def test_a_marker_is_found_in_a_text(text, marker):
    """The whole of it, or none."""
    assert marker_in(text) == marker
