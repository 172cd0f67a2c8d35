"""Who acts: what a person, a command or the configuration file changes is written down with their name.

    with acting(Actor("ada", Via.CONSOLE, now)):
        store.integrations.put(record)  # the audit log says that Ada changed it, and what

What the connector does by itself has no actor and is not in the audit log; the timelines of links tell of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from connector_core.store.records import Actor
from connector_core.store.statements import Connection

T = TypeVar("T")

_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(actor: Actor | None) -> Iterator[None]:
    """Run a block whose writes are somebody's."""
    before = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(before)


def actor() -> Actor | None:
    """Return whose write this is; None for one of the connector's own."""
    return _actor.get()


def as_actor(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return what writes the same for whoever acts now: it may run on a thread that writes for many."""
    present = _actor.get()
    if present is None:
        return work

    def attributed(db: Connection) -> T:
        with acting(present):
            return work(db)

    return attributed
