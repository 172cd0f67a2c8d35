"""Lanes in the store: whose turn it is, what wakes them, how they are given back, and clocks that are set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector_core import Comment, EventType, IncidentEvent, TicketSnapshot
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import Side
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import Breaker, LeftLane, LinkState, LinkStatus, NodeEnd, Progress, Rest
from tests.support.lanes_at_hand import open_links

HOUR = timedelta(hours=1)


@pytest.fixture
def lanes(store, clock):
    """Return a hand that makes, claims and gives back lanes at the time that the clock shows."""
    return Lanes(store, clock)


class Lanes:
    """Lanes of a store, and the time."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock

    def claim(self, limit=8, boot="boot", **limits):
        """Claim lanes that are due now."""
        return self.store.lanes.claim(boot, self.clock.now(), limit, HORIZON_S, **limits)

    def rest(self, claim, **rest):
        """Give a lane back."""
        self.store.lanes.release(claim, Rest(**rest), self.clock.now())

    def in_s(self, seconds):
        """Return a time from now."""
        return self.clock.now() + timedelta(seconds=seconds)

    def make(self, *due_in_s, integration="desk"):
        """Make lanes that are due in so many seconds, None for one at rest; return their links."""
        open_links(self.store, self.clock, len(due_in_s), integration)
        made = sorted(self.claim(len(due_in_s)), key=lambda claim: claim.link_id)
        for claim, seconds in zip(made, due_in_s, strict=True):
            self.rest(claim, due=None if seconds is None else self.in_s(seconds))
        return [claim.link_id for claim in made]

    def due_in_s(self):
        """Return in how many seconds the next lane is due."""
        due = self.store.lanes.next_due()
        return None if due is None else due - self.clock.now().timestamp()

    def ids(self, *args, **kwargs):
        """Claim, and return which links."""
        return [claim.link_id for claim in self.claim(*args, **kwargs)]


def test_the_longest_waiting_go_first(lanes):
    """Among lanes that are due the order is that of their times; what is due later, or at rest, is not claimed."""
    first, second, _, later, third = lanes.make(10, 20, None, 500, 30)
    lanes.clock.forward(30)

    assert lanes.ids(2) == [first, second]
    assert lanes.ids() == [third]
    assert lanes.ids() == []
    lanes.clock.forward(470)
    assert lanes.ids() == [later]


def test_integrations_take_turns_beginning_with_the_longest_waiting(lanes):
    """One of each, then the second of each; the order among them is that of who waits longest."""
    lanes.store.integrations.put(replace(lanes.store.integrations.every()[0], id="another"))
    desk = lanes.make(10, 30, 50)
    another = lanes.make(5, 60, integration="another")
    lanes.clock.forward(60)

    assert lanes.ids(4) == [another[0], desk[0], another[1], desk[1]]
    assert lanes.ids() == [desk[2]]


def test_an_integration_is_found_whose_name_comes_first_and_whose_time_last(lanes):
    """Integrations are found by their names, and served by who waits longest."""
    for name in ("another", "third"):
        lanes.store.integrations.put(replace(lanes.store.integrations.every()[0], id=name))
    (desk,) = lanes.make(5)
    (another,) = lanes.make(10, integration="another")
    (third,) = lanes.make(2, integration="third")
    lanes.clock.forward(10)

    assert lanes.ids() == [third, desk, another]


def test_of_more_lanes_than_may_be_taken_those_that_wait_longest_are(lanes):
    """However many of an integration are due."""
    third, first, second, last = lanes.make(30, 10, 20, 40)
    lanes.clock.forward(40)

    assert lanes.ids(2) == [first, second]
    assert lanes.ids(2) == [third, last]


@pytest.mark.parametrize(("running", "claimed"), [({}, 2), ({"desk": 1}, 1), ({"desk": 2}, 0), ({"desk": 3}, 0)])
def test_what_runs_counts_against_the_share(lanes, running, claimed):
    """No integration gets more than its share of the workers, running ones included."""
    lanes.make(0, 0, 0)

    assert len(lanes.claim(8, per_integration=2, running=running)) == claimed


