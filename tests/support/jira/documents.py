"""Documents (ADF) as people's editors make them, for property tests."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema
from hypothesis import strategies as st

from tests.contracts import facts, published
from tests.support.jira.hostile_texts import HOSTILE

WORDS = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=1, max_size=12),
    st.sampled_from([text for text in HOSTILE if "\n" not in text]),
)
MARKS = st.sampled_from(
    [
        [],
        [{"type": "strong"}],
        [{"type": "em"}],
        [{"type": "strike"}],
        [{"type": "underline"}],
        [{"type": "textColor", "attrs": {"color": "#ff0000"}}],
    ]
)
PERSON = {"type": "mention", "attrs": {"id": "712020:1-2", "text": "@Hana"}}
CARD = {"type": "inlineCard", "attrs": {"url": "https://wiki.example.test/page"}}
EMOJI = {"type": "emoji", "attrs": {"shortName": ":fire:", "text": "\U0001f525"}}
LOZENGE = {"type": "status", "attrs": {"text": "DONE", "color": "green"}}


def _text(words: str, marks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"marks": marks} if marks else {})}


def _block(kind: str, **attrs: Any) -> Any:  # noqa: ANN401 - a function that makes nodes
    return lambda content: {"type": kind, **({"attrs": attrs} if attrs else {}), "content": content}


BREAK = {"type": "hardBreak"}
INLINE = st.one_of(st.builds(_text, WORDS, MARKS), st.sampled_from([PERSON, CARD, EMOJI, LOZENGE, BREAK]))
PARAGRAPH = st.lists(INLINE, max_size=4).map(_block("paragraph"))
CODE = WORDS.filter(lambda words: not set("{}") & set(words)).map(  # markup cannot say a fence inside a fence
    lambda words: {"type": "codeBlock", "content": [{"type": "text", "text": words}]}
)
ITEM = st.tuples(PARAGRAPH).map(list).map(_block("listItem"))
DEEP_ITEM = st.tuples(PARAGRAPH, st.lists(ITEM, min_size=1, max_size=2).map(_block("orderedList"))).map(list)
LIST = st.lists(ITEM | DEEP_ITEM.map(_block("listItem")), min_size=1, max_size=3).map(_block("bulletList"))
CELL = st.tuples(PARAGRAPH).map(list).map(_block("tableCell"))
TABLE = st.lists(st.lists(CELL, min_size=1, max_size=3).map(_block("tableRow")), min_size=1, max_size=2)
PANEL = st.lists(PARAGRAPH, min_size=1, max_size=2).map(_block("panel", panelType="info"))
QUOTE = st.lists(PARAGRAPH, min_size=1, max_size=2).map(_block("blockquote"))
HEADING = st.lists(st.builds(_text, WORDS, MARKS), min_size=1, max_size=2).map(_block("heading", level=2))
BLOCK = st.one_of(PARAGRAPH, LIST, TABLE.map(_block("table")), PANEL, QUOTE, HEADING, CODE, st.just({"type": "rule"}))
DOCUMENTS = st.lists(BLOCK, max_size=5).map(lambda content: {"version": 1, "type": "doc", "content": content})


@functools.cache
def judges() -> tuple[jsonschema.Draft7Validator, ...]:
    """Return what documents are held against: the facts, and the published schema where it is at hand."""
    schemas = [facts.read("documents"), *([published.documents()] if published.is_here() else [])]
    return tuple(jsonschema.Draft7Validator(schema) for schema in schemas)


def document_problems(document: object) -> list[str]:
    """List how a document differs from what is described."""
    return [f"at {error.json_path}: {error.message}" for judge in judges() for error in judge.iter_errors(document)]
