"""Setup links that can still be used: of an integration, and of a source. They are made by `hand-over`."""

from __future__ import annotations

import click

from connector_core.cli.opening import config_option, json_option, looking, opened
from connector_core.cli.output import print_rows


@click.command("setup-links")
@click.argument("integration")
@config_option
@json_option
def of_integration(integration: str, config_path: str | None, *, as_json: bool) -> None:
    """List the setup links of INTEGRATION that can still be used, the latest first."""
    _list(integration, config_path, of_source=False, as_json=as_json)


@click.command("setup-links")
@click.argument("organization")
@config_option
@json_option
def of_source(organization: str, config_path: str | None, *, as_json: bool) -> None:
    """List the setup links of the source of ORGANIZATION that can still be used, the latest first."""
    _list(organization, config_path, of_source=True, as_json=as_json)


@click.command("revoke-setup-link")
@click.argument("integration")
@click.argument("link")
@config_option
def revoke_of_integration(integration: str, link: str, config_path: str | None) -> None:
    """Revoke LINK, a setup link of INTEGRATION, by its id in setup-links.

    It ends at once, also for who has it open.
    """
    _revoke(integration, link, config_path, of_source=False)


@click.command("revoke-setup-link")
@click.argument("organization")
@click.argument("link")
@config_option
def revoke_of_source(organization: str, link: str, config_path: str | None) -> None:
    """Revoke LINK, a setup link of the source of ORGANIZATION, by its id in setup-links.

    It ends at once, also for who has it open.
    """
    _revoke(organization, link, config_path, of_source=True)


def _list(name: str, config_path: str | None, *, of_source: bool, as_json: bool) -> None:
    with looking(config_path) as reader:
        if of_source:
            reader.registry.sources.plugin(name)  # says that there is none
        elif name not in reader.registry.records():
            reader.registry.entry(name)  # as above
        found = reader.store.setup_links.in_force(name, reader.clock.now(), of_source=of_source)
    rows = [
        {
            "id": one.id,
            "step": one.step,
            "made_by": one.made_by,
            "created_at": one.created_at,
            "expires_at": one.expires_at,
        }
        for one in found
    ]
    print_rows(rows, as_json=as_json, empty="No setup link can be used. Create one with hand-over.")


def _revoke(name: str, link: str, config_path: str | None, *, of_source: bool) -> None:
    with opened(config_path) as app:
        app.setup_links.revoke(name, link, of_source=of_source)
    click.echo("The setup link was revoked.")
