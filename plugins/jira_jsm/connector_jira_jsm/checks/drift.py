"""What changed in Jira since it was last looked at: fields, options, statuses, transitions, priorities.

What would break the next incident is found by the other checks as well, as what it is; here it is told as what somebody
changed, and when, for a week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from connector_core import Finding, Integration, utc
from connector_jira_jsm.api.bodies import Json
from connector_jira_jsm.checks.findings import FORM_PAGE, PRIORITIES_PAGE, WORKFLOW_PAGE, ok, warning
from connector_jira_jsm.fields.mapping import RequestFields
from connector_jira_jsm.tickets.workflow import Workflow

FORM = 2  # of what is remembered; another one is not read
TOLD_FOR = timedelta(days=7)
MOST_CHANGES = 40
MOST_OPTIONS = 300

Picture = Mapping[str, Mapping[str, Any]]
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


def compare(before: Picture, now: Picture) -> list[tuple[str, str]]:
    """Return the kind of each change, and a sentence."""
    found = []
    for kind, entries in now.items():
        known = before.get(kind, {})
        for name in sorted(set(known) | set(entries)):
            if kind == "way" and (name not in known or name not in entries):
                continue  # seen for the first time, or nobody stands there now: no change of the workflow
            if known.get(name) != entries.get(name):
                found += [(kind, text) for text in _sentences(kind, known.get(name), entries.get(name), name)]
    return found


def check_drift(integration: Integration, place: str, now: Picture) -> Iterator[Finding]:
    """Compare with what was seen last, remember what is now, and tell of the changes of the last days."""
    memory, clock = integration.memory, integration.clock
    key = f"picture {FORM} {place}"
    kept = memory.recall(key) or {}
    changes: list[list[str]] = list(kept.get("changes", ()))
    before = kept.get("picture")
    if before is not None:
        at = utc(clock.now()).isoformat(timespec="minutes")
        changes += [[kind, text, at] for kind, text in compare(before, now)]
    fresh = [one for one in changes if clock.now() - datetime.fromisoformat(one[2]) < TOLD_FOR][-MOST_CHANGES:]
    if before != now or fresh != kept.get("changes", []):
        memory.remember(key, {"picture": now, "changes": fresh})
    for kind, text, at in fresh:
        moment = datetime.fromisoformat(at)
        yield warning(
            f"drift_{kind}",
            text,
            f"Noticed on {moment:%Y-%m-%d} at {moment:%H:%M} UTC.",
            f"If it was not meant, undo it. {_PAGES[kind]}",
        )
    if not fresh:
        yield ok("drift", "Nothing changed on the other side", "Fields, statuses, transitions and priorities.")


def _sentences(kind: str, was: list[Any] | None, now: list[Any] | None, name: str) -> Iterator[str]:
    """Say what became of one thing; a transition is told by the status that it starts from."""
    if kind == "way":
        yield from _of_way(was or [], now or [], name)
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
