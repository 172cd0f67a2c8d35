"""`connector organizations` and `incidents`: list, name or remove an organization; forget an incident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.opening import config_option, json_option, looking, opened, viewed
from connector_core.cli.output import counted, print_json, print_rows, shown, waiting
from connector_core.contract.errors import ConfigError

if TYPE_CHECKING:
    from connector_core.setup.organizations import Removal

_YES_NEEDED = 2  # as for a command line that cannot be understood

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be removed; change nothing.")
yes_option = click.option("--yes", is_flag=True, help="Remove it; this cannot be undone.")


@click.group()
def organizations() -> None:
    """List organizations, name or remove one."""


@organizations.command("remove")
@click.argument("organization")
@dry_run_option
@yes_option
@config_option
@json_option
def remove_organization(organization: str, config_path: str | None, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove ORGANIZATION: its integrations, source, links, incidents, timelines, notifiers, rules and secrets.

    It has to be taken out of the configuration file first, and the daemon to have applied that. The daemon may go on
    meanwhile. A removal that was stopped goes on when the command is given again. Tickets stay as they are, and so do
    backups. One entry of the audit log says that the organization was removed, by whom, and how many rows.
    """
    if dry_run or not yes:
        with viewed(config_path) as view:
            removal = view.app().organizations.look(organization, view.file().organizations)
        _print(removal, as_json=as_json, said="Would be removed")
        _ask_for_yes(dry_run=dry_run)
        return
    with opened(config_path) as app, waiting(f"Removing {organization} …"):
        removal = app.organizations.remove(organization)
    _print(removal, as_json=as_json, said="Removed")


@click.group()
def incidents() -> None:
    """Forget one incident."""


@incidents.command()
@click.argument("incident")
@click.option("--organization", help="The organization that it belongs to, where several have one of this ID.")
@dry_run_option
@yes_option
@config_option
@json_option
def forget(  # noqa: PLR0913 - one argument an option
    incident: str, organization: str | None, config_path: str | None, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Delete what is stored of INCIDENT: its texts, its links with their timelines and comments, its events.

    Incident and ticket stay where they are. News of the incident brings it back, like any other.
    """
    if dry_run or not yes:
        with viewed(config_path, with_secrets=False) as view:
            owner = _owner(view.store.removals.owners(incident), incident, organization)
            links = view.store.links.find(text=incident, organization=owner)
        count = sum(link.incident_id == incident for link in links)
        click.echo(shown(f"Incident {incident} of {owner} and its {counted(count, 'link')} would be forgotten."))
        _ask_for_yes(dry_run=dry_run)
        return
    with opened(config_path) as app:
        owner = _owner(app.store.removals.owners(incident), incident, organization)
        rows = app.store.removals.forget_incident(owner, incident)
    if as_json:
        print_json({"organization": owner, "rows": rows})
        return
    click.echo(shown(f"Incident {incident} of {owner} was forgotten."))
    _print_counts(rows)


def _owner(owners: list[str], incident: str, wanted: str | None) -> str:
    """Return whose incident is meant.

    Raises:
        ConfigError: nobody's, or that of several organizations.
    """
    found = [one for one in owners if wanted in {None, one}]
    if not found:
        raise ConfigError(f"Nothing is known of an incident {incident!r}.", code="unknown")
    if len(found) > 1:
        raise ConfigError(
            f"{incident!r} is known in several organizations: {', '.join(found)}.",
            code="organization_needed",
            fix="Say which one is meant with --organization.",
        )
    return found[0]


def _ask_for_yes(*, dry_run: bool) -> None:
    if not dry_run:
        click.echo("Nothing was changed; add --yes to do it.", err=True)
        click.get_current_context().exit(_YES_NEEDED)


def _print(removal: Removal, *, as_json: bool, said: str) -> None:
    elsewhere = [vars(one) for one in removal.elsewhere]
    if as_json:
        found: dict[str, Any] = {"organization": removal.organization, "rows": removal.rows, "elsewhere": elsewhere}
        print_json({**found, "webhooks_left": removal.webhooks_left})
        return
    click.echo(shown(f"{said}, of {removal.organization}:"))
    _print_counts(removal.rows)
    if elsewhere:
        click.echo("\nWhat stays in the ticketing systems:")
        print_rows(elsewhere, as_json=False, empty="")
    for name in removal.webhooks_left:
        click.secho(shown(f"The webhook of {name} could not be removed: delete it there."), fg="yellow", err=True)


def _print_counts(rows: Mapping[str, int]) -> None:
    print_rows([{"table": table, "rows": number} for table, number in rows.items()], as_json=False, empty="Nothing.")


@organizations.command("list")
@config_option
@json_option
def list_organizations(config_path: str | None, *, as_json: bool) -> None:
    """List all organizations of the configuration file."""
    with looking(config_path) as reader:
        counts: dict[str, int] = {}
        for record in reader.registry.records().values():
            counts[record.organization] = counts.get(record.organization, 0) + 1
        rows = [
            {
                "id": one.id,
                "name": reader.registry.organization_name(one.id),
                "name_in_file": one.is_named,
                "integrations": counts.get(one.id, 0),
            }
            for one in reader.config.organizations.values()
        ]
    print_rows(rows, as_json=as_json, empty="There is no organization in the configuration file.")


@organizations.command()
@click.argument("organization")
@click.argument("name")
@config_option
def rename(organization: str, name: str, config_path: str | None) -> None:
    """Have people read NAME for ORGANIZATION; an empty one takes that back. Its id stays."""
    with opened(config_path) as app:
        kept = app.display_names.organization(organization, name)
    click.echo(f"{organization} is called {kept}." if kept else f"{organization} has no name of its own any more.")
