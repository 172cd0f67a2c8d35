"""What the sides that live in memory have in common: a log of calls, switches for bad luck, and an entry point.

Nothing here belongs into a real plugin: `recorded` stands around hooks that are written as a plugin writes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from types import SimpleNamespace
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from connector_core.clock import Clock
from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.handles import AnyIntegration, AnySource
from connector_core.contract.hookspecs import PROJECT_NAME
from connector_core.contract.models import FindComment, FindTicket
from connector_core.testing.clock import FrozenClock

_WRITES = frozenset({"on_incident_event", "write_comment", "mark_ticket", "apply_change"})

_Side = TypeVar("_Side", bound="InMemory")
_Handle = TypeVar("_Handle", bound=AnyIntegration | AnySource)
_More = ParamSpec("_More")
_Answer = TypeVar("_Answer")


class Call(NamedTuple):
    """One call of a hook."""

    hook: str
    #: The argument after the handle; a tuple where there are several, None where there is no other.
    about: Any
    handle: AnyIntegration | AnySource

    @property
    def writes(self) -> bool:
        """Whether it changes something: a look for what an earlier call may have created does not."""
        return self.hook in _WRITES and not isinstance(self.about, FindTicket | FindComment)


@dataclass(frozen=True)
class MemoryEntryPoint:
    """An entry point as `load_plugins(entry_points=[...])` takes it."""

    name: str
    load: Callable[[], object]
    dist: None = None


def recorded(
    hook: Callable[Concatenate[_Side, _Handle, _More], _Answer],
) -> Callable[Concatenate[_Side, _Handle, _More], _Answer]:
    """Log each call of a hook, and let bad luck strike before it does anything or once it has."""

    @wraps(hook)
    def call(side: _Side, handle: _Handle, /, *about: _More.args, **named: _More.kwargs) -> _Answer:
        given = (*about, *named.values())
        made = Call(hook.__name__, (given[0] if len(given) == 1 else given) or None, handle)
        side.calls.append(made)
        side.before(made)
        answer = hook(side, handle, *about, **named)
        side.after(made, answer)
        return answer

    return call


class InMemory:
    """One side of the connector in memory, and the plugin that reaches it.

    Bad luck is switched on by attributes:

        desk.refuse_with(RetryLater("Slow down."))  # the next call; several are refused one after the other
        desk.down = RetryLater("No answer.")        # every call, until it is None again
        desk.lose_answer = True                     # the next write is done, and nobody hears of it
        desk.during = lambda call, answer: ...      # what else happens between a call's effect and its answer
    """

    def __init__(self, clock: Clock | None, name: str, title: str) -> None:
        self.clock: Clock = clock or FrozenClock()
        self.name = name
        self.title = title
        #: All calls of recorded hooks, in order. Two sides may share one list.
        self.calls: list[Call] = []
        self.down: ConnectorError | None = None
        self.lose_answer = False
        self.during: Callable[[Call, Any], object] | None = None
        self._refusals: list[ConnectorError | None] = []

    def refuse_with(self, *errors: ConnectorError | None) -> None:
        """Refuse the next calls with these errors, one each; None lets one through."""
        self._refusals = list(errors)

    def called(self, hook: str) -> list[Call]:
        """Return the calls of one hook."""
        return [call for call in self.calls if call.hook == hook]

    def entry_point(self, *, without: Collection[str] = ()) -> MemoryEntryPoint:
        """Return an entry point that leads to this plugin; hooks that are left out are abilities that it has not."""
        hooks = {
            name: method
            for name, method in inspect.getmembers(self, inspect.ismethod)
            if name not in without and hasattr(method, f"{PROJECT_NAME}_impl")
        }
        return MemoryEntryPoint(self.name, lambda: SimpleNamespace(**hooks))

    def before(self, call: Call) -> None:
        """Let bad luck strike before a call has done anything."""
        if self.down is not None:
            raise self.down
        if self._refusals and (error := self._refusals.pop(0)) is not None:
            raise error

    def after(self, call: Call, answer: object) -> None:
        """Let bad luck strike when a call has done its work."""
        if self.during is not None:
            self.during(call, answer)
        if self.lose_answer and call.writes:
            self.lose_answer = False
            raise RetryLater("The answer was lost.", outcome_unknown=True, code="answer_lost")