def test_a_lane_that_is_held_is_due_to_nobody(lanes):
    """Neither is it claimed, nor does it tell when the next one is due; at rest there is no next one."""
    assert lanes.due_in_s() is None
    lanes.make(0, 40, 20)
    (held,) = lanes.claim()

    assert lanes.due_in_s() == 20
    lanes.clock.forward(20)
    assert held.link_id not in lanes.ids(boot="other")
    assert lanes.due_in_s() == 20


def test_the_next_is_the_first_of_all_integrations(lanes):
    """Whichever integration comes first by name."""
    lanes.store.integrations.put(replace(lanes.store.integrations.every()[0], id="another"))
    lanes.make(30)
    lanes.make(40, integration="another")

    assert lanes.due_in_s() == 30


@pytest.mark.parametrize(("ahead_s", "is_due"), [(1, False), (HORIZON_S, False), (HORIZON_S + 1, True)])
def test_what_is_due_beyond_every_wait_is_due_now(lanes, ahead_s, is_due):
    """It was planned by a clock that has been set back since; those that are due come first."""
    far, now = lanes.make(ahead_s, 0)

    assert lanes.ids(1) == [now]
    assert lanes.ids() == ([far] if is_due else [])


@pytest.mark.parametrize(("limit", "share", "claimed"), [(3, None, 3), (8, 3, 3), (8, 2, 2), (8, None, 4)])
def test_no_more_than_asked_are_claimed_of_those_beyond_every_wait(lanes, limit, share, claimed):
    """What is due and what was planned by another clock share the places."""
    lanes.make(0, 2 * HORIZON_S, 3 * HORIZON_S, 4 * HORIZON_S)

    assert len(lanes.claim(limit, per_integration=share)) == claimed


def test_what_is_due_at_the_longest_wait_is_not_due_beside_what_is(lanes):
    """It may have been planned by this very clock."""
    now, _ = lanes.make(0, HORIZON_S)

    assert lanes.ids() == [now]


def test_every_integration_is_found(lanes):
    """However many there are between the first and the last by name."""
    (desk,) = lanes.store.integrations.every()
    made = {}
    for name in ("a", "b", "c", "d"):
        lanes.store.integrations.put(replace(desk, id=name))
        (made[name],) = lanes.make(10 + len(made), integration=name)
    lanes.clock.forward(20)

    assert lanes.ids() == [made["a"], made["b"], made["c"], made["d"]]


def test_each_claim_makes_the_former_one_worthless(lanes):
    """Whoever lost a lane writes nothing into it and cannot give it back."""
    lanes.make(0)
    (old,) = lanes.claim()
    lanes.store.lanes.recover("next")
    (new,) = lanes.claim(boot="boot")
    done = Progress(status=LinkStatus(LinkState.IN_SYNC))

    assert not lanes.store.links.record(old, done, lanes.clock.now())
    assert not lanes.store.links.record(replace(new, boot="other"), done, lanes.clock.now())
    assert not lanes.store.links.record(replace(new, link_id=99), done, lanes.clock.now())
    lanes.rest(old, due=lanes.in_s(0))
    assert lanes.claim(boot="other") == []
    assert lanes.store.links.record(new, done, lanes.clock.now())


def test_only_who_holds_a_lane_begins_a_write(lanes):
    """Until when it may be under way is noted of that lane alone, which the next holder is told."""
    lanes.make(0, 0)
    one, other = lanes.claim()
    begins = Progress(calling_until=lanes.in_s(30))

    for stale in (replace(one, fence=one.fence - 1), replace(one, boot="other"), replace(one, link_id=99)):
        assert not lanes.store.links.record(stale, begins, lanes.clock.now())
    assert lanes.store.links.record(one, begins, lanes.clock.now())

    for link_id in (one.link_id, other.link_id):
        lanes.store.lanes.take_over(LeftLane(link_id, "boot", NodeEnd.SILENT, None), lanes.in_s(30))
    again = {claim.link_id: claim.calling_until for claim in lanes.claim(boot="other")}
    assert again == {other.link_id: None}
    lanes.clock.forward(30)
    assert lanes.ids(boot="other") == [one.link_id]


