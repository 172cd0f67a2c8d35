"""Plain text to Jira's wiki markup and back.

`escape` writes any text so that Jira shows exactly that text; `unescape` reads markup that we or a person wrote as
plain text. A backslash before a sign takes its meaning away, except that two backslashes are a line break and that a
few signs are safe only as a numeric entity (Jira, "Text Formatting Notation Help").
"""

from __future__ import annotations

import re
import sys

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The same for ASCII, which is translated ten times as fast as it is searched; every delivery is cleaned.
_ASCII = {**dict.fromkeys((*range(0x20), 0x7F)), **dict.fromkeys((0x0A, 0x0B, 0x0C, 0x0D), "\n"), 0x09: "\t"}

_ESCAPES = re.compile(
    r"(?P<entity>\\|&(?=\#?\w+;)"  # a backslash, and what would read as an entity
    r"|(?<![^\W_])_|_(?![^\W_]))"  # emphasis, but not inside_a_word
    r"|(?P<heading>(?<![^\n])[ \t]*(?:h[1-6]|bq)(?=\.))\."  # h1. and bq. at the start of a line
    r"|(?P<sign>[\[\]{}|]"  # links, macros, tables
    r"|(?:(?<!\w)[*+^~-]|[*+^~-](?!\w))"  # phrase marks, lists, rules and dashes: not inside a word
    r"|\?(?=\?)|(?<=\?)\?"  # citations
    r"|!(?=\S)"  # images
    r"|(?<![^\n])\#|(?<=\n )\#"  # numbered lists
    r"|[:;](?=[()DP])"  # smileys
    r"|\((?=[^\s()]{1,5}\)))"  # and other little pictures such as (y)
)
_MARKUP = re.compile(
    r"(?P<break>\\\\)"
    r"|\\(?P<sign>[^\w\s\\]|_)"
    r"|&\#(?P<entity>\d{1,7});"
    r"|\[(?:(?P<label>(?:\\.|[^\]\[\n\\|])+)\|)?(?P<address>(?:https?|mailto|ftp):[^\]\[\n|\s]+)(?:\|smart-\w+)?\]"
)
_BEGINNINGS = ("\\", "&#", "[")  # without one of them there is no markup to read


def clean(text: str) -> str:
    """Return the text as far as JSON and Jira can carry it: no control characters, no halves of characters."""
    if text.isascii():
        return text.replace("\r\n", "\n").translate(_ASCII)
    return _SURROGATE.sub(_REPLACEMENT, _NOT_TEXT.sub("", _LINE_ENDS.sub("\n", text)))


def normalise(text: str) -> str:
    """Return the text without what does not survive markup: trailing blanks, and more than one empty line."""
    return _trimmed(clean(text))


def escape(text: str) -> str:
    """Write plain text as wiki markup that shows exactly this text."""
    return _ESCAPES.sub(_escaped, clean(text))


def unescape(markup: str) -> str:
    """Read wiki markup as plain text; markup that a person added stays as it is, links become plain."""
    return _unescaped(clean(markup))


def read_clean(markup: str) -> str:
    """Unescape and normalise markup that was cleaned before: once is enough, and every delivery is read."""
    return _trimmed(_unescaped(markup))


def link(label: str, address: str) -> str:
    """Write a link; an address that is none stays text, so that nothing but the web can be opened by a click."""
    if not re.match(r"https?://[^\s|\]\[{}\\]+$", address):
        return escape(address)
    return f"[{escape(label)}|{address}]"


def _unescaped(text: str) -> str:
    return _MARKUP.sub(_plain, text) if any(sign in text for sign in _BEGINNINGS) else text


def _trimmed(text: str) -> str:
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n\n\n+", "\n\n", "\n".join(lines)).strip()


def _escaped(match: re.Match[str]) -> str:
    if match["heading"]:
        return match["heading"] + "&#46;"
    if match["entity"]:
        return f"&#{ord(match['entity'])};"
    return "\\" + match["sign"]


def _plain(match: re.Match[str]) -> str:
    if match["break"]:
        return "\n"
    if match["sign"]:
        return match["sign"]
    if match["entity"]:
        number = int(match["entity"])
        return clean(chr(number)) if number <= sys.maxunicode else match[0]
    label, address = match["label"], match["address"]
    return address if label is None or unescape(label) == address else f"{unescape(label)} ({address})"
