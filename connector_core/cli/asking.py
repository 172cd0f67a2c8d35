"""The steps of set-up in a terminal: lists to go through with the arrow keys, as the browser shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from threading import Event
from types import MappingProxyType
from typing import Any

import click
import questionary

from connector_core.clock import Clock
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
from connector_core.contract.templates import variables
from connector_core.health.webhook_health import Arrived
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.questionnaire import FoundSeveral
from connector_core.words.advice import fix_in_terminal, joined

WATCHED_S = 180.0
LOOK_EVERY_S = 1.0
RELOAD = "Reload"
NEXT = "Next"
TYPE = "Type a text or a template"

_MOST_LISTED = 30
_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "red"}


def walk(flow: SetupFlow, integration: str) -> None:
    """Go through every step; each answer is saved at once. What needs access waits until it is authorized."""
    for number in range(len(flow.steps(integration))):
        step = flow.steps(integration)[number]
        if not step.before_authorization and not flow.is_authorized(integration):
            click.echo("\nThe next steps need access, which is not authorized yet.")
            return
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
        whole = flow.steps(integration)[number]  # with what was answered just now
        hand_over(whole)
        if flow.takes_deliveries(integration):
            watch(whole, partial(flow.arrived, integration), flow.clock, Event())


def introduce(number: int, step: SetupStep) -> None:
    """Say what a step is about."""
    click.secho(f"\n{number}. {step.title}", bold=True)
    click.echo(step.help)
    if step.text:
        click.echo(f"\n{step.text}\n")
    if step.takes_templates:
        click.echo(f"Variables: {', '.join(text for text, _ in variables())}.")
    for copied in step.values:
        click.echo(_copied(copied.label, copied.masked))


def _copied(label: str, value: str) -> str:
    """Return what is to be carried over; of several lines, as it is, so that it can be marked and copied whole."""
    return f"\n{label}:\n\n{value}\n" if "\n" in value else f"  {label}: {value}"


def hand_over(step: SetupStep) -> None:
    """Offer what is masked with its secrets, once a person has given them."""
    for copied in [one for one in step.values if one.secrets]:
        if answered(questionary.confirm(f"{copied.label}: show it with the secret?", default=False, auto_enter=False)):
            click.echo(_copied(copied.label, copied.value))


def watch(step: SetupStep, arrived: Callable[[datetime], Arrived | None], clock: Clock, pause: Event) -> None:
    """Wait until a test event has arrived, or a person has seen enough."""
    if not step.test_event:
        return
    click.echo(f"\n{step.test_event}")
    if not answered(questionary.confirm("Wait for its delivery?", default=False, auto_enter=False)):
        return
    since, until = clock.now(), clock.monotonic() + WATCHED_S
    while (came := arrived(since)) is None and clock.monotonic() < until:
        pause.wait(LOOK_EVERY_S)
    if came is None:
        click.secho(f"Nothing has arrived within {WATCHED_S / 60:.0f} minutes.", fg="yellow")
        return
    event = f" ({came.event})" if came.event else ""
    about = "" if came.is_ours else " It was about no linked ticket, which is fine for a test."
    click.secho(f"A signed delivery arrived{event}.{about}", fg="green")


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
        click.secho(joined(exc.message, fix_in_terminal(exc)), fg="red")
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
    if asked.is_many:
        listed = fetch_choices(asked)[:_MOST_LISTED]
        click.echo(f"There are: {', '.join(choice.label for choice in listed)}. Give several with commas between.")
    return str(answered(questionary.text(f"{asked.label}{hint}:", default=str(present or ""))))


def rows(asked: SetupField) -> Sequence[SetupField]:
    """Return the questions of a group, or the question itself; a group that cannot be fetched is passed by."""
    if asked.kind is not FieldKind.GROUP:
        return (asked,)
    click.echo(f"\n{asked.label}. {asked.help}")
    try:
        return fetch_rows(asked)
    except ConnectorError as exc:
        click.secho(joined("The list could not be fetched.", exc.message, fix_in_terminal(exc)), fg="red")
        return ()


def _choose(asked: SetupField, present: object) -> str:
    while True:
        try:
            choices = fetch_choices(asked)
            click.echo(f"{len(choices)} found." if choices else joined("The list is empty.", asked.when_empty))
        except ConnectorError as exc:
            choices = ()
            click.secho(joined("The list could not be fetched.", exc.message, fix_in_terminal(exc)), fg="red")
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
        click.secho(f"  {remark.line}", fg=None if remark.severity is None else _COLOURS[remark.severity])
