"""Our markup, read by Atlassian's own converter: it shows the text and nothing else, with its addresses as links."""

from __future__ import annotations

import random
import re
from urllib.parse import unquote

import pytest

from connector_jira_jsm.text import wiki
from tests.support.jira.atlassian_reader import links, read, words
from tests.support.jira.hostile_texts import ADDRESSES, HOSTILE

pytestmark = pytest.mark.extended  # `make test` does not get the converter
PIECES = [*HOSTILE, *"\\[]{}|*_+^~-?!#&:;()hb.q1 \n@%'\"<>/", "h1. ", "&#92;", "https://a.test/", *ADDRESSES, " ", "ä"]


def visible(text: str) -> str:
    """Return what people see of a text: no signs without width, no blanks where a browser shows none."""
    text = re.sub(
        "%(?:5B|5D|7B|7C|7D)", lambda found: unquote(found[0]), text.replace("\u2060", ""), flags=re.IGNORECASE
    )
    lines = [line.strip(" \t") for line in text.split("\n")]
    return re.sub(r"\n\n+", "\n\n", "\n".join(lines)).strip()


def test_hostile_texts_are_shown_as_they_are():
    """None of them is markup."""
    shown = [visible(words(document)) for document in read([wiki.escape(text) for text in HOSTILE])]

    assert shown == [visible(text) for text in HOSTILE]


@pytest.mark.parametrize("around", ["{}", "see {} now", "({})", "[{}]", "*{}*", "{}.", "<{}>", '"{}", and'])
def test_addresses_are_links_that_lead_there(around: str):
    """Whatever is in them and around them."""
    texts = [around.format(address) for address in ADDRESSES]

    documents = read([wiki.escape(text) for text in texts])

    assert [visible(words(document)) for document in documents] == [visible(text) for text in texts]
    for address, document in zip(ADDRESSES, documents, strict=True):
        (target,) = links(document)
        assert unquote(target).removesuffix("*") == unquote(address)


def test_any_text_is_shown_as_it_is():
    """Texts put together of all that has a meaning in markup; one form of attachment is not ours to write."""
    chance = random.Random(7)
    texts = ["".join(chance.choice(PIECES) for _ in range(chance.randint(1, 8))) for _ in range(3_000)]
    texts = [text for text in texts if "!^" not in text]

    shown = [visible(words(document)) for document in read([wiki.escape(text) for text in texts])]

    assert [(text, seen) for text, seen in zip(texts, shown, strict=True) if seen != visible(text)] == []
