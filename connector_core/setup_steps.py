"""The vocabulary of set-up: what a plugin asks a person, free of any user interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connector_core.models import Severity

ROW = "."  # between the keys of a group and of one of its rows


@dataclass(frozen=True)
class Choice:
    """One entry of a list: the stored value, what a person reads, and what they should know before choosing it."""

    value: str
    label: str
    note: str = ""
    warning: str = ""


class FieldKind(StrEnum):
    """How a field is asked for."""

    CHOICE = "choice"
    TEXT = "text"
    LONG_TEXT = "long_text"
    GROUP = "group"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True)
class SetupField:
    """One question.

    `load` fetches the choices of a `CHOICE` field afresh on every call, so a reload is one more call. It may raise any
    error of the connector's tree. With `may_be_typed` any other text will do too.
    `rows` fetches the questions of a `GROUP` in the same way; its answer is a mapping by their keys, and a row is
    named by both keys with a dot between them. `check` says what is wrong with an answer, nothing when it is good.
    `find` looks up what was typed and gives whole answers in its place: one is taken, several are a choice.
    """

    key: str
    label: str
    help: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    load: Callable[[], Sequence[Choice]] | None = None
    rows: Callable[[], Sequence[SetupField]] | None = None
    may_be_typed: bool = False
    check: Callable[[str], str] | None = None
    find: Callable[[str], Sequence[Choice]] | None = None


def answer_to(answers: Mapping[str, object], key: str) -> str:
    """Return the answer to a question or to a row of a group, nothing when there is none."""
    if key in answers:
        given = answers[key]
        if isinstance(given, bool):
            return str(given).lower()  # as the file spells it
        return ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    group, _, row = key.partition(ROW)
    rows = answers.get(group)
    return str(rows.get(row, "")) if row and isinstance(rows, Mapping) else ""


def in_words(value: str, label: str | None) -> str:
    """Return an answer as people read it, with the id that other systems know it by: IT help (10)."""
    if not label or label == value:
        return value
    if not any(letter.isdigit() for letter in value):
        return label  # a word of ours, which tells nothing more
    return f"{label[:-1]}, {value})" if label.endswith(")") else f"{label} ({value})"


def with_answer(answers: Mapping[str, object], key: str, value: str) -> dict[str, object]:
    """Return answers with another one; in a group an empty one is taken away, and a group without any too."""
    group, _, row = key.partition(ROW)
    if not row:
        return {**answers, key: value}
    present = answers.get(group)
    rows = {**(present if isinstance(present, Mapping) else {}), row: value}
    filled = {name: text for name, text in rows.items() if text}
    others = {name: answer for name, answer in answers.items() if name != group}
    return {**others, group: filled} if filled else others


@dataclass(frozen=True)
class Remark:
    """One sentence about what the answers given so far lead to; without a severity it is neither good nor bad."""

    text: str
    severity: Severity | None = None


@dataclass(frozen=True)
class CopyValue:
    """A value that a person carries over to the other side, under the name that it has there."""

    label: str
    value: str


@dataclass(frozen=True)
class SetupStep:
    """One page of the wizard.

    `needs` names the answers that must exist before the step makes sense. `text` is shown as it is, in paragraphs,
    those that begin with a number as a list. `values` are offered for copying. `preview` looks at the other side for
    what the saved answers lead to; it is asked for afresh on every call and may raise any error of the connector's
    tree.
    """

    key: str
    title: str
    help: str
    fields: tuple[SetupField, ...]
    needs: frozenset[str] = frozenset()
    optional: bool = False
    text: str = ""
    values: tuple[CopyValue, ...] = ()
    preview: Callable[[], Sequence[Remark]] | None = None


Answers = Mapping[str, object]
