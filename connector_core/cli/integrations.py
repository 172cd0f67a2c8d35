"""`connector integrations`: the wizard and the management of integrations, in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from getpass import getuser
from typing import TYPE_CHECKING, Any

import click
from ruamel.yaml import YAML

from connector_core.cli import setup_links
from connector_core.cli.exit_codes import end_without_yes
from connector_core.cli.finding_rows import print_findings
from connector_core.cli.no_terminal import nobody_to_ask
from connector_core.cli.opening import config_option, json_option, looking, opened, read_only
from connector_core.cli.output import SEALED, counted, print_json, print_rows, waiting
from connector_core.cli.rules import rules
from connector_core.cli.scripted_answers import SET_HELP, answers_given, questions_of, secret_questions
from connector_core.config import Config
from connector_core.contract.errors import AuthError
from connector_core.contract.setup_steps import (
    ROW,
    answer_to,
    in_words,
)
from connector_core.health.webhook_health import health
from connector_core.store import IntegrationRecord

if TYPE_CHECKING:
    from connector_core.app import App
    from connector_core.setup.integrations import SetupFlow


class _Commands(click.Group):
    """What there is to do; what few call is loaded when it is called, for a listing needs none of it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return sorted([*super().list_commands(ctx), "apply-settings", "authorize", "test"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command."""
        if cmd_name == "apply-settings":
            from connector_core.cli.open_incidents import apply_settings  # noqa: PLC0415 - as said

            return apply_settings
        if cmd_name == "authorize":
            from connector_core.cli.authorizing import authorize  # noqa: PLC0415 - as said

            return authorize
        if cmd_name == "test":
            from connector_core.cli.round_trip import test  # noqa: PLC0415 - as said

            return test
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands)
def integrations() -> None:
    """Set up and manage integrations.

    In order: setup ID --organization ORG --plugin NAME, authorize ID, setup ID, enable ID.
    """


integrations.add_command(rules)
integrations.add_command(setup_links.of_integration)
integrations.add_command(setup_links.revoke_of_integration)


@integrations.command("list")
@config_option
@json_option
def list_integrations(config_path: str | None, *, as_json: bool) -> None:
    """List all integrations."""
    with looking(config_path) as reader:
        rows = [_row(entry.record) for entry in reader.registry.entries()]
        rows += [{**_row(record), "problem": error.message} for record, error in reader.registry.broken()]
    print_rows(rows, as_json=as_json, empty="There is no integration yet.")


@integrations.command()
@click.argument("integration")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print what to write into the configuration file instead.")
@config_option
@json_option
def show(integration: str, config_path: str | None, *, as_yaml: bool, as_json: bool) -> None:
    """Show one integration; secrets are never printed."""
    with looking(config_path) as reader:
        entry, store = reader.registry.entry(integration), reader.store
        record = store.integrations.opened(integration) or entry.record
        grant = store.grants.get(integration)
        hook = health(store, record)
        words = _in_words(record, store.integrations.labels(integration))
        can_open = store.can_open_secrets
    if as_yaml:
        _print_yaml(record)
        return
    shown = {
        **_row(record),
        "written_in": _place(reader.config, record),
        "settings": dict(record.answers),
        "comments": str(record.comments),
        "daily_test": record.test_at,
        "settings_in_words": words,
        "settings_not_in_effect_yet": None if record.draft is None else dict(record.draft),
        "secrets": sorted(record.secret_answers) if can_open else SEALED,
        "webhook_secret": "set" if record.webhook_secrets else "not set" if can_open else SEALED,
        "webhook_url": entry.webhook_url,
        "account": grant.account_name if grant else None if can_open else SEALED,
        "site": grant.site.url if grant and grant.site else None,
        "authorization_ends": grant.renewable_until if grant else None,
        "activated_at": record.activated_at,
        "last_delivery_at": hook.last_at,
        "webhook": hook.state if can_open else SEALED,
        "webhook_signed_with": [f"{use.which}: {use.count}, last {use.last_at or 'never'}" for use in hook.secrets],
        "webhook_ignored": hook.ignored,
        "webhook_missed": hook.missed,
        "webhook_missed_at": hook.missed_at,
    }
    if as_json:
        print_json(shown)
        return
    shown["settings"] = shown.pop("settings_in_words")
    shown["webhook"] = _WEBHOOK.get(hook.state, hook.state) if can_open else SEALED
    rows = [{"what": name.replace("_", " "), "value": _in_a_line(value)} for name, value in shown.items()]
    print_rows(rows, as_json=False, empty="")


@integrations.command()
@click.argument("integration")
@click.option("--organization", help="The organization it is for, when it is new.")
@click.option("--plugin", help="The ticketing plugin, when it is new.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
@click.option("--choices", is_flag=True, help="Print the questions and their choices as JSON, and change nothing.")
@click.option("--discard-draft", is_flag=True, help="Drop a change that is not in effect yet.")
@config_option
def setup(  # noqa: PLR0913 - one argument an option
    integration: str,
    organization: str | None,
    plugin: str | None,
    given: tuple[str, ...],
    config_path: str | None,
    *,
    choices: bool,
    discard_draft: bool,
) -> None:
    """Walk through the steps of INTEGRATION, or answer them with --set.

    A new one needs --organization and --plugin, and then most often: connector integrations authorize. Where the
    organization has no source yet, its steps come first, as with: connector sources setup.
    """
    if choices and organization is not None:
        raise click.UsageError(f"--choices changes nothing. Make {integration} first, without it.")
    with read_only(config_path, needs_secrets=True) if choices else opened(config_path) as app:
        if organization is not None and plugin is not None:
            app.setup.create(integration, organization, plugin)
            _connect_source(app, integration)
            click.echo(f"{integration} was made. {_next(app.setup, integration)}")
            return
        if choices:
            print_json(questions_of(app.setup, integration))
            return
        if discard_draft:
            app.setup.discard_draft(integration)
            click.echo("Draft discarded. The settings in effect are unchanged.")
            return
        if given:
            app.setup.answer(integration, answers_given(given, secret_questions(app.setup, integration)))
            click.echo("Saved.")
        elif sys.stdin.isatty():
            from connector_core.cli.asking import walk  # noqa: PLC0415 - only a person needs arrow keys

            _connect_source(app, integration)
            walk(app.setup, integration)
        else:
            raise nobody_to_ask("Answer with --set KEY=VALUE; --choices lists the questions.")
        _say_missing(app.setup, integration)


@integrations.command("hand-over")
@click.argument("integration")
@click.argument("step")
@config_option
def hand_over(integration: str, step: str, config_path: str | None) -> None:
    """Make a link to one STEP of INTEGRATION for someone without an account: authorize, or the key of a step.

    The link works once and expires in three days.
    """
    with opened(config_path) as app:
        path = app.setup_links.make(integration, step, getuser())
        click.echo(f"{app.config.server.public_url}{path}")


@integrations.command()
@click.argument("integration")
@config_option
@json_option
def enable(integration: str, config_path: str | None, *, as_json: bool) -> None:
    """Check everything INTEGRATION needs, then make it active."""
    from connector_core.setup.integrations import NotReady  # noqa: PLC0415 - slow to load, and not for a listing

    with opened(config_path) as app:
        try:
            with waiting("Trying everything the integration needs …"):
                findings = app.setup.enable(integration)
        except NotReady as exc:
            print_findings(exc.findings, as_json=as_json)
            if any(finding.code == AuthError.default_code for finding in exc.findings):
                raise AuthError(exc.message) from exc
            raise
        limits = app.poller.status(app.registry.entry(integration).record.organization).not_accepted
    print_findings(findings, as_json=as_json)
    if not as_json:
        click.echo(f"{integration} is active.")
        if limits:
            click.secho(limits, fg="yellow")


@integrations.command()
@click.argument("integration")
@click.argument("name")
@config_option
def rename(integration: str, name: str, config_path: str | None) -> None:
    """Have people read NAME for INTEGRATION; an empty one takes that back. Its id stays."""
    with opened(config_path) as app:
        kept = app.display_names.integration(integration, name)
    click.echo(f"{integration} is called {kept}." if kept else f"{integration} has no name of its own any more.")


@integrations.command()
@click.argument("integration")
@click.argument("new")
@config_option
def duplicate(integration: str, new: str, config_path: str | None) -> None:
    """Make NEW as a draft with the answers of INTEGRATION, but without its secrets and its authorization."""
    with opened(config_path) as app:
        app.setup.duplicate(integration, new)
        click.echo(f"{new} was made, with the answers of {integration}. {_next(app.setup, new)}")


@integrations.command()
@click.argument("integration")
@config_option
def disable(integration: str, config_path: str | None) -> None:
    """Pause INTEGRATION: nothing is synced until it is enabled again."""
    with opened(config_path) as app:
        app.setup.disable(integration)
    click.echo(f"{integration} is disabled.")


@integrations.command()
@click.argument("integration")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be removed.")
@config_option
def remove(integration: str, config_path: str | None, *, yes: bool) -> None:
    """Delete INTEGRATION with its links; tickets and incidents stay as they are."""
    opening = opened if yes else read_only
    with opening(config_path) as app:
        if integration not in app.registry.records():
            app.registry.entry(integration)  # says that there is none; one without its plugin can be removed
        count = len(app.store.links.find(integration_id=integration, limit=1_000_000))
        if not yes:
            click.echo(f"{integration} and its {counted(count, 'link')} would be removed. Say --yes to do it.")
            raise end_without_yes()
        app.setup.remove(integration)
    click.echo(f"{integration} and its {counted(count, 'link')} were removed.")


#: How a webhook fares, for people.
_WEBHOOK = {
    "off": "off: no secret is set, changes on tickets are found by reading",
    "asleep": "asleep: deliveries are taken once the integration is active",
    "waiting": "waiting: nothing has arrived yet",
    "arriving": "arriving: deliveries are taken",
    "silent": "silent: reading finds changes that no delivery told of; see connector doctor",
    "refused": "refused: deliveries arrive that cannot be taken; see connector doctor",
}


def _in_a_line(value: object) -> object:
    """Return a value as people read it: a list or a mapping without the signs of Python, nothing where it is empty."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value


def _row(record: IntegrationRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "organization": record.organization,
        "plugin": record.plugin,
        "state": record.state.value,
        "from": record.origin.value,
        "problem": record.problem,
    }


def _in_words(record: IntegrationRecord, labels: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the settings as people read them, a row of a group by its own name."""
    words: dict[str, str] = {}
    for key, given in record.answers.items():
        if not isinstance(given, Mapping):
            value = answer_to(record.answers, key)
            words[key] = in_words(value, labels.get((key, value)))
            continue
        for row in given:
            name, value = f"{key}{ROW}{row}", str(given[row])
            words[f"{key}, {in_words(str(row), labels.get((name, '')))}"] = in_words(value, labels.get((name, value)))
    return words


def _place(config: Config, record: IntegrationRecord) -> str:
    """Say where an integration is written down."""
    organization = config.organizations.get(record.organization)
    written = None if organization is None else organization.integrations.get(record.id)
    return "the database, by set-up" if written is None else f"{config.path}:{written.line}"


def _print_yaml(record: IntegrationRecord) -> None:
    name = record.id.upper().replace("-", "_")
    named = {"name": record.name} if record.name else {}
    settings: dict[str, Any] = {"plugin": record.plugin, **named, **record.answers}
    settings |= {key: f"${{env:{name}_{key.upper()}}}" for key in record.secret_answers}
    if record.rules:
        settings["fields"] = {name.value: rule.model_dump(mode="json") for name, rule in record.rules.items()}
    if record.comments.are_synced:
        settings["comments"] = record.comments.model_dump(mode="json", exclude={"since"})
    if record.test_at:
        settings["test"] = record.test_at
    if record.webhook_secrets:
        settings["webhook_secret"] = f"${{env:{name}_WEBHOOK_SECRET}}"
    tree = {"organizations": {record.organization: {"integrations": {record.id: settings}}}}
    YAML().dump(tree, sys.stdout)


def _connect_source(app: App, integration: str) -> None:
    """Ask for the organization's source first where it is missing, or say how to make one."""
    organization = app.setup.answered(integration).organization
    if not app.source_setup.is_open(organization):
        return
    if not sys.stdin.isatty():
        click.echo(f"{organization} has no source yet: connector sources setup {organization}")
        return
    from connector_core.cli.source_asking import begin  # noqa: PLC0415 - only a person needs arrow keys

    begin(app.source_setup, organization)


def _say_missing(flow: SetupFlow, integration: str) -> None:
    if held := flow.held(integration):
        click.secho(held, fg="yellow")
    click.echo(_next(flow, integration))


def _next(flow: SetupFlow, integration: str) -> str:
    """Say what to do next."""
    missing = flow.missing(integration)
    named = ", ".join(step.title for step in missing)
    if not flow.is_authorized(integration):
        first = ", ".join(step.title for step in missing if step.before_authorization)
        if first:
            return f"Still to be answered: {first}. Next: connector integrations setup {integration}"
        still = f"Still to be answered: {named}. " if missing else ""
        return f"{still}Next: connector integrations authorize {integration}"
    if missing:
        return f"Still to be answered: {named}."
    return f"Everything is answered. Next: connector integrations enable {integration}"
