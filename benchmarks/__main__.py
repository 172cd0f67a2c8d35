"""`make bench`: run every measurement, print each figure beside its goal and what docs/performance.md says of it.

Ends with 1 when a part failed, a goal was missed or the time was over. `--record` writes the figures into the page;
names of benchmarks choose some of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from time import monotonic
from typing import NoReturn, Protocol

from benchmarks import (
    bulkhead,
    burst,
    calls,
    cluster,
    console,
    flood,
    intake,
    large,
    latency,
    page,
    reconcile,
    source_poll,
    startup,
    tenants,
)
from benchmarks.figures import Figure, PartFailed, Reading, require
from connector_core.contract.errors import ConnectorError

LIMIT_S = 25 * 60
NOTABLE = 0.2  # a change below it is the machine's as likely as ours

# How a part fails: it says so, what it waits for does not come (OSError has timeouts and failed requests), a process
# does not start. Anything else is a mistake in a benchmark and ends the run.
FAILURES = (PartFailed, ConnectorError, OSError, RuntimeError, subprocess.SubprocessError)


class Benchmark(Protocol):
    """A module of this package that measures: it says what, and must give each of these figures once."""

    FIGURES: tuple[Figure, ...]

    def measure(self) -> Iterator[Reading]:
        """Do the work and yield the figures."""
        ...


ALL: Mapping[str, Benchmark] = {
    "startup": startup,
    "latency": latency,
    "calls": calls,
    "reconcile": reconcile,
    "intake": intake,
    "burst": burst,
    "bulkhead": bulkhead,
    "large": large,
    "console": console,
    "source_poll": source_poll,
    "tenants": tenants,
    "flood": flood,
    "cluster": cluster,
}


class OutOfTime(Exception):
    """The run took longer than it may."""


@dataclass
class Outcome:
    """What a run has come to so far."""

    rows: dict[page.Key, page.Row] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 only if every part did its work and every goal was reached."""
        return 1 if self.failed or self.missed else 0


def run(benchmarks: Mapping[str, Benchmark], before: Mapping[page.Key, page.Row]) -> Outcome:
    """Run benchmarks one after the other; one that fails does not stop the others."""
    outcome = Outcome()
    for name, benchmark in benchmarks.items():
        started, taken = monotonic(), f"{datetime.now(UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f}"
        print(f"{name} ({taken.partition(', ')[2]})", flush=True)
        readings: dict[Figure, float] = {}
        try:
            for figure, value in benchmark.measure():
                readings[figure] = value
                _tell(name, figure, value, before, outcome)
            absent = [figure.name for figure in benchmark.FIGURES if figure not in readings]
            require(not absent, f"nothing was measured for: {', '.join(absent)}")
            require(len(readings) == len(benchmark.FIGURES), "something was measured that is not announced")
        except FAILURES as exc:
            print(f"  FAILED: {exc}", flush=True)
            outcome.failed.append(f"{name}: {exc}")
        except OutOfTime:
            outcome.failed.append(f"{name}: not done within {LIMIT_S // 60} minutes; the rest was not run")
            break
        else:
            rows = {(name, figure.name): page.Row(value, taken) for figure, value in readings.items()}
            outcome.rows.update(rows)
        print(f"  took {monotonic() - started:.0f} s\n", flush=True)
    return outcome


def _tell(name: str, figure: Figure, value: float, before: Mapping[page.Key, page.Row], outcome: Outcome) -> None:
    """Print one figure, and note a missed goal or a notable change."""
    text = f"  {figure.name:<66} {figure.shown(value):>14}"
    if figure.goal is not None:
        text += f"  goal {figure.goal_as_text()}: {'MISSED' if figure.is_missed(value) else 'reached'}"
    if figure.is_missed(value):
        outcome.missed.append(f"{name}: {figure.name}: {figure.shown(value)}, goal {figure.goal_as_text()}")
    former = before.get((name, figure.name))
    if former is None:
        outcome.changed.append(f"{name}: {figure.name}: {figure.shown(value)}, new")
    elif former.value:
        change = value / former.value - 1
        text += f"  was {figure.shown(former.value)} ({change:+.0%})"
        if abs(change) > NOTABLE:
            outcome.changed.append(
                f"{name}: {figure.name}: {figure.shown(former.value)} → {figure.shown(value)} ({change:+.0%})"
            )
    print(text, flush=True)


def machine() -> str:
    """Say on what is measured, as far as figures depend on it."""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, uvicorn {version('uvicorn')}"
    )


def main() -> int:
    """Run what was chosen, compare it with the page, record it if that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="BENCHMARK", help=f"some of: {', '.join(ALL)}")
    parser.add_argument("--record", action="store_true", help="write the figures into docs/performance.md")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - ALL.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    # An installed package brings its bytecode; here the first command writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    before = page.read(page.PAGE.read_text())
    print(f"{machine()}\n", flush=True)
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that helpers are ended, too
    signal.alarm(LIMIT_S)
    outcome = run({name: ALL[name] for name in ALL if not chosen.names or name in chosen.names}, before)
    signal.alarm(0)
    for title, lines in (
        (f"Changed by more than {NOTABLE:.0%} against docs/performance.md:", outcome.changed),
        ("Missed goals:", outcome.missed),
        ("Failed parts:", outcome.failed),
    ):
        if lines:
            print("\n  ".join([title, *lines]), flush=True)
    if chosen.record:
        figures = {name: benchmark.FIGURES for name, benchmark in ALL.items()}
        text = page.PAGE.read_text()  # anew: a person may have written in it meanwhile
        page.PAGE.write_text(page.write(text, machine(), figures, {**page.read(text), **outcome.rows}))
    return outcome.exit_code


def _out_of_time(_number: int, _frame: object) -> NoReturn:
    raise OutOfTime


if __name__ == "__main__":
    sys.exit(main())
