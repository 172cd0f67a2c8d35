"""Plain text survives wiki markup, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_core.kit import texts
from connector_jira_jsm.text import wiki
from tests.support.jira.hostile_texts import HOSTILE

SNIPPETS = st.one_of(
    st.characters(codec=None),
    st.sampled_from(
        [*HOSTILE, *"\\[]{}|*_+^~-?!#&:;()hb.q1 \n\t\u2060", "h1. ", "&#92;", "https://a.test/", "%5B", "mailto:"]
    ),
)
ANYTHING = st.lists(SNIPPETS, max_size=20).map("".join)


@given(ANYTHING)
def test_any_text_comes_back(text: str):
    """What is escaped and read again is the same text, less what JSON and Jira cannot hold."""
    assert wiki.unescape(wiki.escape(text)) == texts.clean(text)


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_ascii_is_cleaned_as_everything_else(text: str):
    """The quick way for ASCII leaves the same text as the way for all signs."""
    assert texts.clean(text) == texts.clean(f"{text}\N{EURO SIGN}").removesuffix("\N{EURO SIGN}")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_survives(text: str):
    """Every hostile text is literal, and comes back exactly."""
    markup = wiki.escape(text)

    assert wiki.unescape(markup) == text
    assert "{code" not in markup.replace("\\{", "")
    assert "[" not in markup.replace("\\[", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x07c", "abc"),
        ("half \ud83d sign", "half \ufffd sign"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_what_cannot_be_written_is_replaced(text: str, expected: str):
    """Line ends become one kind, control characters vanish, halves of characters become a mark."""
    assert texts.clean(text) == expected
    assert wiki.escape(text) == expected


def test_ordinary_text_stays_readable():
    """Words, hyphens, dates and full stops are left as they are."""
    text = "Fan 3 of rack-12 failed at 09:30 on 2026-03-02, see unit_4. Load is 85 %."

    assert wiki.escape(text) == text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("one\\\\two", "one\ntwo"),
        ("[https://a.test/b|https://a.test/b|smart-link]", "https://a.test/b"),
        ("[https://a.test/b]", "https://a.test/b"),
        ("see [the page|https://a.test/b].", "see the page (https://a.test/b)."),
        ("[~accountid:1]", "[~accountid:1]"),
        ("&#1114112; &#65;", "&#1114112; A"),
        ("*bold* stays", "*bold* stays"),
    ],
)
def test_markup_of_people_becomes_plain(markup: str, expected: str):
    """Line breaks, links and entities that Jira or a person wrote are read as text."""
    assert wiki.unescape(markup) == expected


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a.test/|x", "https://a.test/]x", "ftp://a.test"])
def test_only_web_addresses_become_links(address: str):
    """Anything else stays text, or is its own label."""
    assert "[open|" not in wiki.link("open", address)
    assert "|javascript" not in wiki.link("open", address)


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("see https://a.test/x/-/issues/7.", "see https://a.test/x/-/issues/7."),
        ("http://a.test:9200/_cluster/health", "http://a.test:9200/_cluster/health"),
        ("(https://a.test/_x_)", "(https://a.test/_x_)"),
        ("[https://a.test/x]", "\\[[https://\u2060a.test/x|https://a.test/x]\\]"),
        ("https://a.test/?a[0]=1", "[https://\u2060a.test/?a%5B0%5D=1|https://a.test/?a%5B0%5D=1]"),
        ("https://a.test/\u00e4", "[https://\u2060a.test/\u00e4|https://a.test/%C3%A4]"),
        ("https://a.test/[%5B", "https://\u2060a.test/\\[%5B"),
    ],
)
def test_an_address_stays_the_address_that_it_is(text: str, markup: str):
    """It stands bare where Jira takes the whole for the link, as Atlassian's own converter was seen to read it."""
    assert wiki.escape(text) == markup
    assert wiki.unescape(markup) == text


def test_what_earlier_versions_wrote_is_still_read():
    """Tickets keep the entities and escapes that they were written with."""
    markup = r"h1&#46; C:&#92;temp &#95;a&#95; \:) \(y) \-"

    assert wiki.unescape(markup) == r"h1. C:\temp _a_ :) (y) -"
