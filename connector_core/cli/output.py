"""How commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any
from unicodedata import combining, east_asian_width

import click

from connector_core.cli.colours import in_colours
from connector_core.cli.json_only import print_whole

_COLOURS = {
    "in_sync": "green",
    "active": "green",
    "ok": "green",
    "ready": "green",
    "running": "green",
    "waiting": "yellow",
    "stopping": "yellow",
    "not responding": "yellow",
    "warning": "yellow",
    "draft": "yellow",
    "paused": "yellow",
    "disabled": "yellow",
    "blocked": "red",
    "lost": "red",
    "conflict": "red",
    "gone": "red",
    "problem": "red",
}


SEALED = "unknown: the secret key is not set here, or is another one"
_NOTHING = (None, "")
_APART = "  "
_NARROWEST = 10
_FOLDABLE = 2  # columns: a name and a value stay side by side, however long the value
_LONGEST_CELL = 300  # in signs, where rows stand below each other: longer ones are texts of others that never end
_LINE_ANEW = "\r\x1b[K"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """Return a text of others without signs that move the cursor, change colours or turn the direction of writing."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def counted(number: int, what: str) -> str:
    """Return a number with what is counted, in the singular or the plural: of a word that takes an s."""
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what takes a while, for as long; what is returned shows how far it has come instead."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    _show_instead(what)
    try:
        yield _show_instead
    finally:
        _show_instead("")


def _show_instead(text: str) -> None:
    """Show a text in place of the line that the cursor is in."""
    click.echo(f"{_LINE_ANEW}{shown(text)}", nl=False, err=True, color=True)


def print_json(value: object) -> None:
    """Print JSON; times become ISO 8601."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        click.echo(text)
    else:
        print_whole(ctx, text)


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows for people, without columns that are empty, or all of each as JSON; `empty` is said when none are.

    On a terminal that is too narrow for a table each row is a block of lines; elsewhere a row is always one line. Long
    texts are cut, but for the value of a name, and in JSON.
    """
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(empty)
        return
    names = [name for name in rows[0] if any(row[name] not in _NOTHING for row in rows)]
    longest = _LONGEST_CELL if len(names) > _FOLDABLE else None
    table = [
        [name.replace("_", " ") for name in names],
        *([_cell(row[name], longest) for name in names] for row in rows),
    ]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    room = shutil.get_terminal_size().columns - len(_APART) * (len(names) - 1)
    if sys.stdout.isatty() and sum(widths) > room:
        if len(names) > _FOLDABLE:
            _print_blocks(table[0], table[1:])
            return
        widths[-1] = max(_NARROWEST, room - sum(widths[:-1]))
    lines = [
        _line(line, cells, widths, is_head=number == 0)
        for number, cells in enumerate(table)
        for line in zip_longest(*map(_lines, cells, widths), fillvalue="")
    ]
    click.echo("\n".join(lines), color=in_colours())  # at once: each call writes through to the terminal


def _line(line: Sequence[str], cells: Sequence[str], widths: Sequence[int], *, is_head: bool) -> str:
    """Return one line of a row, each part in the colour that its whole cell has."""
    parts = []
    for text, cell, width in zip(line, cells, widths, strict=True):
        padding = " " * (width - _width(text))
        parts.append(_styled(text, fg=None if is_head else _COLOURS.get(cell), bold=is_head) + padding)
    return _APART.join(parts).rstrip()


def _print_blocks(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows):
        if number:
            click.echo()
        told = [(name, cell) for name, cell in zip(names, row, strict=True) if cell]
        width = max(_width(name) for name, _ in told)
        for name, cell in told:
            head = _styled(name, bold=True) + " " * (width - _width(name))
            click.echo(f"{head}{_APART}{_styled(cell, fg=_COLOURS.get(cell))}", color=in_colours())


def _styled(text: str, *, fg: str | None = None, bold: bool = False) -> str:
    return click.style(text, fg=fg, bold=bold or None) if text and (fg or bold) else text


def _lines(text: str, width: int) -> list[str]:
    """Return a text in lines that are not wider than its column."""
    if "\n" not in text and _width(text) <= width:
        return [text]
    lines = []
    for part in text.split("\n"):
        line, used = "", 0
        for sign in part:
            wide = _width(sign)
            if line and used + wide > width:
                lines.append(line)
                line, used = "", 0
            line, used = line + sign, used + wide
        lines.append(line)
    return lines


def _width(text: str) -> int:
    """Return how many places a text takes on a terminal."""
    if text.isascii() and "\n" not in text:
        return len(text)
    widths = (
        sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in part)
        for part in text.split("\n")
    )
    return max(widths)


def _cell(value: object, longest: int | None) -> str:
    text = "" if value is None else _plain(value)
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
    return shown(text).expandtabs()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)
