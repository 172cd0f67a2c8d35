"""`connector config`: the configuration file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic

import click
from ruamel.yaml import YAML

from connector_core.cli.opening import View, chosen_path, command_logging, config_option, json_option, read, viewed
from connector_core.cli.output import counted, print_json, waiting
from connector_core.config import (
    Config,
    ConfigInvalid,
    Mistake,
    Snapshot,
    config_schema,
    differences,
    elsewhere,
    file_place,
    peek,
    read_leniently,
)
from connector_core.config.example import beginning
from connector_core.config.positions import dotted
from connector_core.config.shown import as_written
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.databases import DatabasePlace
from connector_core.health.outbound_findings import unused_variables
from connector_core.plugins import load_plugins
from connector_core.store import Application
from connector_core.store.read_only import ReadOnlyStore

APPLIED_WITHIN_S = 30.0
_LOOK_AGAIN_S = 0.1
_DIFFERS = 1  # as `diff` and `git diff --exit-code` have it


@click.group()
def config() -> None:
    """Begin, check, compare, apply or show the configuration file."""


@config.command()
@config_option
def check(config_path: str | None) -> None:
    """Check the file and say everything that is wrong with it, each with line, column and fix.

    It refuses what `connector run` would not start with, too.
    """
    from connector_core.config.starting import refuse_start  # noqa: PLC0415 - for this one only

    try:
        found, _, _, _ = read(config_path)
    except ConfigInvalid as exc:
        _warn(exc.warnings)
        raise
    _warn(found.warnings)
    for finding in unused_variables(found.calls(), os.environ):
        click.secho(f"warning: {finding.title}. {finding.fix}", fg="yellow", err=True)
    refuse_start(found)
    count = sum(len(organization.integrations) for organization in found.organizations.values())
    held = f"{counted(len(found.organizations), 'organization')}, {counted(count, 'integration')}"
    click.echo(f"{found.path}: fine ({held}).")


def _warn(warnings: Sequence[Mistake]) -> None:
    for warning in warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the file, with the settings of every installed plugin."""
    command_logging()
    click.echo(json.dumps(config_schema(load_plugins()), indent=2))


@config.command()
@config_option
@json_option
def show(config_path: str | None, *, as_json: bool) -> None:
    """Print the configuration as it is understood: a file with every default filled in, and no secret.

    Values from the environment and from files stand as references, as in the file.
    """
    seen = peek(chosen_path(config_path))
    found, _ = read_leniently(seen)
    tree, hidden = as_written(found, seen.document.values)
    if as_json:
        print_json(tree)
    else:
        YAML().dump(tree, sys.stdout)
    if hidden:
        named = ", ".join(map(dotted, hidden))
        click.echo(f"Written in plain text, and not shown: {named}", err=True)


@config.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("connector.yaml"))
def init(path: Path) -> None:
    """Write a configuration file to begin with: PATH, by default connector.yaml. Every key is in it, with comments."""
    if path.exists():
        raise ConfigError(f"{path} is there already.", code="file_exists", fix="Name another file.")
    with path.open("x", encoding="utf-8") as file:
        file.write(beginning())
    click.echo(f"{path} was written. Next: set the variables that it names, then: connector config check")


@config.command()
@config_option
@json_option
def diff(config_path: str | None, *, as_json: bool) -> None:
    """Show what the file says now that the daemon does not have; nothing is changed, secrets are masked.

    Values from environment variables are the daemon's own until it is started again. Exit code 1 when anything differs.
    """
    with viewed(config_path) as view:
        taken, file = _compared(view)
    changes = differences(taken, file.snapshot, ours=False)
    here = [dotted(path) for path in elsewhere(taken, file.snapshot)]
    if as_json:
        rows = [{"key": dotted(one.path), "before": one.before, "after": one.after} for one in changes]
        restart = [dotted(one.path) for one in changes if one.needs_restart]
        print_json({"changes": rows, "needs_restart": restart, "environment_differs": here})
    else:
        _print_changes("Taken over by connector config apply:", [str(one) for one in changes if not one.needs_restart])
        _print_changes("Taken over at the next start only:", [str(one) for one in changes if one.needs_restart])
        _print_changes("Set otherwise, or not at all, in this shell; the daemon keeps its own:", here)
        if not changes:
            click.echo("The daemon has what the file says.")
    if changes:
        raise click.exceptions.Exit(_DIFFERS)


@config.command()
@config_option
def apply(config_path: str | None) -> None:
    """Have the running daemon take over the file, and say what changed; without one, its next start does.

    The daemon reads the file with its own environment. A file with mistakes changes nothing.
    """
    found = peek(chosen_path(config_path))
    if (isinstance(found.database, Path) and not found.database.exists()) or not _daemon_runs(found.database):
        click.echo("No daemon is running on this database; it takes the file over when it starts.")
        return
    with viewed(config_path) as view, waiting("Waiting for the daemon …"):
        outcome = _applied(view.store, file_place(chosen_path(config_path)))
    if outcome.problem:
        raise ConfigError(outcome.problem, code="config_refused", fix="Nothing was taken over.")
    _print_changes("Taken over:", outcome.changes)
    _print_changes("Needs a start of the daemon:", outcome.restart)
    if not outcome.changes and not outcome.restart:
        click.echo("The daemon had all of it already.")


def _compared(view: View) -> tuple[Snapshot, Config]:
    view.require_key()
    return view.applied or Snapshot({}, {}), view.file()


def _daemon_runs(database: DatabasePlace) -> bool:
    from connector_core.store.daemon_lock import daemon_lock  # noqa: PLC0415 - slow to load, and only `apply` asks

    lock = daemon_lock(database)
    if not lock.try_acquire():
        return True
    lock.release()
    return False


def _applied(store: ReadOnlyStore, place: str) -> Application:
    """Leave a wish for the daemon and wait for what becomes of it.

    Raises:
        RetryLater: it did not answer in time.
    """
    wish, started, pause = store.configuration.wish(place), monotonic(), Event()
    while monotonic() - started < APPLIED_WITHIN_S:
        answer = store.configuration.answered()
        if answer is not None and answer.wish >= wish:
            return answer
        pause.wait(_LOOK_AGAIN_S)
    raise RetryLater(
        "The daemon has not taken the file over yet.",
        code="config_not_applied",
        fix="It does as soon as it can; look at its log, and compare with: connector config diff",
    )


def _print_changes(heading: str, changes: Sequence[str]) -> None:
    if changes:
        click.secho(heading, bold=True)
    for change in changes:
        click.echo(f"  {change}")
