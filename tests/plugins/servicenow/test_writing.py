"""Incidents that are made, changed and resolved, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from requests_mock import ANY

from connector_core import (
    CloseTicket,
    ConfigError,
    CreateTicket,
    FieldName,
    FindTicket,
    NotCreated,
    Priority,
    RemoteError,
    RetryLater,
    TicketChanged,
    TicketGone,
    TicketQuery,
)
from connector_servicenow import fetch_tickets, on_incident_event
from connector_servicenow_sandbox import Fault
from connector_servicenow_sandbox.profile import ADMINISTRATOR
from tests.support.servicenow import MARKER, at, edited, incident, opened

POST, PATCH = "POST", "PATCH"


def look(integration, clock, **more):
    """Look for what an attempt of a minute ago may have made."""
    began = clock.now() - timedelta(minutes=1)
    change = FindTicket(incident=incident(), marker=MARKER, attempted_at=began, attempt_age_s=60, **more)
    return on_incident_event(integration, change)


def closed(integration, ticket, **fields):
    """Resolve a ticket."""
    return on_incident_event(integration, CloseTicket(incident=incident(**fields), marker=MARKER, ticket=ticket))


def test_a_new_incident_shows_what_was_sent(sandbox, integration):
    """Title, words, priority and group are there after one call."""
    before = sandbox.call_count()

    ticket = opened(integration, title="Fan failed", description="Loud", priority=Priority.CRITICAL)

    row = sandbox.people.row(ticket.id)
    assert sandbox.call_count() - before == 1
    assert (ticket.title, ticket.description, ticket.priority) == ("Fan failed", "Loud", Priority.CRITICAL)
    assert (ticket.key, ticket.status, ticket.done, ticket.priority_name) == (
        row["number"],
        "New",
        False,
        "1 - Critical",
    )
    assert row["assignment_group"] == sandbox.group_id("Service Desk")
    assert row["correlation_id"] == MARKER


@pytest.mark.parametrize("priority", list(Priority))
def test_each_priority_comes_back_as_it_was_written(integration, priority):
    """Impact and urgency make the five levels, one each."""
    assert opened(integration, priority=priority).priority is priority


def test_a_priority_that_the_rules_of_the_instance_change_stays_ours(difficult, hard):
    """No pair makes a 4 there: what it makes of ours is learned, and a person's change is seen all the same."""
    ticket = opened(hard, priority=Priority.LOW)
    assert difficult.people.row(ticket.id)["priority"] == "3"
    assert ticket.priority is Priority.LOW

    difficult.edit_ticket(ticket.id, priority="critical")

    assert edited(hard, ticket, title="Display offline").ticket.priority is Priority.CRITICAL


def test_a_field_that_is_dropped_without_a_word_is_told(sandbox, integration):
    """What was sent is held against what is there."""
    sandbox.administer(unwritable_fields=frozenset({"assignment_group"}))

    receipt = on_incident_event(integration, CreateTicket(incident=incident(), marker=MARKER))

    assert receipt.note == "Not taken as sent: assignment_group."


def test_a_field_that_the_instance_asks_for_is_a_matter_of_set_up(difficult, clock):
    """No incident can be made: the sentence says what is missing and where it is given."""
    with pytest.raises(ConfigError, match="Location code") as caught:
        opened(at(difficult, clock))

    assert "Further Fields" in caught.value.fix


@pytest.mark.parametrize("kind", ["lost_answer", "done_then_500", "truncated"])
def test_one_incident_whatever_becomes_of_the_answer(sandbox, integration, clock, kind):
    """A lost answer is looked for before anything is made again, and found."""
    sandbox.add_fault(Fault(kind, method=POST))
    with pytest.raises(RetryLater) as caught:
        opened(integration)
    assert caught.value.outcome_unknown

    found = look(integration, clock)

    assert [one["id"] for one in sandbox.tickets()] == [found.ticket.id]
    assert (found.as_created.title, found.as_created.description) == ("Display offline", incident().description)


