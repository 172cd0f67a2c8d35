"""How commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
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


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal that something takes a while."""
    with Console(stderr=True).status(what):
        yield


def print_json(value: object) -> None:
    """Print JSON; times become ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table, or all of each as JSON; `empty` is said when there are none."""
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo(empty)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        Console(soft_wrap=False).print(table)


def _cell(value: object) -> Text:
    text = "" if value is None else _plain(value) if isinstance(value, datetime) else str(value)
    return Text(text, style=_COLOURS.get(text, ""))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)
