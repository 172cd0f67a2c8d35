"""Thousands of random histories on a virtual clock; each failing one is cut to the shortest that still fails."""

from __future__ import annotations

import os

import pytest
import structlog

from connector_core import NotCreated
from connector_core.inbound import intake, places
from connector_core.registry.listeners import host
from connector_core.registry.site_names import SiteNames
from connector_core.store import lanes, life, shown_tickets
from connector_core.testing import memory_tickets
from tests.support.faults import simulation
from tests.support.faults.simulated_nodes import WAYS, TwoNodes
from tests.support.faults.simulated_sides import SimulatedDesk
from tests.support.faults.simulation import Failure, Step, campaign, history, play, quiet_logs, shortest, told

SEEDS = 10_000 if os.environ.get("CONNECTOR_CAMPAIGN") == "long" else 48
CHUNKS = 20 if SEEDS > 1000 else 4
CHUNKS_OF_TEST = 1
#: A calm seed with one desk, and a history in which everything is done once.
STEADY = 222
DONE = ("open", "edit_incident", "comment_incident", "edit_ticket", "comment_ticket", "resolve")
ARRIVES = ("deliver_event", "deliver_webhook", "deliver_event", "work", "work")
ONCE_EACH = tuple(Step(kind, number) for number, kind in enumerate(one for deed in DONE for one in (deed, *ARRIVES)))
MOMENTS_AT_LEAST = 15


@pytest.fixture(autouse=True)
def quiet():
    """Log nothing, and leave logging as it was."""
    before = structlog.get_config()
    quiet_logs()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(number, marks=[pytest.mark.extended] * (number >= CHUNKS_OF_TEST)) for number in range(CHUNKS)],
)
def test_every_guarantee_holds_in_every_history(chunk):
    """Nothing lost, doubled, bounced, diverged, stuck or silent, whatever happens in whatever order."""
    size = SEEDS // CHUNKS
    failures, totals = campaign(range(chunk * size, (chunk + 1) * size))

    print(f"simulation: seeds {chunk * size} to {(chunk + 1) * size - 1}, {dict(totals)}, failed: {len(failures)}")
    assert not failures, told(shortest(failures[0]))


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(number, marks=[pytest.mark.extended] * (number >= CHUNKS_OF_TEST)) for number in range(CHUNKS)],
)
def test_every_guarantee_holds_over_two_nodes(chunk):
    """Whatever the other node does in the middle of a call or a write, and whichever holds the other for dead."""
    size = SEEDS // CHUNKS
    failures, totals = campaign(range(chunk * size, (chunk + 1) * size), TwoNodes)

    print(f"two nodes: seeds {chunk * size} to {(chunk + 1) * size - 1}, {dict(totals)}, failed: {len(failures)}")
    assert totals["takeovers"] > 0
    assert not failures, told(shortest(failures[0]))


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.extended] * (way != "killed")) for way in WAYS])
def test_a_takeover_at_every_step_of_a_history_loses_and_doubles_nothing(way):
    """One history in which all is done once, again and again, with the takeover one call or write later each time."""
    took_over, moment = 0, 0
    while True:
        moment += 1
        worlds = []

        def at_this_moment(seed, at=(moment, way), made=worlds):
            made.append(TwoNodes(seed, at=at))
            return made[0]

        failure = play(STEADY, ONCE_EACH, make=at_this_moment)

        assert failure is None, f"{way} at moment {moment}: {told(failure)}"
        took_over += worlds[0].takeovers
        if worlds[0].moments < moment:
            break
    assert moment > MOMENTS_AT_LEAST
    assert (took_over > MOMENTS_AT_LEAST) is (way != "beside")


def test_two_nodes_without_a_fence_are_seen(monkeypatch):
    """The simulation is sharp: in this history what a node brings that was held for dead is stored."""
    assert play(84, history(84), make=TwoNodes) is None
    monkeypatch.setattr(lanes, "is_held", lambda *_: True)

    failure = play(84, history(84), make=TwoNodes)

    assert failure is not None
    assert failure.reason.startswith("timeline")


@pytest.mark.cases_in_test(2)
@pytest.mark.parametrize("seed", [102918, 105189, 4487, 5636, 8686])
def test_histories_that_failed_once_hold(seed):
    """A decision over a lost write was not synced; of two links' writes an old event brought back the earlier one.

    In the later ones the clock was wrong by an hour when a daemon started, and a ticket or a comment came twice.
    """
    failure = play(seed, history(seed))

    assert failure is None, told(shortest(failure))