@pytest.mark.parametrize("kind", ["reset", "html", "status"])
def test_nothing_is_found_where_nothing_was_made(sandbox, integration, clock, kind):
    """After the time in which it may still appear, it is safe to make it."""
    sandbox.add_fault(Fault(kind, method=POST))
    with pytest.raises(RetryLater):
        opened(integration)

    assert isinstance(look(integration, clock), NotCreated)


def test_a_look_that_comes_too_early_does_not_say_no(integration, clock):
    """A call that was given up may still arrive."""
    early = FindTicket(incident=incident(), marker=MARKER, attempted_at=clock.now(), attempt_age_s=5)

    with pytest.raises(RetryLater, match="looked for"):
        on_incident_event(integration, early)


def test_the_marker_is_found_in_the_description_where_its_column_is_dropped(sandbox, integration, clock):
    """An instance that keeps no correlation_id from us gets no second incident."""
    sandbox.administer(unwritable_fields=frozenset({"correlation_id"}))
    ticket = opened(integration)

    assert look(integration, clock).ticket.id == ticket.id


def test_a_search_that_ignores_what_it_is_asked_finds_nothing_of_others(sandbox, integration, clock):
    """Rows are held against the marker, whatever came back."""
    sandbox.people.change(opened(integration).id, {"correlation_id": f"{MARKER}-other", "description": "another"})
    sandbox.add_fault(_everything(sandbox))

    assert isinstance(look(integration, clock), NotCreated)


def _everything(sandbox):
    rows = [dict(row) for row in sandbox._database.rows("incident")]
    return Fault("status", method="GET", path="correlation_id", status=200, body={"result": rows}, times=None)


def test_a_closed_marker_makes_nothing(sandbox, integration, clock):
    """Where correlation_id may not be read it cannot be told whether ours is there: a person is asked."""
    opened(integration)
    sandbox.administer(hidden_fields=frozenset({"correlation_id"}))

    with pytest.raises(ConfigError):
        look(integration, clock)


def test_of_two_that_were_made_at_once_the_later_is_canceled(sandbox, integration, clock):
    """The lowest is kept; a copy that a person made has the same marker and is left alone."""
    first = opened(integration)
    clock.forward(1)
    second = opened(integration)
    clock.forward(1)
    row = sandbox.people.row(first.id)
    columns = ("short_description", "correlation_id", "impact", "urgency")
    copy = sandbox._api.writer.insert({name: row[name] for name in columns}, ADMINISTRATOR)

    found = look(integration, clock)

    assert found.ticket.id == first.id
    assert sandbox.ticket(second.id)["status"] == "Canceled"
    assert sandbox.ticket(copy["sys_id"])["status"] == "New"


def test_only_what_is_asked_for_is_written(sandbox, integration):
    """An edit is a look and one write with the columns of its fields."""
    ticket = opened(integration)
    sandbox.people.change(ticket.id, {"urgency": "1", "impact": "1"})
    before = sandbox.call_count()

    receipt = edited(integration, ticket, title="Fan 2 failed")

    assert sandbox.call_count() - before == 2
    assert receipt.ticket.title == "Fan 2 failed"
    assert not receipt.unkept
    assert receipt.ticket.priority is Priority.CRITICAL


def test_what_a_person_wrote_meanwhile_is_not_written_over(sandbox, integration):
    """The edit stops and shows it."""
    ticket = opened(integration)
    sandbox.edit_ticket(ticket.id, title="Seen to")

    with pytest.raises(TicketChanged) as caught:
        edited(integration, ticket, title="Fan 2 failed")

    assert caught.value.ticket.title == "Seen to"
    assert sandbox.ticket(ticket.id)["title"] == "Seen to"


