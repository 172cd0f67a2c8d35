"""Answers to the steps of a plugin: checked together, and kept all or none, for integrations and sources alike.

    asked = Questionnaire(steps_of=lambda record: plugin_steps(record), with_secret=keep_secret)
    applied = asked.apply(record, {"service_desk": "10", "request_type": "25"})
    applied.record   # the record with the answers, nothing stored yet
    applied.labels   # {"service_desk": "IT help", "request_type": "Report a fault"}: what people read for them

Lists are fetched, nothing else happens here; who asks stores the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from pydantic import SecretStr

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.secret_lists import trimmed
from connector_core.contract.setup_steps import (
    ROW,
    AnswerUnfit,
    Choice,
    FieldKind,
    SetupField,
    SetupStep,
    answer_to,
    fetch_choices,
    fetch_rows,
    refuse_unasked,
    refuse_unlisted,
    row_named,
    with_answer,
)
from connector_core.store import IntegrationRecord, SourceRecord

Answers = Mapping[str, object]
RecordT = TypeVar("RecordT", IntegrationRecord, SourceRecord)


class FoundSeveral(ConfigError):
    """What was typed may mean several things; `choices` are whole answers to the question `key`."""

    default_code = "several_found"

    def __init__(self, key: str, label: str, choices: Sequence[Choice]) -> None:
        named = "; ".join(f"{choice.label} ({choice.value})" for choice in choices)
        super().__init__(f"{label}: several fit.", detail=named, fix=f"Choose one of: {named}.")
        self.key = key
        self.choices = tuple(choices)


class ChangedMeanwhile(ConfigError):
    """Someone else was faster; nothing was saved."""

    default_code = "changed_meanwhile"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Someone else changed {what} meanwhile; nothing was saved.", fix="Look at it again, and retry."
        )


@dataclass(frozen=True)
class Applied(Generic[RecordT]):
    """What a record would be with the answers."""

    #: The record with the answers.
    record: RecordT
    #: What people read for answers, by question; without those that read as they are.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The steps that were answered.
    steps: tuple[SetupStep, ...] = ()


@dataclass(frozen=True)
class Questionnaire(Generic[RecordT]):
    """The steps of one plugin, and how its records take answers."""

    #: Returns the steps as they are with the answers of a record: their lists may depend on those.
    steps_of: Callable[[RecordT], Sequence[SetupStep]]
    #: Returns a record with a secret; None takes it away.
    with_secret: Callable[[RecordT, SetupField, SecretStr | None], RecordT]

    def apply(self, record: RecordT, given: Mapping[str, str]) -> Applied[RecordT]:
        """Return a record with answers, each checked against the lists as they are with those before it.

        When a choice changes, later answers stay if their new lists still have them.

        Raises:
            AnswerUnfit: an answer is not accepted.
            FoundSeveral: what was typed may mean several things.
            ConfigError: a key that no step asks for, or a value that is not among the choices.
        """
        steps = self.steps_of(record)
        refuse_unasked(steps, given)
        rows: dict[str, Sequence[SetupField]] = {}  # of groups, fetched once: no row depends on another one
        applied = Applied(record)
        asked_with = record
        for key_of_step, asked_key, key in _in_order(steps, given):
            if applied.record != asked_with:
                steps, asked_with = self.steps_of(applied.record), applied.record
            found = _find(steps, key_of_step, asked_key)
            if found is None:  # an answer before it took its step away
                continue
            step, asked = found
            if asked.kind is FieldKind.GROUP:
                if given[key] and asked_key not in rows:
                    rows[asked_key] = fetch_rows(asked)
                asked = row_named(asked, key, given[key], rows.get(asked_key, ()))
            before, applied = applied, self._answered(applied, step, asked, given[key])
            is_reachable = not step.before_authorization  # else no later list can be fetched before it is authorized
            if is_reachable and applied.record.answers != before.record.answers:
                applied = replace(applied, record=carried_over(self.steps_of, applied.record, asked.key))
        return applied

    def _answered(self, applied: Applied[RecordT], step: SetupStep, asked: SetupField, value: str) -> Applied[RecordT]:
        """Add one answer."""
        record, steps = applied.record, (*applied.steps, step)
        if asked.kind is FieldKind.SECRET:
            value = trimmed(value)
            secret = self.with_secret(record, asked, SecretStr(value) if value else None)
            return replace(applied, record=secret, steps=steps)
        value, label = _meant(step, asked, value)
        if value and asked.check is not None and (wrong := asked.check(value)):
            raise AnswerUnfit(f"{asked.label}: {wrong}", key=asked.key)
        answers: Mapping[str, object] = with_answer(record.answers, asked.key, value)
        if not value:
            answers = {key: answer for key, answer in answers.items() if key != asked.key}
        labels = {**applied.labels, asked.key: label} if label else applied.labels
        return Applied(replace(record, answers=answers), labels, steps)


def without_outdated(steps: Sequence[SetupStep], record: RecordT, given: Mapping[str, str]) -> RecordT:
    """Return a record without the secrets that were for another address than the one that is given now."""
    changed = (asked for step in steps for asked in step.fields if asked.key in given)
    outdated = frozenset(
        key
        for asked in changed
        if given[asked.key] != answer_to(record.answers, asked.key)
        for key in asked.needs_again
    )
    return replace(
        record, secret_answers={key: kept for key, kept in record.secret_answers.items() if key not in outdated}
    )


def _offered(asked: SetupField) -> Sequence[Choice]:
    """Return what there is to choose from; nothing where that cannot be told and any other text will do too."""
    try:
        return fetch_choices(asked)
    except ConnectorError:
        if not asked.may_be_typed:
            raise
        return ()


def _meant(step: SetupStep, asked: SetupField, value: str) -> tuple[str, str]:
    """Return the answer that is meant by what was given, and what people read for it, if that is another text."""
    if asked.kind is FieldKind.CHOICE and (value or asked.required):
        choices = _offered(asked)
        refuse_unlisted(step, asked, value, choices)
        return value, next((choice.label for choice in choices if choice.value == value), "")
    if asked.find is None or not value:
        return value, ""
    choices = asked.find(value)
    if not choices:
        raise ConfigError(f"{asked.label}: nothing fits {value[:80]!r}.", code="nothing_found")
    if len(choices) > 1:
        raise FoundSeveral(asked.key, asked.label, choices)
    found = choices[0]
    return found.value, found.label if found.label != found.value else ""


def _in_order(steps: Sequence[SetupStep], given: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Return the keys of step, question and answer, in the order of the steps: lists depend on the answers before."""
    for step in steps:
        for asked in step.fields:
            for key in given:
                if asked.key in {key, key.partition(ROW)[0]}:
                    yield step.key, asked.key, key


