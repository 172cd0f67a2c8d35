"""How many calls the life of an incident costs."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import line
from benchmarks.stages import open_stage
from connector_core.demo.stage import Stage, until

LIVES = 10


def measure() -> Iterator[str]:
    """Count open, update, resolve at the sandbox, after one life that fills the caches."""
    with open_stage() as stage:
        _live(stage, 0)
        before = stage.sandbox.call_count()
        for number in range(1, LIVES + 1):
            _live(stage, number)
        yield line("calls for open, update, resolve", (stage.sandbox.call_count() - before) / LIVES, "calls", 5)


def _live(stage: Stage, number: int) -> None:
    incident = stage.platform.open(f"life {number}")
    until(lambda: stage.ticket_of(incident))
    ticket = stage.ticket_of(incident)["id"]
    stage.platform.change(incident, title=f"life {number}, changed")
    until(lambda: stage.sandbox.ticket(ticket)["title"].endswith("changed"))
    stage.platform.resolve(incident)
    until(lambda: stage.sandbox.ticket(ticket)["done"])
