"""Broken versions of a source plugin, made without knowing it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import EventType, IncidentEvent, Poll, UpdateOutcome
from connector_core.testing.conformance import lies, session_lies
from connector_core.testing.conformance.liar import Mutant


def _events(change: Any) -> lies.Lie:
    """Lie about what a look shows."""

    def says(truth: lies.Truth, hook: str, given: dict[str, Any]) -> Any:
        poll: Poll = truth(hook, **given)
        return poll.model_copy(update={"events": tuple(change(list(poll.events)))})

    return says


def _renamed(events: list[IncidentEvent]) -> list[IncidentEvent]:
    return [event.model_copy(update={"id": uuid4().hex}) for event in events]


def _without_kind(kind: EventType) -> Any:
    return lambda events: [event for event in events if event.type is not kind]


def _closing_on_failure(truth: lies.Truth, hook: str, given: dict[str, Any]) -> Any:
    """Take what a failed look did not show for closed."""
    try:
        return truth(hook, **given)
    except ConnectorError:
        source, cursor = given["source"], given["cursor"]
        closed = tuple(
            IncidentEvent(
                id=f"gone-{incident.id}", type=EventType.RESOLVED, occurred_at=source.clock.now(), incident=incident
            )
            for incident in source.followed()
        )
        return Poll(cursor=cursor or "", events=closed)


def _from_the_beginning(truth: lies.Truth, hook: str, given: dict[str, Any]) -> Any:
    return truth(hook, **{**given, "cursor": None})


def _never_new(truth: lies.Truth, hook: str, given: dict[str, Any]) -> Any:
    poll: Poll = truth(hook, **given)
    return poll.model_copy(update={"cursor": given["cursor"] or poll.cursor})


def _first_only(events: list[IncidentEvent]) -> list[IncidentEvent]:
    return events[:100]


_POLL = frozenset({"poll_incidents"})
_WRITE = frozenset({"apply_change"})
_ALL = frozenset({"poll_incidents", "apply_change", "check_source"})

SOURCE_MUTANTS = (
    Mutant("events have other names each time", "same_cursor", hooks=_POLL, says=_events(_renamed)),
    Mutant(
        "what is opened is not told", "opening_to_close", hooks=_POLL, says=_events(_without_kind(EventType.OPENED))
    ),
    Mutant(
        "what is changed is not told", "opening_to_close", hooks=_POLL, says=_events(_without_kind(EventType.UPDATED))
    ),
    Mutant(
        "what is closed is not told", "opening_to_close", hooks=_POLL, says=_events(_without_kind(EventType.RESOLVED))
    ),
    Mutant("only the first page is told", "all_pages", hooks=_POLL, says=_events(_first_only)),
    Mutant("a look that failed closes everything", "look_failed", hooks=_POLL, says=_closing_on_failure),
    Mutant("each look begins at the beginning", "opening_to_close", hooks=_POLL, says=_from_the_beginning),
    Mutant("the cursor never goes on", "same_cursor", hooks=_POLL, says=_never_new),
    Mutant("the wait that was asked for is not told", "waits", hooks=_POLL, says=lies.raised(lies.without_wait)),
    Mutant("errors are not of our tree", "waits", hooks=_POLL, says=lies.raised(lies.other_error)),
    Mutant("every refusal is taken for an empty answer", "look_failed", hooks=_POLL, does=session_lies.believing(200)),
    Mutant("a close does nothing", "closes", hooks=_WRITE, says=lambda truth, hook, given: UpdateOutcome()),
    Mutant(
        "all is well, whatever is found",
        "could_not_ask",
        hooks=frozenset({"check_source"}),
        says=lies.all_is_well,
    ),
)
