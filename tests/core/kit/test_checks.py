"""What checks say, and what changed on the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connector_core import AuthError, ConfigError, Finding, Integration, RemoteError, RetryLater, Severity
from connector_core.kit.checks import close_status, listed, ok, problem, readable, run, warning, webhook_is_there
from connector_core.kit.drift import Drift
from connector_core.testing import FrozenClock
from tests.core.kit.handles import answered


def test_names_of_a_hostile_site_are_harmless():
    """Control characters in what the other side calls things do not reach a terminal."""
    found = [ok("a", "x\x1b[31m", "\x07y"), warning("b", "x\x00", "y\x1b", "z"), problem("c", "x\ud800", "y", "z")]

    assert [(one.title, one.detail, one.fix) for one in found] == [
        ("x[31m", "y", ""),
        ("x", "y", "z"),
        ("x\N{REPLACEMENT CHARACTER}", "y", "z"),
    ]
    assert [one.severity for one in found] == [Severity.OK, Severity.WARNING, Severity.PROBLEM]


@pytest.mark.parametrize("found", [{}, {"6": "Resolved"}, ""])
def test_what_can_be_read_is_told_and_given_back(found: object):
    """However little it is."""
    asking = readable("states", "The list", lambda: found, "Give the role.")

    finding = next(asking)
    with pytest.raises(StopIteration) as ended:
        next(asking)

    assert (finding.code, finding.severity, finding.title) == ("states", Severity.OK, "The list can be read")
    assert ended.value.value == found


def closed() -> None:
    """Refuse it to our account."""
    raise ConfigError("Not for you.")


@pytest.mark.parametrize(("load", "said"), [(closed, "Not for you."), (lambda: None, "It comes back empty.")])
def test_what_is_closed_to_our_account_is_a_warning_with_what_to_do(load: Callable[[], None], said: str):
    """Refused or left out: it makes no difference to whoever has to give the right."""
    (finding,) = readable("states", "The list", load, "Give the role.")

    assert (finding.code, finding.severity, finding.title) == (
        "states_closed",
        Severity.WARNING,
        "The list cannot be read",
    )
    assert (finding.detail, finding.fix) == (said, "Give the role.")


def test_another_error_of_a_look_goes_through():
    """That the other side cannot be reached is no missing right."""

    def gone() -> None:
        raise RetryLater("Later.")

    with pytest.raises(RetryLater):
        next(readable("states", "The list", gone, ""))


def test_a_choice_that_is_gone_is_a_problem():
    """One that is there is told by its name."""
    offered = {"3": "AV Support"}
    (there,) = listed("queue", "The queue", "3", offered, "Choose another one.")
    (gone,) = listed("queue", "The queue", "4", offered, "Choose another one.")

    assert (there.code, there.severity, there.detail) == ("queue", Severity.OK, "AV Support")
    assert (gone.code, gone.severity, gone.title) == (
        "queue_missing",
        Severity.PROBLEM,
        "The queue is not there any more, or hidden",
    )
    assert (gone.detail, gone.fix) == ("4", "Choose another one.")


def failing(code: str, error: Exception) -> Iterator[Finding]:
    """Find one thing, then fail."""
    yield ok(code, "Found")
    raise error


@pytest.mark.parametrize("kind", [ConfigError, RemoteError])
def test_what_could_not_be_asked_is_a_finding(kind: type[ConfigError | RemoteError]):
    """What was found before stays, the next part goes on."""
    found = run(failing("a", kind("No right.", code="forbidden", fix="Give it.")), [ok("b", "Found")])

    assert [one.code for one in found] == ["a", "forbidden", "b"]
    assert (found[1].severity, found[1].detail, found[1].fix) == (Severity.PROBLEM, "No right.", "Give it.")


@pytest.mark.parametrize("error", [AuthError("Log in."), RetryLater("Not now.")])
def test_nothing_more_is_asked_of_a_site_that_does_not_answer(error: Exception):
    """One sentence is enough for all that could not be asked for the same reason."""
    found = run(failing("a", error), failing("b", error))

    assert [one.detail for one in found] == ["", str(error)]


def test_a_mistake_of_the_plugin_is_no_finding():
    """It goes through, to be told as what it is."""
    with pytest.raises(ZeroDivisionError):
        run(failing("a", ZeroDivisionError()))


def test_the_webhook_is_told_as_it_is_set_up():
    """By a secret, or by the connector itself, as far as it can; that there is none the core tells."""
    bare = answered()
    signed = replace(bare, webhook_secrets=(SecretStr("s" * 32),))

    def found(integration: Integration, **how: Any) -> list[tuple[str, Severity]]:  # noqa: ANN401 - by keyword
        return [(one.code, one.severity) for one in webhook_is_there(integration, **how)]

    assert found(bare) == []
    assert found(signed) == [("webhook", Severity.OK)]
    assert found(bare, is_managed=True) == [("webhook", Severity.OK)]
    assert found(signed, is_managed=True, lack="No right.") == [("webhook_scope", Severity.WARNING)]


def say(kind: str, was: object, now: object, name: str) -> Iterator[str]:
    """Say what became of one thing."""
    if kind != "quiet":
        yield f"{kind} {name}: {was} → {now}"


DRIFT = Drift(say, {"status": "On page Statuses."}, "Statuses.")


def look(integration: Integration, now: dict[str, dict[str, Any]], place: str = "AV") -> list[str]:
    """Return what a look tells."""
    return [one.title for one in DRIFT.check(integration, place, now)]


def test_a_change_is_told_for_a_week():
    """With when it was noticed and where it can be undone; afterwards nothing has changed."""
    clock = FrozenClock()
    integration = replace(answered(), clock=clock)

    assert look(integration, {"status": {"6": "Resolved"}}) == ["Fields and workflow are unchanged"]
    told = list(DRIFT.check(integration, "AV", {"status": {"6": "Solved", "7": "Closed"}}))
    assert [one.title for one in told] == ["status 6: Resolved → Solved", "status 7: None → Closed"]
    assert told[0].code == "drift_status"
    assert told[0].detail == f"Noticed on {clock.now():%Y-%m-%d} at {clock.now():%H:%M} UTC."
    assert told[0].fix == "If it was not meant, undo it. On page Statuses."

    clock.forward(timedelta(days=6).total_seconds())
    assert look(integration, {"status": {"6": "Solved"}})[-1] == "status 7: Closed → None"
    clock.forward(timedelta(days=2).total_seconds())
    assert look(integration, {"status": {"6": "Solved"}}) == ["status 7: Closed → None"]
    clock.forward(timedelta(days=6).total_seconds())
    assert look(integration, {"status": {"6": "Solved"}}) == ["Fields and workflow are unchanged"]


def test_places_and_forms_have_a_past_of_their_own():
    """Another queue is no change, nor what another version of the plugin looked at."""
    integration = answered()
    look(integration, {"status": {"6": "Resolved"}})

    assert look(integration, {"status": {"1": "New"}}, "IT") == ["Fields and workflow are unchanged"]
    newer = replace(DRIFT, form=2)
    assert [one.code for one in newer.check(integration, "AV", {"status": {"1": "New"}})] == ["drift"]


def test_what_is_no_news_is_not_told():
    """The plugin decides; the order is that of kinds, then of names."""
    now = {"status": {"b": 2, "a": 1}, "quiet": {"x": 1}, "new": {}}

    assert DRIFT.changes({"quiet": {}, "gone": {"y": 1}}, now) == [
        ("status", "status a: None → 1"),
        ("status", "status b: None → 2"),
    ]


def test_a_landslide_is_told_by_its_last_changes():
    """What is remembered stays small."""
    integration = answered()
    look(integration, {"status": {}})

    assert len(look(integration, {"status": {str(number): 1 for number in range(500)}})) == 40


def test_a_close_status_that_no_ticket_shows_is_a_warning():
    """One that is known is fine, and who keeps tickets open is asked nothing."""
    said = {"lack": "No ticket has it yet", "fix": "Compare it."}

    (unknown,) = close_status("gone", "none", lambda: ["done"], **said)
    (known,) = close_status("done", "none", lambda: ["done"], **said)
    (open_,) = close_status("none", "none", lambda: pytest.fail("nobody has to be asked"), **said)

    assert (unknown.severity, unknown.title, unknown.fix) == (Severity.WARNING, said["lack"], said["fix"])
    assert {known.severity, open_.severity} == {Severity.OK}
