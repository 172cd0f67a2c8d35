"""What changed in Jira since it was last looked at: fields, options, statuses, transitions, priorities.

What would break the next incident is found by the other checks as well, as what it is; here it is told as what somebody
changed, and when, for a week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connector_core.kit.drift import Drift
from connector_core.kit.values import Json
from connector_jira_jsm.checks.findings import FORM_PAGE, PRIORITIES_PAGE, WORKFLOW_PAGE
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.tickets.workflow import Workflow

MOST_OPTIONS = 300

_PAGES = {"field": FORM_PAGE, "priority": PRIORITIES_PAGE, "status": WORKFLOW_PAGE, "way": WORKFLOW_PAGE}


def picture(form: RequestFields, statuses: Iterable[Json], workflow: Workflow) -> dict[str, dict[str, Any]]:
    """Return what incidents depend on, in a form that can be compared: kind, then name, then what matters of it."""
    shown: dict[str, dict[str, Any]] = {
        "field": {
            field.id: [
                field.name,
                field.insists,
                field.kind.value,
                sorted(option.label for option in field.options)[:MOST_OPTIONS],
            ]
            for field in form.others
        },
        "priority": {one.id: [one.name] for one in form.priorities},
        "status": {},
        "way": {},
    }
    for own in ("summary", "description", "priority"):
        if own in form.ids:
            shown["field"][own] = [own.capitalize(), False, "", []]
    for status in statuses:
        category = status.get("statusCategory")
        key = category.get("key") if isinstance(category, dict) else None
        name = str(status.get("name"))
        shown["status"][str(status.get("id"))] = [name, key]
        steps = workflow.steps(name)
        if steps is not None:
            shown["way"][name] = sorted(f"{step.to_name} ({step.name})" for step in steps)
    return shown


def _sentences(kind: str, was: list[Any] | None, now: list[Any] | None, name: str) -> Iterator[str]:
    """Say what became of one thing; a transition is told by the status that it starts from."""
    if kind == "way":
        # Seen for the first time, or nobody stands there now: no change of the workflow.
        yield from _of_way(was, now, name) if was is not None and now is not None else ()
    elif was and now:
        yield from _CHANGES[kind](was, now, name)
    elif now:
        is_needed = kind == "field" and now[1]
        yield _NEW[kind].format(name=now[0], required="required " if is_needed else "")
    elif was:
        yield _GONE[kind].format(name=was[0])


_NEW = {
    "field": "The request type has a new {required}field {name}",
    "priority": "The project has a new priority {name}",
    "status": "The workflow has a new status {name}",
}
_GONE = {
    "field": "The request type has no field {name} any more",
    "priority": "The project does not offer the priority {name} any more",
    "status": "The workflow has no status {name} any more",
}


def _of_field(was: list[Any], now: list[Any], name: str) -> Iterator[str]:
    if was[1] != now[1]:
        yield f"The field {now[0]} is {'required now' if now[1] else 'not required any more'}"
    if was[2] != now[2]:
        yield f"The field {now[0]} is of another kind now ({now[2]})"
    if gone := sorted(set(was[3]) - set(now[3])):
        yield f"The field {now[0]} does not offer {', '.join(gone)} any more"
    if was[:3] == now[:3] and not gone:
        yield f"The field {now[0]} offers more now: {', '.join(sorted(set(now[3]) - set(was[3])))}"
    if was[0] != now[0]:
        yield f"The field {was[0]} ({name}) is called {now[0]} now"


def _of_priority(was: list[Any], now: list[Any], _: str) -> Iterator[str]:
    yield f"The priority {was[0]} is called {now[0]} now"


def _of_status(was: list[Any], now: list[Any], _: str) -> Iterator[str]:
    if was[0] != now[0]:
        yield f"The status {was[0]} is called {now[0]} now"
    if was[1] != now[1]:
        yield f"The status {now[0]} is {'of' if now[1] == 'done' else 'not of'} the category Done now"


_CHANGES = {"field": _of_field, "priority": _of_priority, "status": _of_status}


def _of_way(was: list[Any], now: list[Any], name: str) -> Iterator[str]:
    if gone := [way for way in was if way not in now]:
        yield f"From {name} no transition leads to {', '.join(gone)} any more"
    if new := [way for way in now if way not in was]:
        yield f"From {name} a transition leads to {', '.join(new)} now"


DRIFT = Drift(_sentences, _PAGES, "Fields, statuses, transitions and priorities.", form=2)
