"""The vocabulary of set-up: what a plugin asks a person, free of any user interface."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import Any, Protocol

from pydantic import SecretStr

from connector_core.contract.advice import Advice
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Incident, Severity

_MASK = "\N{BULLET}" * 8
ROW = "."  # between the keys of a group and of one of its rows
#: The question for the secret that deliveries are signed with: its answers are `Integration.webhook_secrets`.
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of an answer


@dataclass(frozen=True)
class Choice:
    """One entry of a list."""

    #: What is stored.
    value: str
    #: What a person reads.
    label: str
    #: What they should know before choosing it.
    note: str = ""
    #: What speaks against choosing it.
    warning: str = ""


#: So many choices are named where one is missed.
_NAMED = 10


class FieldKind(StrEnum):
    """How a field is asked for."""

    CHOICE = "choice"
    TEXT = "text"
    LONG_TEXT = "long_text"
    GROUP = "group"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True)
class SetupField:
    """One question."""

    #: Names the answer; the setting of that name gets it.
    key: str
    #: What a person reads beside it.
    label: str
    #: One sentence below it.
    help: str
    #: How it is asked for.
    kind: FieldKind = FieldKind.TEXT
    #: Set-up is not finished without an answer, unless the setting has a default.
    required: bool = True
    #: Fetches the choices of a `CHOICE` field afresh on every call, so a reload is one more call. It may raise any
    #: error of the connector's tree.
    load: Callable[[], Sequence[Choice]] | None = None
    #: Fetches the questions of a `GROUP` in the same way; its answer is a mapping by their keys, and a row is named by
    #: both keys with a dot between them. The answer takes the place of the whole setting, a
    #: default's other keys included.
    rows: Callable[[], Sequence[SetupField]] | None = None
    #: Beside the choices any other text will do too.
    may_be_typed: bool = False
    #: Of a `TEXT` with `load`: several may be chosen, which a page asks for with check boxes. The answer is the text of
    #: their values with commas between.
    is_many: bool = False
    #: Of a row: how far below the top it stands in a tree, whose rows come in its order, ...
    level: int = 0
    #: ... and what it is called there, where those above it are in sight.
    short_label: str = ""
    #: Says why the list may be empty, and what to do: a licence or a role that is missing on the other side.
    when_empty: str = ""
    #: Says what holds without an answer, where a list offers to give none: Automatic (High).
    unanswered: str = ""
    #: Most leave it alone: it is folded away under its step's other questions until it has an answer.
    is_advanced: bool = False
    #: The list comes from nowhere, so that there is nothing to reload.
    is_fixed: bool = False
    #: Says what is wrong with an answer, nothing when it is good.
    check: Callable[[str], str] | None = None
    #: Makes a new value for a `SECRET` field that the other side takes from us.
    generate: Callable[[], str] | None = None
    #: The secrets that have to be given anew when the answer changes, for it says where they are sent.
    needs_again: frozenset[str] = frozenset()
    #: Looks up what was typed and gives whole answers in its place: one is taken, several are a choice.
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
    """One sentence about what the answers given so far lead to."""

    #: The sentence.
    text: str
    #: None: it is neither good nor bad.
    severity: Severity | None = None
    #: What the text is the value of, such as a field of the ticket: those with one are shown as a table.
    label: str = ""

    @property
    def line(self) -> str:
        """What a terminal shows."""
        return f"{self.label}: {self.text}" if self.label else self.text


@dataclass(frozen=True, repr=False)
class CopyValue:
    """A value that a person carries over to the other side.

    Of several lines it is a script or another text to paste, filled in with what the person would have to look up:

        CopyValue("Script", SCRIPT.format(url=integration.webhook_url, secret=key), secrets=integration.webhook_secrets)
    """

    #: The name that it has there.
    label: str
    #: What is copied.
    value: str
    #: What stands in `value` and is not for every eye: masked on pages and in terminals until a person asks for it, and
    #: in `repr` always.
    secrets: tuple[SecretStr, ...] = ()

    @property
    def masked(self) -> str:
        """The value with dots in place of the secrets."""
        texts = sorted({one.get_secret_value() for one in self.secrets} - {""}, key=len, reverse=True)
        return reduce(lambda text, secret: text.replace(secret, _MASK), texts, self.value)

    def __repr__(self) -> str:
        return f"CopyValue(label={self.label!r}, value={self.masked!r})"


@dataclass(frozen=True)
class SetupStep:
    """One page of the wizard."""

    #: Names it in addresses and commands.
    key: str
    #: Its heading.
    title: str
    #: One sentence below that.
    help: str
    #: Its questions, in order.
    fields: tuple[SetupField, ...]
    #: The answers that must exist before the step makes sense.
    needs: frozenset[str] = frozenset()
    #: Set-up is finished without it.
    optional: bool = False
    #: It asks for what access is authorized with, such as the address of the site, an OAuth client or a token: it
    #: comes first, its lists are fetched without a grant, and `authorize` is not called before it is answered. Another
    #: answer to it asks for access to be authorized again.
    before_authorization: bool = False
    #: Shown as it is, in paragraphs that empty lines part; those that begin with a number are a list, each with an
    #: empty line before it.
    text: str = ""
    #: What is offered for copying.
    values: tuple[CopyValue, ...] = ()
    #: Answers are texts that may hold values of the incident: those there are stand beside the questions.
    takes_templates: bool = False
    #: How a person has the ticketing system send something, where its step hands out a webhook: whoever sets up is told
    #: whether a signed delivery arrives then, be it about a ticket of ours or not.
    test_event: str = ""
    #: Looks at the other side for what the saved answers lead to; it is asked for afresh on every call and may raise
    #: any error of the connector's tree.
    preview: Callable[[], Sequence[Remark]] | None = None
    #: The same for an incident of one's own in place of the sample incident.
    preview_of: Callable[[Incident], Sequence[Remark]] | None = None


class AnswerUnfit(ConfigError):
    """An answer is not accepted; `key` names its question, empty when it is about all of them together."""

    default_code = "answer_unfit"

    def __init__(
        self, message: str, *, key: str = "", code: str | None = None, fix: str = "", advice: Advice | None = None
    ) -> None:
        super().__init__(message, code=code, fix=fix, advice=advice)
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
        raise ConfigError(
            f"No step asks for {', '.join(unknown)}; there are: {', '.join(sorted(asked_for))}.",
            code="question_unknown",
        )


def refuse_leak(steps: Sequence[SetupStep], known: Answered, given: Mapping[str, str]) -> None:
    """Refuse to send a secret elsewhere that whoever changes the address may not know.

    Raises:
        AnswerUnfit: a secret has to be given again.
    """
    labels = {asked.key: asked.label for step in steps for asked in step.fields}
    for asked in [asked for step in steps for asked in step.fields if asked.key in given]:
        kept = sorted((asked.needs_again & known.secret_answers.keys()) - given.keys())
        if kept and given[asked.key] != answer_to(known.answers, asked.key):
            raise AnswerUnfit(
                f"{labels[kept[0]]}: give it again, for it would be sent to another address.", key=kept[0]
            )


def refuse_unlisted(step: SetupStep, asked: SetupField, value: str, choices: Sequence[Choice]) -> None:
    """Refuse an answer that is not in its list.

    Raises:
        ConfigError: it is not there, and may not be typed.
    """
    if not asked.may_be_typed and value not in {choice.value for choice in choices}:
        named = ", ".join(
            f"{one.value} ({one.label})" if one.label != one.value else one.value for one in choices[:_NAMED]
        )
        named += f" and {len(choices) - _NAMED} more" if len(choices) > _NAMED else ""
        raise ConfigError(
            f"{step.title}: {value!r} is not among the choices.",
            code="choice_unknown",
            fix=f"Choose one of: {named}." if named else "There is nothing to choose from at the moment.",
        )


def has_answer(given: Answered, asked: SetupField) -> bool:
    """Return whether a question has its answer."""
    return asked.key in (given.secret_answers if asked.kind is FieldKind.SECRET else given.answers)


def unanswered_steps(
    steps: Sequence[SetupStep], given: Answered, defaults: Collection[str] = frozenset()
) -> list[SetupStep]:
    """Return the steps that still need an answer; where there is a default, none is needed."""
    return [
        step
        for step in steps
        if not step.optional
        and any(asked.required and asked.key not in defaults and not has_answer(given, asked) for asked in step.fields)
    ]


def needs_first(step: SetupStep, given: Answered) -> frozenset[str]:
    """Return the answers that a step needs and that are not there yet."""
    return step.needs - {*given.answers, *given.secret_answers}
