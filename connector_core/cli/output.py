"""How commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "in_sync": "green",
    "active": "green",
    "ok": "green",
    "ready": "green",
    "waiting": "yellow",
    "warning": "yellow",
    "draft": "yellow",
    "paused": "yellow",
    "disabled": "yellow",
    "blocked": "red",
    "conflict": "red",
    "gone": "red",
    "problem": "red",
}


SEALED = "unknown: the secret key is not set here, or is another one"
_NOTHING = (None, "")
_WIDEST = 10_000
_FOLDABLE = 2  # columns: a name and a value stay side by side, however long the value
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """Return a text of others without signs that move the cursor, change colours or turn the direction of writing."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal that something takes a while."""
    with Console(stderr=True).status(what):
        yield


def print_json(value: object) -> None:
    """Print JSON; times become ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows for people, without columns that are empty, or all of each as JSON; `empty` is said when none are.

    On a terminal that is too narrow for a table each row is a block of lines; elsewhere a row is always one line.
    """
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(empty)
        return
    names = [name for name in rows[0] if any(row[name] not in _NOTHING for row in rows)]
    console = Console()
    table = _table(rows, names)
    needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    if not console.is_terminal:
        console = Console(width=max(needed, console.width))
    elif needed > console.width and len(names) > _FOLDABLE:
        _print_blocks(console, rows, names)
        return
    console.print(table)


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _print_blocks(console: Console, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    for number, row in enumerate(rows):
        if number:
            console.print()
        block = Table(box=None, pad_edge=False, show_header=False)
        block.add_column(style="bold", no_wrap=True)
        block.add_column(overflow="fold")
        for name in names:
            if row[name] not in _NOTHING:
                block.add_row(name.replace("_", " "), _cell(row[name]))
        console.print(block)


def _cell(value: object) -> Text:
    text = "" if value is None else _plain(value) if isinstance(value, datetime) else shown(str(value))
    return Text(text, style=_COLOURS.get(text, ""))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)
