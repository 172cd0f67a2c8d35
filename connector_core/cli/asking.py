"""The steps of set-up in a terminal: lists to go through with the arrow keys, as the browser shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
import questionary

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.models import Severity
from connector_core.contract.setup_steps import (
    Choice,
    FieldKind,
    SetupField,
    SetupStep,
    StepFlow,
    answer_to,
    fetch_choices,
    fetch_rows,
)
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.questionnaire import FoundSeveral

RELOAD = "Reload"
NEXT = "Next"
TYPE = "Type a text or a template"

_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "red"}


def walk(flow: SetupFlow, integration: str) -> None:
    """Go through every step; each answer is saved at once."""
    for number in range(len(flow.steps(integration))):
        step = flow.steps(integration)[number]
        introduce(number + 1, step)
        if note := flow.before_change(integration, step):
            click.secho(note, fg="yellow")
        for field in [one for one in step.fields if not can_wait(one)]:
            _settle(flow, integration, step, field)
        if held := flow.held(integration):
            click.secho(held, fg="yellow")
        extra = [one for one in step.fields if can_wait(one)]
        if extra and wants(step, extra):
            for asked in [row for field in extra for row in rows(field)]:
                _settle(flow, integration, step, asked)
        say_preview(step)


def introduce(number: int, step: SetupStep) -> None:
    """Say what a step is about."""
    click.secho(f"\n{number}. {step.title}", bold=True)
    click.echo(step.help)
    if step.text:
        click.echo(f"\n{step.text}\n")
    for copied in step.values:
        click.echo(f"  {copied.label}: {copied.value}")


def can_wait(asked: SetupField) -> bool:
    """Return whether a question is one that most leave alone."""
    return not asked.required and asked.kind is not FieldKind.SECRET


def wants(step: SetupStep, extra: Sequence[SetupField]) -> bool:
    """Ask whether a person wants to go through what most leave as it is."""
    named = ", ".join(field.label for field in extra)
    return bool(answered(questionary.confirm(f"{step.title}: set {named}?", default=False, auto_enter=False)))


def _settle(flow: SetupFlow, integration: str, step: SetupStep, asked: SetupField) -> None:
    """Ask until the answer is good or none is given."""
    while value := ask(flow, integration, step, asked):
        if _is_saved(flow, integration, asked, value):
            return


def _is_saved(flow: SetupFlow, integration: str, asked: SetupField, value: str) -> bool:
    """Save an answer; where it may mean several things, ask which."""
    try:
        flow.answer(integration, {asked.key: value})
    except FoundSeveral as exc:
        entries = [questionary.Choice(_line(choice, None), value=choice.value) for choice in exc.choices]
        entries.append(questionary.Choice("None of them", value=NEXT))
        meant = str(answered(questionary.select(f"{asked.label}, several fit:", choices=entries)))
        return meant != NEXT and _is_saved(flow, integration, asked, meant)
    except ConfigError as exc:
        click.secho(f"{exc.message} {exc.fix}".rstrip(), fg="red")
        return False
    return True


def ask(
    flow: StepFlow, name: str, step: SetupStep, asked: SetupField, kept: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Ask one question; `kept` are answers that are not saved yet. Nothing means to leave it as it is."""
    record = flow.answered(name)
    is_secret = asked.kind is FieldKind.SECRET
    present = None if is_secret else kept.get(asked.key) or answer_to(record.answers, asked.key) or None
    if asked.kind is FieldKind.CHOICE:
        return _choose(asked, present)
    may_pass = step.optional or present or not asked.required or asked.key in record.secret_answers
    hint = " (nothing: leave as it is)" if may_pass else ""
    if is_secret:
        return str(answered(questionary.password(f"{asked.label}{hint}:")))
    return str(answered(questionary.text(f"{asked.label}{hint}:", default=str(present or ""))))


def rows(asked: SetupField) -> Sequence[SetupField]:
    """Return the questions of a group, or the question itself; a group that cannot be fetched is passed by."""
    if asked.kind is not FieldKind.GROUP:
        return (asked,)
    click.echo(f"\n{asked.label}. {asked.help}")
    try:
        return fetch_rows(asked)
    except ConnectorError as exc:
        click.secho(f"The list could not be fetched. {exc.message} {exc.fix}", fg="red")
        return ()


def _choose(asked: SetupField, present: object) -> str:
    while True:
        try:
            choices = fetch_choices(asked)
            click.echo(f"{len(choices)} found.")
        except ConnectorError as exc:
            choices = ()
            click.secho(f"The list could not be fetched. {exc.message} {exc.fix}", fg="red")
        answer = str(answered(_list(asked, choices, present)))
        if answer == TYPE:
            return str(answered(questionary.text(f"{asked.label}:", default=str(present or ""))))
        if answer != RELOAD:
            return "" if answer == NEXT else answer


def _list(asked: SetupField, choices: Sequence[Choice], present: object) -> questionary.Question:
    entries = [questionary.Choice(_line(choice, present), value=choice.value) for choice in choices]
    entries.append(questionary.Choice(RELOAD, value=RELOAD))
    if asked.may_be_typed:
        entries.append(questionary.Choice(TYPE, value=TYPE))
    if present is not None:
        entries.append(questionary.Choice(f"{NEXT} (keep the current choice)", value=NEXT))
    elif not asked.required or asked.may_be_typed:
        entries.append(questionary.Choice(f"{NEXT} (leave it open)", value=NEXT))
    is_there = any(choice.value == present for choice in choices)
    return questionary.select(
        f"{asked.label}:",
        choices=entries,
        default=str(present) if is_there else None,
        use_search_filter=True,
        use_jk_keys=False,
        instruction="(arrow keys, type to filter)",
    )


def _line(choice: Choice, present: object) -> str:
    mark = " (current)" if choice.value == present else ""
    notes = "  ".join(filter(None, (choice.note, choice.warning)))
    return f"{choice.label}{mark}  {notes}".rstrip()


def answered(question: questionary.Question) -> Any:  # noqa: ANN401 - what the question gives
    """Ask, and return nothing as an empty text."""
    answer = question.unsafe_ask()
    return "" if answer is None else answer


def say_preview(step: SetupStep) -> None:
    """Say what the saved answers lead to."""
    if step.preview is None:
        return
    try:
        remarks = step.preview()
    except ConnectorError as exc:
        click.echo(f"  What this leads to could not be found out: {exc.message}")
        return
    for remark in remarks:
        click.secho(f"  {remark.text}", fg=None if remark.severity is None else _COLOURS[remark.severity])
