"""Fences: whoever lost a duty stores nothing of it any more.

    with holding(held):
        store.runs.add(run)  # raises DutyLost, and stores nothing, once another node has the duty

Every write in such a block is checked inside its own transaction, whatever it writes, so that none can be forgotten.
The row of the duty is locked meanwhile: who takes it over waits for the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from connector_core.contract.errors import RetryLater
from connector_core.store.records import HeldDuty
from connector_core.store.statements import Connection

T = TypeVar("T")

HELD = "SELECT 1 FROM duty WHERE name = ? AND node = ? AND fence = ? /* FOR UPDATE */"

_held: ContextVar[HeldDuty | None] = ContextVar("held_duty", default=None)


class DutyLost(RetryLater):
    """Another node does by now what this thread wants to store something of."""

    default_code = "duty_taken_over"

    def __init__(self, held: HeldDuty) -> None:
        super().__init__(f"Another node does {held.name} by now.")


@contextmanager
def holding(held: HeldDuty) -> Iterator[None]:
    """Run a block that stores something only as long as a duty is held."""
    before = _held.set(held)
    try:
        yield
    finally:
        _held.reset(before)


def fenced(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return what writes the same, if the duty that this thread works for is still held then."""
    held = _held.get()
    if held is None:
        return work

    def checked(db: Connection) -> T:
        if not is_held(db, held):
            raise DutyLost(held)
        return work(db)

    return checked


def is_held(db: Connection, held: HeldDuty) -> bool:
    """Return whether a duty is still that of who took it."""
    return db.execute(HELD, (held.name, held.node, held.fence)).fetchone() is not None
