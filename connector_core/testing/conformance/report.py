"""The report of a run: what was tried of each plugin and held, what it cannot and why, how many calls things take."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector_core.testing.conformance.quality import Tried, table

PROPERTY = "connector"  # as in `checks`, which need not be loaded where only a report is read


@dataclass
class LifeReport:
    """What one class of checks showed of a plugin."""

    plugin: str
    life: str
    #: Outcome by check: passed, failed, or skipped.
    outcomes: dict[str, str] = field(default_factory=dict)
    #: Why a check was left out.
    reasons: dict[str, str] = field(default_factory=dict)
    #: Calls that the vendor got, by what was done.
    figures: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    seconds: float = 0.0

    def add(self, name: str, report: pytest.TestReport) -> None:
        """Take over how one phase of a check ended."""
        self.seconds += report.duration
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reasons[name] = str(report.longrepr[2]).removeprefix("Skipped: ")
        if (report.when == "call" or report.outcome != "passed") and self.outcomes.get(name) != "failed":
            self.outcomes[name] = report.outcome


class Reporter:
    """Collects while pytest runs, and writes at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lives: dict[tuple[str, str], LifeReport] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what became of a test, if it is one of ours."""
        told = next((value for name, value in report.user_properties if name == PROPERTY), None)
        if not isinstance(told, dict):
            return
        life = self._lives.setdefault((told["plugin"], told["life"]), LifeReport(told["plugin"], told["life"]))
        life.add(report.nodeid.rpartition("::")[2], report)
        if report.when == "teardown":
            life.calls += int(told.get("calls", 0))
            life.figures |= told.get("figures", {})

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        lives = [self._lives[key] for key in sorted(self._lives)]
        text = (
            markdown(lives) if self._path.suffix == ".md" else json.dumps({"lives": list(map(asdict, lives))}, indent=1)
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(f"{text.rstrip()}\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:  # noqa: ANN401 - pytest's own
        """Say in a line for each what it showed."""
        for life in self._lives.values():
            terminalreporter.write_line(f"{life.plugin} ({life.life}): {summary(life)}")


def summary(life: LifeReport) -> str:
    """Return what a life showed, in one line."""
    counts = Counter(life.outcomes.values())
    figures = ", ".join(f"{name} {number}" for name, number in sorted(life.figures.items()))
    left_out = sorted(set(life.reasons.values()))
    parts = [f"{counts['passed']} held, {counts['failed']} failed, {counts['skipped']} left out"]
    parts += [f"calls: {figures}"] if figures else []
    return "; ".join(parts + left_out)


def page_of(lives: Sequence[LifeReport]) -> str:
    """Return what is to be said of one plugin: a line for each life, and the table over all of them."""
    outcomes = {f"{name} in {life.life}": how for life in lives for name, how in life.outcomes.items()}
    reasons = {f"{name} in {life.life}": why for life in lives for name, why in life.reasons.items()}
    lines = "\n".join(f"- {life.life}: {summary(life)}." for life in lives)
    return f"{lines}\n\n{table(Tried(outcomes, reasons))}"


def markdown(lives: Sequence[LifeReport]) -> str:
    """Return the report as a page."""
    plugins = sorted({life.plugin for life in lives})
    parts = [f"## {name}\n\n{page_of([life for life in lives if life.plugin == name])}" for name in plugins]
    return "\n\n".join(["# What was tried of each plugin", *parts])


def read(path: Path) -> list[LifeReport]:
    """Read a report that was written as JSON."""
    return [LifeReport(**life) for life in json.loads(path.read_text())["lives"]]
