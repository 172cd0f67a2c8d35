"""Reading YAML into plain values that remember where each of them stands in the file.

Only what a configuration needs is read: no anchors, tags or merge keys, no key twice, and no guessing of types beyond
numbers, true/false and nothing. What a value means is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from connector_core.config.mistakes import ConfigInvalid, Mistake

KeyPath = tuple[str | int, ...]

#: The file as the caller of a daemon wrote it: where a daemon does a command, messages name it by that.
as_typed = ""

MAX_DEPTH = 32
#: From so many characters on ruamel.yaml is too slow, and libyaml is tried first.
LARGE = 8 * 1024

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "map", "seq"})
_TRUE = frozenset({"true", "yes", "on"})

# Within {…} YAML takes the braces of ${env:NAME} for its own. They are hidden from it behind two characters for private
# use, one for one, so that a reference needs no quotes anywhere and positions stay right.
_REFERENCE = re.compile(r"\$\{([^{}\n]*)\}")
_HIDDEN = re.compile("\\$\ue000([^\ue000\ue001\n]*)\ue001")


@dataclass(frozen=True)
class Document:
    """The values of a file, and the line and column of each key path; both count from 1."""

    file: str
    values: Mapping[str, Any]
    positions: Mapping[KeyPath, tuple[int, int]]

    def position(self, path: KeyPath) -> tuple[int, int]:
        """Return where a key stands; for one that is not in the file, where its nearest parent does."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))

    def mistake(self, path: KeyPath, message: str, fix: str = "") -> Mistake:
        """Make a mistake that points at a key."""
        return Mistake(self.file, *self.position(path), dotted(path), message, fix)


def dotted(path: KeyPath) -> str:
    """Write a key path as a person would."""
    return ".".join(map(str, path))


