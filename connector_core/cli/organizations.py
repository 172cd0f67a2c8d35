"""`connector organizations`: which there are, and what people call them."""

from __future__ import annotations

import click

from connector_core.cli.opening import config_option, json_option, looking, opened
from connector_core.cli.output import print_rows


@click.group()
def organizations() -> None:
    """List organizations, and name them."""


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
