"""One plain form of text, the same whichever way it comes: wiki markup, a document (ADF), or as it was typed.

What both sides of a link show is compared in this form, so that our own text does not come back as somebody's change
when Jira has written it anew: version 2 of the API and webhooks carry wiki markup, version 3 documents. Signs such as
`*` stay as they are, whether markup or not: Jira need not escape them again where we did. Boxes, colours and fences,
whose braces Jira has to escape to show them, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from connector_core.kit import texts
from connector_jira_jsm.text import mentions, wiki

Node = Mapping[str, Any]

DEEPEST = 100  # levels of a document that are read; an editor makes about ten
NOBODY: Mapping[str, Any] = MappingProxyType({})

#: Every part ends at the next brace, or before: a text of beginnings without an end is read in one go, however long.
_FENCED = re.compile(
    r"(?P<escaped>\\.)"
    r"|\{(?P<fence>code|noformat)(?::[^{}\n]*)?\}"
    r"|\{\{(?P<monospace>[^{}\n]+)\}\}"
    r"|\{(?P<mark>[*_+^~-]|\?\?)\}"
    r"|\[~accountid:(?P<mention>[^\]\n]{1,255})\]"
    r"|\{(?:color|quote|panel|info|note|warning|tip|expand|section|column)(?::[^{}\n]*)?\}",
    re.DOTALL,
)


def of_wiki(markup: str | None, names: Mapping[str, Any] = NOBODY) -> str:
    """Read wiki markup; `names` are those of people who may be mentioned, by account id."""
    return of_clean_wiki(texts.clean(markup or ""), names)


def of_clean_wiki(text: str, names: Mapping[str, Any] = NOBODY) -> str:
    """Read wiki markup that was cleaned before."""
    if "{" in text or "[~accountid:" in text:
        text = "".join(_unfenced(text, names))
    return wiki.read_clean(text)


def of_document(document: object, names: Mapping[str, Any] = NOBODY) -> str:
    """Read a document; nodes that are not known are read for what they hold, and nothing fails."""
    if not isinstance(document, dict):
        return ""
    return texts.normalise(wiki.unparted("\n\n".join(_blocks(mentions.in_document(document, names), 0))))


def of_rich(value: object, names: Mapping[str, Any] = NOBODY) -> str:
    """Read a field of rich text, whichever version of the API it comes from."""
    return of_wiki(value, names) if isinstance(value, str) else of_document(value, names)


def _unfenced(text: str, names: Mapping[str, Any]) -> Iterator[str]:
    """Return the parts of a text without its fences; one that is not closed is none, and is looked for once."""
    at, unclosed = 0, set[str]()
    while (match := _FENCED.search(text, at)) is not None:
        yield text[at : match.start()]
        at, fence = match.end(), match["fence"]
        if not fence:
            yield _unmarked(match, names)
            continue
        end = -1 if fence in unclosed else text.find(f"{{{fence}}}", at)
        if end < 0:
            unclosed.add(fence)
            at = match.start() + 1
            yield "{"
        else:
            code = text[at:end].strip("\n")
            yield wiki.escape(f"\n{code}\n")
            at = end + len(fence) + 2
    yield text[at:]


def _unmarked(match: re.Match[str], names: Mapping[str, Any]) -> str:
    if match["escaped"]:
        return match[0]
    if match["mention"]:
        return wiki.escape(mentions.shown(match["mention"], names))
    if match["mark"]:
        return match["mark"]
    return wiki.escape(match["monospace"] or "")


def _blocks(node: Node, depth: int) -> list[str]:
    """Return the paragraphs of a node; what stands in one line is put together."""
    found: list[str] = []
    line = ""
    for child in _children(node, depth):
        if (inline := _INLINE.get(child["type"])) is not None:
            line += inline(child)
            continue
        found += [line] if line else []
        line = ""
        block = _BLOCKS.get(child["type"])
        found += _blocks(child, depth + 1) if block is None else block(child, depth + 1)
    return [*found, line] if line else found


def _heading(node: Node, depth: int) -> list[str]:
    level = _attributes(node).get("level", 3)
    return [f"h{level}. {_one_line(node, depth)}"]


def _list(node: Node, depth: int, before: str = "") -> list[str]:
    """Write a list as wiki markup does: a sign for each level in front of the item."""
    signs = before + ("#" if node.get("type") == "orderedList" else "*")
    lines: list[str] = []
    for item in _children(node, depth):
        lists = [child for child in _children(item, depth) if child["type"] in _LISTS]
        rest = {**item, "content": [child for child in _children(item, depth) if child["type"] not in _LISTS]}
        lines.append(f"{signs} {_one_line(rest, depth + 1)}")
        for inner in lists:
            lines += _list(inner, depth + 2, signs)
    return ["\n".join(lines)] if lines else []


def _table(node: Node, depth: int) -> list[str]:
    rows = []
    for row in _children(node, depth):
        cells = _children(row, depth)
        bars = ["||" if cell["type"] == "tableHeader" else "|" for cell in cells]
        shown = [bar + _one_line(cell, depth + 2) for bar, cell in zip(bars, cells, strict=True)]
        rows.append("".join([*shown, *bars[-1:]]))
    return ["\n".join(rows)] if rows else []


def _code(node: Node, depth: int) -> list[str]:
    return ["".join(texts.clean(str(child.get("text", ""))) for child in _children(node, depth))]


def _one_line(node: Node, depth: int) -> str:
    return " ".join(" ".join(_blocks(node, depth)).split("\n"))


def _text(node: Node) -> str:
    text = texts.clean(str(node.get("text", "")))
    given = node.get("marks")
    marks = {m["type"]: m for m in given if isinstance(m, dict) and "type" in m} if isinstance(given, list) else {}
    if "code" in marks:
        return text
    if "link" in marks:
        address = texts.clean(str(_attributes(marks["link"]).get("href", "")))
        return wiki.shown_link(text, wiki.unparted(text), address)
    for name, sign in _SIGNS.items():
        if name in marks and text.strip() == text:
            text = f"{sign}{text}{sign}"
    return text


def _date(node: Node) -> str:
    try:
        millis = int(str(_attributes(node).get("timestamp", "")))
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return ""


def _named(*names: str) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        attributes = _attributes(node)
        return texts.clean(next((str(attributes[name]) for name in names if attributes.get(name)), ""))

    return read


def _children(node: Node, depth: int) -> list[Node]:
    content = node.get("content")
    if depth > DEEPEST or not isinstance(content, list):
        return []
    return [child for child in content if isinstance(child, dict) and isinstance(child.get("type"), str)]


def _attributes(node: Node) -> Mapping[str, Any]:
    found = node.get("attrs")
    return found if isinstance(found, dict) else {}


_LISTS = frozenset({"bulletList", "orderedList", "taskList", "decisionList"})
_SIGNS = {"strong": "*", "em": "_", "strike": "-", "underline": "+"}
_INLINE: Mapping[str, Callable[[Node], str]] = {
    "text": _text,
    "hardBreak": lambda _: "\n",
    "emoji": _named("text", "shortName"),
    "inlineCard": _named("url"),
    "status": _named("text"),
    "date": _date,
}
_BLOCKS: Mapping[str, Callable[[Node, int], list[str]]] = {
    **dict.fromkeys(_LISTS, _list),
    "heading": _heading,
    "table": _table,
    "codeBlock": _code,
    "rule": lambda _, __: ["----"],
    "mediaSingle": lambda _, __: [],  # only the name of a file, which documents do not have
    "mediaGroup": lambda _, __: [],
    "blockCard": lambda node, _: [_named("url")(node)],
    "embedCard": lambda node, _: [_named("url")(node)],
}