def test_a_seed_tells_the_same_story_each_time():
    """A run follows from its seed alone."""
    stories = [play_for_story(11) for _ in range(2)]

    assert stories[0] == stories[1]
    assert len(stories[0]) > 10


def test_a_desk_that_finds_nothing_again_doubles_a_ticket_and_is_seen(monkeypatch):
    """The simulation is sharp: in this history a create's answer is lost, and the look-up denies that it worked."""
    assert play(16, history(16)) is None
    monkeypatch.setattr(SimulatedDesk, "_found", lambda *_: NotCreated())

    failure = play(16, history(16))

    assert failure is not None
    assert failure.reason.startswith("doubled")


def test_a_database_of_before_that_is_trusted_doubles_a_ticket_and_is_seen(monkeypatch):
    """The simulation is sharp: in this history a database comes back that lacks a ticket."""
    assert play(1, history(1)) is None
    monkeypatch.setattr(life, "made_since", lambda *_: None)

    failure = play(1, history(1))

    assert failure is not None
    assert failure.reason.startswith("doubled")


def test_a_desk_that_closes_without_a_look_is_seen(monkeypatch):
    """The simulation is sharp: in this history an agent finishes a ticket before our close arrives."""
    assert play(93, history(93)) is None
    monkeypatch.setattr(SimulatedDesk, "_is_finished", lambda *_: False)

    failure = play(93, history(93))

    assert failure is not None
    assert failure.reason.startswith("touched")


def test_a_desk_that_shows_hidden_fields_as_empty_is_seen(monkeypatch):
    """The simulation is sharp: in this history a hidden description is told as empty, and synced."""
    assert play(7, history(7)) is None
    told_in_part = memory_tickets.without

    def told_as_empty(whole, unshown):
        return told_in_part(whole, unshown).model_copy(update={"unknown": frozenset()})

    monkeypatch.setattr(memory_tickets, "without", told_as_empty)

    failure = play(7, history(7))

    assert failure is not None
    assert failure.reason.startswith("invented")


def _known_by_address(monkeypatch):
    """Take every address that is not the known one for another site."""

    def place(entry, told, known, *, is_alone):
        return places.Place.SAME if host(entry.record.site.url) == told else places.Place.OTHER

    monkeypatch.setattr(places, "_place_of", place)


def _believed(monkeypatch):
    """Believe what is delivered from an address that nobody knows."""
    monkeypatch.setattr(intake, "as_hint", lambda delivery: delivery)


def _address_is_news(monkeypatch):
    """Believe it, and take an address for something that people change."""
    _believed(monkeypatch)
    seen = shown_tickets.differences
    monkeypatch.setattr(
        shown_tickets,
        "differences",
        lambda one, other: seen(one, other) | ({"url": [one.url, other.url]} if one.url != other.url else {}),
    )
    monkeypatch.setattr(simulation, "_check_address", lambda *_: None)  # it would see the same, and sooner


def _never_looked_up(monkeypatch):
    """Keep the address that was known at the authorization."""
    monkeypatch.setattr(SiteNames, "refresh", lambda *_: None)


@pytest.mark.parametrize(
    ("take_out", "seen"),
    [
        (_known_by_address, "unreached"),
        (_believed, "flapping"),
        (_address_is_news, "timeline"),
        (_never_looked_up, "misremembered"),
    ],
)
def test_a_renamed_site_that_is_taken_for_another_is_seen(monkeypatch, take_out, seen):
    """The simulation is sharp: in this history a site is renamed, and deliveries come with its new address."""
    assert play(23, history(23)) is None
    take_out(monkeypatch)

    failure = play(23, history(23))

    assert failure is not None
    assert failure.reason.startswith(seen)


def test_a_failure_is_cut_to_its_shortest_history(monkeypatch):
    """Steps that do not matter are left out."""

    def fails_with_two_power_cuts(seed, steps, make):
        cuts = sum(step.kind == "power_cut" for step in steps)
        return Failure(seed, tuple(steps), "made up: two power cuts", ()) if cuts > 1 else None

    monkeypatch.setattr("tests.support.faults.simulation.play", fails_with_two_power_cuts)
    steps = tuple(Step(kind, 0) for kind in ("open", "power_cut", "work", "work", "power_cut", "a_while"))

    found = shortest(Failure(1, steps, "made up: two power cuts", ()))

    assert [step.kind for step in found.steps] == ["power_cut", "power_cut"]


def play_for_story(seed):
    """Play a seed and return its story."""
    story = []
    assert play(seed, history(seed), listener=story.extend) is None
    return story