def test_somebody_who_writes_between_look_and_write_is_told_of(sandbox, integration):
    """sys_mod_count has risen by more than our write."""
    ticket = opened(integration)
    original = integration.session.request

    def request(method, url, **more):
        if method == PATCH:
            sandbox.people.change(ticket.id, {"description": "Seen by Agnes"})
        return original(method, url, **more)

    integration.session.request = request

    assert "at the same moment" in edited(integration, ticket, title="Fan 2 failed").note


def test_what_people_add_to_our_part_of_the_description_stays(sandbox, integration):
    """Our part is written anew, with their lines in it."""
    ticket = opened(integration)
    text = sandbox.ticket(ticket.id)["description"].replace("Serial number: SN1", "Serial number: SN1\nBehind the door")
    sandbox.people.change(ticket.id, {"description": text})

    receipt = edited(integration, ticket, description="It is hot.")

    assert receipt.ticket.description == "It is hot."
    assert "Behind the door" in sandbox.ticket(ticket.id)["description"]


def test_a_dropped_edit_is_told_by_field(sandbox, integration):
    """What is taken and does not show was tried twice, and is neither agreed on nor lost."""
    ticket = opened(integration)
    sandbox.administer(unwritable_fields=frozenset({"short_description"}))

    receipt = edited(integration, ticket, title="Fan 2 failed", description="It is hot.")

    assert set(receipt.unkept) == {FieldName.TITLE}
    assert receipt.ticket.description == "It is hot."


def test_a_priority_cannot_be_taken_away(integration):
    """An incident there has one always."""
    ticket = opened(integration)

    assert set(edited(integration, ticket, priority=None).refused) == {FieldName.PRIORITY}


def test_a_resolution_has_state_code_and_notes(sandbox, integration):
    """A look and one write; the second time nothing is written."""
    ticket = opened(integration)
    before = sandbox.call_count()

    receipt = closed(integration, ticket)

    row = sandbox.people.row(ticket.id)
    assert sandbox.call_count() - before == 2
    assert (receipt.ticket.status, receipt.ticket.done) == ("Resolved", True)
    assert (row["state"], row["close_code"]) == ("6", "Duplicate")
    assert row["close_notes"] == "The incident on the platform is over: Display offline"
    closed(integration, ticket)
    assert sandbox.people.row(ticket.id)["sys_mod_count"] == row["sys_mod_count"]


def test_what_somebody_finished_is_left_alone(sandbox, integration):
    """Neither an edit nor a close writes to a canceled incident."""
    ticket = opened(integration)
    sandbox.people.cancel(ticket.id)

    receipt = edited(integration, ticket, title="Fan 2 failed")

    assert (receipt.untouched, receipt.ticket.status) == (True, "Canceled")
    assert closed(integration, ticket).ticket.status == "Canceled"


@pytest.mark.parametrize("write", [edited, closed])
def test_an_incident_that_is_closed_between_look_and_write_is_no_fault(sandbox, integration, write):
    """The refusal of a closed record is looked into before it is believed."""
    ticket = opened(integration)
    original = integration.session.request

    def request(method, url, **more):
        if method == PATCH and sandbox.ticket(ticket.id)["status"] == "New":
            sandbox.people.cancel(ticket.id)
        return original(method, url, **more)

    integration.session.request = request

    with pytest.raises(TicketChanged) as caught:
        write(integration, ticket, title="Fan 2 failed")
    assert caught.value.ticket.done


def test_a_resolution_without_a_code_says_what_to_do(sandbox, clock):
    """The data policy refuses it: this incident waits, the others go on."""
    integration = at(sandbox, clock, close_code="")
    ticket = opened(integration)

    with pytest.raises(RemoteError, match="Resolution code") as caught:
        closed(integration, ticket)

    assert "Close Status" in caught.value.fix
    assert not isinstance(caught.value, ConfigError)
    assert sandbox.ticket(ticket.id)["status"] == "New"


