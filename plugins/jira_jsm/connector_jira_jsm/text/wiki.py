"""Plain text to Jira's wiki markup and back.

`escape` writes any text so that Jira shows exactly that text, with its addresses as links; `unescape` reads markup that
we or a person wrote as plain text. A backslash takes the meaning of some signs away. What else would read as markup is
parted by a sign without width: numeric entities, which the old renderer reads, are shown as they are by the new one.
"""

from __future__ import annotations

import re
import sys
from urllib.parse import quote, unquote

from connector_core.kit.texts import clean, trimmed

_JOINER = "\N{WORD JOINER}"  # has no width: parts what reads as markup and cannot be escaped
# What a backslash takes the meaning of in Jira's own renderers; before anything else it is a backslash.
_SIGNS = r"\-#*_+?^~|%{}\[\]()!@"
_RULES = (
    r"(?P<lead>(?<![^\n])[ \t]*)(?:(?P<number>\#)|(?P<heading>(?=\u2060*(?:h[1-6]|bq)\.)))"  # at the start of a line
    r"|(?P<share>(?<!\\)\\\\(?=[\w.$-]+\\))"  # as in \\server\share, which is no line break
    rf"|(?P<part>\\(?=[{_SIGNS}:;\\\n\u2060]|(?:https?|ftps?|irc)://)"  # or it took a meaning, or the line's end
    r"|&(?=\u2060*\#?\w+;)"  # what would read as an entity
    r"|:(?=\u2060*[DPp](?![A-Za-z0-9]))"  # smileys
    r"|(?i:mailto)(?=\u2060*:)|://(?=\u2060))"
    r"|(?P<sign>(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not inside_a_word
    r"|[\[\]{}|]"  # links, macros, tables
    r"|(?:(?<!\w)[*+^~-]|[*+^~-](?!\w))"  # phrase marks, lists, rules and dashes: not inside a word
    r"|\?(?=\?)|(?<=\?)\?"  # citations
    r"|!(?=\S)"  # images
    r"|(?<=[:;])[()]"  # smileys
    r"|\((?=[^\s()]{1,7}\)))"  # and other little pictures such as (y)
)
_ESCAPES = re.compile(r"(?P<address>(?:https?|ftps?|irc)://[^\s<>\"]{1,2000})|" + _RULES)
_IN_LABEL = re.compile(r"(?P<address>(?!))|" + _RULES)  # an address there is the link's own
_PARTS = (
    r"(?P<parted>\\|&(?=\u2060+\#?\w+;)|:(?=\u2060+[DPp](?![A-Za-z0-9]))|(?i:mailto)(?=\u2060+:)|://)\u2060"
    r"|(?P<lead>(?<![^\n])[ \t]*)\u2060(?=\u2060*(?:h[1-6]|bq)\.)"
)
_PARTED = re.compile(_PARTS)
_MARKUP = re.compile(
    r"(?P<break>(?<!\\)\\\\(?![^\s\\]*\\))"
    rf"|{_PARTS}"
    rf"|(?<!\\)\\(?P<sign>[{_SIGNS}:;])"  # the last two as earlier versions wrote them, and entities too
    r"|&\#(?P<entity>\d{1,7});"
    r"|\[(?:(?P<label>(?:\\.|[^\]\[\n\\|])+)\|)?(?P<address>(?:https?|mailto|ftps?):[^\]\[\n|\s]+)(?:\|smart-\w+)?\]"
)
_BEGINNINGS = ("\\", "&#", "[", _JOINER)  # without one of them there is no markup to read

