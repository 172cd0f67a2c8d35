"""Reads Jira's wiki markup into a document (ADF), as far as helpdesk text needs it.

Blocks: paragraphs, headings, bullet and numbered lists, rules, code. Inline: bold, emphasis, monospace, links,
mentions, escapes. The way back is in `adf.py`.
"""

from __future__ import annotations

import re
from typing import Any

Node = dict[str, Any]

_CODE_OPEN = re.compile(r"^\{(code|noformat)(?::([^}]*))?\}(.*)$", re.DOTALL)
_HEADING = re.compile(r"^h([1-6])\.\s+(.*)$")
_BULLET = re.compile(r"^[*-]\s+(.*)$")
_NUMBER = re.compile(r"^#\s+(.*)$")
_RULE = re.compile(r"^-{4,5}\s*$")
_INLINE = re.compile(
    r"(?P<break>(?<!\\)\\\\(?!\S*\\))"
    r"|(?<!\\)\\(?P<escaped>[-#*_+?^~|%{}\[\]()!@])"  # as Jira's own renderers have it
    r"|&#(?P<entity>\d{1,7});"
    r"|(?P<bare>(?:https?|ftps?|irc)://[\w?!~^/\\#$%&'()*+,\-.:;<=@]*[\w~^/\\#$%&*+\-:;<=@])"
    r"|\[~accountid:(?P<mention>[^\]\n]+)\]"
    r"|\[(?P<link>(?:\\.|[^\]\n\\])+)\]"
    r"|\{\{(?P<mono>[^}\n]+)\}\}"
    r"|(?<![\w*])\*(?P<strong>[^\s*](?:(?:\\.|[^*\n\\])*[^\s*\\])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<em>[^\s_](?:(?:\\.|[^_\n\\])*[^\s_\\])?)_(?![\w_])"
)
_FIRST_SURROGATE = 0xD800
_ADDRESS = re.compile(r"^(https?|mailto|ftp|tel):\S+$|^[#/]\S*$")


def wiki_to_adf(text: str | None) -> Node | None:
    """Turn wiki markup into a document; nothing stays nothing."""
    if not text:
        return None
    return {"version": 1, "type": "doc", "content": _blocks(text.replace("\r\n", "\n").split("\n"))}


def _blocks(lines: list[str]) -> list[Node]:
    blocks: list[Node] = []
    paragraph: list[str] = []
    position = 0

    def flush() -> None:
        if paragraph:
            blocks.append(_with_content("paragraph", _inline("\n".join(paragraph))))
            paragraph.clear()

    while position < len(lines):
        line = lines[position]
        code = _CODE_OPEN.match(line)
        if code and (found := _code(lines, position, code)):
            flush()
            block, position = found
            blocks.append(block)
            continue
        if heading := _HEADING.match(line):
            flush()
            blocks.append(_with_content("heading", _inline(heading[2]), {"level": int(heading[1])}))
        elif _RULE.match(line):
            flush()
            blocks.append({"type": "rule"})
        elif _BULLET.match(line) or _NUMBER.match(line):
            flush()
            block, position = _list(lines, position)
            blocks.append(block)
            continue
        elif line.strip():
            paragraph.append(line)
        else:
            flush()
        position += 1
    flush()
    return blocks


def _code(lines: list[str], start: int, opening: re.Match[str]) -> tuple[Node, int] | None:
    closing = "{" + opening[1] + "}"
    rest = "\n".join([opening[3], *lines[start + 1 :]])
    text, found, after = rest.partition(closing)
    if not found or after.split("\n", 1)[0].strip():
        return None
    language = next((part for part in (opening[2] or "").split("|") if part and "=" not in part), None)
    block: Node = {"type": "codeBlock"}
    if language:
        block["attrs"] = {"language": language}
    if stripped := text.strip("\n"):
        block["content"] = [{"type": "text", "text": stripped}]
    return block, start + 1 + text.count("\n")


def _list(lines: list[str], start: int) -> tuple[Node, int]:
    pattern, kind = (_BULLET, "bulletList") if _BULLET.match(lines[start]) else (_NUMBER, "orderedList")
    items: list[Node] = []
    position = start
    while position < len(lines) and not _RULE.match(lines[position]) and (match := pattern.match(lines[position])):
        items.append({"type": "listItem", "content": [_with_content("paragraph", _inline(match[1]))]})
        position += 1
    return {"type": kind, "content": items}, position


def _with_content(kind: str, content: list[Node], attrs: Node | None = None) -> Node:
    node: Node = {"type": kind}
    if attrs:
        node["attrs"] = attrs
    node["content"] = content
    return node


def _inline(text: str, marks: tuple[str, ...] = ()) -> list[Node]:
    nodes: list[Node] = []
    position = 0
    for match in _INLINE.finditer(text):
        _add_text(nodes, text[position : match.start()], marks)
        position = match.end()
        _add_match(nodes, match, marks)
    _add_text(nodes, text[position:], marks)
    return nodes


def _add_match(nodes: list[Node], match: re.Match[str], marks: tuple[str, ...]) -> None:
    if match["break"]:
        nodes.append({"type": "hardBreak"})
    elif match["escaped"]:
        _add_text(nodes, match["escaped"], marks)
    elif match["entity"]:
        number = int(match["entity"])
        _add_text(nodes, chr(number) if 0 < number < _FIRST_SURROGATE else match[0], marks)
    elif match["bare"]:
        _add_bare(nodes, match["bare"], marks)
    elif match["mention"]:
        nodes.append({"type": "mention", "attrs": {"id": match["mention"], "text": "@" + match["mention"]}})
    elif match["link"]:
        _add_link(nodes, match, marks)
    elif match["mono"]:
        nodes.append({"type": "text", "text": match["mono"], "marks": [{"type": "code"}]})
    elif match["strong"]:
        nodes.extend(_inline(match["strong"], (*marks, "strong")))
    else:
        nodes.extend(_inline(match["em"], (*marks, "em")))


def _add_link(nodes: list[Node], match: re.Match[str], marks: tuple[str, ...]) -> None:
    parts = re.split(r"(?<!\\)\|", match["link"])
    address = parts[1] if len(parts) > 1 else parts[0]
    if not _ADDRESS.match(address):
        _add_text(nodes, match[0], marks)
        return
    if parts[-1] == "smart-link":
        nodes.append({"type": "inlineCard", "attrs": {"url": address}})
        return
    label = re.sub(r"\\([^\w\s]|_)", r"\1", parts[0]) or address
    all_marks = [{"type": mark} for mark in marks]
    nodes.append({"type": "text", "text": label, "marks": [*all_marks, {"type": "link", "attrs": {"href": address}}]})


def _add_bare(nodes: list[Node], text: str, marks: tuple[str, ...]) -> None:
    """Add an address that stands in the text: a backslash in it is shown, and left out of where it leads."""
    address = re.sub(r"\\(.)", r"\1", text)
    all_marks = [*({"type": mark} for mark in marks), {"type": "link", "attrs": {"href": address}}]
    nodes.append({"type": "text", "text": text, "marks": all_marks})


def _add_text(nodes: list[Node], text: str, marks: tuple[str, ...]) -> None:
    for number, line in enumerate(text.split("\n")):
        if number:
            nodes.append({"type": "hardBreak"})
        if not line:
            continue
        node: Node = {"type": "text", "text": line}
        if marks:
            node["marks"] = [{"type": mark} for mark in marks]
        last = nodes[-1] if nodes else {}
        if last.get("type") == "text" and last.get("marks") == node.get("marks"):
            last["text"] += line
        else:
            nodes.append(node)
