"""The description of a ticket in Jira's wiki markup, and read from either form in which Jira shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector_core import Incident, utf16_length
from connector_core.kit import texts
from connector_core.kit.details import REFERENCE, Details
from connector_core.kit.markup import Kind, Line, Markup
from connector_jira_jsm.text import cuts, plain, wiki

LONGEST = 32_767  # UTF-16 units of a text field (JRASERVER-64351)

_HEADING_LINE = re.compile(r"[ \t]*h[1-6]\.[ \t]+(.*?)[ \t]*$")
_RULE_LINE = re.compile(r"[ \t]*-{4,5}\s*$")
_TITLE_LINE = re.compile(r"[ \t]*\*([A-Za-z ]+)\*[ \t]*$")
_BULLET_LINE = re.compile(r"[ \t]*\*[ \t]+")
_REFERENCE_LINE = re.compile(rf"[ \t]*{REFERENCE}\S+[ \t]*$")


class Wiki(Markup):
    """Wiki markup, with the names of those whom a text mentions."""

    rule = "----"

    def __init__(self, names: Mapping[str, Any] = plain.NOBODY) -> None:
        self.names = names

    def escape(self, text: str) -> str:
        """Write plain text so that Jira shows exactly this text."""
        return wiki.escape(text)

    def unescape(self, markup: str) -> str:
        """Read markup in the form that is compared."""
        return plain.of_clean_wiki(markup, self.names)

    def heading(self, text: str) -> str:
        """Write a heading of the third level."""
        return f"h3. {text}"

    def title(self, text: str) -> str:
        """Write a line in bold."""
        return f"*{text}*"

    def bullet(self, text: str) -> str:
        """Begin an entry with an asterisk."""
        return f"* {text}"

    def link(self, label: str, address: str) -> str:
        """Write a link with a label."""
        return wiki.link(label, address)

    def line(self, markup: str) -> Line:
        """Read a line by its first signs."""
        line = markup.rstrip("\n")
        if found := _HEADING_LINE.match(line):
            return Line(Kind.HEADING, found[1], line)
        if _RULE_LINE.match(line):
            return Line(Kind.RULE, "", line)
        if found := _TITLE_LINE.match(line):
            return Line(Kind.TITLE, found[1], line)
        if found := _BULLET_LINE.match(line):
            return Line(Kind.BULLET, wiki.unescape(line[found.end() :]), line)
        return Line(Kind.TEXT, wiki.unescape(line), line)


WIKI = Wiki()


def _details(names: Mapping[str, Any] = plain.NOBODY) -> Details:
    return Details(Wiki(names), LONGEST, utf16_length, cuts.DESCRIPTION)


_DETAILS = _details()
write, mentions, leads_to = _DETAILS.write, _DETAILS.mentions, _DETAILS.leads_to


def rewrite(markup: str | None, incident: Incident, marker: str, names: Mapping[str, Any] = plain.NOBODY) -> str:
    """Write the text anew over the one that a ticket has, and keep what people did to it."""
    return _details(names).rewrite(markup, incident, marker)


def read(text: object, names: Mapping[str, Any] = plain.NOBODY) -> str | None:
    """Return the words above our part in the form that is compared, None when there are none."""
    if isinstance(text, dict):
        return plain.of_document(_above_our_heading(text), names) or None
    return _details(names).own_words(text if isinstance(text, str) else None)


def fitted(own: str, room: int) -> str:
    """Write plain text as markup of at most so many UTF-16 units."""
    return texts.fitted(own, room, count=utf16_length, escape=wiki.escape, note=cuts.DESCRIPTION)


def _above_our_heading(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return a document without our part, which begins at the last heading of our words."""
    content = document.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    headings = [number for number, block in enumerate(blocks) if block.get("type") == "heading"]
    lines = {number: _DETAILS.markup.line(plain.of_document({"content": [blocks[number]]})) for number in headings}
    ours = [number for number, line in lines.items() if _DETAILS.is_our_heading(line)]
    above = blocks[: ours[-1]] if ours else blocks
    last = plain.of_document({"content": above[-1:]})
    if _RULE_LINE.match(last) if ours else _REFERENCE_LINE.match(last):
        above = above[:-1]
    return {"content": above}
