"""Judging mutants: one pytest session imports and collects once, then each mutant runs its tests in a forked child.

In the child the code of one function is replaced where it stands, in every place that imported it, or one constant of a
module. Only tests that run that function are run, the quick ones first, until one fails.
"""

from __future__ import annotations

import ast
import gc
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tools.mutants.making import MODULE, Mutant

SLACK_S = 8.0  # a mutant may take this much longer than its tests take; a busy machine is no fault of theirs
SLOWER = 5.0
MORE_MEMORY = 2 << 30

Place = tuple[str, str, int]  # a file, a function's qualified name, its first line
Functions = dict[Place, list[FunctionType]]

_forking = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: which test saw it, or that none did."""

    caught: bool
    by: str = ""


@dataclass
class Measured:
    """What the tests do without a mutant: how long each takes, and which functions of the judged files it runs."""

    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[str, set[Place]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class Judge:
    """A pytest plugin that judges mutants in place of running the tests once."""

    mutants: Sequence[Mutant]
    beside: Callable[[Mutant, str], bool]
    workers: int
    tell: Callable[[Mutant, Verdict], None]
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    _functions: Functions = field(default_factory=dict)

    def pytest_collection(self) -> None:
        """Have properties fail at once: nobody wants the smallest example."""
        quick = settings(phases=[Phase.explicit, Phase.generate], database=None)
        settings.register_profile("mutants", quick)
        settings.load_profile("mutants")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what runs over a server: forked children would speak over the connection of their parent."""
        items[:] = [item for item in items if "postgresql" not in item.nodeid]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, then judge each mutant."""
        if session.testsfailed:
            self.failed = {"collection": "a test file cannot be imported"}
            return True
        paths = {str(mutant.path) for mutant in self.mutants}
        measured = _measure(session, paths)
        self.failed = measured.failed
        if not self.failed:
            self._functions = functions_of(paths)
            gc.freeze()
            self._judge_all(session, measured)
        return True

    def _judge_all(self, session: pytest.Session, measured: Measured) -> None:
        items = {item.nodeid: item for item in session.items}
        waiting = list(enumerate(self.mutants))[::-1]
        running: dict[Any, _Child] = {}
        while waiting or running:
            while waiting and len(running) < self.workers:
                number, mutant = waiting.pop()
                chosen = [items[one] for one in self._tests_of(mutant, items, measured)]
                if chosen:
                    expected = sum(measured.seconds[item.nodeid] for item in chosen)
                    child = _Child(
                        number, _judging, (session, mutant, chosen, self._functions), SLACK_S + SLOWER * expected
                    )
                    running[child.results] = child
                else:
                    self._note(number, Verdict(caught=False, by="no test runs it"))
            for results in wait(list(running), timeout=0.2):
                self._note(running[results].number, running.pop(results).verdict())
            for results, child in list(running.items()):
                if time.monotonic() > child.until:
                    child.kill()
                    self._note(child.number, Verdict(caught=True, by="it never ends"))
                    del running[results]

    def _tests_of(self, mutant: Mutant, names: Iterable[str], measured: Measured) -> list[str]:
        where = (str(mutant.path), *mutant.top)
        beside = [name for name in names if self.beside(mutant, name)]
        reaching = [name for name in beside if mutant.top[0] == MODULE or where in measured.reached[name]]
        # File by file, since a file's tests share what they opened; the quick ones first.
        by_file: defaultdict[str, float] = defaultdict(float)
        for name in reaching:
            by_file[_file_of(name)] += measured.seconds[name]
        return sorted(reaching, key=lambda name: (by_file[_file_of(name)], _file_of(name), measured.seconds[name]))

    def _note(self, number: int, verdict: Verdict) -> None:
        self.verdicts[number] = verdict
        self.tell(self.mutants[number], verdict)


def _file_of(name: str) -> str:
    return name.partition("::")[0]


class _Child:
    """A forked process that does one thing and sends what came of it."""

    def __init__(self, number: int, work: Callable[..., Any], arguments: tuple[Any, ...], within_s: float) -> None:
        self.number = number
        self.folder = Path(tempfile.mkdtemp(prefix="mutant-", dir=_quick_disk()))
        self.results, theirs = _forking.Pipe(duplex=False)
        self.process = _forking.Process(target=_in_child, args=(theirs, self.folder, work, arguments))
        self.process.start()
        theirs.close()
        self.until = time.monotonic() + within_s

    def result(self) -> Any:  # noqa: ANN401 - whatever the work returns
        """Return what was sent; None when the process died instead."""
        try:
            return self.results.recv()
        except EOFError:
            return None
        finally:
            self.kill()

    def verdict(self) -> Verdict:
        """Return the verdict; a mutant that kills the process was seen too."""
        found = self.result()
        if isinstance(found, str):
            raise RuntimeError(found)  # noqa: TRY004 - it is no verdict but a fault of this tool
        return found if isinstance(found, Verdict) else Verdict(caught=True, by="the process died")

    def kill(self) -> None:
        """End the process with all that it started."""
        with suppress(ProcessLookupError):  # it made no group of its own yet, or all of it has ended
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.results.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _in_child(results: Connection, folder: Path, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    tempfile.tempdir = os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    results.send(work(*arguments))
    results.close()
    os._exit(0)  # threads of tests that failed would be waited for


def _quick_disk() -> str | None:
    """Return a folder in memory where there is one: the tests commit to disk thousands of times."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None


