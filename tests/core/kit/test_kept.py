"""What is read once and holds for a while, in the process and across restarts."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from pydantic import TypeAdapter

from connector_core import RetryLater
from connector_core.kit.kept import forget, keep, kept, known

STATES = TypeAdapter(dict[str, int])


class Busy:
    """A memory whose database is busy."""

    def recall(self, key):
        """Fail."""
        raise RetryLater(f"The database is busy: {key}")

    def remember(self, key, value):
        """Fail."""
        raise RetryLater(f"The database is busy: {key} {value}")


@pytest.fixture
def reads():
    """Count what was loaded, each time another value."""
    numbers = count()
    return lambda: {"n": next(numbers)}


def restarted(integration):
    """Return the integration in a process that has just begun."""
    return replace(integration, cache={})


def test_what_is_young_enough_is_not_read_again(integration, reads):
    """Then it is; each key is on its own."""
    assert kept(integration, "states", reads, for_s=600) == {"n": 0}
    integration.clock.forward(599)
    assert kept(integration, "states", reads, for_s=600) == {"n": 0}
    assert kept(integration, "others", reads, for_s=600) == {"n": 1}
    integration.clock.forward(1)
    assert kept(integration, "states", reads, for_s=600) == {"n": 2}


def test_a_wall_clock_that_is_set_makes_nothing_young_or_old(integration, reads):
    """In the process, time is what passed."""
    kept(integration, "states", reads, for_s=600)

    integration.clock.set_by(-86400)

    assert kept(integration, "states", reads, for_s=600) == {"n": 0}
    integration.clock.forward(600)
    assert kept(integration, "states", reads, for_s=600) == {"n": 1}


def test_a_failed_read_is_raised_and_leaves_what_was(integration, reads):
    """It is known still, for who may not ask."""
    kept(integration, "states", reads, for_s=0)

    def fails():
        raise RetryLater("The other side cannot be reached.")

    with pytest.raises(RetryLater):
        kept(integration, "states", fails, for_s=0)
    assert known(integration, "states") == {"n": 0}


@pytest.mark.parametrize(("passed_s", "found"), [(599, 0), (600, 1), (-5, 1)])
def test_what_is_remembered_is_there_after_a_restart_at_its_age(integration, reads, passed_s, found):
    """One that was remembered in the future is of no use."""
    kept(integration, "states", reads, for_s=600, remembered_as=STATES)
    integration.clock.set_by(passed_s)
    later = restarted(integration)

    assert known(later, "states") is None
    assert known(later, "states", remembered_as=STATES) == {"n": 0}
    assert kept(later, "states", reads, for_s=600, remembered_as=STATES) == {"n": found}
    later.memory.remember("states", None)
    assert kept(later, "states", reads, for_s=600) == {"n": found}
    integration.clock.forward(1)
    assert kept(later, "states", reads, for_s=600, remembered_as=STATES) == {"n": 1}


def test_without_a_form_nothing_is_remembered(integration, reads):
    """It ends with the process."""
    kept(integration, "states", reads, for_s=600)

    assert known(restarted(integration), "states", remembered_as=STATES) is None


@pytest.mark.parametrize(
    "odd",
    [
        7,
        [],
        {},
        {"at": "soon", "value": {}},
        {"at": "2026-11-23T10:00:00", "value": {"n": 5}},
        {"at": "2026-11-23T10:00:00+00:00", "value": "x"},
    ],
)
def test_what_another_version_remembered_is_read_anew(integration, reads, odd):
    """Whatever it is, it is nothing."""
    integration.memory.remember("states", odd)

    assert known(integration, "states", remembered_as=STATES) is None
    assert kept(integration, "states", reads, for_s=600, remembered_as=STATES) == {"n": 0}


def test_a_busy_database_keeps_nobody_waiting(integration, reads):
    """What can be asked is asked."""
    busy = replace(integration, memory=Busy())

    assert kept(busy, "states", reads, for_s=600, remembered_as=STATES) == {"n": 0}
    assert kept(busy, "states", reads, for_s=600, remembered_as=STATES) == {"n": 0}
    assert known(restarted(busy), "states", remembered_as=STATES) is None
    forget(busy, "states")
    assert kept(busy, "states", reads, for_s=600) == {"n": 1}


def test_what_was_forgotten_is_read_again(integration, reads):
    """Also after a restart."""
    kept(integration, "states", reads, for_s=600, remembered_as=STATES)

    forget(integration, "states")

    assert known(restarted(integration), "states", remembered_as=STATES) is None
    assert kept(integration, "states", reads, for_s=600, remembered_as=STATES) == {"n": 1}


def test_what_came_in_passing_is_kept_too(integration, reads):
    """Nothing has to be asked for it."""
    keep(integration, "states", {"n": 9}, remembered_as=STATES)

    assert kept(integration, "states", reads, for_s=600) == {"n": 9}
    assert kept(restarted(integration), "states", reads, for_s=600, remembered_as=STATES) == {"n": 9}
