"""An end at any moment: a signal interrupts whatever is going on, but never while something is put up or taken down.

What is made within `held` is known to whoever takes it down before anything can interrupt, so nothing is left behind.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, TypeVar

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Closable(Protocol):
    """What is put up and taken down."""

    def close(self) -> None:
        """Take it down."""
        ...


C = TypeVar("C", bound=Closable)


class _State:
    held = 0
    has_come = False
    waits = False


def end_by_signals() -> None:
    """Have the first signal raise `KeyboardInterrupt` from now on; later ones change nothing, for the end has begun."""
    _State.has_come = _State.waits = False
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _come)


def _come(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's arguments
    if _State.has_come:
        return
    _State.has_come = True
    if _State.held:
        _State.waits = True
        return
    raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the block is over."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
        if _State.waits and not _State.held:
            _State.waits = False
            raise KeyboardInterrupt


@contextmanager
def put_up(make: Callable[[], C]) -> Iterator[C]:
    """Make something for a block, and take it down whenever that ends."""
    made = None
    try:
        with held():
            made = make()
        yield made
    finally:
        if made is not None:
            with held():
                made.close()
