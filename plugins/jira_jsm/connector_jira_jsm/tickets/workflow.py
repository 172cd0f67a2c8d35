"""What is known of a workflow: which transitions lead on from each status, and what their screens ask for.

Jira tells transitions only from where an issue stands, to those who may use them, and shows whole workflows to
administrators only. So each look is remembered, by project, request type and status, under the status that the same
answer shows: a ticket may have been moved since it was last read. Where people moved tickets before is remembered too,
as a hint. Both may be out of date: what Jira does is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from connector_core import (
    AnyIntegration,
    FieldName,
    PluginError,
    RetryLater,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.kit import texts
from connector_core.kit.fields import FormField
from connector_core.kit.values import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import form_fields, mapping

# Of what is remembered; another one is not read. What form 1 filed may stand under a status that it does not lead from.
FORM = 2
RESOLUTION = "resolution"
_LONGEST_LIST = 200  # options of one field that are remembered
_SHORT_LIST = 30
_LONGEST_SCREEN = 40

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """A transition: its id, where it leads, and the fields of its screen that matter. A hint has no id.

    `done` is None where the category was not told: such a status is neither an end nor a place to pass through.
    """

    id: str
    name: str
    to: str
    to_name: str
    done: bool | None
    screen: tuple[FormField, ...] = ()

    @property
    def is_hint(self) -> bool:
        """Return whether people went this way but its transition was never seen."""
        return not self.id


STEPS = TypeAdapter(tuple[Step, ...])
MOVES = TypeAdapter(dict[str, tuple[Step, ...]])


@dataclass(frozen=True)
class Here:
    """Where a ticket stands, as one answer shows it, and what leads on from there.

    `recalled` are the ids of steps whose screens that answer did not show: they are as remembered.
    """

    ticket: TicketSnapshot
    status_id: str
    steps: tuple[Step, ...]
    recalled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Chart:
    """What is known of where a ticket can go from one status: a value, so whoever searches it asks nobody."""

    #: The status that the ticket stands in.
    start: str
    #: The steps from each status that can be reached over open ones; hints, where nobody looked yet.
    onward: Mapping[str, Sequence[Step]]
    #: The statuses that were looked at.
    seen: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Return whether every status that can be reached over open ones was looked at."""
        return self.seen >= self.onward.keys()