def test_a_resolution_with_a_field_of_the_customer(difficult, hard):
    """What the instance asks for beside code and notes comes from set-up."""
    ticket = opened(hard)

    assert closed(hard, ticket).ticket.status == "Gelöst"
    assert difficult.people.row(ticket.id)["u_root_cause"] == "hardware"


@pytest.mark.parametrize("policy", ["dropped", "stored"])
def test_a_state_that_is_not_there_closes_nothing_in_silence(sandbox, clock, policy):
    """Dropped, the incident stays open and a person is asked; stored, the check of set-up has said so before."""
    sandbox.administer(unknown_choice=policy)
    integration = at(sandbox, clock, close_status="42")
    ticket = opened(integration)

    if policy == "dropped":
        with pytest.raises(RemoteError, match="without closing"):
            closed(integration, ticket)
    else:
        assert closed(integration, ticket).ticket.status == "42"


def test_incidents_may_stay_open(sandbox, clock):
    """Whoever resolves by hand chooses so: nothing is asked of the instance."""
    integration = at(sandbox, clock, close_status="none")
    ticket = opened(integration)
    before = sandbox.call_count()

    assert closed(integration, ticket).note
    assert sandbox.call_count() == before


def test_a_missing_incident_is_gone(sandbox, integration):
    """Deleted or hidden: the answer is the same."""
    ticket = opened(integration)
    sandbox.hide_ticket(ticket.id)

    with pytest.raises(TicketGone):
        edited(integration, ticket, title="Fan 2 failed")


def test_a_write_without_the_right_to_create_stops_all_of_them(sandbox, integration):
    """The account lacks the role: a person has to give it."""
    sandbox.set_account(roles=frozenset())

    with pytest.raises(ConfigError) as caught:
        opened(integration)

    assert "itil" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["a\u202eb", "  two  blanks ", "line\none", "x" * 300, "^NQactive=true", "=1+1", "<b>"]
)
def test_hostile_titles_come_back_as_written(integration, text):
    """What is read later is what the receipt showed: nothing of ours returns as a change."""
    ticket = opened(integration, title=text, description=text)

    assert list(fetch_tickets(integration, TicketQuery(ids=frozenset({ticket.id})))) == [ticket]
    assert len(ticket.title) <= 160


def test_a_text_that_is_cut_by_the_instance_is_told(sandbox, integration):
    """A shorter column of the customer's loses the end without a word."""
    columns = dict(sandbox._database.columns["incident"])
    columns["short_description"] = replace(columns["short_description"], max_length=10)
    sandbox._database.columns["incident"] = columns

    receipt = on_incident_event(integration, CreateTicket(incident=incident(), marker=MARKER))

    assert "short_description" in receipt.note


@pytest.mark.parametrize("sys_id", ["../../x", "x" * 300, "A" * 32, ["a"], None, "b" * 31 + "\n"])
def test_what_is_no_sys_id_names_no_ticket(sandbox, clock, requests_mock, sys_id):
    """It could not be read again, nor looked for: whether an incident was made is not known."""
    integration = at(sandbox, clock)
    requests_mock.post("/api/now/v2/table/incident", json={"result": {"sys_id": {"value": sys_id}}}, status_code=201)

    with pytest.raises(RetryLater) as said:
        opened(integration)

    assert said.value.outcome_unknown


def test_the_answer_to_a_change_is_about_that_incident(sandbox, clock, requests_mock):
    """One that shows another is somebody else's."""
    integration = at(sandbox, clock)
    requests_mock.register_uri(ANY, ANY, real_http=True)
    ticket = opened(integration)
    other = {"result": {"sys_id": {"value": "b" * 32}, "short_description": {"value": "Other"}}}
    requests_mock.patch(f"/api/now/v2/table/incident/{ticket.id}", json=other)

    with pytest.raises(RetryLater) as said:
        edited(integration, ticket, title="Another title")

    assert said.value.outcome_unknown
