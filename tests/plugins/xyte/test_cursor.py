"""What is remembered between looks, as text: read as it was written, also by the version before, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector_xyte.cursor import Cursor, Entry, Status, read_cursor
from tests.support.xyte.handles import Reader, make_reader, make_source_of

FORMER: dict[str, Any] = {
    "version": 1,
    "line": "0a1b2c3d",
    "number": 7,
    "tenant": "t-1",
    "key": "k",
    "looked": 1764000000.5,
    "before": 1763999000.0,
    "entries": {"i-1": ["t", "a.b.c.d", 1763990000.0, 1763990001.0], "i-2": ["l", "", None, 1.0, 2, 1764000600.0]},
    "over": {"i-3": 1763999999.0},
}
CURSOR = Cursor(
    line="0a1b2c3d",
    number=7,
    tenant="t-1",
    key="k",
    looked=1764000000.5,
    before=1763999000.0,
    entries={
        "i-1": Entry(Status.TOLD, "a.b.c.d", 1763990000.0, 1763990001.0),
        "i-2": Entry(Status.LEFT, "", None, 1.0, 2, 1764000600.0),
    },
    over={"i-3": 1763999999.0},
)


def test_cursor_is_read_as_it_was_written():
    """Nothing is lost on the way through the database."""
    assert read_cursor(CURSOR.write()) == CURSOR


def test_cursor_of_the_version_before_is_read():
    """An upgrade goes on where the version before was: entries without what never counted are short there."""
    assert read_cursor(json.dumps(FORMER)) == CURSOR


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps({**FORMER, "looked": "yesterday"}),
        json.dumps({**FORMER, "entries": {"i-1": ["t"]}}),
        json.dumps({**FORMER, "entries": {"i-1": ["?", "a", 1.0, 1.0]}}),
        json.dumps({key: value for key, value in FORMER.items() if key != "line"}),
    ],
)
def test_form_that_does_not_fit_any_more_is_not_remembered(sandbox, clock, text):
    """A source whose cursor cannot be read begins anew, in place of failing at each look."""
    assert read_cursor(text) is None

    reader = make_reader(sandbox, clock)
    again = Reader(make_source_of(sandbox, clock), text)
    again.look()
    name = sandbox.open("New")
    reader.look()

    assert again.look() == [("opened", name)]
