"""Reading tickets again: those that changed by one search, all of them in bulk."""

from __future__ import annotations

from datetime import timedelta

import pytest
from requests_mock import Mocker

from connector_core import Integration, TicketQuery
from connector_jira_jsm.tickets.reading import fetch
from tests.support.jira.answers import BULK, RESOLVED, SEARCH, calls, issue, serve_ticket
from tests.support.jira.handles import NOW


def test_changed_tickets_are_searched(integration: Integration, requests_mock: Mocker):
    """One search by full minutes, in no time zone; issues that are not ours are left out, doubled ones are one."""
    serve_ticket(requests_mock)
    issues = [issue("1"), issue("10040"), issue("10040", status=RESOLVED)]
    requests_mock.post(SEARCH, json={"issues": issues, "isLast": True})

    tickets = fetch(integration, TicketQuery(ids=frozenset({"10040"}), changed_since=NOW - timedelta(seconds=301)))

    assert [(ticket.id, ticket.done) for ticket in tickets] == [("10040", True)]
    assert tickets[0].url == "https://example.test/browse/SUP-41"
    search = next(r for r in requests_mock.request_history if r.url == SEARCH)
    assert search.json()["jql"] == 'project = "SUP" AND updated >= "-6m" ORDER BY updated ASC'


def test_all_tickets_are_fetched_in_bulk(integration: Integration, requests_mock: Mocker):
    """Without a time all are read; what is gone is absent."""
    serve_ticket(requests_mock)
    requests_mock.post(BULK, json={"issues": [issue("2")], "issueErrors": []})

    tickets = fetch(integration, TicketQuery(ids=frozenset({"1", "2"})))

    assert [ticket.id for ticket in tickets] == ["2"]
    assert requests_mock.last_request.json()["issueIdsOrKeys"] == ["1", "2"]


@pytest.mark.parametrize("warnings", [[{"type": "CLAUSE_RESULT_TRUNCATED"}], ["of another shape"], {"any": 1}])
def test_after_a_search_that_was_cut_short_all_are_read(
    integration: Integration, requests_mock: Mocker, warnings: object
):
    """What it left out may have changed: which ones those are is not known."""
    serve_ticket(requests_mock)
    requests_mock.post(SEARCH, json={"issues": [], "isLast": True, "warnings": warnings})
    requests_mock.post(BULK, json={"issues": [issue("1"), issue("2")], "issueErrors": []})

    tickets = fetch(integration, TicketQuery(ids=frozenset({"1", "2"}), changed_since=NOW))

    assert [ticket.id for ticket in tickets] == ["1", "2"]


def test_no_tickets_take_no_call(integration: Integration, requests_mock: Mocker):
    """Nothing linked, nothing asked."""
    assert fetch(integration, TicketQuery(ids=frozenset(), changed_since=NOW)) == ()
    assert calls(requests_mock) == []
