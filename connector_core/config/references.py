"""References in values: `${env:NAME}` and `${file:/path}`, whole or part of a text; `$${` stands for a plain `${`.

What surrounds the value behind a reference is removed: blanks, line ends and a byte order mark come from the tool that
wrote it, never from who chose it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_core.config.mistakes import Mistake
from connector_core.config.positions import Document, KeyPath
from connector_core.contract.secret_lists import trimmed

MAX_FILE_BYTES = 64 * 1024

_TOKEN = re.compile(r"\$\$\{|\$\{(?P<body>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = "write ${env:NAME} or ${file:/path}; for a plain ${ write $${"


@dataclass
class References:
    """Puts the values behind references into a document, and remembers where they were and which led nowhere.

    For a command that only reads, `lenient` puts a placeholder where a value is missing, and notes it in `missing`.
    """

    document: Document
    folder: Path
    environ: Mapping[str, str]
    lenient: bool = False
    mistakes: list[Mistake] = field(default_factory=list)
    missing: list[Mistake] = field(default_factory=list)
    stripped: list[Mistake] = field(default_factory=list)
    referenced: set[KeyPath] = field(default_factory=set)
    broken: set[KeyPath] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def resolve(self) -> dict[str, Any]:
        """Return the document's values with every reference replaced."""
        return {key: self._resolved(value, (key,)) for key, value in self.document.values.items()}

    def _resolved(self, value: Any, path: KeyPath) -> Any:  # noqa: ANN401 - YAML holds anything
        if isinstance(value, dict):
            return {key: self._resolved(child, (*path, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [self._resolved(child, (*path, index)) for index, child in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        return _TOKEN.sub(lambda token: self._text(token, path), value)

    def _text(self, token: re.Match[str], path: KeyPath) -> str:
        if token["body"] is None:
            return "${"
        self.referenced.add(path)
        try:
            text = _look_up(token["body"] if token["end"] else "", self.folder, self.environ)
        except _Broken as exc:
            (self.missing if self.lenient else self.mistakes).append(self.document.mistake(path, exc.message, exc.fix))
            self.broken.add(path)
            return f"not-set-here-{token['body']}" if self.lenient else ""
        if text != (value := trimmed(text)):
            self._note_stripped(token["body"], text, path)
        self.texts.add(value)
        return value

    def _note_stripped(self, body: str, text: str, path: KeyPath) -> None:
        """Say what was removed around a value; the one line end that editors leave in a file is as it should be."""
        kind, _, name = body.partition(":")
        if kind == "file" and text.removesuffix("\n") == trimmed(text):
            return
        what = f"the environment variable {name}" if kind == "env" else f"the file {name}"
        message = f"{what} has blanks, line ends or a byte order mark around its value; they are ignored"
        self.stripped.append(self.document.mistake(path, message, "remove them"))


class _Broken(Exception):
    """A reference that leads nowhere."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def _look_up(body: str, folder: Path, environ: Mapping[str, str]) -> str:
    kind, _, name = body.partition(":")
    if kind == "env" and _NAME.fullmatch(name):
        return _variable(name, environ)
    if kind == "file" and name:
        return _contents(folder / name, name)
    raise _Broken("this reference cannot be read", _FORMS)


def _variable(name: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name)
    if text is None:
        raise _Broken(f"the environment variable {name} is not set", f"set {name} where the connector is started")
    if not trimmed(text):
        raise _Broken(f"the environment variable {name} is empty", "give it a value, or remove this key")
    return text


def _contents(path: Path, name: str) -> str:
    """Read a file that holds one value."""
    try:
        with path.open("rb") as file:
            contents = file.read(MAX_FILE_BYTES + 1)
        text = contents.decode() if len(contents) <= MAX_FILE_BYTES else ""
    except (OSError, ValueError) as exc:  # ValueError: not UTF-8, or a NUL in the path
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise _Broken(f"the file {name} cannot be read: {reason}", "check the path and who may read it") from exc
    if len(contents) > MAX_FILE_BYTES:
        raise _Broken(f"the file {name} is larger than {MAX_FILE_BYTES // 1024} KiB", "name another file")
    if not trimmed(text):
        raise _Broken(f"the file {name} is empty", "write the value into it, or remove this key")
    return text