# Without a mutant


def _measure(session: pytest.Session, paths: set[str]) -> Measured:
    child = _Child(-1, _measuring, (session, paths), float("inf"))
    measured = child.result()
    return measured if isinstance(measured, Measured) else Measured(failed={"all": "the tests do not run at all"})


def _measuring(session: pytest.Session, paths: set[str]) -> Measured:
    measured = Measured()
    reached: set[Place] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename in paths:
            reached.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    class Listener:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                measured.failed[report.nodeid] = str(report.longrepr)

    session.config.pluginmanager.register(Listener())
    threading.setprofile(note)
    sys.setprofile(note)
    since = time.monotonic()
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        reached.clear()
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        now = time.monotonic()
        measured.reached[item.nodeid], measured.seconds[item.nodeid], since = set(reached), now - since, now
    sys.setprofile(None)
    threading.setprofile(None)
    return measured


# With a mutant


def _judging(
    session: pytest.Session, mutant: Mutant, items: Sequence[pytest.Item], functions: Functions
) -> Verdict | str:
    soft = _memory_now() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    try:
        put_in(mutant, functions)
    except Exception as exc:  # noqa: BLE001 - told to the parent, which raises it
        return f"{mutant.path}:{mutant.line} {mutant.name} cannot be put in: {exc!r}"
    for item, following in zip(items, [*items[1:], None], strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return Verdict(caught=True, by=item.nodeid)
    return Verdict(caught=False)


def _memory_now() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def put_in(mutant: Mutant, functions: Functions) -> None:
    """Make the mistake in this process."""
    if mutant.top[0] == MODULE:
        _replace_constant(mutant, functions)
        return
    whole = compile(mutant.tree(), str(mutant.path), "exec", dont_inherit=True)
    new = next(code for code in _codes(whole) if (code.co_qualname, code.co_firstlineno) == mutant.top)
    for function in functions[(str(mutant.path), *mutant.top)]:
        # A mistake may leave out the only `super()`, and with it the cell that the function has for its class.
        function.__code__ = new.replace(co_freevars=function.__code__.co_freevars)


def functions_of(paths: set[str]) -> Functions:
    """Return all functions that were made from some files, wherever they are bound by now."""
    found: Functions = {}
    gc.unfreeze()  # what the tests have frozen is not among the objects otherwise
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename in paths:
            code = one.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(one)
    return found


def _codes(code: CodeType) -> Iterable[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _replace_constant(mutant: Mutant, functions: Functions) -> None:
    """Give a constant of a module its wrong value, and with it those that are made of it."""
    module = next(one for one in sys.modules.values() if getattr(one, "__file__", None) == str(mutant.path))
    wrong = {mutant.place}
    for one in mutant.tree().body:
        target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
        value = getattr(one, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.expr):
            used = {name.id for name in ast.walk(value) if isinstance(name, ast.Name)}
            if one.lineno == mutant.top[1] or used & wrong:
                wrong.add(target.id)
                code = compile(ast.Expression(value), str(mutant.path), "eval")
                new = eval(code, vars(module))  # noqa: S307 - our own source
                _exchange(target.id, vars(module)[target.id], new, functions)


def _exchange(name: str, old: object, new: object, functions: Functions) -> None:
    """Put a new value in place of an old one: where it was made, where it was imported to, where it is a default."""
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
            setattr(module, name, new)
    for function in (one for those in functions.values() for one in those):
        function.__defaults__ = tuple(new if one is old else one for one in function.__defaults__ or ()) or None
        named = function.__kwdefaults__ or {}
        function.__kwdefaults__ = {name: new if one is old else one for name, one in named.items()} or None
