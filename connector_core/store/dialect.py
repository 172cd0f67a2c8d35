"""Statements as PostgreSQL says them: written once, as `statements.py` asks.

    UPDATE lane SET due_at = MIN(COALESCE(due_at, ?1), ?1) WHERE link_id = ?2
    UPDATE lane SET due_at = LEAST(COALESCE(due_at, $1), $1) WHERE link_id = $2

What is not known here is refused: half understood it might mean something else there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"[^"]+")
    | (?P<comment>/\*.*?\*/|--[^\n]*)
    | (?P<value>\?\d*)
    | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<sign>\|\||<=|>=|!=|<>|==|[-+*/=<>(),.;])
    """,
    re.VERBOSE | re.DOTALL,
)
_LOCKS = {"/* FOR UPDATE */": "FOR UPDATE", "/* FOR UPDATE SKIP LOCKED */": "FOR UPDATE SKIP LOCKED"}
#: How a statement may begin.
_VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
#: What may be called, without a space before its parenthesis; `json_extract` and `json_each` are made with the tables.
_FUNCTIONS = frozenset(
    {"CAST", "COALESCE", "COUNT", "MAX", "MIN", "SUM", "LENGTH", "SUBSTR", "JSON_EXTRACT", "JSON_EACH"}
    | {"IN", "EXISTS", "VALUES"}
)
#: What SQLite understands and PostgreSQL does not, or otherwise.
_FOREIGN = frozenset({"GLOB", "REGEXP", "REPLACE", "IGNORE", "ROWID", "PRAGMA", "COLLATE", "ATTACH", "INDEXED"})
_OF_SEVERAL = {"MIN": "LEAST", "MAX": "GREATEST"}
#: Behind these, or at the start of a list, a plus sign stands before a column: it keeps SQLite from an index.
_BEFORE_A_HINT = frozenset({"WHERE", "AND", "OR", "NOT", "("})


class NotUnderstood(Exception):
    """A statement that has something in it that is not known here."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def translate(statement: str) -> str:
    """Return a statement as PostgreSQL says it, with `$1`, `$2` … for values.

    Raises:
        NotUnderstood: something in it is not known.
    """
    tokens = list(_tokens(statement))
    meant = [token for token in tokens if token.kind != "space"]
    if not meant or meant[0].word not in _VERBS:
        raise NotUnderstood(f"a statement that begins otherwise than with {', '.join(sorted(_VERBS))}: {statement}")
    said: list[str] = []
    values = _Values(statement)
    before = ""
    for place, token in enumerate(tokens):
        is_called = token.kind == "word" and tokens[place + 1 : place + 2] == [_Token("sign", "(")]
        if _is_foreign(token, before, is_called=is_called):
            raise NotUnderstood(f"{token.text} in: {statement}")
        if token.kind == "value":
            said.append(values.name(token.text))
        elif token.kind == "comment":
            said.append(_LOCKS[token.text])
        elif is_called and token.word in _OF_SEVERAL and _takes_several(tokens[place + 2 :]):
            said.append(_OF_SEVERAL[token.word])
        elif token.word == "LIKE":
            said.append("ILIKE")
        elif token.text != "+" or before.upper() not in _BEFORE_A_HINT:
            said.append(token.text)
        before = before if token.kind == "space" else token.text
    return "".join(said)


def _is_foreign(token: _Token, before: str, *, is_called: bool) -> bool:
    """Return whether a token is not known here, or does not mean the same there."""
    if is_called and token.word not in _FUNCTIONS:
        return True
    if token.kind == "comment" and token.text not in _LOCKS:
        return True
    return token.word in _FOREIGN or token.text == "==" or (token.text == "-" and before.upper() == "LIMIT")


class _Values:
    """How the values of a statement are named."""

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self._in_order = 0
        self._numbered = False

    def name(self, mark: str) -> str:
        if mark == "?":
            self._in_order += 1
        else:
            self._numbered = True
        if self._in_order and self._numbered:
            raise NotUnderstood(f"values in order and by number: {self._statement}")
        return f"${self._in_order if mark == '?' else mark[1:]}"


def _tokens(statement: str) -> Iterator[_Token]:
    place = 0
    while place < len(statement):
        found = _TOKEN.match(statement, place)
        if found is None:
            raise NotUnderstood(f"{statement[place : place + 20]!r} in: {statement}")
        yield _Token(str(found.lastgroup), found.group())
        place = found.end()


def _takes_several(behind: Sequence[_Token]) -> bool:
    """Return whether a comma stands between the parenthesis that was just opened and its end."""
    depth = 1
    for token in behind:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if depth == 0:
            return False
        if depth == 1 and token.text == "," and token.kind == "sign":
            return True
    return False


def plain(values: Sequence[Any]) -> list[Any]:
    """Return values as columns hold them: numbers for truth, texts for names, and no text with U+0000 in it."""
    return [value if type(value) in _AS_THEY_ARE else _plain(value) for value in values]


_AS_THEY_ARE = frozenset({int, float, bytes, type(None)})


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a caller stores
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str(value).replace("\0", "") if "\0" in value else str(value)
    return int(value) if isinstance(value, bool) else value
