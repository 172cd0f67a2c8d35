"""`connector plugins`: what is installed, and the beginning of a new one."""

from __future__ import annotations

from pathlib import Path

import click

from connector_core.cli.opening import command_logging, json_option
from connector_core.cli.output import print_rows
from connector_core.plugins import load_plugins

_TICKETING_HOOK = "on_incident_event"


@click.group()
def plugins() -> None:
    """Show the installed plugins, and begin a new one."""


@plugins.command("list")
@json_option
def list_plugins(*, as_json: bool) -> None:
    """List every installed plugin with its status; one that cannot be loaded is shown with the reason."""
    command_logging()
    found = load_plugins()
    rows = [
        {
            "name": record.name,
            "status": record.status.value,
            "title": record.info.title if record.info else "",
            "distribution": record.distribution,
            "version": record.version,
            "hooks": ", ".join(sorted(record.hooks)),
            "reason": record.reason,
        }
        for record in found.records
    ]
    shown = rows if as_json else [{name: row[name] for name in row if name != "hooks"} for row in rows]
    print_rows(shown, as_json=as_json, empty="No plugin is installed.")
    if not as_json and not any(plugin.implements(_TICKETING_HOOK) for plugin in found.ready):
        click.echo(
            "\nNo ticketing plugin is installed. Install one from its folder or wheel: pip install ./path/to/plugin"
        )


@plugins.command("new")
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where it is written; default: a new folder connector-NAME here."
)
def new_plugin(name: str, folder: Path | None) -> None:
    """Write the beginning of a ticketing plugin: package, settings, hooks, stand-in and tests.

    Its `make test` is green from the first minute, and says what is still to be written.
    """
    from connector_core.cli.new_plugin import write_plugin  # noqa: PLC0415 - for this command only

    folder = folder or Path(f"connector-{name.replace('_', '-')}")
    for path in write_plugin(name, folder, load_plugins()):
        click.echo(path)
    click.echo(f"\nNext: cd {folder} && make test")
