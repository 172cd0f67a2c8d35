"""Incidents that are there already: found by what people call them, marked, and listed by the mark."""

from __future__ import annotations

import pytest

from connector_core import FindTicket, MarkTicket, RemoteError
from connector_servicenow import find_tickets, list_marked, mark_ticket, on_incident_event
from connector_servicenow.desk import ServiceNow
from tests.support.servicenow import MARKER, incident, opened

OTHER = "cnx-aaaaaaaaaaaaaaaaaaaa"


def column(integration, ticket, **values):
    """Have a column written as another program would."""
    ServiceNow(integration).table().write(values, ("sys_id",), ticket.id)


def test_an_incident_is_found_by_number_id_and_address(integration):
    """In whatever case; what is of another instance, or no name of an incident at all, is not asked for."""
    ticket = opened(integration)
    address = f"{integration.settings.instance}/nav_to.do?uri=incident.do%3Fsys_id%3D{ticket.id}"
    assert ticket.url
    names = [ticket.id, ticket.key, ticket.key.lower(), ticket.url, address]
    others = [ticket.url.replace("127.0.0.1", "elsewhere.example"), "INC999999", "INC1^ORsys_id!=1", "f" * 32, "", "x"]

    found = find_tickets(integration, [*names, *others])

    assert found.keys() == set(names)
    assert {(one.ticket.id, one.marker) for one in found.values()} == {(ticket.id, MARKER)}


def test_a_marked_incident_is_found_like_one_of_ours(integration, clock, sandbox):
    """By the look after a lost answer; what people wrote stays, and marking again writes nothing."""
    ticket = opened(integration)
    column(integration, ticket, correlation_id="", correlation_display="")
    before = sandbox.ticket(ticket.id)
    mark = MarkTicket(incident=incident(), marker=OTHER, ticket=ticket)

    assert [mark_ticket(integration, mark).note for _ in range(2)] == ["", ""]

    after = sandbox.ticket(ticket.id)
    assert {name: after[name] for name in ("title", "description", "status")} == {
        name: before[name] for name in ("title", "description", "status")
    }
    look = FindTicket(incident=incident(), marker=OTHER, attempted_at=clock.now(), attempt_age_s=9_999)
    assert on_incident_event(integration, look).ticket.id == ticket.id


def test_the_mark_of_another_program_stays(integration):
    """It is told, and the link goes on without."""
    ticket = opened(integration)
    column(integration, ticket, correlation_id="theirs-1")

    with pytest.raises(RemoteError, match="theirs-1") as refused:
        mark_ticket(integration, MarkTicket(incident=incident(), marker=OTHER, ticket=ticket))

    assert refused.value.code == "correlation_taken"
    assert find_tickets(integration, [ticket.id])[ticket.id].marker == ""


def test_marked_incidents_are_listed_page_by_page(integration, monkeypatch):
    """Those of people are not even asked for."""
    monkeypatch.setattr("connector_servicenow.desk.PAGE_OF_MARKED", 2)
    ours = [opened(integration, id=f"inc-{number}").id for number in range(5)]
    column(integration, opened(integration), correlation_display="theirs")
    listed, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = list_marked(integration, cursor)
        listed += [one.ticket.id for one in page.tickets]
        cursor, pages = page.cursor, pages + 1

    assert sorted(listed) == sorted(ours)
    assert pages == 3


def test_a_mark_that_is_dropped_without_a_word_is_told(sandbox, integration):
    """By an instance that lets our account write the column no more."""
    ticket = opened(integration)
    sandbox.administer(unwritable_fields=frozenset({"correlation_id"}))

    with pytest.raises(RemoteError) as refused:
        mark_ticket(integration, MarkTicket(incident=incident(), marker=OTHER, ticket=ticket))

    assert (refused.value.code, refused.value.fix) == ("unmarked", "Let the account write correlation_id.")
