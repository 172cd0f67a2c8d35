"""What becomes of tickets at a site, over HTTP: moved, deleted, hidden, archived, merged, cloned."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from connector_core import (
    AbsenceKind,
    NotCreated,
    Receipt,
    TicketQuery,
    TicketSnapshot,
)
from connector_jira_jsm.checks import moved_tickets
from connector_jira_jsm.tickets import gone
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm.tickets.writing import write_change
from tests.plugins.jira_jsm.test_incoming_webhook import SECRET, body, delivered, issue
from tests.support.changes import look_for
from tests.support.jira.at_sandbox import Place, place
from tests.support.jira.handles import SETTINGS, build


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site among the tests."""
    with place() as made:
        yield made


def read(site: Place, *tickets: TicketSnapshot) -> list[TicketSnapshot]:
    """Read tickets in full."""
    return list(fetch(site.integration, TicketQuery(ids=frozenset(ticket.id for ticket in tickets))))


def kind_of(site: Place, ticket: TicketSnapshot) -> AbsenceKind | None:
    """Ask why a ticket is missing, which it must be."""
    assert read(site, ticket) == []
    found = gone.explain(site.integration, [ticket])
    return found[ticket.id].kind if ticket.id in found else None


def test_deleted_is_told(site: Place):
    """The project is there and open to us, so the ticket was deleted."""
    _, ticket = site.open()
    site.sandbox.delete_ticket(ticket.id)

    assert kind_of(site, ticket) is AbsenceKind.DELETED


def test_a_security_level_cannot_be_told_from_deletion_and_that_is_said(site: Place):
    """Jira answers both alike; the sentence names both."""
    _, ticket = site.open()
    site.control(f"issues/{ticket.key}/hide")

    assert kind_of(site, ticket) is AbsenceKind.DELETED
    assert "security level" in gone.explain(site.integration, [ticket])[ticket.id].reason
    site.control(f"issues/{ticket.key}/show")
    assert [one.id for one in read(site, ticket)] == [ticket.id]


def test_a_lost_permission_is_told_and_asked_for_once(site: Place):
    """However many tickets of a project are missing, one question tells that the project is hidden."""
    tickets = [site.open()[1] for _ in range(3)]
    site.control("projects/SUP/forbid")
    before = site.sandbox.call_count()

    found = gone.explain(site.integration, tickets)

    assert {one.kind for one in found.values()} == {AbsenceKind.HIDDEN}
    assert len(found) == 3
    assert site.sandbox.call_count() - before == 1
    assert read(site, *tickets) == []
    site.control("projects/SUP/allow")
    assert len(read(site, *tickets)) == 3


def test_archived_tickets_and_projects_are_told(site: Place):
    """An archived ticket can be opened but is not listed; an archived project says so."""
    _, ticket = site.open()
    site.control(f"issues/{ticket.key}/archive")
    assert kind_of(site, ticket) is AbsenceKind.ARCHIVED
    site.control(f"issues/{ticket.key}/restore")

    site.control("projects/SUP/archive")
    assert kind_of(site, ticket) is AbsenceKind.ARCHIVED
    site.control("projects/SUP/restore")
    assert [one.id for one in read(site, ticket)] == [ticket.id]


def test_few_tickets_are_tried_one_by_one(site: Place):
    """A hundred missing tickets cost some tries, not a hundred."""
    _, ticket = site.open()
    site.sandbox.delete_ticket(ticket.id)
    many = [ticket.model_copy(update={"id": str(number)}) for number in range(900_000, 900_100)]
    before = site.sandbox.call_count()

    found = gone.explain(site.integration, many)

    assert len(found) == 100
    assert site.sandbox.call_count() - before == 2 + gone.MOST_TRIED


def test_a_moved_ticket_has_a_new_key_and_the_same_id(site: Place):
    """It is read by its id under its new key, and what the link keeps is checked there."""
    _, ticket = site.open()
    site.control(f"issues/{ticket.key}/move", project="FAC")

    (moved,) = read(site, ticket)

    assert (moved.id, moved.key.partition("-")[0], moved.place) == (ticket.id, "FAC", "FAC")
    assert moved_tickets.check(site.integration, moved) == []
    assert site.rest("GET", f"api/2/issue/{ticket.key}").json()["key"] == moved.key


def test_a_moved_ticket_that_cannot_be_worked_on_there_is_a_problem(site: Place):
    """Without permissions, or a way to close it, the check says what is missing and what to do."""
    _, ticket = site.open()
    site.control(f"issues/{ticket.key}/move", project="FAC")
    (moved,) = read(site, ticket)
    no_such_way = SETTINGS.model_copy(update={"close_status": "do_not_auto_close"})
    kept = build(settings=no_such_way, plugin_settings=site.integration.plugin_settings, grant=site.core.present)[0]

    assert moved_tickets.check(kept, moved) == []
    site.sandbox.site.forbidden.add("FAC")
    try:
        with pytest.raises(Exception, match="not there"):
            moved_tickets.check(site.integration, moved)
    finally:
        site.sandbox.site.forbidden.discard("FAC")


def test_a_merged_ticket_is_done(site: Place):
    """A service desk closes the ticket that was merged into another, as a duplicate; its webhook says done."""
    _, first = site.open()
    _, second = site.open()

    assert site.control(f"issues/{second.key}/merge", into=first.key).status_code == 204

    shown = {one.id: one for one in read(site, first, second)}
    assert (shown[first.id].done, shown[second.id].done) == (False, True)


def test_a_clone_is_not_taken_for_the_original(site: Place):
    """A rule that clones new tickets copies our reference; what a lost answer made is the older one."""
    change, ticket = site.open(description="It is hot.")
    site.rest("DELETE", f"api/2/issue/{ticket.id}/properties/connector.link")
    site.control(f"issues/{ticket.key}/clone")
    lost = look_for(change, site.clock.now())

    found = write_change(site.integration, lost)

    assert isinstance(found, Receipt)
    assert found.ticket.id == ticket.id


def test_a_lost_ticket_that_was_deleted_since_is_made_again(site: Place):
    """Nothing carries the marker any more, so there is nothing to adopt."""
    change, ticket = site.open(description="It is hot.")
    site.sandbox.delete_ticket(ticket.id)
    lost = look_for(change, site.clock.now(), age_s=3600)

    assert isinstance(write_change(site.integration, lost), NotCreated)


def test_a_told_deletion_names_the_ticket():
    """A delivery of a deletion shows no ticket and says whose it was."""
    listening = build(settings=SETTINGS, secrets=(SECRET,))[0]

    told = delivered(listening, body(webhookEvent="jira:issue_deleted"))
    thin = delivered(listening, json.dumps({"webhookEvent": "jira:issue_deleted", "issue": {"id": "7"}}).encode())
    none = delivered(listening, json.dumps({"webhookEvent": "jira:issue_deleted", "issue": {"id": None}}).encode())

    assert (told.tickets, told.deleted) == ((), frozenset({issue()["id"]}))
    assert thin.deleted == frozenset({"7"})
    assert none.deleted == frozenset()


def test_the_control_says_what_it_does_not_know(site: Place):
    """Unknown tickets, projects, targets and acts are refused."""
    _, ticket = site.open()

    assert site.control("issues/SUP-999/move", project="FAC").status_code == 404
    assert site.control(f"issues/{ticket.key}/teleport").status_code == 404
    assert site.control(f"issues/{ticket.key}/move", project="NOPE").status_code == 400
    assert site.control(f"issues/{ticket.key}/merge", into=ticket.key).status_code == 400
    assert site.control("projects/NOPE/forbid").status_code == 404
