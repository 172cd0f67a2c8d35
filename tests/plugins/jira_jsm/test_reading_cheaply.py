"""What reading tickets again costs, counted at a site over HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from connector_core import Priority, RemoteError, TicketQuery, TicketSnapshot, UnreadableTicket
from connector_jira_jsm.api.client import BULKFETCH_LIMIT
from connector_jira_jsm.tickets.reading import fetch
from tests.support.jira.at_sandbox import Place, place

MANY = 250


@pytest.fixture(scope="module")
def site() -> Iterator[Place]:
    """Share one site with many tickets, all of them old, in two projects."""
    with place() as made:
        for number in range(MANY):
            key = "FAC" if number % 10 == 0 else "SUP"
            made.sandbox.site.create(
                made.sandbox.profile.person, project_key=key, issue_type_id="10010", summary=f"Fan {number} failed"
            )
        yield made


@pytest.fixture(autouse=True)
def _a_day_later(site: Place) -> None:
    """Let all that happened so far be long ago, with a grant that is good."""
    site.clock.forward(86_400)
    assert site.core.present is not None
    site.core.renew(site.core.present)


def all_ids(site: Place) -> frozenset[str]:
    """Return the ids of all tickets."""
    return frozenset(str(ticket["id"]) for ticket in site.sandbox.tickets())


def costs(site: Place, query: TicketQuery) -> tuple[list[TicketSnapshot | UnreadableTicket], int, int]:
    """Fetch; return what was found, and the calls and points that it took."""
    calls, points = site.sandbox.call_count(), site.sandbox.points
    found = list(fetch(site.integration, query))
    return found, site.sandbox.call_count() - calls, site.sandbox.points - points


def test_nothing_changed_is_one_call(site: Place):
    """However many tickets in however many projects, one search says that nothing changed."""
    since = site.clock.now() - timedelta(minutes=10)
    query = TicketQuery(ids=all_ids(site), changed_since=since, places=frozenset({"SUP", "FAC"}))

    assert costs(site, query) == ([], 1, 1)


def test_one_changed_is_one_call_too(site: Place):
    """A change is found within the overlap, however old its time looks to another clock, and costs its own point."""
    one = min(all_ids(site))
    site.sandbox.edit_ticket(one, title="Changed")
    query = TicketQuery(ids=all_ids(site), changed_since=site.clock.now(), places=frozenset({"SUP", "FAC"}))

    found, calls, points = costs(site, query)

    assert [(ticket.id, ticket.title) for ticket in found] == [(one, "Changed")]
    assert (calls, points) == (1, 2)


def test_a_full_sweep_reads_a_hundred_at_a_time_once_that_is_known(site: Place):
    """The first answer that refuses a thousand is remembered; each ticket costs a point, each call one."""
    site.integration.cache.pop(BULKFETCH_LIMIT, None)
    query = TicketQuery(ids=all_ids(site))

    first, _, _ = costs(site, query)
    found, calls, points = costs(site, query)

    assert len(first) == len(found) == len(query.ids)
    assert (calls, points) == (3, len(query.ids) + 3)


def test_a_full_sweep_reads_a_thousand_at_a_time_where_that_is_allowed(site: Place):
    """Only single-valued fields are asked for, so that one call may read them all."""
    site.integration.cache.pop(BULKFETCH_LIMIT, None)
    before, site.sandbox.site.profile = (
        site.sandbox.site.profile,
        dataclasses.replace(site.sandbox.profile, bulkfetch_limit=1000),
    )
    try:
        query = TicketQuery(ids=all_ids(site))
        found, calls, points = costs(site, query)
    finally:
        site.sandbox.site.profile = before
        site.integration.cache.pop(BULKFETCH_LIMIT, None)

    assert (len(found), calls, points) == (len(query.ids), 1, len(query.ids) + 1)


def test_a_project_that_is_hidden_now_does_not_hide_the_others(site: Place):
    """Jira refuses a search that names it; the others are searched one by one."""
    one = next(str(t["id"]) for t in site.sandbox.tickets() if t["key"].startswith("SUP-"))
    site.sandbox.edit_ticket(one, title="Changed again")
    site.control("projects/FAC/forbid")
    query = TicketQuery(ids=all_ids(site), changed_since=site.clock.now(), places=frozenset({"SUP", "FAC"}))
    try:
        found, calls, _ = costs(site, query)
        with pytest.raises(RemoteError):
            fetch(site.integration, query.model_copy(update={"places": frozenset({"FAC"})}))
    finally:
        site.control("projects/FAC/allow")

    assert [ticket.id for ticket in found] == [one]
    assert calls == 3


def test_priorities_with_partners_of_their_own_are_read_as_settings_say(site: Place):
    """Where settings pair priorities anew, even Jira's own names are looked up."""
    one = min(all_ids(site))
    site.sandbox.edit_ticket(one, priority="High")
    paired = site.integration.settings.model_copy(update={"priority_to_incident": {"High": Priority.CRITICAL}})
    query = TicketQuery(ids=frozenset({one}))

    (as_usual,) = fetch(site.integration, query)
    (as_paired,) = fetch(dataclasses.replace(site.integration, settings=paired, cache={}), query)

    assert (as_usual.priority, as_paired.priority) == (Priority.HIGH, Priority.CRITICAL)


def test_a_moved_ticket_is_seen_by_the_search(site: Place):
    """Where tickets live is asked for, not where they were made."""
    change, ticket = site.open()
    site.control(f"issues/{ticket.key}/move", project="HR")
    query = TicketQuery(ids=frozenset({ticket.id}), changed_since=site.clock.now(), places=frozenset({"SUP", "HR"}))

    assert [one.place for one in fetch(site.integration, query)] == ["HR"]
    assert change.marker
