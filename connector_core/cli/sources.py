"""`connector sources`: the incident platforms, how they stand, and their set-up in the terminal."""

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
from connector_core.cli.output import print_json, print_rows, waiting
from connector_core.cli.scripted_answers import SET_HELP, answers_given, questions_of, secret_questions
from connector_core.cli.source_rows import source_row
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.contract.models import Severity
from connector_core.polling.sources import SourceWord
from connector_core.registry.sources import Sources, source_settings

if TYPE_CHECKING:
    from connector_core.app import App


@click.group()
def sources() -> None:
    """Connect the incident platforms, show them, and try whether they can be reached.

    An organization has one source: that of the configuration file, or else the one made with setup or in the console.
    """


sources.add_command(setup_links.of_source)
sources.add_command(setup_links.revoke_of_source)


@sources.command("list")
@config_option
@json_option
def list_sources(config_path: str | None, *, as_json: bool) -> None:
    """List all sources and how they stand."""
    with looking(config_path) as reader:
        statuses = [reader.poller.status(name) for name in reader.config.organizations]
        rows = [
            {**source_row(status), "from": _origin(reader.registry.sources, status.organization)}
            for status in statuses
            if status.word is not SourceWord.MISSING
        ]
    print_rows(
        rows,
        as_json=as_json,
        empty="No organization has a source yet. Connect one: connector sources setup ORGANIZATION",
    )


@sources.command("test")
@click.argument("organization")
@config_option
@json_option
def test_source(organization: str, config_path: str | None, *, as_json: bool) -> None:
    """Try everything that the source of ORGANIZATION needs, without changing anything.

    Of one that sends its events itself nothing can be tried.
    """
    trying = read_only(config_path, needs_secrets=True, ends_pauses=True)
    with trying as app, waiting("Trying everything the source needs …"):
        findings = app.poller.check(organization)
    print_findings(findings, as_json=as_json)
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise RemoteError(f"The source of {organization} does not work as it is.", code="check_failed")


