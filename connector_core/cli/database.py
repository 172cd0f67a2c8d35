"""`connector db`: the database file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector_core.cli.exit_codes import end_without_yes
from connector_core.cli.opening import chosen_path, config_option, viewed
from connector_core.cli.output import counted, waiting
from connector_core.clock import SystemClock
from connector_core.config import peek
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.databases import DatabasePlace, PostgreSQL, is_postgresql, is_whole
from connector_core.secrets import NoKey, SecretBox
from connector_core.store import DAMAGE_FIX, Store
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.driver import require_driver
from connector_core.store.read_only import open_read_only

if TYPE_CHECKING:
    from connector_core.store.moving import Step


@click.group()
def db() -> None:
    """Check, back up, migrate or move the database; give up secrets whose key is lost."""


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
@click.option("--finish", "is_last", is_flag=True, help="Also remove what only earlier versions need.")
@config_option
def migrate(config_path: str | None, *, is_last: bool) -> None:
    """Make the database, or bring it up to this version.

    Connectors of the version before go on beside: something is only added. What they need is removed with --finish,
    once all of them are updated; a connector on SQLite, which is alone, does that when it starts. No secret is needed,
    unless the address of the database has one.
    """
    from connector_core.store import rolling  # noqa: PLC0415 - slow to load, and only this needs it
    from connector_core.store.opening import open_store  # noqa: PLC0415 - as above

    found = peek(chosen_path(config_path))
    database = found.database
    if is_last:
        rolling.require_made(database)
    box = SecretBox(found.secret_keys) if found.secret_keys else NoKey()
    open_store(database, box, with_any_key=not box.has_key).close()
    steps = rolling.finish(database) if is_last else ()
    click.echo(f"{database} is up to date.")
    if steps:
        click.echo(f"Removed what only earlier versions needed: {', '.join(steps)}.")
    elif left := rolling.unfinished(database):
        click.echo(
            f"What only earlier versions need is still there ({', '.join(left)})."
            " When every connector has this version, run: connector db migrate --finish"
        )


@db.command()
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="An empty database, like postgresql://connector@db.example.com/db.",
)
@config_option
def move(config_path: str | None, url: str) -> None:
    """Copy a SQLite database into an empty PostgreSQL database, and check the copy.

    Stop the connector first. If this ends early, nothing is left there and the file is as it was: run it again. A
    password can be in PGPASSWORD or PGPASSFILE. There is no way back from PostgreSQL to a file.
    """
    found = peek(chosen_path(config_path))
    if isinstance(found.database, PostgreSQL):
        raise ConfigError(
            f"The database is {found.database} already. There is no move from one server to another, or to a file.",
            code="nothing_to_move",
            fix="Between servers use pg_dump and pg_restore.",
        )
    if not found.secret_keys:
        raise NoKey().refusal()
    target = _target(url)
    require_driver()
    from connector_core.store.moving import move as move_database  # noqa: PLC0415 - the driver is an extra

    box, now = SecretBox(found.secret_keys), SystemClock().now()
    with waiting("Reading the whole database …") as tell:
        moved = move_database(found.database, target, box, now, lambda step: tell(_progress(step)))
    click.echo(f"Copied and checked {counted(moved.rows, 'row')} of {counted(moved.tables, 'table')}.")
    for place, texts in sorted(moved.cut.items()):
        click.echo(f"  {place}: {texts} with the character U+0000, which PostgreSQL cannot hold; it was left out.")
    click.echo(f"Next: set database in {found.path} to {target} and start the connector.")
    click.echo(f"{found.database} is as it was. It counts as a backup from now on: do not run a connector on both.")


def _target(url: str) -> PostgreSQL:
    if not is_postgresql(url) or not is_whole(url):
        raise ConfigError(
            "--to is not the URL of a PostgreSQL database.",
            code="target_unusable",
            fix="Write it like postgresql://user@host/database; in a password %40 stands for @, and %2F for /.",
        )
    return PostgreSQL(url, named_in="--to")


def _progress(step: Step) -> str:
    return f"{'Checking' if step.is_check else 'Copying'} {step.table}: {step.done} of {step.of} rows"


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
    if not yes:
        raise end_without_yes()


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
