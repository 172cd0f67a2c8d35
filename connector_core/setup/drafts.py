"""What becomes of the answers that were made on top of a choice when that choice changes.

An answer stays if the list that it came from still has it. Where that cannot be told yet, because a step in between
has lost its own answer, it stays until that step is answered and it can.

    carried_over(steps_of, record, "service_desk")   # without the request type that the new desk does not have
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from connector_core.contract.setup_steps import (
    ROW,
    FieldKind,
    SetupField,
    SetupStep,
    answer_to,
    fetch_choices,
    fetch_rows,
)
from connector_core.store import IntegrationRecord, SourceRecord

Answers = Mapping[str, object]
RecordT = TypeVar("RecordT", IntegrationRecord, SourceRecord)


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