@pytest.mark.parametrize(("ends_in_s", "is_kept"), [(30, True), (0, False), (-1, False)])
def test_a_write_of_an_earlier_holder_outlives_the_next_one(lanes, ends_in_s, is_kept):
    """As long as it may still arrive; those of whoever gives the lane back have ended."""
    lanes.make(0)
    (claim,) = lanes.claim()
    until = lanes.in_s(ends_in_s)

    lanes.rest(replace(claim, calling_until=until), due=lanes.in_s(0))

    (again,) = lanes.claim()
    assert again.calling_until == (until if is_kept else None)


def test_what_is_held_counts_where_nobody_says_what_runs(lanes):
    """By what the database says."""
    lanes.make(0, 0, 0)
    lanes.claim(1)

    assert len(lanes.claim(8, per_integration=2, running=None)) == 1


def test_a_lane_that_is_held_back_stands_before_no_other(lanes):
    """Those of its integration that are due after it are taken, and it comes when it may."""
    held_back, other = lanes.make(0, 10)
    (claim,) = lanes.claim(1, boot="lost")
    lanes.store.links.record(claim, Progress(calling_until=lanes.in_s(60)), lanes.clock.now())
    lanes.store.lanes.take_over(LeftLane(held_back, "lost", NodeEnd.SILENT, None), lanes.in_s(60))
    lanes.clock.forward(10)

    assert lanes.ids(1) == [other]
    lanes.clock.forward(50)
    assert lanes.ids(1) == [held_back]


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_an_integration_is_asked_for_each_of_its_lanes(lanes, allowed):
    """Whether it may have one more."""
    lanes.make(0, 0, 0)
    left = iter([True] * allowed)

    assert len(lanes.claim(turns=lambda: lambda _: next(left, False))) == allowed


def test_lanes_that_nobody_works_on_are_freed_by_their_boot_alone(lanes):
    """They are due as they were."""
    lanes.make(0, 0, 0)
    (one, other), (third,) = lanes.claim(2), lanes.claim(boot="other")

    lanes.store.lanes.free("boot", [one.link_id, third.link_id])

    assert lanes.store.lanes.claimed("boot") == [other.link_id]
    assert lanes.store.lanes.claimed("other") == [third.link_id]
    assert lanes.ids(boot="new") == [one.link_id]


def test_giving_one_lane_back_leaves_others_held(lanes):
    """Only the lane of the claim is free again."""
    lanes.make(0, 0)
    one, _ = lanes.claim()

    lanes.rest(one, due=lanes.in_s(0))

    assert lanes.ids(boot="other") == [one.link_id]


def test_waking_makes_due_no_later_than_it_was(lanes):
    """A lane that is due earlier stays so, one at rest or later is due at the named time."""
    early, rested, late = lanes.make(10, None, 500)
    for link in (early, rested, late):
        lanes.store.lanes.wake(link, lanes.in_s(60))

    assert lanes.due_in_s() == 10
    lanes.clock.forward(59)
    assert lanes.ids() == [early]
    lanes.clock.forward(1)
    assert lanes.ids() == [rested, late]


def test_a_lane_woken_while_it_is_held_is_due_at_once(lanes):
    """Whatever its worker says about when: the wake-up came after it looked. Without one it is as the worker says."""
    lanes.make(0, 0)
    woken, quiet = lanes.claim()
    lanes.store.lanes.wake(woken.link_id, lanes.in_s(0))

    lanes.rest(woken, due=lanes.in_s(600))
    lanes.rest(quiet, due=lanes.in_s(600))

    assert lanes.ids() == [woken.link_id]
    assert lanes.due_in_s() == 600


def trip(lanes, key="site:fake:1"):
    """Trip a breaker for an hour."""
    now = lanes.clock.now()
    lanes.store.breakers.trip(Breaker(key, "down", "It is down.", "", now, now + HOUR, 0, needs_person=False))
    return key


def test_a_parked_lane_is_due_when_it_is_woken(lanes):
    """It waits for its breaker and for no time; news of its own end the wait."""
    key = trip(lanes)
    lanes.make(0)
    (claim,) = lanes.claim()

    lanes.rest(claim, breaker=key)

    assert (lanes.due_in_s(), lanes.store.links.get(claim.link_id).breaker) == (None, key)
    lanes.store.lanes.wake(claim.link_id, lanes.in_s(0))
    assert (lanes.due_in_s(), lanes.store.links.get(claim.link_id).breaker) == (0, None)


