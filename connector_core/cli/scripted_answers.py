"""Answers of set-up that a script gives: `--set KEY=VALUE`, and the questions that `--choices` prints."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import click

from connector_core.cli.beside.given import is_plain, value_of
from connector_core.contract.setup_steps import (
    FieldKind,
    StepFlow,
    answer_to,
    fetch_choices,
    fetch_rows,
    needs_first,
)

_SECRETS = "may be repeated. A secret: KEY=@FILE, or KEY=- for the standard input."
SET_HELP = f"Answer a question, see --choices; {_SECRETS}"
SET_KEY_HELP = f"Set one of the keys above; {_SECRETS}"


def pair(text: str) -> tuple[str, str]:
    """Read one --set; the value may be in a file, @PATH, or on the standard input, -."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set takes KEY=VALUE, not {text!r}.")
    try:
        return key, value_of(value)
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"{value[1:]} is no text in UTF-8.") from exc


def answers_given(given: Sequence[str], secrets: Collection[str]) -> dict[str, str]:
    """Read every --set, and warn of secrets that the command line itself holds."""
    for key, _, value in (text.partition("=") for text in given):
        if key in secrets and value and is_plain(value):
            said = f"{key} is a secret, and others can read command lines. Use {key}=@FILE, or {key}=- (stdin)."
            click.secho(f"warning: {said}", fg="yellow", err=True)
    return dict(pair(text) for text in given)


def secret_questions(flow: StepFlow, name: str) -> frozenset[str]:
    """Name the questions whose answers are secrets."""
    return frozenset(one.key for step in flow.steps(name) for one in step.fields if one.kind is FieldKind.SECRET)


def questions_of(flow: StepFlow, name: str) -> list[dict[str, Any]]:
    """Return every question of every step with its choices, for scripts."""
    record = flow.answered(name)
    answers = record.answers
    shown = []
    for step in flow.steps(name):
        is_ready = not needs_first(step, record)
        for field in step.fields:
            rows = fetch_rows(field) if field.kind is FieldKind.GROUP and is_ready else ()
            shown += [
                {
                    "step": step.title,
                    "key": asked.key,
                    "label": asked.label,
                    "help": asked.help,
                    "optional": not asked.required if rows else step.optional,
                    "answer": None if asked.kind is FieldKind.SECRET else (answer_to(answers, asked.key) or None),
                    "choices": [vars(choice) for choice in fetch_choices(asked)] if is_ready else [],
                }
                for asked in rows or (field,)
            ]
    return shown
