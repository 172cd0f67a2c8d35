"""`connector notifications`: who is told of what needs attention, and by which channel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from connector_core.cli.exit_codes import end_without_yes
from connector_core.cli.notifier_rows import notifier_row
from connector_core.cli.opening import config_option, json_option, looking, opened, read_only
from connector_core.cli.output import print_rows, waiting
from connector_core.cli.scripted_answers import SET_KEY_HELP, answers_given
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.notify.settings import CHANNELS, SECRET_KEYS

_WITHOUT_KEY = (
    "The secret key is not set here, or is not that of the database: notifiers that are not in the file are left out."
)
_SECRETS = {"slack": ("url",), "teams": ("url",), "webhook": ("url", "secret")}


@click.group()
def notifications() -> None:
    """Tell people by e-mail, Slack, Teams or a signed webhook when something needs attention.

    Each organization has notifiers of its own: those of the configuration file, and those added here or in the console.
    """


@notifications.command("list")
@click.argument("organization", required=False)
@config_option
@json_option
def list_notifications(organization: str | None, config_path: str | None, *, as_json: bool) -> None:
    """List the notifiers of ORGANIZATION, or of all, and whether their messages arrive."""
    with looking(config_path) as reader:
        if organization is not None and organization not in reader.config.organizations:
            raise ConfigError(f"There is no organization {organization!r}.", code="organization_unknown")
        wanted = None if organization is None else [organization]
        rows = [notifier_row(status) for status in reader.registry.notifiers.statuses(wanted)]
        has_key = reader.store.can_open_secrets
    empty = "Nobody is notified yet. Add someone: connector notifications add --help"
    print_rows(rows, as_json=as_json, empty=empty)
    if not has_key:
        click.echo(_WITHOUT_KEY, err=True)


@notifications.command()
@click.argument("organization")
@click.argument("name")
@click.option("--channel", type=click.Choice(list(CHANNELS)), help="How messages are sent.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help=SET_KEY_HELP)
@click.option("--replace", is_flag=True, help="Give a notifier that is there these settings; secrets not given stay.")
@config_option
def add(  # noqa: PLR0913 - what can be said on the command line
    organization: str, name: str, channel: str | None, given: tuple[str, ...], config_path: str | None, *, replace: bool
) -> None:
    """Add the notifier NAME to ORGANIZATION.

    \b
    E-mail:   host, port, security (starttls, tls, none), user, password, sender, recipients
    Slack:    url
    Teams:    url
    Webhook:  url, secret
    All:      conditions, backlog_after, all_clear, remind_every,
              quiet_hours.start, .end, .zone, .let_urgent_through

    On a terminal, secrets that are not given are asked for. Lists are written with commas. A running daemon takes it up
    by itself.
    """  # noqa: D301 - click's mark for lines that are kept
    answers = answers_given(given, SECRET_KEYS)
    if channel is None and not replace:
        raise click.UsageError(f"Say how with --channel: {', '.join(CHANNELS)}.")
    with opened(config_path) as app, _by_option():
        if channel is None or replace:
            app.notifier_setup.change(organization, name, answers)
        else:
            answers |= _asked(channel, answers)
            app.notifier_setup.add(organization, name, {**answers, "channel": channel})
    click.echo(f"Saved. Try it: connector notifications test {organization} {name}")


@notifications.command("test")
@click.argument("organization")
@click.argument("name")
@config_option
def test_notification(organization: str, name: str, config_path: str | None) -> None:
    """Send a test message by the notifier NAME of ORGANIZATION, and say whether it was taken."""
    with opened(config_path) as app, waiting("Sending …"):
        notifier = app.notifier_setup.test(organization, name)
    target = notifier.settings.target if notifier.settings is not None else name
    click.echo(f"The test message was taken. It goes to {target}.")


@notifications.command()
@click.argument("organization")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be removed.")
@config_option
def remove(organization: str, name: str, config_path: str | None, *, yes: bool) -> None:
    """Remove the notifier NAME of ORGANIZATION that was added here or in the console."""
    opening = opened if yes else read_only
    with opening(config_path) as app:
        if not yes:
            channel = app.notifier_setup.changeable(organization, name).channel
            click.echo(f"The notifier {name} of {organization} ({channel}) would be removed. Say --yes to do it.")
            raise end_without_yes()
        app.notifier_setup.remove(organization, name)
    click.echo(f"The notifier {name} of {organization} was removed.")


@contextmanager
def _by_option() -> Iterator[None]:
    """Have what is said of an answer name the option that gives it."""
    try:
        yield
    except AnswerUnfit as exc:
        if exc.key in {"", "name", "channel"}:
            raise
        raise ConfigError(exc.message, code=exc.code, fix=f"Give it with --set {exc.key}=VALUE.") from exc


def _asked(channel: str, answers: dict[str, str]) -> dict[str, str]:
    """Ask on a terminal for the secrets that were not given, so that no list of processes shows them."""
    if not sys.stdin.isatty():
        return {}
    wanted = _SECRETS.get(channel) or (("password",) if answers.get("user") else ())
    missing = [key for key in wanted if key in SECRET_KEYS and not answers.get(key)]
    return {key: click.prompt(key.capitalize(), hide_input=True) for key in missing}