def test_a_lane_woken_while_it_parks_is_not_parked(lanes):
    """News that came while it was held are looked at, whether or not the site works."""
    key = trip(lanes)
    lanes.make(0)
    (claim,) = lanes.claim()
    lanes.store.lanes.wake(claim.link_id, lanes.in_s(0))

    lanes.rest(claim, breaker=key)

    assert (lanes.due_in_s(), lanes.store.links.get(claim.link_id).breaker) == (0, None)


def test_those_parked_first_are_tried_first(lanes):
    """One lane is woken to try, the one that waits longest."""
    key = trip(lanes)
    lanes.make(0, 0)
    first, second = lanes.claim()
    lanes.rest(second, breaker=key)
    lanes.clock.forward(1)
    lanes.rest(first, breaker=key)
    lanes.clock.forward(3600)

    assert lanes.store.breakers.wake_probes(lanes.clock.now(), HORIZON_S, 5.0) == [key]
    assert lanes.ids() == [second.link_id]


def with_state(lanes, state, **rest):
    """Make a lane whose link has a state; return its link."""
    number = len(lanes.store.links.find(integration_id="desk"))
    open_links(lanes.store, lanes.clock, number + 1)
    (claim,) = lanes.claim()
    ticket = TicketSnapshot(id=str(claim.link_id), key=f"T-{claim.link_id}", title="x", updated=lanes.clock.now())
    lanes.store.links.record(claim, Progress(status=LinkStatus(state), ticket=ticket), lanes.clock.now())
    lanes.rest(claim, **rest)
    return claim.link_id


def test_an_integration_that_goes_on_wakes_what_waits_there(lanes):
    """Every link that is not in sync is due at once, parked or not; those of other integrations are left alone."""
    key = trip(lanes)
    lanes.store.integrations.put(replace(lanes.store.integrations.every()[0], id="another"))
    (other,) = lanes.make(600, integration="another")
    with_state(lanes, LinkState.IN_SYNC)
    blocked = with_state(lanes, LinkState.BLOCKED)
    parked = with_state(lanes, LinkState.WAITING, breaker=key)
    held_before = with_state(lanes, LinkState.PAUSED, due=lanes.in_s(0))
    (held,) = lanes.claim()
    assert held.link_id == held_before

    assert lanes.store.lanes.wake_all("desk", lanes.clock.now()) == 3

    assert sorted(lanes.ids()) == [blocked, parked]
    assert lanes.store.links.get(parked).breaker is None
    lanes.rest(held)
    assert lanes.ids() == [held.link_id]
    assert lanes.store.links.get(other).breaker is None


def test_a_look_at_what_is_blocked_wakes_just_that(lanes):
    """Neither what is in sync, nor what waits for a breaker; one that is held is due again afterwards."""
    key = trip(lanes)
    with_state(lanes, LinkState.IN_SYNC)
    with_state(lanes, LinkState.BLOCKED, breaker=key)
    blocked = with_state(lanes, LinkState.BLOCKED)
    with_state(lanes, LinkState.BLOCKED, due=lanes.in_s(0))
    (held,) = lanes.claim()

    assert lanes.store.lanes.wake_blocked(lanes.clock.now()) == 2

    assert lanes.ids() == [blocked]
    lanes.rest(held)
    assert lanes.ids() == [held.link_id]


# Clocks that are set


def test_a_clock_set_back_takes_what_was_planned_along(lanes):
    """What was due in a minute is due in a minute, and what was due then is due."""
    soon, now = lanes.make(60, 0)
    lanes.clock.forward(-3600)
    lanes.store.life.clock_was_set(-3600.0, lanes.clock.now())

    assert lanes.ids() == [now]
    assert lanes.due_in_s() == 60
    lanes.clock.forward(60)
    assert lanes.ids() == [soon]


@pytest.mark.parametrize("by_s", [3600.0, 0.5, 0.0])
def test_a_clock_set_forward_leaves_what_was_planned(lanes, by_s):
    """It runs early, which harms nothing."""
    lanes.make(4000)
    lanes.clock.forward(by_s)
    lanes.store.life.clock_was_set(by_s, lanes.clock.now())

    assert lanes.due_in_s() == 4000 - by_s


