"""How soon a call is made again: never sooner than the back-off says, whatever the other side or the news say."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector_core import EventType, RetryLater, Scope
from connector_core.engine.backoff import FIRST_S, HORIZON_S, JITTER, LONGEST_S, delay_s
from connector_core.engine.breakers import Breakers, Tripped
from connector_core.engine.circuits import Circuit
from connector_core.metrics import Metrics
from tests.support.sync_lab import happen, make_lab, run, see, tell

NOTHING = [0.0, -3600.0, 0.001, math.nan]


@pytest.fixture
def lab(store, clock):
    """Return both sides with a store and a synchronizer between."""
    return make_lab(store, clock)


def calls_within(lab, seconds, *, look_every_s=0.1, news_every=0):
    """Run what is due again and again, with news now and then; return how many calls that made."""
    before = len(lab.calls)
    for tick in range(round(seconds / look_every_s)):
        lab.clock.forward(look_every_s)
        if news_every and tick % news_every == 0:
            tell(lab, EventType.UPDATED, title=f"Title {tick}")
        run(lab)
    return len(lab.calls) - before


@given(attempts=st.integers(0, 60), asked_s=st.floats() | st.none(), seed=st.integers(0, 9))
def test_a_wait_is_never_shorter_than_the_back_off_nor_than_what_was_asked(attempts, asked_s, seed):
    """Whatever number the other side names; and it always ends."""
    wait_s = delay_s(attempts, asked_s, Random(seed))

    assert wait_s >= min(LONGEST_S, FIRST_S * 2.0 ** min(attempts, 20)) * JITTER[0]
    assert wait_s <= HORIZON_S / 2
    assert asked_s is None or math.isnan(asked_s) or wait_s >= min(asked_s, HORIZON_S / 2)


@pytest.mark.cases_in_test(2)
@pytest.mark.lengthy_on_postgresql
@pytest.mark.parametrize("asked_s", NOTHING)
@pytest.mark.parametrize("opens", [True, False])
def test_a_wait_of_nothing_for_one_ticket_is_a_back_off_that_grows(lab, asked_s, opens):
    """A create or a write that is refused with no wait at all: a handful of calls, not hundreds."""
    if not opens:
        happen(lab)
    lab.desk.down = RetryLater("Slow down on this one.", after_s=asked_s)
    happen(lab, EventType.OPENED if opens else EventType.UPDATED, title="New")

    assert calls_within(lab, 10) <= 3
    assert calls_within(lab, 600, look_every_s=1) <= 8


@pytest.mark.lengthy_on_postgresql
@pytest.mark.parametrize("asked_s", [0.0, 5.0])
def test_news_does_not_end_a_wait_that_was_asked_for(lab, asked_s):
    """An incident that changes every second is written no sooner for that; afterwards the latest is."""
    happen(lab)
    lab.desk.down = RetryLater("Slow down on this one.", after_s=asked_s)
    happen(lab, EventType.UPDATED, title="New")

    assert calls_within(lab, 20, news_every=10) <= 7  # within 40 s: each piece of news takes one
    lab.desk.down = None
    calls_within(lab, 40)
    assert lab.desk.shown[0].title == "Title 190"


def test_a_wait_that_one_side_asked_for_does_not_bind_the_other(lab):
    """The desk's limit on one ticket is no reason to keep from the platform what an agent wrote."""
    happen(lab)
    lab.desk.down = RetryLater("Slow down on this one.", after_s=600)
    happen(lab, EventType.UPDATED, title="New")
    see(lab, description="Seen to.")

    assert lab.platform.updates[-1].description == "Seen to."


def test_a_person_who_retries_is_not_bound(lab):
    """Whoever asks for another try gets one at once."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("Slow down on this one.", after_s=600))
    lab.operations.retry(happen(lab, EventType.UPDATED, title="New"))
    run(lab)

    assert lab.desk.shown[0].title == "New"


@pytest.mark.lengthy_on_postgresql
def test_a_wait_that_is_kept_does_not_grow(lab):
    """Where the other side names what it needs, its word is enough."""
    happen(lab)
    lab.desk.down = RetryLater("Slow down on this one.", after_s=5)
    happen(lab, EventType.UPDATED, title="New")

    assert 8 <= calls_within(lab, 60) <= 12


@pytest.mark.lengthy_on_postgresql
@pytest.mark.parametrize("asked_s", NOTHING)
def test_writes_refused_where_reads_work_are_tried_less_and_less(store, clock, asked_s):
    """A read that works ends the pause of a site; a refusal right after it makes the next one longer."""
    breakers = Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(1))
    circuit, made = Circuit("site:fake:1"), []
    for _ in range(600):
        clock.forward(1)
        try:
            with breakers.guard(circuit):
                pass  # a read that works
            with breakers.guard(circuit):
                made.append(clock.monotonic())
                raise RetryLater("Slow down.", scope=Scope.SITE, after_s=asked_s)
        except Tripped:
            continue

    gaps = [after - before for before, after in pairwise(made)]
    assert len(made) <= 12
    assert gaps[-1] > 50


def test_a_pause_that_was_long_enough_is_forgotten(store, clock):
    """A site that works for longer than it paused is trusted anew: a burst now and then never adds up."""
    breakers = Breakers(store.breakers, clock, structlog.get_logger("test"), Metrics(), Random(1))
    circuit = Circuit("site:fake:1")
    for _ in range(8):
        with pytest.raises(Tripped), breakers.guard(circuit):
            raise RetryLater("Slow down.", scope=Scope.SITE, after_s=5)
        (tripped,) = store.breakers.every()
        assert (tripped.until - clock.now()).total_seconds() < 6
        clock.forward(6)
        with breakers.guard(circuit):
            pass  # a read that works
        clock.forward(20)