def read_document(path: Path) -> Document:
    """Read a YAML file; raise `ConfigInvalid` with everything that is wrong with its form."""
    file = as_typed or str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        fix = "create it with connector config init, or name another one with --config"
        raise ConfigInvalid([Mistake(file, 1, 1, "", f"the file cannot be read: {exc.strerror}", fix)]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigInvalid([Mistake(file, 1, 1, "", "the file is not UTF-8 text", "save it as UTF-8")]) from exc
    return parse_document(text, file)


def parse_document(text: str, file: str) -> Document:
    """Read YAML text; `file` is the name that mistakes carry."""
    if len(text) >= LARGE:
        from connector_core.config import quickly  # noqa: PLC0415 - small files do without it

        read = quickly.read(hidden(text), max_depth=MAX_DEPTH, scalar=Words().__getitem__, shown=shown)
        if read is not None:
            return Document(file, *read)
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    try:
        root = yaml.compose(hidden(text))
    except MarkedYAMLError as exc:
        raise ConfigInvalid([_syntax_mistake(file, exc)]) from exc
    except ReaderError as exc:
        code = exc.character if isinstance(exc.character, int) else ord(exc.character)
        message = f"the character U+{code:04X} may not stand in YAML"
        raise ConfigInvalid(
            [Mistake(file, text.count("\n", 0, exc.position) + 1, 1, "", message, "remove it")]
        ) from exc
    except YAMLError as exc:
        raise ConfigInvalid([Mistake(file, 1, 1, "", "the file is not readable as YAML")]) from exc
    if yaml.composer.names:
        unread = ("", "anchors and aliases are not read", "write the value out here")
        raise ConfigInvalid([Mistake(file, *_place(mark), *unread) for mark in yaml.composer.names])
    return _Reader(file).document(root)


class _TooDeepError(ComposerError):
    """The file is nested so deeply that reading it could exhaust the stack."""


class _Composer(Composer):
    """Notes `&name` and `*name`, because a file with every value in its place is easier to check; ends at the abyss."""

    def __init__(self, loader: YAML | None = None) -> None:
        super().__init__(loader=loader)
        self.warn_double_anchors = False
        self.names: list[StreamMark] = []
        self._level = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node:  # noqa: ANN401 - the library's signature
        """Compose a node; where another one is meant, nothing stands."""
        event = self.parser.peek_event()
        if event.anchor:
            self.names.append(event.start_mark)
        if isinstance(event, AliasEvent):
            self.parser.get_event()
            return ScalarNode(_TAG + "null", "", event.start_mark, event.end_mark)
        if self._level == MAX_DEPTH:
            raise _TooDeepError(None, None, None, event.start_mark)
        self._level += 1
        node: Node = super().compose_node(parent, index)
        self._level -= 1
        return node


@dataclass
class _Reader:
    """Turns composed nodes into values, noting positions and mistakes on the way."""

    file: str
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def document(self, root: Node | None) -> Document:
        values = self.value(root, ()) if root is not None else {}
        if not isinstance(values, dict) and not self.mistakes:
            self.mistakes.append(Mistake(self.file, 1, 1, "", "the file holds no keys", "begin with `database:`"))
        if self.mistakes:
            raise ConfigInvalid(self.mistakes)
        return Document(self.file, values, self.positions)

    def value(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - YAML holds anything
        if node.tag not in {_TAG + name for name in _PLAIN_TAGS}:
            self.note(node, path, "tags are not read", "remove the word that begins with `!`")
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.entry(child, (*path, index)) for index, child in enumerate(node.value)]
        return _scalar(node.tag or "", node.value)

    def entry(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - as above
        self.positions[path] = _place(node.start_mark)
        return self.value(node, path)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag == _TAG + "null":
                self.note(key_node, path, "this is no key", "write a word before the colon")
                continue
            if key_node.tag == _TAG + "merge":
                self.note(key_node, path, "merge keys are not read", "write the keys out here")
                continue
            key = shown(key_node.value)
            here = (*path, key)
            if key in values:
                line = self.positions[here][0]
                self.note(key_node, here, "the key is written twice", f"keep one; the other is in line {line}")
                continue
            self.positions[here] = _place(key_node.start_mark)
            values[key] = self.value(value_node, here)
        return values

    def note(self, node: Node, path: KeyPath, message: str, fix: str) -> None:
        self.mistakes.append(Mistake(self.file, *_place(node.start_mark), dotted(path), message, fix))


def _scalar(tag: str, written: str) -> str | int | float | bool | None:
    """Return the value of a scalar; whatever is not plainly a number, true/false or nothing stays text."""
    text = shown(written)
    match tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() in _TRUE
        case "int" | "float" as kind:
            try:
                return int(text) if kind == "int" else float(text)
            except ValueError:  # 0x1F, .inf and the like
                return text
        case _:
            return text


class Words(dict[str, str | int | float | bool | None]):
    """What words without quotes mean, each found once; raises `KeyError` for what is no value."""

    def __init__(self) -> None:
        super().__init__()
        self._resolver = YAML(typ="safe", pure=True).resolver

    def __missing__(self, word: str) -> str | int | float | bool | None:
        tag = str(self._resolver.resolve(ScalarNode, word, (True, False)))
        if tag.removeprefix(_TAG) not in _PLAIN_TAGS:
            raise KeyError(word)
        return self.setdefault(word, _scalar(tag, word))


def hidden(text: str) -> str:
    """Hide the braces of references from YAML."""
    return _REFERENCE.sub("$\ue000\\1\ue001", text)


def shown(text: str) -> str:
    """Show references again as they were written."""
    return _HIDDEN.sub(r"${\1}", text) if "\ue000" in text else text


def _place(mark: StreamMark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _syntax_mistake(file: str, exc: MarkedYAMLError) -> Mistake:
    if exc.context and "quoted scalar" in exc.context and exc.context_mark:
        line, column = _place(exc.context_mark)
        return Mistake(file, line, column, "", "the quote that begins here is not closed", "close it in the same line")
    mark = exc.problem_mark or exc.context_mark
    line, column = _place(mark) if mark else (1, 1)
    if isinstance(exc, _TooDeepError):
        return Mistake(file, line, column, "", "this is nested too deeply", "check the brackets")
    problem = exc.problem or "this is not YAML"
    if "\\t" in problem:
        return Mistake(file, line, column, "", "a tab cannot indent YAML", "use spaces")
    if exc.context and "single document" in exc.context:
        return Mistake(file, line, column, "", "a second document begins here", "remove the `---`")
    fix = "put the value in quotes" if "cannot start any token" in problem else "check indentation, colons and quotes"
    return Mistake(file, line, column, "", f"not readable as YAML: {shown(problem)}", fix)
