"""The vocabulary of set-up: what a plugin asks a person, free of any user interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from pydantic import SecretStr

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Severity

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
    error of the connector's tree. With `may_be_typed` any other text will do too. A list that
    `is_fixed` comes from nowhere, so that there is nothing to reload.
    `rows` fetches the questions of a `GROUP` in the same way; its answer is a mapping by their keys, and a row is
    named by both keys with a dot between them. `check` says what is wrong with an answer, nothing when it is good.
    `generate` makes a new value for a `SECRET` field that the other side takes from us. `needs_again` names secrets
    that have to be given anew when the answer changes, for it says where they are sent. `find` looks up what was typed
    and gives whole answers in its place: one is taken, several are a choice.
    """

    key: str
    label: str
    help: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    load: Callable[[], Sequence[Choice]] | None = None
    rows: Callable[[], Sequence[SetupField]] | None = None
    may_be_typed: bool = False
    is_fixed: bool = False
    check: Callable[[str], str] | None = None
    generate: Callable[[], str] | None = None
    needs_again: frozenset[str] = frozenset()
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


class AnswerUnfit(ConfigError):
    """An answer is not accepted; `key` names its question, empty when it is about all of them together."""

    default_code = "answer_unfit"

    def __init__(self, message: str, *, key: str = "", code: str | None = None, fix: str = "") -> None:
        super().__init__(message, code=code, fix=fix)
        self.key = key


class Answered(Protocol):
    """What is being set up, with the answers given so far."""

    @property
    def id(self) -> str:
        """The name that its flow knows it by."""
        ...

    @property
    def answers(self) -> Mapping[str, Any]:
        """The answers that are no secrets."""
        ...

    @property
    def secret_answers(self) -> Mapping[str, SecretStr]:
        """Those that are."""
        ...

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """The secrets of its webhook, for what has one."""
        ...


class StepFlow(Protocol):
    """What set-up offers to whoever asks a person, whatever is being set up; names are those of the flow."""

    def steps(self, name: str, /) -> Sequence[SetupStep]:
        """Return the steps, in order."""
        ...

    def answered(self, name: str, /) -> Answered:
        """Return the answers given so far."""
        ...

    def answer(self, name: str, given: Mapping[str, str], /) -> None:
        """Check answers and save them."""
        ...

    def labels(self, name: str, /) -> Mapping[tuple[str, str], str]:
        """Return what people read for answers, by key and value."""
        ...

    def remember_label(self, name: str, key: str, value: str, label: str, /) -> None:
        """Keep what people read for an answer."""
        ...


def fetch_choices(asked: SetupField) -> Sequence[Choice]:
    """Fetch the choices of a field; calling it again is the reload."""
    return () if asked.load is None else tuple(asked.load())


def fetch_rows(asked: SetupField) -> Sequence[SetupField]:
    """Fetch the questions of a group; calling it again is the reload. Their keys begin with the group's."""
    if asked.rows is None:
        return ()
    return tuple(replace(row, key=f"{asked.key}{ROW}{row.key}") for row in asked.rows())


def row_named(group: SetupField, key: str, value: str, rows: Sequence[SetupField]) -> SetupField:
    """Return a row of a group; to take an answer away, the row need not be there any more.

    Raises:
        ConfigError: there is no such row.
    """
    if not value:
        return SetupField(key, key, "", required=False)
    found = next((row for row in rows if row.key == key), None)
    if found is None:
        named = ", ".join(row.key for row in rows) or "none at present"
        raise ConfigError(f"{group.label} has no {key}; there are: {named}.", code="row_unknown")
    return found


def refuse_unasked(steps: Sequence[SetupStep], given: Mapping[str, str]) -> None:
    """Refuse answers that no step asks for.

    Raises:
        ConfigError: there are some; the message names them.
    """
    asked_for = {asked.key for step in steps for asked in step.fields}
    if unknown := sorted(key for key in given if not asked_for & {key, key.partition(ROW)[0]}):
        raise ConfigError(f"No step asks for {', '.join(unknown)}; there are: {', '.join(sorted(asked_for))}.")


def refuse_unlisted(step: SetupStep, asked: SetupField, value: str, choices: Sequence[Choice]) -> None:
    """Refuse an answer that is not in its list.

    Raises:
        ConfigError: it is not there, and may not be typed.
    """
    if not asked.may_be_typed and value not in {choice.value for choice in choices}:
        raise ConfigError(
            f"{step.title}: {value!r} is not among the choices.",
            code="choice_unknown",
            fix="Look at the list again; it is fetched anew each time.",
        )


def has_answer(given: Answered, asked: SetupField) -> bool:
    """Return whether a question has its answer."""
    return asked.key in (given.secret_answers if asked.kind is FieldKind.SECRET else given.answers)


def unanswered_steps(steps: Sequence[SetupStep], given: Answered) -> list[SetupStep]:
    """Return the steps that still need an answer."""
    return [
        step
        for step in steps
        if not step.optional and any(asked.required and not has_answer(given, asked) for asked in step.fields)
    ]


def needs_first(step: SetupStep, given: Answered) -> frozenset[str]:
    """Return the answers that a step needs and that are not there yet."""
    return step.needs - {*given.answers, *given.secret_answers}
