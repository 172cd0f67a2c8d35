"""Who acts: what a person, a command or the configuration file changes is written down with their name.

    with acting(Actor("ada", Via.CONSOLE, now)):
        store.integrations.put(record)  # the audit log says that Ada changed it, and what

Whoever changes what a page showed says which version that was, as `having_seen`: what somebody else changed since is
not overwritten unseen (`audit.py` compares, in the same transaction).

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
_seen: ContextVar[int | None] = ContextVar("seen", default=None)


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


@contextmanager
def having_seen(version: int | None) -> Iterator[None]:
    """Run a block whose writes are of somebody who saw a version (`audit.version`); None compares nothing."""
    before = _seen.set(version)
    try:
        yield
    finally:
        _seen.reset(before)


def seen() -> int | None:
    """Return which version was seen by whoever writes; None where nobody looked at any."""
    return _seen.get()


def as_actor(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return what writes the same for whoever acts now: it may run on a thread that writes for many."""
    present, version = _actor.get(), _seen.get()
    if present is None:
        return work

    def attributed(db: Connection) -> T:
        with acting(present), having_seen(version):
            return work(db)

    return attributed
