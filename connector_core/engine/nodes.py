"""A node: this life of the daemon, and what it owes to others on the same database.

`LoneNode` is the only one of its database; `ClusterNode` (`cluster_node.py`) is one of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from connector_core.clock import Clock, SystemClock
from connector_core.contract.errors import RetryLater
from connector_core.engine.life_sign import LifeSign
from connector_core.loops import Watched
from connector_core.store import Node
from connector_core.store.lanes import Lanes
from connector_core.store.nodes import Nodes


class ThisNode(Protocol):
    """The node of this process."""

    @property
    def id(self) -> str:
        """The boot that claims are made for."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether nobody else works on this database."""
        ...

    @property
    def may_work(self) -> bool:
        """Whether it may claim and call."""
        ...

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads of its own."""
        ...

    def start(self, hear: Callable[[], None]) -> int:
        """Begin; `hear` is called when others have woken lanes. Return how many lanes of the dead were freed."""
        ...

    def tell(self) -> None:
        """Tell the others that lanes were woken."""
        ...

    def when_one_ends(self, call: Callable[[], None]) -> None:
        """Have something called, soon and briefly, when another node has ended or was found dead."""
        ...

    def prefers(self, name: str) -> bool:
        """Return whether what has a name, and is for one node to do, is rather ours than another's."""
        ...

    def is_first(self, since: datetime) -> bool:
        """Return whether nobody was at work when we began, as far as a beat since a time shows."""
        ...

    def check(self) -> None:
        """Raise `RetryLater` if this thread may not call anybody."""
        ...

    @contextmanager
    def working(self, boot: str) -> Iterator[None]:
        """Run a block in which this thread works on what was claimed for a boot."""
        ...

    def stopping(self) -> None:
        """Tell that no more work is taken."""
        ...

    def stop(self) -> None:
        """Say goodbye: what is still held is free at once."""
        ...


class LoneNode:
    """The only node of its database; without `about` it is not listed there."""

    is_alone = True
    may_work = True
    loops: Sequence[Watched] = ()

    def __init__(
        self, lanes: Lanes, nodes: Nodes | None = None, about: Node | None = None, clock: Clock | None = None
    ) -> None:
        self._lanes = lanes
        self._nodes = nodes
        self._about = about
        self._clock = clock or SystemClock()
        self._life_sign = LifeSign()
        self.id = uuid4().hex if about is None else about.id

    def start(self, hear: Callable[[], None]) -> int:  # noqa: ARG002 - nobody tells
        """Free what earlier boots held: they are dead, for there is one at a time."""
        if self._nodes is None or self._about is None:
            return self._lanes.recover(self.id)
        self._life_sign.show()
        return self._nodes.register_alone(replace(self._about, life_sign=self._life_sign.name))

    def tell(self) -> None:
        """Tell nobody."""

    def when_one_ends(self, call: Callable[[], None]) -> None:
        """Never call: there is nobody else."""

    def prefers(self, name: str) -> bool:  # noqa: ARG002 - whatever it is
        """Prefer everything."""
        return True

    def is_first(self, since: datetime) -> bool:  # noqa: ARG002 - at any time
        """Return that nobody else was at work."""
        return True

    def check(self) -> None:
        """Allow every call."""

    @contextmanager
    def working(self, boot: str) -> Iterator[None]:  # noqa: ARG002 - it is ours
        """Run a block."""
        yield

    def stopping(self) -> None:
        """Tell whoever looks that no more work is taken."""
        with suppress(RetryLater):
            if self._nodes is not None:
                self._nodes.say_stopping(self.id)

    def stop(self) -> None:
        """Be listed no more; lanes that it still holds are freed by the next boot."""
        with suppress(RetryLater):
            if self._nodes is not None:
                self._nodes.say_goodbye(self.id, self._clock.now())
        self._life_sign.end()
