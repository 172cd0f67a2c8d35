"""`connector reconcile`: read tickets afresh, and show what differs before it is repaired."""

from __future__ import annotations

from typing import Any

import click

from connector_core.app import App
from connector_core.cli.opening import config_option, json_option, opened, read_only
from connector_core.cli.output import counted, print_json, print_rows, waiting
from connector_core.contract.errors import RemoteError
from connector_core.polling.reconcile import OK
from connector_core.store import Run


@click.command()
@click.argument("integration", required=False)
@click.option("--full", is_flag=True, help="Read every linked ticket, not only what may have changed.")
@click.option("--dry-run", is_flag=True, help="Show what differs and what would be done; change nothing.")
@config_option
@json_option
def reconcile(integration: str | None, config_path: str | None, *, full: bool, dry_run: bool, as_json: bool) -> None:
    """Read the linked tickets of INTEGRATION, or of all, afresh and let what is news take its way."""
    opening = read_only(config_path, needs_secrets=True) if dry_run else opened(config_path)
    with opening as app, waiting("Reading tickets …"):
        names = [app.registry.entry(integration).record.id] if integration is not None else app.operations.active()
        if dry_run:
            rows = [row for name in names for row in _drift(app, name)]
        else:
            runs = [app.reconciler.reconcile(name, full=full) for name in names]
    if dry_run:
        print_rows(rows, as_json=as_json, empty="Both sides show the same; nothing would be done.")
        return
    if as_json:
        print_json([vars(run) for run in runs])
    for run in runs if not as_json else ():
        if run.outcome == OK:
            read = counted(run.seen, "ticket")
            click.echo(f"{run.integration_id}: {read} read; {counted(run.changed, 'ticket')} changed or gone.")
    _raise_for(runs)


def _raise_for(runs: list[Run]) -> None:
    for run in runs:
        if run.outcome != OK:
            raise RemoteError(f"{run.integration_id}: {run.detail}", code=run.outcome)


def _drift(app: App, integration: str) -> list[dict[str, Any]]:
    return [
        {
            "link": drift.link.id,
            "incident_id": drift.link.incident_id,
            "ticket_key": drift.link.ticket.key if drift.link.ticket else None,
            "field": drift.field,
            "incident": drift.incident,
            "ticket": drift.ticket,
            "remedy": drift.remedy,
        }
        for drift in app.operations.drift(integration)
    ]
