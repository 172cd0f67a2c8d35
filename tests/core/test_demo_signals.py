"""A signal ends the demo at any moment, and what was put up is always taken down."""

from __future__ import annotations

import signal

import pytest

from connector_core.demo.signals import ENDING, end_by_signals, held, put_up


@pytest.fixture(autouse=True)
def ended_by_signals():
    """Handle signals as the demo does, and as before afterwards."""
    before = {number: signal.getsignal(number) for number in ENDING}
    end_by_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Thing:
    """Something that is put up; it notes when it is taken down."""

    def __init__(self, *, interrupted_by=None):
        self.is_closed = False
        if interrupted_by is not None:
            signal.raise_signal(interrupted_by)

    def close(self):
        """Take it down, although a signal comes meanwhile."""
        signal.raise_signal(signal.SIGTERM)
        self.is_closed = True


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_block_and_takes_down(number):
    """As Ctrl-C does."""
    thing = Thing()

    with pytest.raises(KeyboardInterrupt), put_up(lambda: thing):
        signal.raise_signal(number)

    assert thing.is_closed


def test_a_signal_while_something_is_made_waits_until_it_is_known():
    """Otherwise nobody could take it down."""
    made = []

    def make():
        made.append(Thing(interrupted_by=signal.SIGTERM))
        return made[0]

    with pytest.raises(KeyboardInterrupt), put_up(make):
        pytest.fail("it went on")

    assert made[0].is_closed


def test_a_signal_while_something_is_taken_down_waits():
    """And ends what is around it then."""
    outer, inner = Thing(), Thing()

    with pytest.raises(KeyboardInterrupt), put_up(lambda: outer), put_up(lambda: inner):
        pass

    assert (outer.is_closed, inner.is_closed) == (True, True)


def test_only_the_first_signal_counts():
    """Whoever is impatient does not leave half of it behind."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)

    with held():
        signal.raise_signal(signal.SIGINT)


def test_nohup_is_obeyed(monkeypatch):
    """Who has it ignore SIGHUP means it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_by_signals()

    signal.raise_signal(signal.SIGHUP)

    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
