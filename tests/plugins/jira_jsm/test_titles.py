"""Titles fit into Jira's summary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_jira_jsm.text import titles


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Fan failed", "Fan failed"),
        ("Fan\nfailed\r\n\tagain ", "Fan failed again"),
        ("h1. {code} *x* [a|b]", "h1. {code} *x* [a|b]"),
        ("\u202eabc\u202c", "abc"),
        ("\u05e9\u05dc\u05d5\u05dd \u200fx", "\u05e9\u05dc\u05d5\u05dd \u200fx"),
        ("\x00\x07", "Incident"),
        ("\u202e", "Incident"),
        ("\U0001f525 \u706b", "\U0001f525 \u706b"),
    ],
)
def test_title_becomes_one_line(title: str, expected: str):
    """Line breaks, control and direction signs go; markup means nothing in a summary and stays."""
    assert titles.fit(title) == expected


def test_long_title_is_cut_between_words():
    """A title over the limit ends in a whole word and an ellipsis."""
    fitted = titles.fit("word " * 100)

    assert len(fitted) <= 255
    assert fitted.endswith("word\N{HORIZONTAL ELLIPSIS}")


def test_title_of_exactly_the_limit_stays():
    """255 characters are allowed."""
    assert titles.fit("x" * 255) == "x" * 255


@given(st.text(st.characters(codec=None), max_size=400))
def test_any_title_fits(title: str):
    """Whatever comes in, Jira can take it, and fitting it again changes nothing."""
    fitted = titles.fit(title)

    assert fitted
    assert len(fitted.encode("utf-16-le")) // 2 <= 255
    assert fitted.isprintable() or "\n" not in fitted
    assert titles.fit(fitted) == fitted