def _find(steps: Sequence[SetupStep], key_of_step: str, asked_key: str) -> tuple[SetupStep, SetupField] | None:
    step = next((one for one in steps if one.key == key_of_step), None)
    asked = next((one for one in step.fields if one.key == asked_key), None) if step is not None else None
    return None if step is None or asked is None else (step, asked)


def later_steps(steps: Sequence[SetupStep], keys: frozenset[str]) -> list[SetupStep]:
    """Return the steps whose lists depend on the answers to some questions, by themselves or through others."""
    touched, found = keys, []
    for step in steps:
        if step.needs & touched and not keys & {asked.key for asked in step.fields}:
            found.append(step)
            touched |= {asked.key for asked in step.fields}
    return found


def carried_over(steps_of: Callable[[RecordT], Sequence[SetupStep]], record: RecordT, changed: str) -> RecordT:
    """Return a record without the answers that no longer fit after one of them has changed.

    Raises:
        ConnectorError: a list could not be fetched.
    """
    for later in later_steps(steps_of(record), frozenset({changed})):
        # The lists depend on the answers before, which may just have been taken away.
        step = next((one for one in steps_of(record) if one.key == later.key), None)
        if step is None or step.needs - record.answers.keys():
            continue
        for asked in step.fields:
            if asked.key in record.answers:
                record = replace(record, answers=_still_fitting(record.answers, asked))
    return record


def _still_fitting(answers: Answers, asked: SetupField) -> Answers:
    if asked.kind is FieldKind.GROUP:
        given = answers[asked.key]
        rows = {row.key: row for row in fetch_rows(asked)}
        names = given if isinstance(given, Mapping) else {}
        kept = {name: text for name, text in names.items() if _fits(rows.get(f"{asked.key}{ROW}{name}"), str(text))}
        others = {key: answer for key, answer in answers.items() if key != asked.key}
        return {**others, asked.key: kept} if kept else others
    if _fits(asked, answer_to(answers, asked.key)):
        return answers
    return {key: answer for key, answer in answers.items() if key != asked.key}


def _fits(asked: SetupField | None, value: str) -> bool:
    """Return whether a question is still there and would still take an answer."""
    if asked is None:
        return False
    if asked.kind is not FieldKind.CHOICE or asked.may_be_typed or asked.is_fixed:
        return True
    return value in {choice.value for choice in fetch_choices(asked)}