@dataclass
class Workflow:
    """The workflow of one kind of ticket, as far as it was seen. Statuses go by the name that tickets show."""

    integration: AnyIntegration
    place: str
    _known: dict[str, tuple[Step, ...] | None] = field(default_factory=dict)
    _hints: Mapping[str, Sequence[Step]] | None = None

    def steps(self, status: str) -> tuple[Step, ...] | None:
        """Return the steps that lead on from a status; None when nobody looked yet."""
        if status not in self._known:
            self._known[status] = self._recall(STEPS, self._key(status))
        return self._known[status]

    def look(
        self, client: JiraClient, ticket_id: str, wanted: frozenset[str] = frozenset(), *, anew: bool = False
    ) -> Here:
        """Read where a ticket stands with what leads on from there, and remember the latter under that status.

        Screens are shown by another call only, which is made when they are not remembered, or to be read `anew`.

        Raises:
            RetryLater: the answer does not tell where the ticket stands.
        """
        issue = client.whereabouts(ticket_id)
        ticket = mapping.snapshot(issue, (), client.site_url(), asked=ticket_id)
        shown = issue.get("fields")
        status = shown.get("status") if isinstance(shown, dict) else None
        listed = issue.get("transitions")
        if (
            isinstance(ticket, UnreadableTicket)
            or not isinstance(status, dict)
            or not isinstance(listed, list)
            or not ticket.tells(FieldName.STATUS)
            or not ticket.status
        ):
            raise status_unreadable()
        offered = [one for one in listed if isinstance(one, dict)]
        known = {step.id: step for step in self.steps(ticket.status) or ()}
        unseen = {str(one.get("id")) for one in offered if _hides_its_screen(one)}
        if unseen and (anew or not unseen <= known.keys()):
            screens = {str(one.get("id")): one.get("fields") for one in client.transitions(ticket_id)}
            offered = [{**one, "fields": screens.get(str(one.get("id")))} for one in offered]
            unseen = set()
        fresh = self._seen(offered, wanted)
        steps = tuple(replace(one, screen=known[one.id].screen) if one.id in unseen else one for one in fresh)
        self._file(ticket.status, steps)
        return Here(ticket, str(status.get("id") or ""), steps, frozenset(unseen))

    def learn(self, status: str, transitions: Iterable[Json], wanted: frozenset[str] = frozenset()) -> tuple[Step, ...]:
        """Remember what Jira offers from a status; `wanted` are fields that settings have values for."""
        seen = self._seen(transitions, wanted)
        self._file(status, seen)
        return seen

    def _seen(self, transitions: Iterable[Json], wanted: frozenset[str]) -> tuple[Step, ...]:
        return tuple(step for one in transitions if (step := _step(one, wanted)) is not None)

    def _file(self, status: str, steps: tuple[Step, ...]) -> None:
        """Remember steps in place of those that were remembered before."""
        if self.steps(status) != steps:
            self._known[status] = steps
            self._remember(self._key(status), STEPS.dump_python(steps))

    def learn_moves(self, moves: Iterable[tuple[str, Step]]) -> None:
        """Remember where people moved tickets."""
        found: dict[str, dict[str, Step]] = {}
        for status, step in moves:
            found.setdefault(status, {})[step.to] = step
        hints = {status: tuple(steps.values()) for status, steps in sorted(found.items())}
        if hints and hints != self.hints():
            self._hints = hints
            self._remember(self._moves_key(), MOVES.dump_python(hints))

    def hints(self) -> Mapping[str, Sequence[Step]]:
        """Return where people moved tickets from each status."""
        if self._hints is None:
            self._hints = self._recall(MOVES, self._moves_key()) or {}
        return self._hints

    def around(self, start: str, offered: tuple[Step, ...] | None = None) -> Chart:
        """Return all that is known of where a ticket can go from a status; `offered` is what a look showed there."""
        onward: dict[str, Sequence[Step]] = {}
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            status = waiting.pop()
            known = offered if offered is not None and status == start else self.steps(status)
            if known is not None:
                seen.add(status)
            onward[status] = self.hints().get(status, ()) if known is None else known
            ahead = {step.to_name for step in onward[status] if step.done is False}
            waiting += ahead - onward.keys() - set(waiting)
        return Chart(start, onward, frozenset(seen))

    def _key(self, status: str) -> str:
        return f"ways {FORM} {self.place}/{status}"

    def _moves_key(self) -> str:
        return f"moves {FORM} {self.place}"

    def _recall(self, form: TypeAdapter[T], key: str) -> T | None:
        """Return what was remembered; what does not fit any more is not."""
        try:
            return form.validate_python(self.integration.memory.recall(key))
        except ValidationError:
            return None

    def _remember(self, key: str, value: object) -> None:
        """Keep what was learnt; what is too long is known to this process only."""
        try:
            self.integration.memory.remember(key, value)
        except PluginError as exc:
            self.integration.log.info("workflow_not_remembered", key=key, reason=exc.message)


def status_unreadable() -> RetryLater:
    """Return the error that keeps a ticket from being written which may be done."""
    return RetryLater("Jira does not tell where the ticket stands.", code="status_unreadable")


def place_of(ticket_key: str, request_type: str) -> str:
    """Name the workflow of a ticket: tickets of one request type in one project share it."""
    return f"{mapping.project_of(ticket_key)}/{request_type}"


def _step(transition: Json, wanted: frozenset[str]) -> Step | None:
    to = transition.get("to")
    if transition.get("isAvailable") is False or not isinstance(to, dict) or not transition.get("id"):
        return None
    shown = transition.get("fields")
    screen = [form_fields.of_screen(str(name), one) for name, one in _dicts(shown) if isinstance(one, dict)]
    matters = tuple(
        _shortened(one, is_wanted=one.insists or one.id in wanted or one.id == RESOLUTION)
        for one in screen[:_LONGEST_SCREEN]
    )
    return Step(
        id=str(transition["id"]),
        name=texts.clean(str(transition.get("name") or transition["id"])),
        to=str(to.get("id") or ""),
        to_name=mapping.status_name(to),
        done=mapping.done_of(to),
        screen=matters,
    )


def _hides_its_screen(transition: Json) -> bool:
    """Return whether a transition has, or may have, a screen that the answer does not show."""
    return transition.get("hasScreen") is not False and not isinstance(transition.get("fields"), dict)


def _shortened(shown: FormField, *, is_wanted: bool) -> FormField:
    """Leave out what would make the memory long: most of the lists of fields that nobody fills in."""
    return replace(shown, options=shown.options[: _LONGEST_LIST if is_wanted else _SHORT_LIST])


def _dicts(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()
