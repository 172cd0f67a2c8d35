"""What is known of a workflow: which transitions lead on from each status, and what their screens ask for.

Jira tells transitions only from where an issue stands, to those who may use them, and shows whole workflows to
administrators only. So each look is remembered, by project, request type and status, under the status that the same
answer shows: a ticket may have been moved since it was last read. Where people moved tickets before is remembered too,
as a hint. Both may be out of date: what Jira does is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_core import FieldName, Integration, PluginError, RetryLater, TicketSnapshot, UnreadableTicket
from connector_jira_jsm.api.bodies import Json
from connector_jira_jsm.api.client import JiraClient
from connector_jira_jsm.fields import form_fields, mapping
from connector_jira_jsm.fields.form_fields import FormField
from connector_jira_jsm.text import wiki

# Of what is remembered; another one is not read. What form 1 filed may stand under a status that it does not lead from.
FORM = 2
RESOLUTION = "resolution"
MOST_STEPS = 12
_LONGEST_LIST = 200  # options of one field that are remembered
_SHORT_LIST = 30
_LONGEST_SCREEN = 40


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
        """Tell whether people went this way but its transition was never seen."""
        return not self.id


Usable = Callable[[str, Step], bool]


@dataclass(frozen=True)
class Here:
    """Where a ticket stands, as one answer shows it, and what leads on from there.

    `recalled` are the ids of steps whose screens that answer did not show: they are as remembered.
    """

    ticket: TicketSnapshot
    status_id: str
    steps: tuple[Step, ...]
    recalled: frozenset[str] = frozenset()


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
            raise RetryLater("Jira does not tell where the ticket stands.", code="status_unreadable")
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
            self._remember(self._key(status), [_written(step) for step in steps])

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
                    if step.done is False and step.to_name and step.to_name not in seen:
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
            ahead = [step.to_name for step in steps if step.done is False and step.to_name not in seen]
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
    screen = [form_fields.of_screen(str(name), one) for name, one in _dicts(shown) if isinstance(one, dict)]
    matters = tuple(
        _shortened(one, is_wanted=one.insists or one.id in wanted or one.id == RESOLUTION)
        for one in screen[:_LONGEST_SCREEN]
    )
    return Step(
        id=str(transition["id"]),
        name=wiki.clean(str(transition.get("name") or transition["id"])),
        to=str(to.get("id") or ""),
        to_name=mapping.status_name(to),
        done=mapping.done_of(to),
        screen=matters,
    )


def _hides_its_screen(transition: Json) -> bool:
    """Tell whether a transition has, or may have, a screen that the answer does not show."""
    return transition.get("hasScreen") is not False and not isinstance(transition.get("fields"), dict)


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
        "screen": [form_fields.written(one) for one in step.screen],
    }


def _all_remembered(kept: object) -> tuple[Step, ...] | None:
    return tuple(_remembered(one) for one in kept) if isinstance(kept, list) else None


def _remembered(kept: Json) -> Step:
    screen = tuple(form_fields.remembered(one) for one in kept["screen"])
    return Step(kept["id"], kept["name"], kept["to"], kept["to_name"], kept["done"], screen)