# What Jira takes for an address where it stands in the text; another one needs brackets. The last sign is never one of
# those that end a sentence.
_BARE = re.compile(r"[a-z]+://[\w?!~^/#$%&'()*+,\-.:;=@]*[\w~^/#$%&*+\-=:@]", re.ASCII | re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?'"
_CLOSING = {")": "(", "]": "[", "}": "{"}
_BRACKETED = re.compile("%(?:5B|5D|7B|7C|7D)", re.IGNORECASE)
_IN_ADDRESS = "!#$%&'()*+,-./:;=?@_~"  # what needs no percent sign


def escape(text: str) -> str:
    """Write plain text as wiki markup that shows exactly this text."""
    return _ESCAPES.sub(_escaped, clean(text))


def unescape(markup: str) -> str:
    """Read wiki markup as plain text; markup that a person added stays as it is, links become plain."""
    return _unescaped(clean(markup))


def read_clean(markup: str) -> str:
    """Unescape and normalise markup that was cleaned before: once is enough, and every delivery is read."""
    return trimmed(_unescaped(markup))


def unparted(text: str) -> str:
    """Return text that Jira has read from our markup without the signs that part things in it."""
    return _PARTED.sub(lambda found: found["parted"] or found["lead"], text) if _JOINER in text else text


def shown_link(label: str, shown: str, address: str) -> str:
    """Return what a link shows, and where it leads if that is something else.

    A label that is parted is an address that we wrote, whose brackets are spelt as %5B: such do not stand in labels.
    """
    if address not in {shown, quote(shown, safe=_IN_ADDRESS)}:
        return f"{shown} ({address})" if address else shown
    return _BRACKETED.sub(lambda found: unquote(found[0]), shown) if _JOINER in label else shown


def link(label: str, address: str) -> str:
    """Write a link; an address that is none stays text, so that nothing but the web can be opened by a click."""
    if not re.match(r"https?://[^\s|\]\[{}\\]+$", address):
        return escape(address)
    return f"[{escape(label)}|{address}]"


def _unescaped(text: str) -> str:
    return _MARKUP.sub(_plain, text) if any(sign in text for sign in _BEGINNINGS) else text


def _escaped(match: re.Match[str]) -> str:
    if match["address"]:
        return _address(match["address"], goes_on=match.string[match.end() : match.end() + 1] == "<")
    if match["lead"] is not None:
        return match["lead"] + ("\\#" if match["number"] else _JOINER)
    if match["part"]:
        return match["part"] + _JOINER
    if match["share"]:
        return match["share"]
    return "\\" + match["sign"]


def _address(text: str, *, goes_on: bool) -> str:
    """Write an address so that it is the whole link: nothing in it is markup, and what goes on behind it is outside."""
    end = len(text)
    while end and (text[end - 1] in _AFTER_ADDRESS or _is_unpaired(text[:end])):
        end -= 1
    address, rest = text[:end], _ESCAPES.sub(_escaped, text[end:])
    scheme, _, host = address.partition("://")
    if not host:
        return address + rest
    if _BARE.fullmatch(address) and not (goes_on or "\\" in rest or re.search(r"&#?\w+;", text)):
        return address + rest
    if _BRACKETED.search(address):  # which were there before could not be told
        return f"{scheme}://{_JOINER}{_in_label(host)}{rest}"
    # Brackets and bars do not stand in a link's label either.
    label = _in_label(re.sub(r"[\[\]{}|]", lambda found: quote(found[0]), host))
    return f"[{scheme}://{_JOINER}{label}|{quote(address, safe=_IN_ADDRESS)}]{rest}"


def _in_label(text: str) -> str:
    label = _IN_LABEL.sub(_escaped, text)
    return label + _JOINER if label.endswith("\\") else label  # it would take the meaning of the bar behind it


def _is_unpaired(text: str) -> bool:
    opening = _CLOSING.get(text[-1])
    return opening is not None and text.count(text[-1]) > text.count(opening)


def _plain(match: re.Match[str]) -> str:  # noqa: PLR0911 - a table
    if match["break"]:
        return "\n"
    if match["parted"]:
        return match["parted"]
    if match["lead"] is not None:
        return match["lead"]
    if match["sign"]:
        return match["sign"]
    if match["entity"]:
        number = int(match["entity"])
        return clean(chr(number)) if number <= sys.maxunicode else match[0]
    label, address = match["label"], match["address"]
    if label is None:
        return address
    return shown_link(label, unescape(label), address)
