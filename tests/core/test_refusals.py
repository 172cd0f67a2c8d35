"""What was turned away is counted: seldom written, never lost to a database that is down for a moment."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
import requests

from connector_core import RetryLater
from connector_core.testing import FrozenClock
from connector_core.web.refusals import Refusals
from tests.support.served import Served


class Webhooks:
    """Notes what is to be stored, and fails if it is told to."""

    def __init__(self):
        self.stored = []
        self.is_down = False

    def note_refusals(self, integration, route, code, number, at):
        """Store, or fail."""
        done = Future()
        if self.is_down:
            done.set_exception(RetryLater("Not now."))
        else:
            self.stored.append((route, integration, code, number))
            done.set_result(None)
        return done


@pytest.fixture
def clock():
    """Return a clock that the test sets."""
    return FrozenClock()


@pytest.fixture
def webhooks():
    """Return where refusals are stored."""
    return Webhooks()


@pytest.fixture
def refusals(webhooks, clock):
    """Return what counts."""
    return Refusals(webhooks, clock)


def test_many_of_a_kind_are_one_write_now_and_then(refusals, webhooks, clock):
    """The first at once, the others with the next one after a while; each kind by itself."""
    for _ in range(100):
        refusals.note("jira", "", "signature_mismatch", clock.now())
    refusals.note("jira", "desk", "too_large", clock.now(), 3)
    clock.forward(11)
    refusals.note("jira", "", "signature_mismatch", clock.now())

    assert webhooks.stored == [
        ("jira", "", "signature_mismatch", 1),
        ("jira", "desk", "too_large", 3),
        ("jira", "", "signature_mismatch", 100),
    ]


def test_what_could_not_be_stored_is_counted_with_the_next(refusals, webhooks, clock):
    """A database that was down for a moment costs no figure."""
    webhooks.is_down = True
    refusals.note("jira", "", "signature_mismatch", clock.now(), 5)
    webhooks.is_down = False
    clock.forward(11)
    refusals.note("jira", "", "signature_mismatch", clock.now())

    assert webhooks.stored == [("jira", "", "signature_mismatch", 6)]


def test_kinds_that_do_not_come_again_are_forgotten(refusals, clock):
    """Integrations come and go; what was refused of them takes no memory for ever."""
    for number in range(5000):
        refusals.note("jira", f"desk-{number}", "too_large", clock.now())
        clock.forward(600)

    assert len(refusals._written) < 1000


@pytest.mark.parametrize("path", ["/v1/sources/acme/events", "/external/desk/webhook"])
def test_what_is_refused_while_the_database_is_down_comes_again(tmp_path, monkeypatch, path):
    """Whose it would be cannot be told then: that is no fault of the daemon's, and no traceback."""
    served = Served(tmp_path)
    try:

        def down(*_):
            raise RetryLater("The database cannot be reached.", after_s=5)

        monkeypatch.setattr(type(served.app.registry), "routes", down)
        monkeypatch.setattr(type(served.app.registry.sources), "usable", down)

        answer = requests.post(f"{served.url}{path}", data=b"{", timeout=10)

        assert (answer.status_code, answer.headers.get("retry-after")) == (503, "5")
    finally:
        served.stop()
