"""What is known of a workflow: which transitions lead on from each status, and what their screens ask for.

Jira tells transitions only from where an issue stands, to those who may use them, and shows whole workflows to
administrators only. So each look is remembered, by project, request type and status; where people moved tickets before
is remembered too, as a hint. Both may be out of date: what Jira does is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_core import Integration, PluginError
from connector_jira_jsm import fields, mapping, wiki
from connector_jira_jsm.fields import FormField, Json

FORM = 1  # of what is remembered; another one is not read
RESOLUTION = "resolution"
MOST_STEPS = 12
_LONGEST_LIST = 200  # options of one field that are remembered
_SHORT_LIST = 30
_LONGEST_SCREEN = 40


@dataclass(frozen=True)
class Step:
    """A transition: its id, where it leads, and the fields of its screen that matter. A hint has no id."""

    id: str
    name: str
    to: str
    to_name: str
    done: bool
    screen: tuple[FormField, ...] = ()

    @property
    def is_hint(self) -> bool:
        """Tell whether people went this way but its transition was never seen."""
        return not self.id


Usable = Callable[[str, Step], bool]


@dataclass
class Workflow:
    """The workflow of one kind of ticket, as far as it was seen. Statuses go by the name that tickets show."""

    integration: Integration
    place: str
    _known: dict[str, tuple[Step, ...] | None] = field(default_factory=dict)
    _hints: Mapping[str, Sequence[Step]] | None = None

    def steps(self, status: str) -> tuple[Step, ...] | None:
        """Return the steps that lead on from a status; None when nobody looked yet."""
        if status not in self._known:
            self._known[status] = _all_remembered(self.integration.memory.recall(self._key(status)))
        return self._known[status]

    def learn(self, status: str, transitions: Iterable[Json], wanted: frozenset[str] = frozenset()) -> tuple[Step, ...]:
        """Remember what Jira offers from a status; `wanted` are fields that settings have values for."""
        seen = tuple(step for one in transitions if (step := _step(one, wanted)) is not None)
        if self.steps(status) != seen:
            self._known[status] = seen
            self._remember(self._key(status), [_written(step) for step in seen])
        return seen

    def learn_moves(self, moves: Iterable[tuple[str, Step]]) -> None:
        """Remember where people moved tickets."""
        found: dict[str, dict[str, Step]] = {}
        for status, step in moves:
            found.setdefault(status, {})[step.to] = step
        hints = {status: list(steps.values()) for status, steps in sorted(found.items())}
        if hints and hints != self.hints():
            self._hints = hints
            written = {status: [_written(step) for step in steps] for status, steps in hints.items()}
            self._remember(f"moves {FORM} {self.place}", written)

    def hints(self) -> Mapping[str, Sequence[Step]]:
        """Return where people moved tickets from each status."""
        if self._hints is None:
            kept = self.integration.memory.recall(f"moves {FORM} {self.place}") or {}
            self._hints = {status: _all_remembered(steps) or () for status, steps in kept.items()}
        return self._hints

    def path(self, start: str, is_goal: Callable[[Step], bool], usable: Usable) -> tuple[Step, ...] | None:
        """Return the shortest way to a goal that leads through no done status; None when none is known."""
        ways: list[tuple[Step, ...]] = [()]
        seen = {start}
        for _ in range(MOST_STEPS):
            longer: list[tuple[Step, ...]] = []
            for way in ways:
                here = way[-1].to_name if way else start
                steps = [step for step in self._onward(here) if usable(here, step)]
                # One that asks for nothing is better than one that does.
                steps.sort(key=lambda step: sum(field.insists for field in step.screen))
                for step in steps:
                    if is_goal(step):
                        return (*way, step)
                    if not step.done and step.to_name not in seen:
                        seen.add(step.to_name)
                        longer.append((*way, step))
            ways = longer
        return None

    def is_all_seen_from(self, start: str) -> bool:
        """Tell whether everything that can be reached over open statuses was looked at."""
        waiting, seen = [start], {start}
        while waiting:
            steps = self.steps(waiting.pop())
            if steps is None:
                return False
            ahead = [step.to_name for step in steps if not step.done and step.to_name not in seen]
            seen.update(ahead)
            waiting += ahead
        return True

    def _onward(self, status: str) -> Sequence[Step]:
        known = self.steps(status)
        return self.hints().get(status, ()) if known is None else known

    def _key(self, status: str) -> str:
        return f"ways {FORM} {self.place}/{status}"

    def _remember(self, key: str, value: object) -> None:
        """Keep what was learnt; what is too long is known to this process only."""
        try:
            self.integration.memory.remember(key, value)
        except PluginError as exc:
            self.integration.log.info("workflow_not_remembered", key=key, reason=exc.message)


def place_of(ticket_key: str, request_type: str) -> str:
    """Name the workflow of a ticket: tickets of one request type in one project share it."""
    return f"{mapping.project_of(ticket_key)}/{request_type}"


def _step(transition: Json, wanted: frozenset[str]) -> Step | None:
    to = transition.get("to")
    if transition.get("isAvailable") is False or not isinstance(to, dict) or not transition.get("id"):
        return None
    shown = transition.get("fields")
    screen = [fields.of_screen(str(name), one) for name, one in _dicts(shown) if isinstance(one, dict)]
    matters = tuple(
        _shortened(one, is_wanted=one.insists or one.id in wanted or one.id == RESOLUTION)
        for one in screen[:_LONGEST_SCREEN]
    )
    return Step(
        id=str(transition["id"]),
        name=wiki.clean(str(transition.get("name") or transition["id"])),
        to=str(to.get("id")),
        to_name=wiki.clean(str(to.get("name"))),
        done=mapping.is_done(to),
        screen=matters,
    )


def _shortened(shown: FormField, *, is_wanted: bool) -> FormField:
    """Leave out what would make the memory long: most of the lists of fields that nobody fills in."""
    return replace(shown, options=shown.options[: _LONGEST_LIST if is_wanted else _SHORT_LIST])


def _dicts(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _written(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "name": step.name,
        "to": step.to,
        "to_name": step.to_name,
        "done": step.done,
        "screen": [fields.written(one) for one in step.screen],
    }


def _all_remembered(kept: object) -> tuple[Step, ...] | None:
    return tuple(_remembered(one) for one in kept) if isinstance(kept, list) else None


def _remembered(kept: Json) -> Step:
    screen = tuple(fields.remembered(one) for one in kept["screen"])
    return Step(kept["id"], kept["name"], kept["to"], kept["to_name"], kept["done"], screen)
