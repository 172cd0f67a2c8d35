"""What is kept of links that are over, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from connector_core import EventType, IncidentEvent, IncidentStatus, TicketSnapshot
from connector_core.contract.merge import as_they_are
from connector_core.polling import forgetting as polling_forgetting
from connector_core.polling.forgetting import Forgetting
from connector_core.store import LinkState, LinkStatus, Progress, Rest
from tests.support.lanes_at_hand import open_links
from tests.support.rows import count, sql

KEEP = timedelta(days=30)


def finish(store, clock, number):
    """Link some incidents and close both sides of each; return the numbers of the links."""
    open_links(store, clock, number)
    claims = store.lanes.claim("boot", clock.now(), number, 7200)
    for claim in claims:
        link = store.links.get(claim.link_id)
        incident = link.incident.model_copy(update={"status": IncidentStatus.CLOSED})
        event = IncidentEvent(id=f"end-{link.id}", type=EventType.RESOLVED, occurred_at=clock.now(), incident=incident)
        store.inbox.accept_events("acme", [event], [], clock.now()).result()
        ticket = TicketSnapshot(id=str(link.id), key=f"SUP-{link.id}", title="Offline", done=True)
        progress = Progress(ticket=ticket, base=as_they_are(incident, ticket), status=LinkStatus(LinkState.IN_SYNC))
        store.links.record(claim, progress, clock.now())
        store.lanes.release(claim, Rest(), clock.now())
    for claim in store.lanes.claim("boot", clock.now(), number, 7200):
        store.lanes.release(claim, Rest(), clock.now())
    return [claim.link_id for claim in claims]


def forgetting_of(store, clock, keep):
    """Make what forgets; it fails on a warning."""
    log = SimpleNamespace(debug=lambda *_, **__: None, info=lambda *_, **__: None)
    return Forgetting(store, clock, log, keep)


def test_what_was_over_for_long_is_forgotten_whole(store, clock, monkeypatch):
    """Link, timeline, what it is searched by and the incident go; what is not old enough stays."""
    monkeypatch.setattr(polling_forgetting, "FORGET_AT_ONCE", 20)
    finish(store, clock, 25)
    forgetting = forgetting_of(store, clock, KEEP)

    clock.forward(KEEP.total_seconds() - 60)
    forgetting.forget()
    assert count(store, "link") == 25
    clock.forward(120)
    forgetting.forget()

    for table in ("link", "lane", "timeline", "link_text", "incident"):
        assert count(store, table) == 0, table
    assert sum(store.overview.stats().links.values()) == 0


@pytest.mark.parametrize("state", ["open", "woken", "claimed"])
def test_what_is_not_over_is_kept(store, clock, state):
    """An open link, and one that something is still to be done about, however old."""
    if state == "open":
        open_links(store, clock, 1)
    else:
        (link_id,) = finish(store, clock, 1)
        clock.forward(1)
        incident = store.links.get(link_id).incident
        news = IncidentEvent(id="news", type=EventType.UPDATED, occurred_at=clock.now(), incident=incident)
        store.inbox.accept_events("acme", [news], [], clock.now()).result()
        if state == "claimed":
            assert [claim.link_id for claim in store.lanes.claim("boot", clock.now(), 8, 7200)] == [link_id]
    clock.forward(10 * KEEP.total_seconds())

    forgetting_of(store, clock, KEEP).forget()

    assert count(store, "link") == 1


def test_without_a_limit_everything_is_kept(store, clock):
    """Nothing is deleted unless somebody says so."""
    finish(store, clock, 1)
    clock.forward(100 * KEEP.total_seconds())

    forgetting_of(store, clock, None).forget()

    assert count(store, "link") == 1


def test_an_incident_that_another_integration_still_follows_stays(store, clock):
    """The incident goes with its last link."""
    (link_id,) = finish(store, clock, 1)
    store.integrations.put(replace(store.integrations.every()[0], id="other"))
    sql(
        store,
        "INSERT INTO link (organization, integration_id, incident_id, marker, settings, state, since, created_at)"
        " SELECT organization, 'other', incident_id, 'm2', '{}', 'in_sync', since, created_at FROM link",
    )
    clock.forward(KEEP.total_seconds() + 60)

    forgetting_of(store, clock, KEEP).forget()

    assert store.links.get(link_id) is None
    assert count(store, "incident") == 1
