"""What is measured while work is done: time to ticket, latency of calls, what is left of rate limits."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from connector_core.http.session import HTTPSession
from connector_core.metrics import Metrics
from connector_core.registry.observing import observer
from connector_core.testing import FrozenClock
from tests.support.sync_lab import make_lab, run, see, tell

HERE = "https://desk.example.com/tickets"


def value(metrics, name, **labels):
    """Return a figure."""
    return metrics.registry.get_sample_value(name, labels)


def test_the_time_to_a_ticket_begins_when_the_incident_was_taken(store, clock):
    """And is noted once, not again with each change."""
    lab = make_lab(store, clock)
    tell(lab)
    lab.clock.forward(40)
    run(lab)

    see(lab, title="Changed on the desk")

    plugin = lab.entry.plugin.name
    assert value(lab.sync.metrics, "connector_ticket_seconds_count", plugin=plugin) == 1
    assert value(lab.sync.metrics, "connector_ticket_seconds_sum", plugin=plugin) == 40


@pytest.fixture
def metrics():
    """Return the figures of a process."""
    return Metrics()


@pytest.fixture
def session(metrics):
    """Open a session that tells of its calls."""
    with HTTPSession("test", observe=observer(metrics, FrozenClock(), "desk", "acme-desk")) as opened:
        yield opened


def test_a_call_is_counted_by_its_place_and_timed_by_its_plugin(metrics, session, requests_mock):
    """An answer of any status is one."""
    requests_mock.get(HERE, status_code=503)

    session.get(HERE)

    assert value(metrics, "connector_calls_total", place="acme-desk", method="GET", answer="5xx") == 1
    assert value(metrics, "connector_call_seconds_count", plugin="desk", answer="5xx") == 1
    assert value(metrics, "connector_rate_limit_left_ratio", place="acme-desk") is None


def test_what_is_left_of_a_rate_limit_is_that_of_the_last_answer(metrics, session, requests_mock):
    """An answer that says nothing of it leaves what was known."""
    told = [{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": str(left)} for left in (50, 20)]
    requests_mock.get(HERE, [{"headers": one} for one in (*told, {})])

    for _ in range(3):
        session.get(HERE)

    assert value(metrics, "connector_rate_limit_left_ratio", place="acme-desk") == 0.2


def test_no_row_says_when_a_counter_began(metrics):
    """It would double the rows, and nobody asks for it."""
    metrics.received("events", "new", 1)

    assert "_created" not in generate_latest(metrics.registry).decode()
