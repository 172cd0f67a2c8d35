"""Lists as files: CSV that no spreadsheet takes for a formula, and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from starlette.responses import Response

from connector_core.spreadsheets import guarded
from connector_core.web.console.pages import HEADERS

MOST_EXPORTED = 10_000

Row = Mapping[str, object]


def exported(name: str, columns: Sequence[str], rows: Iterable[Row], kind: str | None) -> Response:
    """Answer with a file of rows: JSON if that is the kind, else CSV."""
    if kind == "json":
        return _file(json.dumps(list(rows), indent=2, ensure_ascii=False), f"{name}.json", "application/json")
    return _file(_csv(columns, rows), f"{name}.csv", "text/csv; charset=utf-8")


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Write a table; a text that a spreadsheet would take for a formula stays a text."""
    written = io.StringIO()
    table = csv.DictWriter(written, columns)
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return written.getvalue()


def _cell(value: object) -> str:
    """Write a value as a text; what holds others is JSON, and nothing when it is empty."""
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else guarded(str(value))


def _file(text: str, name: str, kind: str) -> Response:
    said = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": kind}
    return Response(text, headers={**HEADERS, **said})
