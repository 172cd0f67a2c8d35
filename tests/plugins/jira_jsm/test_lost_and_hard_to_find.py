"""Requests whose creation nobody heard of, where the way back to them is long, crooked or hidden: never made twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector_core import ConnectorError, CreateTicket, Incident, NotCreated, Receipt, RetryLater
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import Fault
from connector_jira_jsm_sandbox.profile import DEFAULT, PRIORITY, SUMMARY, SiteProfile
from tests.support.changes import look_for
from tests.support.jira.at_sandbox import Place, place

CHANGE = CreateTicket(
    incident=Incident(id="inc-1", title="Fan failed", description="It is hot."),
    marker="cnx-0123456789abcdef0123",
)
SETTLED_S = 10_000.0
HIDDEN_TEXT = replace(DEFAULT, hidden_fields=frozenset({"description"}))


def without_text() -> SiteProfile:
    """Describe a site whose request type asks for a summary and a priority, and for nothing else."""
    (desk, *others) = DEFAULT.desks
    (kind, *more) = desk.request_types
    short = replace(kind, fields=(SUMMARY, PRIORITY))
    return replace(DEFAULT, desks=(replace(desk, request_types=(short, *more)), *others))


def lose(site: Place) -> tuple[str, datetime]:
    """Have a request created whose answer is lost; return its id and when that was."""
    site.sandbox.add_fault(Fault("lost_answer", method="POST", path="/servicedeskapi/request$"))
    with pytest.raises(RetryLater) as caught:
        write_change(site.integration, CHANGE)
    assert caught.value.outcome_unknown
    (ticket,) = (one for one in site.sandbox.tickets() if one["title"] == CHANGE.incident.title)
    return ticket["id"], site.clock.now()


def looked_for(site: Place, at: datetime) -> Receipt | NotCreated | ConnectorError:
    """Look for it when the search has had its time."""
    again = look_for(CHANGE, at, age_s=SETTLED_S)
    try:
        return write_change(site.integration, again)
    except ConnectorError as exc:
        return exc


@pytest.mark.parametrize("days", [6, 8, 40, 80])
def test_it_is_found_however_long_ago_it_was_made(days: int):
    """An integration that nobody authorized for weeks goes on where it stopped."""
    with place() as site:
        ticket, at = lose(site)
        site.clock.forward(days * 24 * 3600)

        found = looked_for(site, at)

        assert isinstance(found, Receipt)
        assert found.ticket.id == ticket


def test_it_is_found_although_the_clock_was_ahead():
    """The time of the attempt still lies ahead; the clock that nobody sets says how long ago it was."""
    with place() as site:
        ticket, at = lose(site)
        site.clock.forward(3 * 3600)
        ahead = at + timedelta(hours=6)
        again = look_for(CHANGE, ahead, age_s=3 * 3600.0)

        found = write_change(site.integration, again)

        assert isinstance(found, Receipt)
        assert found.ticket.id == ticket


def test_it_is_found_where_an_agent_moved_it():
    """An agent moved it to another project before anybody looked."""
    with place() as site:
        ticket, at = lose(site)
        site.control(f"issues/{ticket}/move", project="FAC").raise_for_status()

        found = looked_for(site, at)

        assert isinstance(found, Receipt)
        assert (found.ticket.id, found.ticket.place) == (ticket, "FAC")


@pytest.mark.parametrize("profile", [HIDDEN_TEXT, without_text()])
@pytest.mark.parametrize("title", [None, "[P1] Fan failed"])
def test_one_that_has_no_text_is_for_a_person(profile: SiteProfile, title: str | None):
    """Hidden or not asked for, the description does not tell; nor does a title that a rule rewrote."""
    with place(profile=profile) as site:
        ticket, at = lose(site)
        if title is not None:
            site.sandbox.edit_ticket(ticket, title=title)

        found = looked_for(site, at)

        assert isinstance(found, ConnectorError)
        assert (found.code, found.message.partition(" ")[0]) == ("ticket_doubtful", "SUP-1")
        assert found.fix


@pytest.mark.parametrize("way", ["deleted", "described"])
def test_a_person_says_whether_it_was(way: str):
    """Deleted if it is the one, or a description that tells if it is not: then a request is made."""
    with place(profile=without_text()) as site:
        ticket, at = lose(site)
        assert isinstance(looked_for(site, at), ConnectorError)
        if way == "deleted":
            site.sandbox.workbench.delete(ticket)
        else:
            site.sandbox.administer(desks=DEFAULT.desks)
            assert isinstance(looked_for(site, at), ConnectorError), "it may have been made while it had none"
            site.sandbox.edit_ticket(ticket, description="Another matter")

        assert isinstance(looked_for(site, at), NotCreated)


def test_what_people_opened_themselves_is_not_doubted():
    """A request of somebody else without a text stops nothing."""
    with place(profile=without_text()) as site:
        site.sandbox.site.create(site.sandbox.profile.person, project_key="SUP", issue_type_id="10010", summary="Else")

        assert isinstance(looked_for(site, site.clock.now()), NotCreated)


def test_one_made_for_a_customer_is_ours_too():
    """It is raised on behalf of somebody: the reporter is a customer, the creator is our account."""
    customer = {"raise_on_behalf_of": DEFAULT.person.account_id}
    with place(profile=without_text(), more=customer) as site:
        ticket, at = lose(site)
        site.sandbox.edit_ticket(ticket, title="[P1] Fan failed")

        assert isinstance(looked_for(site, at), ConnectorError)


@pytest.mark.parametrize("of_earlier_life", [False, True])
def test_a_search_that_was_cut_short_is_no_proof(*, of_earlier_life: bool):
    """Jira warns that it left some out; what it shows is found all the same, and nothing of it is kept for others."""
    with place(profile=replace(DEFAULT, search_shows=0)) as site:
        site.sandbox.site.create(site.sandbox.profile.person, project_key="SUP", issue_type_id="10010", summary="Else")
        site.clock.forward(60)
        ticket, at = lose(site)
        again = look_for(CHANGE, at, age_s=SETTLED_S, of_earlier_life=of_earlier_life)
        incident = Incident(id="inc-2", title="Door stuck", description="It is shut.")
        other = again.model_copy(update={"marker": "cnx-0000000000000000ffff", "incident": incident})

        with pytest.raises(RetryLater) as cut:
            write_change(site.integration, again)
        site.sandbox.administer(search_shows=1)
        found = write_change(site.integration, again)
        with pytest.raises(RetryLater) as cut_for_another:
            write_change(site.integration, other)

        assert (cut.value.code, cut_for_another.value.code) == ("search_incomplete", "search_incomplete")
        assert "CLAUSE_RESULT_TRUNCATED" in cut.value.detail
        assert isinstance(found, Receipt)
        assert found.ticket.id == ticket
        assert len(site.sandbox.tickets()) == 2


@pytest.mark.parametrize(
    "page",
    [
        {"issues": [], "isLast": False},
        {"issues": [], "isLast": False, "nextPageToken": None},
        {"issues": [], "nextPageToken": "the same again"},
    ],
)
def test_a_part_of_a_search_is_no_proof(page: dict[str, Any]):
    """A list that repeats itself, or ends before its end, does not say that there is none."""
    with place() as site:
        site.undescribed = "POST .*/search/jql"
        _, at = lose(site)
        site.sandbox.add_fault(Fault("status", path="/search/jql", times=None, status=200, body=page))

        found = looked_for(site, at)

        assert isinstance(found, RetryLater)
        assert found.code == "answer_unreadable"
