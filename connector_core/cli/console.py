"""`connector console`: passwords and logins of the web console."""

from __future__ import annotations

import sys

import click

from connector_core.cli.opening import config_option, opened
from connector_core.passwords import hash_password

SHORTEST = 8


@click.group()
def console() -> None:
    """Make password hashes and end logins of the web console."""


@console.command("hash-password")
def hash_one() -> None:
    """Ask for a password and print its hash, for console.users in the configuration file.

    Where there is no terminal the password is read from the first line of the standard input.
    """
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST:
        raise click.UsageError(f"A password has at least {SHORTEST} characters.")
    click.echo(hash_password(password))


@console.command("end-logins")
@click.option("--user", help="Only those of this name.")
@config_option
def end_logins(user: str | None, config_path: str | None) -> None:
    """Log everybody out of the console at once, or one user."""
    with opened(config_path) as app:
        count = app.store.sessions.end_all(user)
    click.echo(f"{count} logins were ended.")
