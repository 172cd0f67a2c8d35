"""Counting hops: what of ours stands on the stack between a flow's entry and its effects.

An effect is a call of a plugin's hook or an operation of the store; for the part of a plugin it is a request over HTTP.
When one happens, the stack is walked from it up to the flow's entry. Both ends are counted; frames of libraries, and of
comprehensions, are not. Nor is what stands in another thread: a page of the console begins where the server hands it to
a worker.

What the budget is held against is the deepest of a flow's stacks. Beside it stands how many files and functions the
flow passes through at all, deep or not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
CORE, PLUGIN = "connector_core/", "connector_jira_jsm/"
MOST_FILES, MOST_FRAMES = 6, 8

_STORE = "connector_core/store/"
_NOUNS = "connector_core/store/nouns.py"
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_RELAY = "connector_core/relay.py"
_NO_HOOKS = frozenset({"Relay.__init__", "Relay.implements", "let_go"})
_HTTP = ("connector_core/http/session.py", "HTTPSession.request")
_DATABASE = frozenset({
    ("connector_core/store/sqlite.py", "SQLiteReading.read"),
    ("connector_core/store/sqlite.py", "SQLiteReading.exclusive"),
    ("connector_core/store/sqlite.py", "SQLiteDatabase.submit"),
    ("connector_core/store/sqlite.py", "SQLiteDatabase.write"),
})  # fmt: skip


@dataclass(frozen=True)
class Hop:
    """A function of ours on the stack."""

    file: str
    function: str

    def __str__(self) -> str:
        return f"{self.file}::{self.function}"


@dataclass(frozen=True)
class Flow:
    """What is watched, and how it is made to happen."""

    name: str
    #: The function that a flow begins with, or the folder or file whose first function it is.
    entry: str
    #: Gets a trace to enter just around what happens.
    act: Callable[[Trace], None]
    #: The effect that the flow is for.
    aim: str
    #: Where files of ours stand.
    ours: str = CORE


@dataclass
class Trace:
    """What was seen while a flow ran."""

    flow: Flow
    #: From the entry to an effect, each once.
    stacks: set[tuple[Hop, ...]] = field(default_factory=set)
    passed: set[Hop] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._hops: dict[CodeType, Hop | None] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch every call in this thread and in those that begin meanwhile."""
        threading.setprofile(self._seen)
        sys.setprofile(self._seen)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def begin_anew(self) -> None:
        """Forget what was seen so far: it came before the flow."""
        self.stacks.clear()
        self.passed.clear()

    @property
    def deepest(self) -> tuple[Hop, ...]:
        """The stack with the most frames; of several the one with the most files."""
        return max(self.stacks, key=lambda stack: (len(stack), files(stack), str(stack)))

    @property
    def aimed(self) -> tuple[Hop, ...]:
        """The deepest stack to the effect that the flow is for."""
        return max((stack for stack in self.stacks if self.flow.aim in str(stack[-1])), key=len)

    @property
    def widest(self) -> tuple[Hop, ...]:
        """The stack with the most files; of several the one with the most frames."""
        return max(self.stacks, key=lambda stack: (files(stack), len(stack), str(stack)))

    @property
    def keeps_the_budget(self) -> bool:
        """Whether no stack has more than the budget allows."""
        return files(self.widest) <= MOST_FILES and len(self.deepest) <= MOST_FRAMES

    # Private

    def _seen(self, frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - what profiling hands over
        hop = self._hop(frame.f_code) if event == "call" else None
        if hop is None:
            return
        stack = self._stack(frame)
        below = tuple(dropwhile(lambda one: not self._ends(one), stack))
        if stack and not below:
            self.passed.add(hop)
        elif below and self._is_effect(hop) and not any(map(self._is_effect, below[:-1])):
            self.stacks.add(stack[: len(stack) - len(below) + 1])  # of the store the operation, not what it does inside

    def _stack(self, frame: FrameType) -> tuple[Hop, ...]:
        """Return the frames of ours from the entry down to this one; none outside the flow."""
        frames: list[Hop] = []
        down_to_entry = 0
        at: FrameType | None = frame
        while at is not None:
            if (hop := self._hop(at.f_code)) is not None:
                frames.append(_named(hop, at))
                if str(hop).startswith(self.flow.entry):
                    down_to_entry = len(frames)
            at = at.f_back
        return tuple(reversed(frames[:down_to_entry]))

    def _is_effect(self, hop: Hop) -> bool:
        """Return whether a call leaves what is counted."""
        place = (hop.file, hop.function.partition("(")[0])
        is_hook = hop.file == _RELAY and hop.function not in _NO_HOOKS
        return place == _HTTP if self.flow.ours == PLUGIN else is_hook or place in _DATABASE

    def _ends(self, hop: Hop) -> bool:
        """Return whether what is below is no longer the flow's."""
        return self._is_effect(hop) or hop.file.startswith(_STORE)

    def _hop(self, code: CodeType) -> Hop | None:
        """Return a function of ours, or one that leaves what is counted; None for all others."""
        if code not in self._hops:
            hop = _hop_of(code)
            is_seen = hop is not None and (hop.file.startswith(self.flow.ours) or self._is_effect(hop))
            self._hops[code] = hop if is_seen else None
        return self._hops[code]


def _hop_of(code: CodeType) -> Hop | None:
    if code.co_name in _COMPREHENSIONS:
        return None
    path = Path(code.co_filename)
    for folder in (ROOT, *(ROOT / "plugins").iterdir()):
        if path.is_relative_to(folder):
            file = path.relative_to(folder).as_posix()
            if file.startswith((CORE, PLUGIN)):
                return Hop(file, code.co_qualname)
    return None


def _named(hop: Hop, frame: FrameType) -> Hop:
    """Return a hop, with the name of the store's operation in place of what all are called through."""
    if hop.file == _NOUNS and (work := frame.f_locals.get("work")) is not None:
        return _hop_of(work.__code__) or hop
    return hop


def files(stack: tuple[Hop, ...]) -> int:
    """Return how many files a stack goes through."""
    return len({hop.file for hop in stack})


def measure(flow: Flow) -> Trace:
    """Run a flow and return what was seen."""
    trace = Trace(flow)
    flow.act(trace)
    return trace


def table(traces: list[Trace]) -> str:
    """Return what was counted, a flow a line."""
    lines = [f"{'':<28}{'deepest':>14}{'to its aim':>14}{'all it passes':>18}"]
    lines.append(f"{'flow':<28}{'files':>6}{'frames':>8}{'files':>6}{'frames':>8}{'files':>6}{'functions':>12}")
    for trace in traces:
        passed = tuple(trace.passed)
        lines.append(
            f"{trace.flow.name:<28}{files(trace.widest):>6}{len(trace.deepest):>8}{files(trace.aimed):>6}{len(trace.aimed):>8}"
            f"{files(passed):>6}{len(passed):>12}{'' if trace.keeps_the_budget else '   over the budget'}"
        )
    return "\n".join(lines)
