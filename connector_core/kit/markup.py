"""Languages in which ticketing systems keep texts, as far as a description or a comment of ours needs one.

`PLAIN` and `MARKDOWN` are here, `HTML` is in `html_markup.py`; a plugin adds what its system speaks by a class of its
own below `Markup`.
"""

from __future__ import annotations

import re
import sys
from enum import Enum, auto
from typing import NamedTuple, Protocol
from urllib.parse import quote

from connector_core.kit.texts import clean, normalise, trimmed

_WEB = re.compile(r"https?://[^\s|\]\[{}\\<>\"]+$")


class Kind(Enum):
    """What a line of markup is to a reader."""

    TEXT = auto()
    RULE = auto()
    HEADING = auto()
    TITLE = auto()
    BULLET = auto()


class Line(NamedTuple):
    """One line as a reader sees it: its kind, its words without the signs of the kind, and itself as markup.

    `alone` is the line as it can stand anywhere else, with what it needs to be a line and without a line's end.
    """

    kind: Kind
    text: str
    alone: str


class Markup(Protocol):
    """A language of markup: plain text to it and back, and the few things that a description is built of.

    A language whose lines are lines needs only the first nine; one whose lines are elements, as HTML, all of them. What
    is read was cleaned before (`texts.clean`). For any text, `unescape(escape(text)) == normalise(text)`.
    """

    rule: str  #: a horizontal rule, on a line of its own

    def escape(self, text: str) -> str:
        """Write plain text, of any number of lines and paragraphs, so that exactly this text is shown."""
        ...

    def unescape(self, markup: str) -> str:
        """Read markup as plain text in normal form; what people marked may stay as it is."""
        ...

    def heading(self, text: str) -> str:
        """Write a heading; the text is plain and without signs."""
        ...

    def title(self, text: str) -> str:
        """Write a smaller heading, in bold; the text is plain and without signs."""
        ...

    def bullet(self, text: str) -> str:
        """Write an entry of a list, in one line; the text is markup already."""
        ...

    def link(self, label: str, address: str) -> str:
        """Write a link inside a line; an address that is none of the web stays text, so that no click opens it."""
        ...

    def line(self, markup: str) -> Line:
        """Read one of the lines that `lines` returns."""
        ...

    def normalise(self, text: str) -> str:
        """Return the form in which a plain text comes back after it was written in this language."""
        return normalise(text)

    def inline(self, text: str) -> str:
        """Write plain text of one line to stand inside another line."""
        return self.escape(text)

    def lines(self, markup: str) -> list[str]:
        """Part markup into the lines that a reader sees; joined with nothing between them they are the markup again."""
        return markup.splitlines(keepends=True)

    def paragraphs(self, markup: str) -> list[str]:
        """Part markup into its paragraphs; joined with an empty line between them they show the same."""
        return [part.strip() for part in markup.split("\n\n")]


def is_web(address: str) -> bool:
    """Return whether an address may become a link: of the web, and without signs that end links.

    >>> is_web("javascript:alert(1)")
    False
    """
    return _WEB.match(address) is not None


class Plain(Markup):
    """No markup at all; what is ours is told by signs that are easy to read and seldom typed."""

    rule = "-" * 20

    def escape(self, text: str) -> str:
        """Return the text itself, cleaned."""
        return clean(text)

    def unescape(self, markup: str) -> str:
        """Return the text itself in normal form."""
        return trimmed(markup)

    def heading(self, text: str) -> str:
        """Put a heading between two signs each side."""
        return f"== {text} =="

    def title(self, text: str) -> str:
        """Write a line that ends in a colon."""
        return f"{text}:"

    def bullet(self, text: str) -> str:
        """Begin an entry with a hyphen."""
        return f"- {text}"

    def link(self, label: str, address: str) -> str:  # noqa: ARG002 - a plain text has no labels
        """Write the address: readers make it a link themselves."""
        return clean(address)

    def line(self, markup: str) -> Line:
        """Read a line by its first or last signs."""
        line = markup.strip()
        alone = markup.rstrip("\n")
        if found := re.fullmatch(r"== (.*) ==", line):
            return Line(Kind.HEADING, found[1], alone)
        if re.fullmatch(r"-{4,}", line):
            return Line(Kind.RULE, "", alone)
        if line.startswith("- "):
            return Line(Kind.BULLET, line[2:].strip(), alone)
        return Line(Kind.TITLE, line[:-1], alone) if line.endswith(":") else Line(Kind.TEXT, line, alone)


