"""That a node is there, as other nodes can see it; and what nodes tell each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from connector_core.loops import Watched
from connector_core.store.records import Node


class News(StrEnum):
    """What nodes tell each other, so that they look at once: nothing but time is lost where it is not heard."""

    LANES = "lanes"
    SETTINGS = "settings"


@dataclass(frozen=True)
class Seen:
    """A node that is not known to be dead: when it beat last, and whether it holds the lock of its session."""

    node: Node
    seen_at: datetime
    has_session: bool


@dataclass(frozen=True)
class Beat:
    """What came of a beat: the database's time, and whether we count as alive; when it was asked and answered here."""

    at: datetime
    is_alive: bool
    asked: float
    answered: float


class Presence(Protocol):
    """The session of a node: a connection of its own, and a lock that the server frees when that ends."""

    @property
    def session(self) -> int | None:
        """The number of the present session, another one after each break; None while there is none."""
        ...

    def hold(self, node_id: str) -> None:
        """Have the session be that of a node; raise `RetryLater` when the database cannot be reached."""
        ...

    def beat(self, node_id: str) -> Beat:
        """Note that a node is alive; raise `RetryLater` when that cannot be done."""
        ...

    def others(self, node_id: str) -> Sequence[Seen]:
        """Return the other nodes that are not known to be dead."""
        ...

    def close(self) -> None:
        """Let go of the session."""
        ...


class Signals(Protocol):
    """What nodes tell each other."""

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that tell and listen."""
        ...

    def start(self, sender: str, hear: Callable[[News], None]) -> None:
        """Listen to others than the sender, and send what is told in its name."""
        ...

    def tell(self, news: News) -> None:
        """Tell the other nodes, soon and without waiting for it."""
        ...

    def stop(self) -> None:
        """End."""
        ...


@dataclass(frozen=True)
class Together:
    """What a daemon needs that may be one of several on its database."""

    presence: Presence
    signals: Signals
