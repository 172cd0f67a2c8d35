"""Wiki markup and documents, and the way between them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_jira_jsm_sandbox.adf import adf_to_html, adf_to_wiki
from connector_jira_jsm_sandbox.wiki import wiki_to_adf
from tests.support.jira.documents import document_problems


def blocks(wiki: str) -> list[Any]:
    """Return the blocks of a text."""
    document = wiki_to_adf(wiki)
    assert document is not None
    content: list[Any] = document["content"]
    return content


def paragraph(*texts: str) -> dict[str, Any]:
    """Return a paragraph whose lines are the texts."""
    content: list[dict[str, Any]] = []
    for text in texts:
        content += [{"type": "hardBreak"}] if content else []
        content.append({"type": "text", "text": text})
    return {"type": "paragraph", "content": content}


def test_paragraphs_and_breaks() -> None:
    """A blank line parts paragraphs, a single one and a double backslash break lines."""
    assert blocks("a\nb\\\\c\n\n\nd") == [paragraph("a", "b", "c"), paragraph("d")]


def test_headings_lists_rules() -> None:
    """Block markup becomes blocks."""
    kinds = [block["type"] for block in blocks("h3. Title\n* one\n* two\n----\n# first\ntext")]

    assert kinds == ["heading", "bulletList", "rule", "orderedList", "paragraph"]


@pytest.mark.parametrize("name", ["code", "noformat"])
def test_code_blocks_are_literal(name: str) -> None:
    """Inside code nothing is markup."""
    shown = blocks("before\n{" + name + "}\n*not bold*\n\nh1. no\n{" + name + "}\nafter")

    assert [block["type"] for block in shown] == ["paragraph", "codeBlock", "paragraph"]
    assert shown[1]["content"][0]["text"] == "*not bold*\n\nh1. no"


def test_code_language_and_unclosed_code() -> None:
    """A language is kept; an opening without an end is text."""
    assert blocks("{code:json}{}{code}")[0]["attrs"] == {"language": "json"}
    assert blocks("{code}\nnever closed") == [paragraph("{code}", "never closed")]


def test_inline_markup() -> None:
    """Bold, emphasis, monospace, links, mentions and cards."""
    shown = blocks("*b* _e_ {{m}} [text|https://x.test/] [~accountid:1:2] [https://y.test|https://y.test|smart-link]")

    marks = [[mark["type"] for mark in node.get("marks", [])] for node in shown[0]["content"] if node.get("marks")]
    assert marks == [["strong"], ["em"], ["code"], ["link"]]
    assert [node["type"] for node in shown[0]["content"] if node["type"] != "text"] == ["mention", "inlineCard"]


@pytest.mark.parametrize(
    "text", ["2*3*4", "snake_case_name", "a * b * c", "[not a link]", "C:\\temp", "* not", "x**y**"]
)
def test_text_that_is_no_markup_stays(text: str) -> None:
    """Signs in the middle of words, and brackets without an address, are just text."""
    shown = blocks("x " + text)

    assert shown == [paragraph("x " + text)]


def test_escapes() -> None:
    """A backslash takes the meaning from the sign after it, an entity stands for its character."""
    assert blocks(r"\*a\* \[b\] \{c\} &#92;") == [paragraph(r"*a* [b] {c} " + "\\")]


def test_html_is_escaped() -> None:
    """What someone typed never becomes markup of a page."""
    assert adf_to_html(wiki_to_adf("<script>")) == "<p>&lt;script&gt;</p>\n"
    script: dict[str, Any] = {
        "type": "text",
        "text": "x",
        "marks": [{"type": "link", "attrs": {"href": "javascript:x"}}],
    }
    document = {"version": 1, "type": "doc", "content": [{"type": "paragraph", "content": [script]}]}
    assert adf_to_html(document) == "<p>x</p>\n"


def test_unknown_nodes_do_not_fail() -> None:
    """A panel with an emoji and a date gives what text it has."""
    emoji = {"type": "emoji", "attrs": {"shortName": ":fire:"}}
    panel = {"type": "panel", "attrs": {"panelType": "info"}, "content": [{"type": "paragraph", "content": [emoji]}]}
    document = {"version": 1, "type": "doc", "content": [panel, {"type": "mediaSingle", "content": []}]}

    assert (adf_to_wiki(document) or "").strip() == "{panel}\n:fire:\n{panel}"
    assert ":fire:" in adf_to_html(document)


@given(st.text(max_size=200))
def test_any_text_becomes_a_valid_document(text: str) -> None:
    """Whatever is stored, API v3 answers with a document that its schema accepts."""
    document = wiki_to_adf(text)

    assert document is None or document_problems(document) == []


_LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=40)
_SIGNS = st.text(r"*_[]{}\|-#h1. &;9" + "ab", min_size=1, max_size=12)


@given(
    st.lists(
        st.lists((_LINE | _SIGNS).filter(lambda t: t == t.strip()), min_size=1, max_size=3), min_size=1, max_size=3
    )
)
def test_plain_documents_survive_the_round_trip(paragraphs: list[list[str]]) -> None:
    """A document of plain text, however full of signs, reads back as it was written."""
    document = {"version": 1, "type": "doc", "content": [paragraph(*lines) for lines in paragraphs]}

    assert wiki_to_adf(adf_to_wiki(document)) == document


@pytest.mark.parametrize(
    "wiki",
    ["h2. Title\n\ntext *bold* _em_ {{m}}", "* one\n* *two*", "{code:json}\n{}\n{code}", "----", "[a|https://x.test]"],
)
def test_wiki_survives_the_round_trip(wiki: str) -> None:
    """What API v2 wrote and API v3 wrote back is the same markup."""
    assert adf_to_wiki(wiki_to_adf(wiki)) == wiki