class Markdown(Markup):
    """CommonMark, and what is built on it; texts come back as they were written, whatever renders them."""

    rule = "---"

    _SIGNS = re.compile(
        r"(?P<address>https?://[^\s<>\\]*[^\s<>\\.,;:!?'\")\]])"
        r"|(?P<blank>(?<![^\n])[ \t])"  # at the start of a line: it would be code, or go away
        r"|(?P<number>(?<![^\n])\d{1,9}[.)])"
        r"|(?P<lead>(?<![^\n])[-+=])"
        r"|(?P<end>(?<=[^\n])\n(?=[^\n]))"
        r"|(?P<sign>[\\`*_{}\[\]<>#|~&!^$:@])"
    )
    _MARKS = re.compile(
        r"\\(?P<sign>[!-/:-@\[-`{-~])|(?P<end>\\\n)|&\#(?P<entity>\d{1,7});"
        r"|<(?P<address>https?://[^\s<>\\]+)>"
        r"|\[(?P<label>(?:\\.|[^\]\[\n\\]){0,1000})\]\(<?(?P<to>(?:[^\s()<>]|\([^\s()<>]*\)){1,3000})>?\)"
    )

    def escape(self, text: str) -> str:
        """Write text with a backslash before signs and before line ends inside a paragraph; addresses in brackets."""
        return self._SIGNS.sub(self._escaped, clean(text))

    def unescape(self, markup: str) -> str:
        """Read backslashes, numeric entities and links; any other markup is a person's and stays."""
        return trimmed(self._MARKS.sub(self._plain, markup))

    def heading(self, text: str) -> str:
        """Write a heading of the third level."""
        return f"### {text}"

    def title(self, text: str) -> str:
        """Write a line in bold; a list may begin right below it."""
        return f"**{text}**"

    def bullet(self, text: str) -> str:
        """Begin an entry with a hyphen."""
        return f"- {text}"

    def link(self, label: str, address: str) -> str:
        """Write a link with a label."""
        if not is_web(address):
            return self.escape(address)
        return f"[{self.escape(label)}]({quote(address, safe='!#$%&*+,-./:;=?@_~')})"

    def line(self, markup: str) -> Line:
        """Read a line by its first signs; an editor may write another bullet."""
        line = markup.strip()
        alone = markup.rstrip("\n")
        if found := re.fullmatch(r"#{1,6}[ \t]+(.*?)[ \t#]*", line):
            return Line(Kind.HEADING, self.unescape(found[1]), alone)
        if re.fullmatch(r"(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}", line):
            return Line(Kind.RULE, "", alone)
        if found := re.fullmatch(r"(\*\*|__)([^*_]+)\1", line):
            return Line(Kind.TITLE, self.unescape(found[2]), alone)
        if found := re.match(r"[-*+][ \t]+", line):
            return Line(Kind.BULLET, self.unescape(line[found.end() :]), alone)
        return Line(Kind.TEXT, self.unescape(line), alone)

    def _escaped(self, found: re.Match[str]) -> str:
        if found["address"]:
            return f"<{found[0]}>"
        if found["blank"]:
            return f"&#{ord(found[0])};"
        if found["number"]:
            return f"{found[0][:-1]}\\{found[0][-1]}"
        return f"\\{found[0]}"

    def _plain(self, found: re.Match[str]) -> str:
        if found["sign"]:
            return found["sign"]
        if found["end"]:
            return "\n"
        if found["entity"]:
            number = int(found["entity"])
            return clean(chr(number)) if number <= sys.maxunicode else found[0]
        if found["address"]:
            return found["address"]
        label = self._MARKS.sub(self._plain, found["label"])
        return label if label == found["to"] else f"{label} ({found['to']})"


PLAIN: Markup = Plain()  #: plain text
MARKDOWN: Markup = Markdown()  #: CommonMark
