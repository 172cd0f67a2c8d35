"""How many calls the life of an incident costs."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from benchmarks.figures import Figure, Reading
from benchmarks.stages import open_stage
from connector_core.demo.stage import Stage, until
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox

LIVES = 10

SIMPLE = Figure("calls for open, update, resolve", "calls", 5)
HARD = Figure("calls for the same on a difficult site", "calls", 9)
FIGURES = (SIMPLE, HARD)


def measure(*, lives: int = LIVES) -> Iterator[Reading]:
    """Count open, update, resolve, on a simple site and on one whose close is three transitions away."""
    yield SIMPLE, _of_a_life(None, lives)
    difficult = JiraSandbox(DIFFICULT)
    difficult.start()
    yield HARD, _of_a_life(difficult, lives)


def _of_a_life(sandbox: JiraSandbox | None, lives: int) -> float:
    """Count at the sandbox, after one life that fills the caches."""
    with open_stage(sandbox) as stage:
        _live(stage, 0)
        before = _calls_about_one(stage)
        for number in range(1, lives + 1):
            _live(stage, number)
        return (_calls_about_one(stage) - before) / lives


def _calls_about_one(stage: Stage) -> int:
    """Count the calls so far but for bulk reads: those follow the clock, and are of all tickets at once."""
    listed = requests.get(f"{stage.sandbox.url}/_sandbox/calls", timeout=10).json()
    return sum(not call["path"].endswith("/bulkfetch") for call in listed)


def _live(stage: Stage, number: int) -> None:
    incident = stage.platform.open(f"life {number}")
    until(lambda: stage.ticket_of(incident))
    ticket = stage.ticket_of(incident)["id"]
    stage.platform.change(incident, title=f"life {number}, changed")
    until(lambda: stage.sandbox.ticket(ticket)["title"].endswith("changed"))
    stage.platform.resolve(incident)
    until(lambda: stage.sandbox.ticket(ticket)["done"])
    until(lambda: _is_at_rest(stage, incident))  # a close over several steps ends with a look


def _is_at_rest(stage: Stage, incident: str) -> bool:
    with stage.opened_store() as store:
        return all(
            link.status.state == "in_sync" and link.ticket is not None and link.ticket.done
            for link in store.links.find(text=incident)
        )
