"""The SQLite store, on a real file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from connector_core import ConfigError, Delivery, EventType, Incident, IncidentEvent, RetryLater, TicketSnapshot
from connector_core.merge import agreed_at_birth
from connector_core.secrets import SecretBox
from connector_core.store import LinkState, LinkStatus, Progress, Rest, Target
from connector_core.store.sqlite import open_store

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TARGET = Target("desk", {"request_type": "25"}, NOW)


def event(name="evt-1", kind=EventType.OPENED, title="Display offline", at=NOW):
    """Make an event of incident inc-1."""
    return IncidentEvent(id=name, type=kind, occurred_at=at, incident=Incident(id="inc-1", title=title))


def test_an_event_is_stored_once_and_wakes_one_lane(store):
    """A repeated event is a duplicate and makes no second link."""
    first = store.accept_events("acme", [event()], [TARGET], NOW).result()
    again = store.accept_events("acme", [event()], [TARGET], NOW).result()

    assert (first.new, again.duplicate) == (1, 1)
    assert len(store.claim_lanes("boot", NOW, 8, 7200)) == 1
    assert store.claim_lanes("boot", NOW, 8, 7200) == []


def test_a_lane_woken_while_it_runs_is_due_again(store):
    """A wake-up during a run is not lost."""
    store.accept_events("acme", [event()], [TARGET], NOW).result()
    (claim,) = store.claim_lanes("boot", NOW, 8, 7200)
    later = event("evt-2", EventType.UPDATED, "Display dark", NOW + timedelta(seconds=1))
    store.accept_events("acme", [later], [TARGET], NOW).result()
    store.release_lane(claim, Rest(), NOW)

    assert len(store.claim_lanes("boot", NOW, 8, 7200)) == 1
    assert store.link(claim.link_id).incident.title == "Display dark"


def test_claims_of_a_dead_boot_are_freed_and_its_writes_refused(store):
    """After a kill the next boot takes the lane over, and the old claim can write nothing."""
    store.accept_events("acme", [event()], [TARGET], NOW).result()
    (old,) = store.claim_lanes("dead", NOW, 8, 7200)

    assert store.recover_lanes("alive") == 1
    (new,) = store.claim_lanes("alive", NOW, 8, 7200)
    assert not store.record(old, Progress(status=LinkStatus(LinkState.IN_SYNC)), NOW)
    assert store.record(new, Progress(status=LinkStatus(LinkState.IN_SYNC)), NOW)


def test_a_delivery_of_a_linked_ticket_wakes_its_lane_and_an_unknown_one_is_ignored(store):
    """Only tickets of ours count; a repeated delivery is known by its id."""
    store.accept_events("acme", [event()], [TARGET], NOW).result()
    (claim,) = store.claim_lanes("boot", NOW, 8, 7200)
    ticket = TicketSnapshot(id="1", key="SUP-1", title="Display offline", updated=NOW)
    base = agreed_at_birth(event().incident, ticket)
    store.record(claim, Progress(ticket=ticket, base=base, status=LinkStatus(LinkState.IN_SYNC)), NOW)
    store.release_lane(claim, Rest(), NOW)
    renamed = ticket.model_copy(update={"title": "New", "updated": NOW + timedelta(seconds=1)})
    stranger = ticket.model_copy(update={"id": "99"})

    assert store.accept_delivery("desk", Delivery(id="d1", event="e", tickets=(renamed,)), NOW).result().new == 1
    assert store.accept_delivery("desk", Delivery(id="d1", event="e", tickets=(renamed,)), NOW).result().duplicate == 1
    assert store.accept_delivery("desk", Delivery(id="d2", event="e", tickets=(stranger,)), NOW).result().ignored == 1
    assert len(store.claim_lanes("boot", NOW, 8, 7200)) == 1
    assert store.link(claim.link_id).base == base


def test_a_wrong_secret_key_is_refused_at_once(store, tmp_path):
    """A database opened with another key is an error before anything runs."""
    with pytest.raises(ConfigError):
        open_store(tmp_path / "connector.db", SecretBox([SecretStr("quite another passphrase")]))


def test_a_closed_store_says_so_and_leaves_nobody_waiting(store):
    """A write after the end fails at once."""
    store.close()

    with pytest.raises(RetryLater):
        store.accept_events("acme", [event()], [TARGET], NOW).result(timeout=5)
