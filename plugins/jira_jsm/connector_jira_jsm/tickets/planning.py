"""Which transition a ticket takes next on its way to be closed. Pure: what is known of the workflow is a value.

The way is the shortest known one that leads through no other done status; where none is known, the ticket is moved on
to see what lies behind; at last another done status will do. What of this may be done is a matter of settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from connector_core import Incident
from connector_core.kit.fields import Gap
from connector_jira_jsm.fields.filling import fill_screen
from connector_jira_jsm.settings import Fallback, JiraSettings
from connector_jira_jsm.tickets.workflow import Chart, Step

MOST_STEPS = 12

Barred = AbstractSet[tuple[str, str]]  # steps that are not taken: the status that each leads on from, and its id
NONE: Barred = frozenset()


def shortest_path(chart: Chart, is_goal: Callable[[Step], bool], barred: Barred = NONE) -> tuple[Step, ...] | None:
    """Return the shortest path to a goal that leads through no done status; None when none is known."""
    paths: list[tuple[Step, ...]] = [()]
    seen = {chart.start}
    for _ in range(MOST_STEPS):
        longer: list[tuple[Step, ...]] = []
        for path in paths:
            here = path[-1].to_name if path else chart.start
            steps = [step for step in chart.onward.get(here, ()) if (here, step.id) not in barred]
            # One that asks for nothing is better than one that does.
            steps.sort(key=lambda step: sum(field.insists for field in step.screen))
            for step in steps:
                if is_goal(step):
                    return (*path, step)
                if step.done is False and step.to_name and step.to_name not in seen:
                    seen.add(step.to_name)
                    longer.append((*path, step))
        paths = longer
    return None


def next_step(chart: Chart, barred: Barred, visited: AbstractSet[str], settings: JiraSettings) -> Step | None:
    """Choose the next step: towards the close status, to where nobody looked yet, to another done status."""
    step = _first(shortest_path(chart, lambda step: step.to == settings.close_status, barred))
    if step is None and settings.close_explore:
        step = _to_unseen(chart, barred, visited)
    if step is None and Fallback.OTHER_DONE in settings.close_fallback:
        step = _first(shortest_path(chart, lambda step: step.done is True, barred))
    return step


def gaps_of(step: Step, texts: Mapping[str, str], incident: Incident) -> tuple[Gap, ...]:
    """Return the fields of a step's screen that must be filled in and cannot be."""
    return fill_screen(step.screen, texts, incident).fatal


def _first(path: tuple[Step, ...] | None) -> Step | None:
    return path[0] if path and not path[0].is_hint else None


def _to_unseen(chart: Chart, barred: Barred, visited: AbstractSet[str]) -> Step | None:
    """Choose a step to an open status that nobody looked at, nor this ticket stood in."""
    for step in chart.onward[chart.start]:
        is_new = step.to_name not in visited and step.to_name not in chart.seen
        if is_new and step.done is False and (chart.start, step.id) not in barred:
            return step
    return None