@sources.command()
@click.argument("organization")
@click.option("--plugin", help="The source plugin, when there is no source yet and several are installed.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help=SET_HELP)
@click.option("--choices", is_flag=True, help="Print the questions and their choices as JSON, and answer none.")
@config_option
def setup(
    organization: str, plugin: str | None, given: tuple[str, ...], config_path: str | None, *, choices: bool
) -> None:
    """Connect the source of ORGANIZATION: walk through its steps, or answer them with --set.

    What connects is tried out before it is saved. A running daemon takes it up by itself.
    """
    if choices and plugin is not None:
        raise click.UsageError(f"--choices changes nothing. Make the source of {organization} first, without it.")
    with read_only(config_path, needs_secrets=True) if choices else opened(config_path) as app:
        flow = app.source_setup
        if plugin is not None:
            flow.create(organization, plugin)
        if choices:
            print_json(questions_of(flow, organization))
        elif given:
            answers = answers_given(given, secret_questions(flow, organization))
            with waiting("Trying it out …"):
                flow.answer(organization, answers)
            click.echo("Saved.")
            _say_missing(app, organization)
        elif sys.stdin.isatty():
            from connector_core.cli.source_asking import begin  # noqa: PLC0415 - only a person needs arrow keys

            begin(flow, organization)
            _say_missing(app, organization)
        elif plugin is not None:
            click.echo(f"The source of {organization} was made. Next: answer with --set KEY=VALUE, see --choices.")
        else:
            raise nobody_to_ask("Answer with --set KEY=VALUE; --choices lists the questions.")


@sources.command()
@click.argument("organization")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print what to write into the configuration file instead.")
@config_option
@json_option
def show(organization: str, config_path: str | None, *, as_yaml: bool, as_json: bool) -> None:
    """Show the source of ORGANIZATION; secrets are never printed."""
    with looking(config_path) as reader:
        found = reader.registry.sources
        plugin = found.plugin(organization)
        settings, secrets = _settings(found, organization)
        status = reader.poller.status(organization)
        origin = _origin(found, organization)
    if as_yaml:
        references = {key: f"${{env:{organization.upper().replace('-', '_')}_SOURCE_{key.upper()}}}" for key in secrets}
        written = {"plugin": plugin.name, **references, **settings}
        YAML().dump({"organizations": {organization: {"source": written}}}, sys.stdout)
        return
    shown = {**source_row(status), "from": origin, "plugin": plugin.name, "settings": settings, "secrets": secrets}
    if as_json:
        print_json(shown)
        return
    in_words = {**shown, "settings": None, **{f"setting {key}": value for key, value in settings.items()}}
    in_words["secrets"] = ", ".join(secrets)
    rows = [{"what": name.replace("_", " "), "value": _plainly(value)} for name, value in in_words.items()]
    print_rows(rows, as_json=False, empty="")


@sources.command("hand-over")
@click.argument("organization")
@click.argument("step")
@config_option
def hand_over(organization: str, step: str, config_path: str | None) -> None:
    """Make a link to one STEP of the source of ORGANIZATION for someone without an account.

    The link works once and expires in three days.
    """
    with opened(config_path) as app:
        path = app.setup_links.make(organization, step, getuser(), of_source=True)
        click.echo(f"{app.config.server.public_url}{path}")


@sources.command()
@click.argument("organization")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would happen.")
@config_option
def reset(organization: str, config_path: str | None, *, yes: bool) -> None:
    """Have the source of ORGANIZATION read from the beginning: the next look is a first look.

    Links stay, and no incident gets a second ticket. What is open and has none yet is left, or gets one, by the
    source's setting.
    """
    opening = opened if yes else read_only
    with opening(config_path) as app:
        if not yes:
            plugin = app.registry.sources.plugin(organization).info.title
            click.echo(f"{plugin} would be read from the beginning for {organization}. Links stay. Say --yes to do it.")
            raise end_without_yes()
        was_read = app.source_setup.reset(organization)
    click.echo("The next look is a first look." if was_read else "It was not read yet; the next look is the first.")


@sources.command()
@click.argument("organization")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be removed.")
@config_option
def remove(organization: str, config_path: str | None, *, yes: bool) -> None:
    """Remove the source of ORGANIZATION that was made in set-up; links, tickets and incidents stay as they are."""
    opening = opened if yes else read_only
    with opening(config_path) as app:
        if not yes:
            plugin = app.source_setup.removable(organization).plugin
            click.echo(f"The source of {organization} ({plugin}) would be removed. Say --yes to do it.")
            raise end_without_yes()
        app.source_setup.remove(organization)
    click.echo(f"The source of {organization} was removed.")


def _origin(found: Sources, organization: str) -> str:
    """Say where a source is written down, and whether another one is not used because of that."""
    place = found.place(organization)
    if not place:
        return "the database, by set-up"
    unused = found.made(organization) is not None
    return f"{place}; the one made in set-up is not used" if unused else place


def _settings(found: Sources, organization: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return the settings of a source as the file would have them, and the names of its secrets."""
    written, record = found.written(organization), found.made(organization)
    if written is not None:
        return written.answers, sorted(written.secrets)
    if record is None:
        return {}, []
    try:
        whole = source_settings(found.plugin(organization), record)
        dumped = whole.model_dump(mode="json", exclude_defaults=True)
    except ConfigError:
        dumped = {}
    answers = record.answers.items()
    settings = {key: dumped.get(key, value) if isinstance(value, dict) else value for key, value in answers}
    return settings, sorted(record.secret_answers)


def _plainly(value: object) -> object:
    """Return a setting as people read it: lists and groups with commas, yes and no."""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key}: {_plainly(one)}" for key, one in value.items())
        case list() | tuple():
            return ", ".join(str(_plainly(one)) for one in value)
        case _:
            return value


def _say_missing(app: App, organization: str) -> None:
    missing = app.source_setup.missing(organization)
    if missing:
        click.echo(f"Still to be answered: {', '.join(step.title for step in missing)}.")
        return
    status = app.poller.status(organization)
    click.echo(f"{status.title} is connected. Look later with: connector sources list")
    if status.not_accepted:
        click.secho(status.not_accepted, fg="yellow")
