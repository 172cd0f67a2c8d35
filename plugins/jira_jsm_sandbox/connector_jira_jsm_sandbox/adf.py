"""Writes a document (ADF) as wiki markup, HTML or plain words; the reader of wiki markup is in `wiki.py`."""

from __future__ import annotations

import re
from html import escape
from typing import Any

Node = dict[str, Any]

_LISTS = {"bulletList": "*", "orderedList": "#"}
_BOXES = {"panel": "panel", "blockquote": "quote"}
_ALWAYS_SPECIAL = re.compile(r"[\[\]{}]|(?<!\w)[*_]|[*_](?!\w)")
_BACKSLASH = re.compile(r"\\(?=[-#*_+?^~|%{}\[\]()!@\\])|\\$")
_LINE_START = re.compile(r"^(?=#\s|-\s|-{4,5}\s*$)", re.MULTILINE)
_HEADING_START = re.compile(r"^(h[1-6])\.(?=\s)", re.MULTILINE)
_ENTITY = re.compile(r"&(?=#\d{1,7};)")


def is_document(value: object) -> bool:
    """Return whether a value looks like a document at all."""
    is_named = isinstance(value, dict) and value.get("type") == "doc" and value.get("version") == 1
    return is_named and isinstance(value, dict) and "content" in value and _is_node(value)


def _is_node(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    content, marks, attrs = value.get("content", []), value.get("marks", []), value.get("attrs", {})
    if not isinstance(content, list) or not isinstance(marks, list) or not isinstance(attrs, dict):
        return False
    if value["type"] == "text" and not (isinstance(value.get("text"), str) and value["text"]):
        return False
    return all(_is_node(one) for one in [*content, *marks])


def adf_to_wiki(document: Node | None) -> str | None:
    """Write a document as wiki markup; an empty one is None, as Jira reads it back."""
    if not document:
        return None
    text = "\n\n".join(_block(node) for node in document.get("content", []))
    return text if text.strip() else None


def adf_to_html(document: Node | None) -> str:
    """Render a document for people."""
    return "" if not document else "".join(_html(node) for node in document.get("content", []))


def _block(node: Node) -> str:  # noqa: PLR0911 - a table
    kind = node.get("type")
    children = node.get("content", [])
    if kind == "heading":
        return f"h{node.get('attrs', {}).get('level', 3)}. {_line(children)}"
    if kind in _LISTS:
        return "\n".join(_items(node, ""))
    if kind == "table":
        return "\n".join(_row(row) for row in children)
    if kind in _BOXES:
        return f"{{{_BOXES[kind]}}}\n" + "\n\n".join(_block(child) for child in children) + f"\n{{{_BOXES[kind]}}}"
    if kind == "codeBlock":
        language = node.get("attrs", {}).get("language")
        opening = "{code:" + language + "}" if language else "{code}"
        return opening + "\n" + "".join(child.get("text", "") for child in children) + "\n{code}"
    if kind == "rule":
        return "----"
    is_inline = bool(children) and children[0].get("type") in {"text", "hardBreak"}
    if kind == "paragraph" or is_inline:
        return _protect_starts(_line(children))
    return "\n\n".join(_block(child) for child in children)


def _items(node: Node, before: str) -> list[str]:
    signs = before + _LISTS[node["type"]]
    lines = []
    for item in node.get("content", []):
        shown = [child for child in item.get("content", []) if child.get("type") not in _LISTS]
        lines.append(f"{signs} " + " ".join(_block(child).replace("\n", " ") for child in shown))
        for child in item.get("content", []):
            lines += _items(child, signs) if child.get("type") in _LISTS else []
    return lines


def _row(row: Node) -> str:
    cells = row.get("content", [])
    bars = ["||" if cell.get("type") == "tableHeader" else "|" for cell in cells]
    shown = [" ".join(_block(child).replace("\n", " ") for child in cell.get("content", [])) for cell in cells]
    return "".join([*(bar + text for bar, text in zip(bars, shown, strict=True)), *bars[-1:]])


def _protect_starts(text: str) -> str:
    return _HEADING_START.sub(r"\1&#46;", _LINE_START.sub(r"\\", text))


def _line(nodes: list[Node]) -> str:
    return "".join(_inline(node) for node in nodes)


def _inline(node: Node) -> str:  # noqa: PLR0911 - a table
    kind, attrs = node.get("type"), node.get("attrs", {})
    if kind == "hardBreak":
        return "\n"
    if kind == "mention":
        return f"[~accountid:{attrs.get('id', '')}]"
    if kind == "emoji":
        return str(attrs.get("text") or attrs.get("shortName", ""))
    if kind == "status":
        return str(attrs.get("text", ""))
    if kind == "inlineCard":
        address = attrs.get("url", "")
        return f"[{address}|{address}|smart-link]"
    if kind != "text":
        return _line(node.get("content", []))
    return _marked(node)


def _marked(node: Node) -> str:
    marks = {mark["type"]: mark for mark in node.get("marks", [])}
    plain = str(node.get("text", ""))
    if "code" in marks and not set("{}\n") & set(plain):
        return "{{" + plain + "}}"
    text = _escaped(plain)
    if "link" in marks:
        address = str(marks["link"].get("attrs", {}).get("href", "")).replace("|", "%7C").replace("]", "%5D")
        return "[" + text.replace("|", "\\|") + "|" + address + "]"
    for mark, sign in (("strong", "*"), ("em", "_"), ("strike", "-"), ("underline", "+")):
        if mark in marks and text.strip() == text:
            text = f"{sign}{text}{sign}"
    return text


def _escaped(text: str) -> str:
    safe = _BACKSLASH.sub("&#92;", _ENTITY.sub("&#38;", text))
    return _ALWAYS_SPECIAL.sub(lambda match: "\\" + match[0], safe)


_TAGS = {"paragraph": "p", "bulletList": "ul", "orderedList": "ol", "listItem": "li", "blockquote": "blockquote"}
_EMPTY_TAGS = {"hardBreak": "<br/>\n", "rule": "<hr/>\n"}
_MARK_TAGS = {"strong": "b", "em": "em", "code": "tt"}


def _html(node: Node) -> str:
    kind, attrs = node.get("type"), node.get("attrs", {})
    if kind == "text":
        return _html_text(node)
    if kind in _EMPTY_TAGS:
        return _EMPTY_TAGS[kind]
    if kind in {"mention", "emoji", "inlineCard"}:
        return escape(str(attrs.get("text") or attrs.get("shortName") or attrs.get("url") or attrs.get("id") or ""))
    inner = "".join(_html(child) for child in node.get("content", []))
    if kind == "heading":
        level = attrs.get("level", 3)
        return f"<h{level}>{inner}</h{level}>\n"
    if kind == "codeBlock":
        return f"<pre>{inner}</pre>\n"
    tag = _TAGS.get(str(kind))
    return f"<{tag}>{inner}</{tag}>\n" if tag else inner


def _html_text(node: Node) -> str:
    text = escape(node.get("text", ""))
    for mark in node.get("marks", []):
        if mark["type"] == "link":
            # Only web and mail addresses become links: a page of ours must not run what someone typed.
            address = str(mark.get("attrs", {}).get("href", ""))
            if re.match(r"(https?:|mailto:)", address):
                text = f'<a href="{escape(address)}" rel="nofollow">{text}</a>'
        elif tag := _MARK_TAGS.get(mark["type"]):
            text = f"<{tag}>{text}</{tag}>"
    return text
