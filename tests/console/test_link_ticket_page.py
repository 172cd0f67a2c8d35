"""An existing ticket is linked in the console: compared first, then confirmed, by an admin of the organization."""

from __future__ import annotations

import pytest

from connector_core import Incident, IncidentEvent, RetryLater
from connector_core.contract.models import EventType
from connector_core.store import LinkState
from connector_core.testing import MemoryDesk, MemoryPlatform
from tests.support.pages import shown
from tests.support.served import GUEST, VIEWER, Served, Visitor

PAGE = "/integrations/helpdesk/link-ticket"
HOSTILE = "<img src=x onerror=alert(1)> \u202egnp"


@pytest.fixture
def desk():
    """Return the ticketing system, with two tickets that people opened."""
    made = MemoryDesk()
    made.open(HOSTILE)
    made.open("Display dark")
    return made


@pytest.fixture
def served(tmp_path, desk):
    """Serve two organizations with an incident of the same id, of which no ticket is known."""
    made = Served(tmp_path, points=[desk.entry_point(), MemoryPlatform().entry_point()])
    made.add("helpdesk", "acme")
    made.add("globex-desk", "globex")
    now = made.clock.now()
    for organization, title in (("acme", "Display dark"), ("globex", "Of Globex")):
        event = IncidentEvent(
            id=f"e-{organization}",
            type=EventType.UPDATED,
            occurred_at=now,
            incident=Incident(id="inc-1", title=title, description="Seen at night"),
        )
        made.app.store.inbox.accept_events(organization, [event], [], now).result()
    yield made
    made.stop()


def links(served):
    """Return what is linked."""
    return served.app.store.links.find()


def test_a_ticket_is_compared_and_then_linked(served, admin, desk):
    """The first click reads only; what differs is shown as text; the second links, and the audit log has who did."""
    assert f'href="{PAGE}"' in admin.get("/integrations/helpdesk").text
    assert 'value="inc-1"' in admin.get(f"{PAGE}?incident=inc-1").text

    compared = admin.post(PAGE, incident=" inc-1 ", ticket="T-1")

    assert compared.status_code == 200
    assert HOSTILE not in compared.text
    text = " ".join(shown(compared.text).split())
    assert "title Display dark <img src=x onerror=alert(1)>" in text
    assert "Link them" in text
    assert links(served) == []

    done = admin.post(PAGE, incident="inc-1", ticket="T-1", action="link")

    (link,) = links(served)
    assert done.headers["Location"] == f"/links/{link.id}?said=ticket_linked"
    assert (link.organization, link.incident_id, link.ticket.key) == ("acme", "inc-1", "T-1")
    assert link.status.state is LinkState.WAITING
    assert "Linked" in shown(admin.get("/audit").text)
    again = admin.post(PAGE, incident="inc-1", ticket="T-1")
    assert again.status_code == 200
    assert f'href="/links/{link.id}"' in again.text


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize(
    ("incident", "ticket", "why"),
    [
        ("", "T-1", "Enter both."),
        ("inc-1", "x" * 600, "Enter both."),
        ("inc-1\x1b[2J", "T-1", "Enter both."),
        ("inc-9", "T-1", "There is no such incident."),
        ("inc-1", "<b>T-9</b>", "The ticket was not found."),
    ],
)
@pytest.mark.parametrize("action", ["", "link"])
def test_what_does_not_fit_is_refused_with_what_was_typed(served, admin, *, incident, ticket, why, action):
    """At the first click and at the second; nothing is linked."""
    answer = admin.post(PAGE, incident=incident, ticket=ticket, action=action)

    assert answer.status_code == 422
    assert why in answer.text
    assert "<b>T-9" not in answer.text
    assert links(served) == []


def test_a_ticket_that_is_done_needs_one_more_word(served, admin, desk):
    """For the incident is then closed; the choice is kept between the two clicks."""
    desk.edit("2", done=True)

    refused = admin.post(PAGE, incident="inc-1", ticket="T-2")
    compared = admin.post(PAGE, incident="inc-1", ticket="T-2", finished="yes")

    assert refused.status_code == 422
    assert 'type="checkbox" name="finished"' in refused.text
    assert 'type="hidden" name="finished"' in compared.text
    assert admin.post(PAGE, incident="inc-1", ticket="T-2", action="link").status_code == 422
    assert admin.post(PAGE, incident="inc-1", ticket="T-2", action="link", finished="yes").status_code == 303


def test_a_system_that_does_not_answer_is_said(served, admin, desk):
    """With its words; nothing is linked, and nobody waits."""
    desk.refuse_with(RetryLater("The desk is down.", after_s=20))

    answer = admin.post(PAGE, incident="inc-1", ticket="T-1", action="link")

    assert answer.status_code == 422
    assert "The ticket could not be read." in answer.text
    assert "The desk is down." in answer.text
    assert links(served) == []


@pytest.mark.parametrize(("name", "password"), [("vic", VIEWER), ("gus", GUEST)])
def test_others_link_nothing(served, admin, name, password):
    """Viewers change nothing; an admin of another organization does not learn that it is there."""
    visitor = Visitor(served.url)
    visitor.log_in(name, password)

    assert visitor.get(PAGE).status_code == 404
    for action in ("", "link"):
        answer = visitor.post(PAGE, seen_on="/account", incident="inc-1", ticket="T-1", action=action)
        assert answer.status_code in {403, 404}
    assert links(served) == []


def test_an_admin_of_one_organization_meets_no_other(served, desk):
    """The incident of the same id is their own; a mark on a ticket does not tell whose it is."""
    gus = Visitor(served.url)
    gus.log_in("gus", GUEST)
    page = "/integrations/globex-desk/link-ticket"
    desk.tickets["1"].marker, desk.tickets["1"].incident_id = "cnx-0123456789abcdef0123", "acme-secret-7"

    refused = gus.post(page, incident="inc-1", ticket="T-1")
    linked = gus.post(page, incident="inc-1", ticket="T-2", action="link")

    assert "belongs to another incident" in refused.text
    assert "acme-secret-7" not in refused.text
    assert linked.status_code == 303
    assert [(one.organization, one.incident.title) for one in links(served)] == [("globex", "Of Globex")]


def test_a_draft_has_nothing_to_link_with(served, admin):
    """Its setup comes first."""
    served.app.setup.duplicate("helpdesk", "copy")

    assert "link-ticket" not in admin.get("/integrations/copy").text
    assert admin.get("/integrations/copy/link-ticket").status_code == 422
