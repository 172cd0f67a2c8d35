"""What is told, and when: once for each condition, together, and not in quiet hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector_core.notify.changes import Saying, follow, to_tell
from connector_core.notify.conditions import Condition, Kind
from connector_core.notify.quiet_hours import QuietHours
from connector_core.notify.settings import SlackNotifier

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SETTINGS = SlackNotifier(channel="slack", url="https://hooks.example.com/services/T/B/x")
LOST = Condition(Kind.AUTHORIZATION_LOST, START, "desk", {"system": "Desk"})
REFUSED = Condition(Kind.DELIVERIES_REFUSED, START, "desk", {"reason": "Why."})


class Story:
    """A notifier whose every message is taken, minute by minute."""

    def __init__(self, **settings):
        self.settings = SETTINGS.model_copy(update=settings)
        self.now = START
        self.notices = []

    def go_on(self, minutes, *conditions):
        """Let time pass in half minutes; return what was told, each message as a set of what it says."""
        told = []
        for _ in range(int(minutes * 2)):
            step = follow(self.notices, conditions, self.settings, self.now)
            due = to_tell(step.notices, self.settings, self.now)
            if due:
                told.append({(one.kind.value, one.saying.value) for one in due})
            keys = {one.key for one in due}
            after = [one.was_told(self.now) if one.key in keys else one for one in step.notices]
            self.notices = [one for one in after if one is not None]
            self.now += timedelta(seconds=30)
        return told


def test_a_condition_is_told_once_however_long_it_lasts():
    """A day of it is one message."""
    story = Story()

    assert story.go_on(24 * 60, LOST) == [{("authorization_lost", "started")}]


def test_its_end_is_told_once():
    """What was told has an end that is told too, and then nothing is left."""
    story = Story()
    story.go_on(5, LOST)

    assert story.go_on(60) == [{("authorization_lost", "ended")}]
    assert story.notices == []


def test_a_condition_that_comes_again_is_told_again():
    """It is another one."""
    story = Story()
    story.go_on(5, LOST)
    story.go_on(5)

    assert story.go_on(5, LOST) == [{("authorization_lost", "started")}]


def test_conditions_within_a_minute_are_one_message():
    """The first waits for the others."""
    story = Story()

    assert story.go_on(0.5, LOST) == []
    assert story.go_on(10, LOST, REFUSED) == [{("authorization_lost", "started"), ("deliveries_refused", "started")}]


def test_the_end_of_one_goes_with_the_start_of_another():
    """A digest says both."""
    story = Story()
    story.go_on(5, LOST)

    assert story.go_on(5, REFUSED) == [{("authorization_lost", "ended"), ("deliveries_refused", "started")}]


def test_what_is_over_before_it_was_told_is_never_told():
    """Neither its start nor its end."""
    story = Story()
    story.go_on(0.5, LOST)

    assert story.go_on(30) == []
    assert story.notices == []


def test_what_ends_for_a_moment_goes_on():
    """An end that is not told yet is taken back."""
    story = Story()
    story.go_on(5, LOST)
    story.go_on(0.5)

    assert story.go_on(60, LOST) == []
    assert story.go_on(5) == [{("authorization_lost", "ended")}]


def test_the_facts_of_a_condition_are_those_of_when_it_is_told():
    """What has changed while it waited is in the message; what changes afterwards is no news."""
    story = Story()
    story.go_on(0.5, REFUSED)
    story.go_on(0.5, replace(REFUSED, values={"reason": "Another."}))

    assert [one.values["reason"] for one in story.notices] == ["Another."]


def test_reminders_come_only_where_they_are_wanted():
    """Every twelve hours, with those of others that are due then."""
    story = Story(remind_every=timedelta(hours=12))

    told = story.go_on(25 * 60, LOST)

    assert told == [{("authorization_lost", "started")}, *[{("authorization_lost", "reminder")}] * 2]


def test_a_backlog_is_one_from_a_certain_age_on():
    """What waits for less than that is nobody's business."""
    backlog = Condition(Kind.BACKLOG, START, "desk")

    assert Story(backlog_after=timedelta(minutes=30)).go_on(30, backlog) == []
    assert Story(backlog_after=timedelta(minutes=30)).go_on(33, backlog) == [{("backlog", "started")}]


def test_only_the_wanted_conditions_are_told():
    """One that is not wanted any more is dropped without a word."""
    story = Story(conditions=(Kind.DELIVERIES_REFUSED,))
    assert story.go_on(10, LOST, REFUSED) == [{("deliveries_refused", "started")}]

    story.settings = story.settings.model_copy(update={"conditions": (Kind.AUTHORIZATION_LOST,)})
    assert story.go_on(10, LOST, REFUSED) == [{("authorization_lost", "started")}]


def test_without_all_clear_no_end_is_told():
    """And the condition is told again when it comes again."""
    story = Story(all_clear=False)
    story.go_on(5, LOST)

    assert story.go_on(30) == []
    assert story.go_on(5, LOST) == [{("authorization_lost", "started")}]


QUIET = QuietHours(start="12:00", end="14:00")
URGENT_PASSES = QUIET.model_copy(update={"let_urgent_through": True})


def test_in_quiet_hours_messages_are_held_back_until_their_end():
    """What is so by then is one message."""
    story = Story(quiet_hours=QUIET)

    assert story.go_on(120, LOST, REFUSED) == []
    assert story.go_on(5, LOST, REFUSED) == [{("authorization_lost", "started"), ("deliveries_refused", "started")}]


def test_what_was_over_before_quiet_hours_ended_is_never_told():
    """Nobody wants to read in the morning what mended itself in the night."""
    story = Story(quiet_hours=QUIET)
    story.go_on(60, LOST)

    assert story.go_on(180) == []


def test_urgent_conditions_pass_if_that_is_set():
    """Only those, and only their start."""
    story = Story(quiet_hours=URGENT_PASSES)

    assert story.go_on(30, LOST, REFUSED) == [{("authorization_lost", "started")}]
    assert story.go_on(90, REFUSED) == []
    assert story.go_on(5, REFUSED) == [{("authorization_lost", "ended"), ("deliveries_refused", "started")}]


@pytest.mark.parametrize("state", list(Saying))
def test_every_state_of_a_notice_can_be_told(state):
    """A message can say that something began, lasts and has ended."""
    story = Story(remind_every=timedelta(minutes=2))
    said = {name for message in [*story.go_on(6, LOST), *story.go_on(3)] for _, name in message}

    assert state.value in said
