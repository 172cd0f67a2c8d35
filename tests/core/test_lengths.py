"""Lengths in UTF-16 units, and cuts that leave whole characters."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from connector_core import shorten, truncate, utf16_length

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"  # one character to a reader, eight units
FLAG = "\U0001f1e9\U0001f1ea"
ACCENTED = "e\u0301"


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("ä", 1), ("\U0001f525", 2), (FLAG, 4), (FAMILY, 8)])
def test_a_sign_beyond_the_basic_plane_counts_twice(text, length):
    """The length is that of UTF-16."""
    assert utf16_length(text) == length == len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("text", "limit", "left"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("abcd", 0, ""),
        ("ab\U0001f525", 3, "ab"),
        (f"ab{FAMILY}c", 9, "ab"),
        (f"ab{FAMILY}c", 10, f"ab{FAMILY}"),
        (f"{FLAG}{FLAG}", 6, FLAG),
        (f"x{ACCENTED}y", 2, "x"),
        (f"x{ACCENTED}y", 3, f"x{ACCENTED}"),
        ("x\r\ny", 2, "x"),
    ],
)
def test_a_cut_parts_no_character(text, limit, left):
    """What would be half of a character is left out."""
    assert truncate(text, limit) == left


def test_something_is_left_of_one_endless_character():
    """A single character longer than the limit is cut inside."""
    assert truncate("e" + "\u0301" * 50, 10) == "e" + "\u0301" * 9


def test_a_shortened_text_says_so():
    """An ellipsis stands for what was cut, within the limit."""
    assert shorten("Fan failed", 10) == "Fan failed"
    assert shorten("Fan failed again", 10) == "Fan faile\N{HORIZONTAL ELLIPSIS}"


TEXTS = st.text(
    st.sampled_from(["a", " ", *"\u0301\u0600\u0903\u200d\ufe0f\U0001f525\U0001f468\U0001f1e9\U0001f1ea\r\n"]),
    max_size=60,
) | st.text(st.characters(codec=None), max_size=40)


@given(TEXTS, st.integers(0, 80))
def test_any_cut_fits_and_is_the_longest(text: str, limit: int):
    """The beginning that is left fits, ends with a whole character, and the next character would not fit."""
    left = truncate(text, limit)

    assert text.startswith(left)
    assert utf16_length(left) <= limit
    ends = [0, *(found.end() for found in regex.finditer(r"\X", text))]
    fitting = max(end for end in ends if utf16_length(text[:end]) <= limit)
    assert len(left) == fitting or (fitting == 0 and len(left) < ends[1])
