"""`connector status`: how things stand."""

from __future__ import annotations

import click

from connector_core.cli.opening import config_option, json_option, looked_at


@click.command()
@config_option
@json_option
def status(config_path: str | None, *, as_json: bool) -> None:
    """Show at a glance whether everything works, what waits, and what needs attention."""
    with looked_at(config_path) as view:
        from connector_core.cli.overview import print_overview  # noqa: PLC0415 - while the key is derived

        print_overview(view.reader(), as_json=as_json)
