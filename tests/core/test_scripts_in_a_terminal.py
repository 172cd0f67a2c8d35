"""A script to paste in a terminal: masked until a person says otherwise; and waiting for what it sends."""

from __future__ import annotations

from datetime import timedelta

import pytest
import questionary
from pydantic import SecretStr

from connector_core import CopyValue, SetupStep
from connector_core.cli import asking
from connector_core.health.webhook_health import Arrived
from connector_core.testing import FrozenClock

SECRET = "a secret of the script's own"
STEP = SetupStep(
    "webhook",
    "Webhook",
    "It tells of changes.",
    (),
    values=(CopyValue("Script", f"first line\nsign('{SECRET}')", secrets=(SecretStr(SECRET),)),),
    test_event="Change the title of any ticket.",
)


class Pause:
    """Lets the clock go on in place of waiting."""

    def __init__(self, clock):
        self.clock = clock

    def wait(self, seconds):
        """Let that time pass."""
        self.clock.forward(seconds)


@pytest.fixture
def says(monkeypatch):
    """Return a function that has a person answer every question alike."""

    def answer(given):
        monkeypatch.setattr(questionary, "confirm", lambda text, **_: text)
        monkeypatch.setattr(asking, "answered", lambda _: given)

    return answer


def test_it_is_shown_masked_and_as_a_block(capsys):
    """Its lines are not put behind a label, so that it can be copied whole."""
    asking.introduce(1, STEP)

    shown = capsys.readouterr().out
    assert SECRET not in shown
    assert "\nfirst line\nsign('••••••••')\n" in shown


@pytest.mark.parametrize("wanted", [True, False])
def test_the_secret_is_shown_to_who_wants_it(capsys, says, wanted):
    """It is asked each time."""
    says(wanted)

    asking.hand_over(STEP)

    assert (SECRET in capsys.readouterr().out) is wanted


@pytest.mark.parametrize(
    ("comes", "words"),
    [
        (Arrived(FrozenClock().now(), "ticket.updated"), "arrived (ticket.updated). It was about no linked ticket"),
        (Arrived(FrozenClock().now(), "ticket.updated", is_ours=True), "arrived (ticket.updated).\n"),
        (None, "Nothing has arrived within 3 minutes."),
    ],
)
def test_a_test_event_is_waited_for(capsys, says, comes, words):
    """It may take a while, and it may be about anything; whoever waits in vain is told so."""
    says(True)
    clock = FrozenClock()
    begun = clock.now()

    def arrived(since):
        assert since == begun
        return comes if clock.now() - begun > timedelta(seconds=20) else None

    asking.watch(STEP, arrived, clock, Pause(clock))

    assert words in capsys.readouterr().out


def test_who_does_not_want_to_wait_does_not(says):
    """Nothing is looked at then, nor where no event can be sent."""
    says(False)

    asking.watch(STEP, pytest.fail, FrozenClock(), Pause(FrozenClock()))
