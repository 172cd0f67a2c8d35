"""HTML as ticketing systems keep it: what we write is elements that sanitizers leave, what we read is anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape

from connector_core.kit.markup import Kind, Line, Markup, is_web
from connector_core.kit.texts import clean, trimmed

_NO_BREAK = "\N{NO-BREAK SPACE}"
_SIGN = "\N{BULLET} "
#: Each part ends at the next angle bracket, or before: a text of beginnings without an end is read in one go.
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,20})(?![A-Za-z0-9])(?P<rest>[^<>]*)>|<![^<>]*>")
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_UNSEEN = frozenset({"script", "style", "title", "template"})
_PARTED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "dl", "table", "hr"})
_BLOCKS = _PARTED | frozenset(
    {
        "div",
        "li",
        "tr",
        "dt",
        "dd",
        "section",
        "article",
        "header",
        "footer",
        "thead",
        "tbody",
        "body",
        "html",
        "address",
    }
)
_HEADING = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_RULE = re.compile(r"<hr\b", re.IGNORECASE)
_BOLD = re.compile(r"^\s*<(?:strong|b)\b[^<>]*>[^<>]*</(?:strong|b)>\s*$", re.IGNORECASE)


class Html(Markup):
    """HTML; a space without a break and a tab come back as a space, since browsers and editors make one of the other.

    Each line of ours is an element of its own, so that what people put in between stays whole.
    """

    rule = "<hr>"

    def escape(self, text: str) -> str:
        """Write a paragraph for each, with breaks between its lines."""
        paragraphs = self.normalise(text).split("\n\n")
        shown = ("<br>".join(map(self.inline, paragraph.split("\n"))) for paragraph in paragraphs if paragraph)
        return "\n".join(f"<p>{paragraph}</p>" for paragraph in shown)

    def normalise(self, text: str) -> str:
        """Return normal form, with plain spaces alone."""
        return trimmed(clean(text).replace(_NO_BREAK, " ").replace("\t", " "))

    def inline(self, text: str) -> str:
        """Write a line; of several spaces all but the last would go away, so they are those without a break."""
        return re.sub(r"^ | (?= )", "&nbsp;", escape(clean(text).replace("\n", " "), quote=False))

    def unescape(self, markup: str) -> str:
        """Read what a browser would show, as far as it is words; links with where they lead."""
        return _Reading().read(markup)

    def heading(self, text: str) -> str:
        """Write a heading of the third level."""
        return f"<h3>{self.inline(text)}</h3>"

    def title(self, text: str) -> str:
        """Write a line in bold."""
        return f"<div><strong>{self.inline(text)}</strong></div>"

    def bullet(self, text: str) -> str:
        """Write a line that begins with a bullet: an element of a list could not stand by itself."""
        return f"<div>{_SIGN}{text}</div>"

    def link(self, label: str, address: str) -> str:
        """Write a link with a label."""
        return f'<a href="{escape(address)}">{self.inline(label)}</a>' if is_web(address) else self.inline(address)

    def lines(self, markup: str) -> list[str]:
        """Part markup before and after each block, and after each break."""
        return list(_parts(markup, _BLOCKS | {"br"}))

    def paragraphs(self, markup: str) -> list[str]:
        """Part markup before and after each block; what shows nothing is left out."""
        return [part.strip() for part in _parts(markup, _BLOCKS) if self.unescape(part)]

    def line(self, markup: str) -> Line:
        """Read a line by its elements."""
        text = self.unescape(markup)
        inner = _TAG.sub(lambda tag: "" if (tag["name"] or "").lower() in _BLOCKS | {"br"} else tag[0], markup).strip()
        alone = f"<div>{inner}</div>" if inner else ""
        if _HEADING.search(markup):
            return Line(Kind.HEADING, text, f"<h3>{inner}</h3>" if inner else "")
        if _RULE.search(markup) and not inner:
            return Line(Kind.RULE, "", self.rule)
        if text.startswith((_SIGN, "* ")):
            return Line(Kind.BULLET, text[2:].strip(), alone)
        return Line(Kind.TITLE if _BOLD.match(inner) else Kind.TEXT, text, alone)


def _parts(markup: str, ends: frozenset[str]) -> Iterator[str]:
    """Part markup at the elements named: before those that begin, behind those that end or have no inside."""
    at = 0
    for tag in _TAG.finditer(markup):
        name = (tag["name"] or "").lower()
        if name not in ends:
            continue
        cut = tag.end() if tag["end"] or name in {"br", "hr"} else tag.start()
        cut += markup.startswith("\n", cut)  # the end of a line between two blocks belongs to the first
        if cut > at:
            yield markup[at:cut]
            at = cut
    if markup[at:]:
        yield markup[at:]


class _Reading:
    """The text of one piece of HTML, gathered line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.as_typed = 0
        self.unseen = ""
        self.links: list[tuple[str, int]] = []

    def read(self, markup: str) -> str:
        at = 0
        for tag in _TAG.finditer(markup):
            self.take(markup[at : tag.start()])
            at = tag.end()
            if tag["name"]:
                self.meet(tag["name"].lower(), tag["rest"], is_end=bool(tag["end"]))
        self.take(markup[at:])
        self.end_line()
        return trimmed("\n".join(self.lines))

    def take(self, text: str) -> None:
        """Take text between two tags."""
        if self.unseen or not text:
            return
        shown = text if self.as_typed else re.sub(r"[ \t\n]+", " ", text)
        first, *more = unescape(shown).replace("\r", " ").split("\n")
        self.line += first if self.line or self.as_typed else first.lstrip(" ")
        for one in more:
            self.end_line()
            self.line = one

    def meet(self, name: str, rest: str, *, is_end: bool) -> None:
        """Meet a tag."""
        if self.unseen:
            self.unseen = "" if is_end and name == self.unseen else self.unseen
        elif name in _UNSEEN:
            self.unseen = "" if is_end or rest.endswith("/") else name
        elif name == "br":
            self.end_line(always=True)
        elif name in _BLOCKS:
            self.meet_block(name, is_end=is_end)
        elif name == "a":
            self.meet_link(rest, is_end=is_end)
        elif name in {"td", "th"} and self.line and not self.line.endswith(" "):
            self.line += " "

    def meet_block(self, name: str, *, is_end: bool) -> None:
        self.end_line()
        if name in _PARTED and self.lines and self.lines[-1]:
            self.lines.append("")
        if name == "hr":
            self.lines += ["----", ""]
        elif name == "li" and not is_end:
            self.line = "* "
        elif name == "pre":
            self.as_typed = max(0, self.as_typed + (-1 if is_end else 1))

    def meet_link(self, rest: str, *, is_end: bool) -> None:
        if not is_end:
            found = _HREF.search(rest)
            address = unescape(next(filter(None, found.groups()), "")) if found else ""
            self.links.append((address, len(self.line)))
        elif self.links:
            address, begun = self.links.pop()
            if is_web(address) and self.line[begun:].strip() != address:
                self.line = f"{self.line.rstrip()} ({address})"

    def end_line(self, *, always: bool = False) -> None:
        """End a line; nothing is a line only where it is `always` one."""
        if self.line.strip() or always:
            self.lines.append(clean(self.line.replace(_NO_BREAK, " ")).replace("\t", " ").rstrip())
        self.line = ""


HTML: Markup = Html()  #: HTML
