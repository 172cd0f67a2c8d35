"""`connector db`: the database file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from connector_core.cli.opening import chosen_path, config_option, opened, viewed
from connector_core.cli.output import waiting
from connector_core.config import peek
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import DAMAGE_FIX, Store
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.read_only import open_read_only


@click.group()
def db() -> None:
    """Check, back up or migrate the database; give up secrets whose key is lost."""


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
    """Copy the database to TARGET, a file; works while the daemon runs. PostgreSQL has its own: pg_dump."""
    _refuse_without_file(peek(chosen_path(config_path)).database, target)
    with viewed(config_path) as view, waiting("Copying …"):
        view.store.database.backup(target)
    click.echo(f"Copied to {target}.")


@db.command()
@config_option
def migrate(config_path: str | None) -> None:
    """Make the database, or bring it up to this version."""
    with opened(config_path) as app:
        click.echo(f"{app.config.database} is up to date.")


@db.command("forget-secrets")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be given up.")
@config_option
def forget_secrets(config_path: str | None, *, yes: bool) -> None:
    """Give up the stored secrets that no key in secret_key opens: the way on when a key is lost.

    Authorizations, webhook secrets and secrets of sources have to be entered again. Links, settings and whatever can be
    opened stay. A daemon may run meanwhile if it has the same key.
    """
    found = peek(chosen_path(config_path))
    if not found.secret_keys:
        raise NoKey().refusal()
    box = SecretBox(found.secret_keys)
    if not yes:
        store: Store = open_read_only(found.database, box, with_any_key=True)
        lost, says = store.secrets.unreadable(), "would be given up. Say --yes to do it."
        store.close()
    else:
        with _no_other_key(found.database, box) as (store, beside_daemon):
            lost = store.secrets.forget(store.database.clock().now(), beside_daemon=beside_daemon)
        says = "given up; each has to be entered again."
    if not lost:
        click.echo("Every stored secret can be opened; there is nothing to give up.")
        return
    for one in lost:
        click.echo(f"  {one}")
    click.echo(f"{len(lost)} {says} Links stay.")


def _refuse_without_file(database: DatabasePlace, target: Path) -> None:
    if isinstance(database, PostgreSQL):
        raise ConfigError(
            f"{database} is no file that could be copied.",
            code="database_no_file",
            fix=f"Have PostgreSQL copy it: pg_dump --format=custom --file={target} and the address in database",
        )


@contextmanager
def _no_other_key(database: DatabasePlace, box: SecretBox) -> Iterator[tuple[Store, bool]]:
    """Open a database whatever its key is, unless a daemon with another key runs on it; say whether one runs.

    Raises:
        ConfigError: one does.
    """
    from connector_core.store.opening import open_store  # noqa: PLC0415 - slow to load, and only this writes

    store, lock = open_store(database, box, with_any_key=True), daemon_lock(database)
    try:
        beside_daemon = not lock.try_acquire()
        if beside_daemon and not store.secrets.are_ours():
            raise ConfigError(
                "The daemon runs with another secret key: what cannot be opened here may well be opened there.",
                code="wrong_secret_key",
                fix="Set secret_key as the daemon has it, or stop the daemon first.",
            )
        yield store, beside_daemon
    finally:
        lock.release()
        store.close()
