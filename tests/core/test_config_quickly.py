"""A large file is read by libyaml exactly as a small one is by ruamel.yaml, or not by it at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from connector_core.config import ConfigInvalid, positions, quickly
from connector_core.config.positions import parse_document

BAD = sorted((Path(__file__).parent / "bad_configs").glob("*.yaml"))
EXAMPLE = Path("config/connector.example.yaml")

PIECES = (
    *("a", "b", "key", "10", "0x1F", "1e3", "yes", "null", "~", "2026-01-01", "ü", "x y", "-", "?", ":", "<<", "="),
    *("a:b", "a:", ":a", "#c", " #c", "a#b", "'q'", '"q"', "'it''s'", '"\\n"', '"\\/"', "[", "]", "{", "}", ","),
    *("${env:A}", "$${", "&a", "*a", "!t", "|", ">", "|-", "%", "@", "`", "...", "---", "\t", "\u2028", "\ufeff"),
    *(": ", "- ", "\n", "\n  ", "\n    ", " ", "  ", "\n- ", "\na: ", "\n  b: "),
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join)


@pytest.fixture(autouse=True)
def _has_libyaml():
    assert yaml.__with_libyaml__, "this Python's PyYAML was built without libyaml"


def both(text):
    """Return what each parser makes of a text; the fast one may leave it alone."""
    fast = quickly.read(
        positions.hidden(text),
        max_depth=positions.MAX_DEPTH,
        scalar=positions.Words().__getitem__,
        shown=positions.shown,
    )
    try:
        slow = parse_document(text, "file")
    except ConfigInvalid:
        return fast, None
    return fast, (slow.values, slow.positions)


@given(TEXTS)
def test_what_is_read_fast_is_read_alike(text):
    """The fast parser never has another opinion, least of all on what is no YAML."""
    fast, slow = both(text)

    assert fast is None or fast == slow


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_values_that_are_read_fast_are_read_alike(texts):
    """The same in a file that is right around the values."""
    fast, slow = both("".join(f"key-{number}: {text}\nlist-{number}: [{text}]\n" for number, text in enumerate(texts)))

    assert fast is None or fast == slow


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_files_with_mistakes_are_read_alike(path):
    """Where the form is wrong ruamel.yaml has to say so; else both see the same values at the same places."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")

    fast, slow = both(text)

    assert fast is None or fast == slow


def test_the_example_is_read_fast():
    """A file as people write it is not left to the slow parser."""
    fast, slow = both(EXAMPLE.read_text())

    assert fast is not None
    assert fast == slow


def test_a_mistake_in_a_large_file_is_told_as_in_a_small_one(monkeypatch):
    """The sentence and the place are those of ruamel.yaml, whatever the size."""
    text = "".join(f"key-{number}: value\n" for number in range(3000)) + "key-7: twice\nother: [1, 2\n"
    assert len(text) > positions.LARGE

    with pytest.raises(ConfigInvalid) as large:
        parse_document(text, "file")

    monkeypatch.setattr(positions, "LARGE", len(text) + 1)
    with pytest.raises(ConfigInvalid) as small:
        parse_document(text, "file")
    assert large.value.mistakes == small.value.mistakes


def test_a_large_file_is_not_read_by_ruamel(monkeypatch):
    """It would take a hundred times as long."""
    monkeypatch.setattr(YAML, "compose", lambda *_: pytest.fail("read slowly"))
    text = "".join(f"key-{number}: value\n" for number in range(3000))

    assert parse_document(text, "file").position(("key-2999",)) == (3000, 1)
