"""Quiet hours: by the clock on somebody's wall, whatever that does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector_core.notify.quiet_hours import QuietHours

NIGHT = QuietHours(start="22:00", end="07:00", zone="Europe/Berlin")


def berlin(text):
    """Return a local time of Berlin as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.mark.parametrize(
    ("local", "is_quiet"),
    [
        ("2026-11-28T21:59:59", False),
        ("2026-11-28T22:00:00", True),
        ("2026-11-29T00:00:00", True),
        ("2026-11-29T06:59:59", True),
        ("2026-11-29T07:00:00", False),
    ],
)
def test_a_night_is_quiet_from_its_start_to_its_end(local, is_quiet):
    """The start belongs to it, the end does not; midnight is no end."""
    assert NIGHT.are_now(berlin(local)) is is_quiet


@pytest.mark.parametrize(
    ("utc", "is_quiet"),
    [
        # Clocks go forward on 2026-03-29 at 02:00: seven in the morning comes an hour earlier.
        ("2026-03-28T05:59:00", True),
        ("2026-03-28T06:00:00", False),
        ("2026-03-29T04:59:00", True),
        ("2026-03-29T05:00:00", False),
        # And back on 2026-10-25 at 03:00: it comes an hour later, and so does the evening.
        ("2026-10-25T05:59:00", True),
        ("2026-10-25T06:00:00", False),
        ("2026-10-24T20:00:00", True),
        ("2026-10-25T20:30:00", False),
        ("2026-10-25T21:00:00", True),
    ],
)
def test_a_change_of_clocks_moves_nothing_on_the_wall(utc, is_quiet):
    """Quiet hours end at seven on the wall on the days of the change too."""
    assert NIGHT.are_now(datetime.fromisoformat(utc).replace(tzinfo=UTC)) is is_quiet


def test_the_hour_that_is_there_twice_is_quiet_twice():
    """From 02:00 to 03:00 on the day when clocks go back lasts two hours, and it is quiet in both."""
    hours = QuietHours(start="02:00", end="03:00", zone="Europe/Berlin")
    began = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)

    quiet = [hours.are_now(began + timedelta(minutes=minute)) for minute in range(-1, 122)]

    assert quiet == [False, *[True] * 120, False, False]


def test_the_hour_that_is_not_there_is_not_quiet():
    """From 02:00 to 03:00 is left out on the day when clocks go forward: nothing is held back."""
    hours = QuietHours(start="02:00", end="03:00", zone="Europe/Berlin")
    before = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)

    assert not any(hours.are_now(before + timedelta(minutes=minute)) for minute in range(180))


@given(st.integers(0, 600_000_000), st.sampled_from(["UTC", "Asia/Kolkata", "America/St_Johns"]))
def test_hours_and_the_rest_of_the_day_are_each_others_opposite(seconds, zone):
    """Whatever the time and the zone, it is quiet by one of the two and not by the other."""
    now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    night, day = (QuietHours(start=a, end=b, zone=zone) for a, b in (("22:30", "06:15"), ("06:15", "22:30")))

    assert night.are_now(now) is not day.are_now(now)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "24:00", "end": "07:00"},
        {"start": "7:00", "end": "08:00"},
        {"start": "07:00", "end": "07:00"},
        {"start": "07:00", "end": "08:00", "zone": "Nowhere/Land"},
        {"start": "07:00", "end": "08:00", "zone": "../../etc/passwd"},
        {"start": "07:00", "end": "08:00", "zone": ""},
        {"start": "07:00"},
    ],
)
def test_what_is_no_part_of_a_day_is_refused(wrong):
    """A wrong time, zone, or hours without an end."""
    with pytest.raises(ValidationError):
        QuietHours.model_validate(wrong)
