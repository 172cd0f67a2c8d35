"""Tables of incidents and tickets: CSV as spreadsheets and other programs write it, in whatever form, row by row.

    incident,ticket,integration,organization
    inc-1,SUP-7,acme-helpdesk,

The first line names the columns, in any order; others are passed over. Needed are `incident` and `ticket`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

from connector_core.contract.errors import ConfigError
from connector_core.linking.outcomes import Linked, Wanted
from connector_core.spreadsheets import guarded

#: What columns are called, ours first; the others are those of exported lists of links.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "incident": ("incident", "incident_id"),
    "ticket": ("ticket", "ticket_key", "ticket_id"),
    "integration": ("integration", "integration_id"),
    "organization": ("organization",),
}
RESULTS = ("row", "incident", "ticket", "organization", "integration", "result", "detail", "title", "status", "changes")
MOST_BYTES = 100 * 1024 * 1024
_SEPARATORS = ",;\t|"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
#: A text that a spreadsheet would take for a formula is exported behind an apostrophe.
_GUARDED = re.compile(r"'(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")


def read(body: bytes) -> Iterator[Wanted]:
    """Yield the rows of a table; empty lines are passed over, and what is too long or odd is refused later, by its row.

    Raises:
        ConfigError: it is no such table at all.
    """
    text = _text(body)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=False)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # a long cell is that row's fault, not the table's
    places: dict[str, int] | None = None
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if places is None:
            places = _places(cells)
            continue
        named = {name: _cell(cells, place) for name, place in places.items()}
        yield Wanted(**named, row=number)
    if places is None:
        raise _unfit("It is empty.")


def write(results: Iterable[Linked]) -> Iterator[str]:
    """Yield the lines of a table with the result of each row, which no spreadsheet takes for formulas."""
    line = io.StringIO()
    table = csv.writer(line)
    for row in _rows(results):
        line.seek(0)
        line.truncate()
        table.writerow([guarded(str(cell)) for cell in row])
        yield line.getvalue()


def as_row(one: Linked) -> dict[str, object]:
    """Return what came of a wish as a row."""
    ticket = one.ticket
    return {
        "row": one.wanted.row,
        "incident": one.wanted.incident,
        "ticket": one.wanted.ticket if ticket is None else ticket.key or ticket.id,
        "organization": one.organization or one.wanted.organization,
        "integration": one.integration or one.wanted.integration,
        "result": one.outcome.value,
        "detail": one.detail,
        "title": "" if ticket is None else ticket.title,
        "status": "" if ticket is None else ticket.status,
        "changes": "; ".join(f"{found.field.value}: {found.remedy}" for found in one.differences),
    }


def _rows(results: Iterable[Linked]) -> Iterator[Iterable[object]]:
    yield RESULTS
    for one in results:
        yield as_row(one).values()


def _text(body: bytes) -> str:
    if len(body) > MOST_BYTES:
        raise _unfit(f"It is larger than {MOST_BYTES // 1024 // 1024} MB.")
    encoding = next((name for mark, name in _MARKS.items() if body.startswith(mark)), "utf-8")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as exc:
        raise _unfit(f"It is not {encoding.upper()}: {exc.reason} at byte {exc.start}. Save it as CSV UTF-8.") from exc
    if "\0" in text:
        raise _unfit("It has null characters in it: it is no CSV, or in another encoding. Save it as CSV UTF-8.")
    return text


def _places(heads: list[str]) -> dict[str, int]:
    lower = [head.casefold() for head in heads]
    places = {
        name: lower.index(known[0])
        for name, aliases in COLUMNS.items()
        if (known := [alias for alias in aliases if alias in lower])
    }
    if missing := [name for name in ("incident", "ticket") if name not in places]:
        raise _unfit(f"Its first line has to name the columns incident and ticket; missing: {', '.join(missing)}.")
    return places


def _cell(cells: list[str], place: int) -> str:
    return _GUARDED.sub("", cells[place], count=1) if place < len(cells) else ""


def _unfit(why: str) -> ConfigError:
    return ConfigError(
        f"The file is no table of incidents and tickets. {why}",
        code="table_unreadable",
        fix="Correct the file, then give it again.",
    )
