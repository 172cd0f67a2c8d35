"""Requests that are there already: found by what people call them, marked, and listed by their marks."""

from __future__ import annotations

import pytest

from connector_core import CreateTicket, FindTicket, Incident, MarkTicket, RemoteError
from connector_jira_jsm.tickets import marks
from connector_jira_jsm.tickets.writing import write_change
from tests.support.jira.at_sandbox import place

INCIDENT = Incident(id="inc-1", title="Fan failed", description="Hot.", url="https://hub.example.com/inc-1")
MARKER = "cnx-0123456789abcdef0123"
MARKED = "cnx-aaaaaaaaaaaaaaaaaaaa"


def made(site, title, marker):
    """Have a request created for an incident."""
    incident = INCIDENT.model_copy(update={"title": title, "id": f"inc of {title}"})
    return write_change(site.integration, CreateTicket(incident=incident, marker=marker)).ticket


def test_a_request_is_found_by_key_id_and_address():
    """In whatever case; what is of another site, or no name of a ticket at all, is not asked for."""
    with place() as site:
        ticket = made(site, "First", MARKER)
        names = [ticket.key, ticket.key.lower(), ticket.id, ticket.url, f"{ticket.url}?focusedCommentId=1"]
        others = [f"https://elsewhere.example.com/browse/{ticket.key}", "SUP-99999", "../SUP-1", "x" * 400, "0"]

        found = marks.find(site.integration, [*names, *others])

        assert found.keys() == set(names)
        assert {one.ticket.id for one in found.values()} == {ticket.id}
        assert {one.marker for one in found.values()} == {MARKER}
        assert marks.find(site.integration, others[2:]) == {}


def test_a_marked_request_is_found_like_one_of_ours():
    """By the look after a lost answer, and in the list; what people wrote stays, and marking again does no harm."""
    with place() as site:
        ticket = made(site, "By hand", MARKER)
        before = next(one for one in site.sandbox.tickets() if one["id"] == ticket.id)["title"]
        wanted = MarkTicket(incident=INCIDENT, marker=MARKED, ticket=ticket)

        assert [marks.leave_mark(site.integration, wanted).note for _ in range(2)] == ["", ""]

        (shown,) = marks.find(site.integration, [ticket.key]).values()
        assert (shown.marker, shown.incident_id, shown.ticket.title) == (MARKED, "inc-1", before)
        look = FindTicket(incident=INCIDENT, marker=MARKED, attempted_at=site.clock.now(), attempt_age_s=9_999)
        assert write_change(site.integration, look).ticket.id == ticket.id


def test_marked_requests_are_listed_page_by_page(monkeypatch):
    """Those of people are only counted; where a page is unknown by now, that is a refusal."""
    monkeypatch.setattr("connector_jira_jsm.api.client.PAGE", 2)
    with place() as site:
        ours = [made(site, f"Ours {number}", f"cnx-{number:020x}").id for number in range(5)]
        found, seen, cursor, pages = [], 0, None, 0
        while pages == 0 or cursor is not None:
            page = marks.listed(site.integration, cursor)
            found += [one.ticket.id for one in page.tickets]
            seen, cursor, pages = seen + page.seen, page.cursor, pages + 1

        assert sorted(one for one in found if one in ours) == sorted(ours)
        assert pages >= 3
        assert seen >= len(ours)
        with pytest.raises(RemoteError):
            marks.listed(site.integration, "no such page")
