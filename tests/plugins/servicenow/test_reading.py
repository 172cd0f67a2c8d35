"""Incidents that are read again, and what becomes of those that are not there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import AbsenceKind, ConfigError, FieldName, RetryLater, TicketQuery
from connector_servicenow import describe_plugin, explain_absence, fetch_tickets
from connector_servicenow_sandbox import Fault
from tests.support.servicenow import opened

LAG = describe_plugin().read_lag


def read(integration, *tickets, since=None):
    """Read tickets by their ids."""
    return fetch_tickets(integration, TicketQuery(ids=frozenset(one.id for one in tickets), changed_since=since))


def test_many_are_read_in_few_calls(sandbox, integration):
    """A hundred at once."""
    tickets = [opened(integration, title=f"Number {number}") for number in range(3)]
    before = sandbox.call_count()

    assert {one.title for one in read(integration, *tickets)} == {"Number 0", "Number 1", "Number 2"}
    assert sandbox.call_count() - before == 1


def test_more_than_asked_for_is_passed_over(sandbox, integration):
    """A search that ignores its terms shows other incidents: they are none of ours."""
    ours, others = opened(integration), opened(integration)
    rows = [dict(row) for row in sandbox._database.rows("incident")]
    sandbox.add_fault(Fault("status", method="GET", status=200, body={"result": rows}))

    assert [one.id for one in read(integration, ours)] == [ours.id]
    assert others.id != ours.id


def test_an_id_that_would_part_the_query_is_not_asked_for(sandbox, integration):
    """What is no sys_id is nowhere."""
    before = sandbox.call_count()

    assert fetch_tickets(integration, TicketQuery(ids=frozenset({"1^NQactive=true", ""}))) == []
    assert sandbox.call_count() == before


@pytest.mark.parametrize("times", ["utc", "account"])
def test_no_change_is_missed_in_another_zone(difficult, hard, clock, times):
    """A time in a filter may be read eight hours off: the lag of a day is wider than any zone."""
    difficult.administer(filter_times=times)
    ticket = opened(hard)
    looked = clock.now()
    clock.forward(2)
    difficult.edit_ticket(ticket.id, title="Seen to")

    assert [one.title for one in read(hard, ticket, since=looked - LAG)] == ["Seen to"]


def test_what_did_not_change_for_long_is_not_read_again(integration, clock):
    """The filter is used, where it works."""
    ticket = opened(integration)

    assert read(integration, ticket, since=clock.now() + timedelta(hours=1)) == []


def test_a_hidden_column_is_not_told_and_no_change(sandbox, integration):
    """Absent is not empty."""
    ticket = opened(integration)
    sandbox.administer(hidden_fields=frozenset({"description", "urgency"}))

    (seen,) = read(integration, ticket)

    assert seen.unknown == {FieldName.DESCRIPTION, FieldName.PRIORITY}
    assert not seen.over(ticket).unknown


@pytest.mark.parametrize("kind", ["html", "truncated", "reset", "status"])
def test_a_bad_answer_is_no_missing_ticket(sandbox, integration, kind):
    """A page in place of JSON, half of it, nothing at all: come again."""
    ticket = opened(integration)
    sandbox.add_fault(Fault(kind, method="GET", times=None))

    with pytest.raises(RetryLater):
        read(integration, ticket)


def test_a_sleeping_instance_is_not_reachable(sandbox, integration):
    """It answers 200 with a page, and nobody's ticket is gone."""
    ticket = opened(integration)
    sandbox.sleep()

    with pytest.raises(RetryLater) as caught:
        read(integration, ticket)

    assert "developer.servicenow.com" in caught.value.fix


def test_a_short_page_is_not_the_last(sandbox, integration, monkeypatch):
    """The limit is applied before access rules: links are followed, also from an empty page."""
    monkeypatch.setattr("connector_servicenow.table.PAGE", 1)
    tickets = sorted((opened(integration) for _ in range(3)), key=lambda one: one.id)
    sandbox.hide_ticket(tickets[0].id)

    assert [one.id for one in read(integration, *tickets)] == [one.id for one in tickets[1:]]


def test_a_deleted_incident_and_a_hidden_one_cannot_be_told_apart(sandbox, integration):
    """An ordinary account is not shown what was deleted."""
    deleted, hidden, there = (opened(integration) for _ in range(3))
    sandbox.delete_ticket(deleted.id)
    sandbox.hide_ticket(hidden.id)

    told = explain_absence(integration, [deleted, hidden, there])

    assert {one: why.kind for one, why in told.items()} == {deleted.id: AbsenceKind.GONE, hidden.id: AbsenceKind.GONE}


def test_who_may_read_deletions_is_told_of_one(sandbox, integration):
    """With the right to, it is certain."""
    sandbox.administer(readers={**sandbox.profile.readers, "sys_audit_delete": frozenset({"itil"})})
    deleted, hidden = (opened(integration) for _ in range(2))
    sandbox.delete_ticket(deleted.id)
    sandbox.hide_ticket(hidden.id)

    told = explain_absence(integration, [deleted, hidden])

    assert (told[deleted.id].kind, told[hidden.id].kind) == (AbsenceKind.DELETED, AbsenceKind.GONE)


def test_a_table_that_is_closed_says_so(sandbox, integration):
    """No right to read is not a missing ticket."""
    ticket = opened(integration)
    sandbox.set_account(roles=frozenset())

    with pytest.raises(ConfigError):
        read(integration, ticket)


def test_two_changes_in_one_second_are_told_apart(sandbox, integration):
    """By how often it was changed: a comment in the second of our own write is not missed."""
    ticket = opened(integration)
    sandbox.write_comment(ticket.id, "On our way")

    assert read(integration, ticket)[0].updated > ticket.updated
