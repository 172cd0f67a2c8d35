"""`connector db`: the database file."""

from __future__ import annotations

from pathlib import Path

import click

from connector_core.cli.opening import config_option, opened, viewed
from connector_core.cli.output import waiting
from connector_core.contract.errors import RemoteError
from connector_core.store import DAMAGE_FIX


@click.group()
def db() -> None:
    """Check, back up or migrate the database."""


@db.command()
@config_option
def check(config_path: str | None) -> None:
    """Look for damage; works while the daemon runs."""
    with viewed(config_path) as view, waiting("Reading the whole database …"):
        problems = view.store.database.check()
    if problems:
        raise RemoteError(f"The database is damaged: {problems[0]}", fix=DAMAGE_FIX, code="database_damaged")
    click.echo("The database is whole.")


@db.command()
@click.argument("target", type=click.Path(path_type=Path))
@config_option
def backup(target: Path, config_path: str | None) -> None:
    """Copy the database to TARGET; works while the daemon runs."""
    with viewed(config_path) as view, waiting("Copying …"):
        view.store.database.backup(target)
    click.echo(f"Copied to {target}.")


@db.command()
@config_option
def migrate(config_path: str | None) -> None:
    """Make the database, or bring it up to this version."""
    with opened(config_path) as app:
        click.echo(f"{app.config.database_path} is up to date.")
