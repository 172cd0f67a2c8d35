"""The steps of a source in a terminal: which platform, then each step as a whole, for its answers are proved as one."""

from __future__ import annotations

from collections.abc import Sequence

import click
import questionary

from connector_core.cli.asking import answered, ask, can_wait, hand_over, introduce, rows, say_preview, wants
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.setup_steps import SetupField, SetupStep
from connector_core.plugins import Plugin
from connector_core.setup.sources import SourceSetup
from connector_core.words.advice import fix_in_terminal, joined

MAKE_ONE = "new"


def choose_plugin(offered: Sequence[Plugin]) -> str:
    """Ask which platform incidents come from, if there are several."""
    if len(offered) == 1:
        return offered[0].name
    entries = [questionary.Choice(plugin.info.title, value=plugin.name) for plugin in offered]
    chosen = answered(questionary.select("Where incidents come from:", choices=entries, instruction="(arrow keys)"))
    return str(chosen)


def begin(flow: SourceSetup, organization: str) -> None:
    """Connect a platform from the beginning, or go on where somebody stopped."""
    if flow.registry.sources.made(organization) is None:
        flow.create(organization, choose_plugin(flow.offered()))
    walk_source(flow, organization)


def walk_source(flow: SourceSetup, organization: str) -> None:
    """Go through every step of a source; what a step asks is saved together."""
    for number in range(len(flow.steps(organization))):
        step = flow.steps(organization)[number]
        introduce(number + 1, step)
        _settle(flow, organization, step)
        whole = flow.steps(organization)[number]
        say_preview(whole)
        hand_over(whole)


def _settle(flow: SourceSetup, organization: str, step: SetupStep) -> None:
    """Ask until the answers are good or none is given."""
    kept: dict[str, str] = {}
    while given := _given(flow, organization, step, kept):
        try:
            flow.answer(organization, given)
        except ConnectorError as exc:
            click.secho(joined(exc.message, fix_in_terminal(exc)), fg="red")
            if not isinstance(exc, ConfigError):
                return
            kept = given
        else:
            return


def _given(flow: SourceSetup, organization: str, step: SetupStep, kept: dict[str, str]) -> dict[str, str]:
    """Ask everything once; an answer that was refused is offered again, unless it is secret."""
    asked: list[SetupField] = [one for one in step.fields if not can_wait(one)]
    extra = [one for one in step.fields if can_wait(one)]
    answers = {field.key: _ask(flow, organization, step, field, kept) for field in asked}
    if extra and (any(kept.get(field.key) for field in extra) or wants(step, extra)):
        for field in [row for one in extra for row in rows(one)]:
            answers[field.key] = ask(flow, organization, step, field, kept)
    return {key: value for key, value in answers.items() if value}


def _ask(flow: SourceSetup, organization: str, step: SetupStep, asked: SetupField, kept: dict[str, str]) -> str:
    """Ask one question; a secret that the platform takes from us is made if a person wants that, and shown once."""
    if asked.generate is None:
        return ask(flow, organization, step, asked, kept)
    click.echo(f"{asked.label}: type {MAKE_ONE} to have one made.")
    value = ask(flow, organization, step, asked, kept)
    if value == MAKE_ONE:
        value = asked.generate()
        click.echo(f"  {value}\n  Copy it now; it is not shown again.")
    return value