def test_breakers_are_tried_at_once_after_a_clock_was_set(lanes):
    """A clock that is wrong makes others refuse us."""
    trip(lanes)

    lanes.store.life.clock_was_set(1.0, lanes.clock.now())

    (breaker,) = lanes.store.breakers.every()
    assert breaker.until == lanes.clock.now()


ATTEMPTS = [
    # by how much the clock was set, when the attempt was by the clock of now, and by how much it is moved along
    (3600, -3600, 3600),
    (3600, -3601, 3600),
    (3600, -3599, 0),  # made since the clock was set
    (0.5, -1, 0.5),
    (0.5, 1, 0),
    (-0.5, 1, -0.5),
    (-3600, 1, -3600),
    (-3600, 0, 0),  # it is no later than now: made since the clock was set
    (-3600, -1, 0),
    (0, -1, 0),
    (0, 1, 0),
]


@pytest.mark.cases_in_test(4)
@pytest.mark.parametrize(("by_s", "at_s", "moved_s"), ATTEMPTS)
def test_an_attempt_is_as_old_as_before_a_clock_was_set(lanes, by_s, at_s, moved_s):
    """How long ago a create may have worked is not changed by setting a clock, unless it was after that."""
    lanes.make(0, 0)
    claim, other = lanes.claim()
    incident = lanes.store.links.get(claim.link_id).incident
    attempted = lanes.in_s(at_s)
    lanes.store.links.record(claim, Progress(attempted_at=attempted, attempted_incident=incident), lanes.clock.now())

    lanes.store.life.clock_was_set(float(by_s), lanes.clock.now())

    assert lanes.store.links.get(claim.link_id).attempted_at == attempted + timedelta(seconds=moved_s)
    assert lanes.store.links.get(other.link_id).attempted_at is None


def test_a_comment_that_was_not_tried_yet_has_no_time_to_move(lanes):
    """One that waits for its first try is left alone."""
    (desk,) = lanes.store.integrations.every()
    rules = desk.comments.changed(ToTicket.INTERNAL, ToIncident.NONE, lanes.clock.now())
    lanes.store.integrations.put(replace(desk, comments=rules))
    (link,) = lanes.make(0)
    now = lanes.clock.now()
    comment = Comment(id="c", author="Ada", text="Hm.", created_at=now)
    incident = lanes.store.links.get(link).incident
    said = IncidentEvent(id="said", type=EventType.COMMENTED, occurred_at=now, incident=incident, comment=comment)
    lanes.store.inbox.accept_events("acme", [said], [], now).result()

    lanes.store.life.clock_was_set(3600.0, lanes.in_s(3600))

    (waiting,) = lanes.store.comments.waiting(link, Side.INCIDENT)
    assert waiting.attempted_at is None


@pytest.mark.parametrize(
    ("ended", "is_writing", "waits"),
    [
        (NodeEnd.SILENT, True, True),
        (NodeEnd.SILENT, False, False),
        (NodeEnd.GONE, True, False),
        (NodeEnd.GONE, False, False),
        (None, True, False),
    ],
)
def test_a_lane_of_a_node_that_is_only_silent_waits_until_its_write_has_ended(lanes, ended, is_writing, waits):
    """It may still be answered there; what a node wrote that is gone may arrive, and is looked for by who goes on."""
    (link,) = lanes.make(0)
    (claim,) = lanes.claim(boot="dead")
    begun = Progress(calling_until=lanes.in_s(60) if is_writing else None)
    assert lanes.store.links.record(claim, begun, lanes.clock.now())

    assert lanes.store.lanes.take_over(LeftLane(link, "dead", ended, None), lanes.in_s(100))
    assert not lanes.store.lanes.take_over(LeftLane(link, "dead", ended, None), lanes.in_s(100))

    assert [one.link_id for one in lanes.claim()] == ([] if waits else [link])
    if waits:
        lanes.clock.forward(99)
        assert lanes.claim() == []
        lanes.clock.forward(1)
        assert [one.link_id for one in lanes.claim()] == [link]


def test_a_lane_that_another_node_has_by_now_is_not_taken_over(lanes):
    """Whoever was slower changes nothing of it."""
    (link,) = lanes.make(0)
    lanes.claim(boot="living")

    assert not lanes.store.lanes.take_over(LeftLane(link, "dead", NodeEnd.SILENT, None), lanes.in_s(100))
    assert lanes.store.lanes.claimed("living")
