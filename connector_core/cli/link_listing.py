"""`connector links`: what is linked, and how it stands."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from connector_core.cli.link_rows import fix_in_terminal, row
from connector_core.cli.numbers import WholeNumber
from connector_core.cli.opening import config_option, json_option, looking, opened, read_only
from connector_core.cli.output import counted, print_json, print_rows
from connector_core.contract.errors import ConfigError
from connector_core.reading import Reader
from connector_core.store import LinkState
from connector_core.words.link_status import word_of

if TYPE_CHECKING:
    from connector_core.linking.rebuild import Rebuilt


@click.group(invoke_without_command=True)
@click.option(
    "--state",
    type=click.Choice([state.value for state in LinkState]),
    help="Only those in this state; paused has those that were unlinked, too.",
)
@click.option("--failed", is_flag=True, help="Only those that will not go on by themselves.")
@click.option("--integration", help="Only those of this integration.")
@click.option("--organization", help="Only those of this organization.")
@click.option("--limit", default=200, type=WholeNumber(1, 1_000_000), show_default=True, help="At most this many.")
@config_option
@json_option
def links(  # noqa: PLR0913 - one argument an option
    state: str | None,
    integration: str | None,
    organization: str | None,
    limit: int,
    config_path: str | None,
    *,
    failed: bool,
    as_json: bool,
) -> None:
    """List incidents and their tickets, those that need attention first."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    with looking(config_path) as reader:
        if integration is not None and integration not in reader.registry.records():
            reader.registry.entry(integration)  # says why there is none
        if organization is not None:
            require_organization(reader, organization)
        if failed:
            found = [
                link
                for link in reader.operations.failed(integration)
                if organization in {None, link.organization} and not link.status.is_unlinked
            ][: limit + 1]
        else:
            found = reader.store.links.find(
                state=None if state is None else LinkState(state),
                organization=organization,
                integration_id=integration,
                limit=limit + 1,
            )
        is_cut, found = len(found) > limit, found[:limit]
        rows = [
            {**row(link), "reason": link.status.reason, "fix": fix_in_terminal(link)}
            for link in map(reader.registry.worded, found)
        ]
    if not as_json:
        listed = rows if failed else [row(link) for link in found]
        rows = [{**one, "state": word_of(link.status)} for one, link in zip(listed, found, strict=True)]
    is_narrowed = state is not None or integration is not None or organization is not None
    print_rows(rows, as_json=as_json, empty=_no_links(failed=failed, is_narrowed=is_narrowed))
    if is_cut:
        click.secho(
            f"There are more than {limit}; show them with --limit, or fewer with --state.", fg="yellow", err=True
        )


def require_organization(reader: Reader, organization: str) -> None:
    """Refuse an organization that is not in the file and has no link any more.

    Raises:
        ConfigError: nobody knows it.
    """
    if organization in reader.config.organizations or reader.store.links.find(organization=organization, limit=1):
        return
    raise ConfigError(f"There is no organization {organization!r}.", code="organization_unknown")


def _no_links(*, failed: bool, is_narrowed: bool) -> str:
    if failed:
        return "Nothing failed, and nothing needs attention."
    return "There is no such link." if is_narrowed else "Nothing is linked yet."


@links.command()
@click.argument("integration")
@click.option("--dry-run", is_flag=True, help="Read the marks and count what would be linked; change nothing.")
@config_option
@json_option
def rebuild(integration: str, config_path: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Find the links of INTEGRATION again by the marks on its tickets, after the database was lost.

    Beside a running daemon, within the rate limits of the site, and without a second ticket for any incident. One that
    was stopped goes on where it ended. An incident that the platform has not told of yet is shown as its open ticket
    shows it, until there is news.
    """
    opening = read_only(config_path, needs_secrets=True) if dry_run else opened(config_path)
    with opening as app:
        found = app.rebuilder.rebuild(integration, dry_run=dry_run, pause=_pause, progress=_progress)
    if as_json:
        print_json({"integration": integration, "seen": found.seen, "marked": found.marked, "results": found.outcomes})
        return
    if found.is_continued:
        click.echo("It went on where an earlier one was stopped.")
    click.echo(f"{counted(found.seen, 'ticket')} read, {found.marked} with a mark.")
    print_rows(
        [{"result": name, "tickets": number} for name, number in found.outcomes.most_common()],
        as_json=False,
        empty="There is nothing to link.",
    )


def _pause(wait_s: float) -> None:
    click.echo(f"The site asks to wait: going on in {wait_s:.0f} seconds.", err=True)
    time.sleep(wait_s)


def _progress(found: Rebuilt) -> None:
    if sys.stderr.isatty():
        click.echo(f"{counted(found.seen, 'ticket')} read, {found.marked} with a mark", err=True)
