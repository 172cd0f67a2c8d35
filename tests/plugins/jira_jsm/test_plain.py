"""Text reads the same whichever way it comes: typed, as wiki markup, or as a document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_core.kit import texts
from connector_jira_jsm.text import plain, wiki
from connector_jira_jsm_sandbox.adf import adf_to_wiki
from connector_jira_jsm_sandbox.wiki import wiki_to_adf
from tests.plugins.jira_jsm.test_wiki import ANYTHING
from tests.support.examples import up_to
from tests.support.jira.documents import DOCUMENTS, document_problems
from tests.support.jira.hostile_texts import HOSTILE


def three_ways(typed: str) -> tuple[str, str, str]:
    """Read a typed text as we write it, as the document that Jira makes of it, and as Jira writes that document."""
    written = wiki.escape(texts.normalise(typed))
    document = wiki_to_adf(written)
    return plain.of_wiki(written), plain.of_document(document), plain.of_wiki(adf_to_wiki(document))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reads_the_same_all_ways(text: str):
    """A text that looks like markup is the same text in every form."""
    assert set(three_ways(text)) == {texts.normalise(text)}


@given(ANYTHING)
def test_any_text_reads_the_same_all_ways(text: str):
    """Whatever the platform sends, what Jira makes of it is no change."""
    assert set(three_ways(text)) == {texts.normalise(text)}


@given(DOCUMENTS)
def test_a_document_reads_the_same_as_its_markup(document: dict[str, Any]):
    """What people make with an editor is the same through version 3 and through webhooks."""
    assert plain.of_document(document) == plain.of_wiki(adf_to_wiki(document))


@settings(max_examples=10)  # the schema is large and its judge slow
@given(DOCUMENTS)
def test_the_documents_of_these_tests_are_documents(document: dict[str, Any]):
    """Atlassian's schema accepts what the other properties are tried with."""
    assert document_problems(document) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "content", "text", "marks", "attrs", "href", "level"]), inner)
        | st.builds(
            lambda kind, content: {"type": kind, "content": content},
            st.sampled_from(["text", "table", "bulletList", "heading", "codeBlock", "mention", "date"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=up_to(40))
@given(JSON)
def test_what_is_no_document_is_read_without_failing(value: object):
    """Anything where a document was expected is some text."""
    assert isinstance(plain.of_rich(value), str)


def test_an_endless_nest_is_read_as_far_as_it_makes_sense():
    """A document nested a thousand times ends somewhere."""
    node: dict[str, Any] = {"type": "paragraph", "content": [{"type": "text", "text": "deep"}]}
    for _ in range(1000):
        node = {"type": "panel", "content": [node]}

    assert plain.of_document({"type": "doc", "content": [node]}) == ""


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("{panel:title=x}\nwords\n{panel}", "words"),
        ("{color:#ff0000}red{color} and {quote}said{quote}", "red and said"),
        ("{code:java}\nif (x) {y}\n{code}", "if (x) {y}"),
        ("{noformat}*literal*{noformat}", "*literal*"),
        ("use {{make *all*}}", "use make *all*"),
        ("{*}bold{*} word", "*bold* word"),
        ("\\{panel\\} stays", "{panel} stays"),
        ("{code} never closed", "{code} never closed"),
        ("{unknown} stays", "{unknown} stays"),
        (None, ""),
    ],
)
def test_boxes_and_fences_are_left_out(markup: str | None, expected: str):
    """What stands in braces is how Jira shows the text, not the text, unless it is escaped or unknown."""
    assert plain.of_wiki(markup) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"type": "date", "attrs": {"timestamp": "1772443800000"}}, "2026-03-02"),
        ({"type": "date", "attrs": {"timestamp": "9" * 40}}, ""),
        ({"type": "media", "attrs": {"id": "1"}}, ""),
        ({"type": "invented", "content": [{"type": "text", "text": "inside"}]}, "inside"),
        ({"type": "taskList", "content": [{"type": "taskItem", "content": [{"type": "text", "text": "do"}]}]}, "* do"),
        (
            {"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": "https://a.test"}}]},
            "here (https://a.test)",
        ),
    ],
)
def test_other_nodes_are_read_for_what_they_say(node: dict[str, Any], expected: str):
    """Dates, tasks, links and nodes that nobody knows yet."""
    assert plain.of_document({"type": "doc", "version": 1, "content": [node]}) == expected
