"""The table of docs/performance.md: what was measured last, read by every run and written by `--record`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure

PAGE = Path(__file__).parents[1] / "docs/performance.md"
HEAD = "| Benchmark | Figure | Measured | Goal | | Taken |\n|---|---|---|---|---|---|\n"

_ROW = re.compile(
    r"^\| (?P<benchmark>\w+) \| (?P<name>[^|]+) \| (?P<value>-?[\d,.]+) (?P<unit>[^|]+)"
    r" \| (?P<goal>[^|]*) \| (?P<outcome>[^|]*) \| (?P<taken>[^|]+) \|$",
    re.MULTILINE,
)
_MACHINE = re.compile(r"^Last recorded on: .*$", re.MULTILINE)
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")

Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One figure of the table: its value as it is written there, and when and under what load it was taken."""

    value: float
    taken: str
    goal: str = ""


def read(text: str) -> dict[Key, Row]:
    """Return the rows of a page by benchmark and name."""
    return {
        (row["benchmark"], row["name"]): Row(
            float(row["value"].replace(",", "")), row["taken"].strip(), row["goal"].strip()
        )
        for row in _ROW.finditer(text)
    }


def write(text: str, machine: str, figures: Mapping[str, tuple[Figure, ...]], rows: Mapping[Key, Row]) -> str:
    """Return a page with its table made anew: the figures in their order, those without a row left out."""
    table = HEAD + "".join(_lines(figures, rows))
    text = _MACHINE.sub(lambda _: f"Last recorded on: {machine}.", text, count=1)
    return _TABLE.sub(lambda _: table, text, count=1)


def _lines(figures: Mapping[str, tuple[Figure, ...]], rows: Mapping[Key, Row]) -> Iterator[str]:
    for benchmark, each in figures.items():
        for figure in each:
            row = rows.get((benchmark, figure.name))
            if row is None:
                continue
            outcome = "" if figure.goal is None else "**missed**" if figure.is_missed(row.value) else "reached"
            cells = (benchmark, figure.name, figure.shown(row.value), figure.goal_as_text(), outcome, row.taken)
            yield f"| {' | '.join(cells)} |\n"
