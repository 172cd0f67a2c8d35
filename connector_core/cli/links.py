"""`connector status`, `links`, `explain`, `retry`, `reconcile`: how things stand, and trying again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from connector_core.app import App
from connector_core.cli.opening import config_option, json_option, opened
from connector_core.cli.output import print_json, print_rows, waiting
from connector_core.errors import ConfigError, RemoteError
from connector_core.reconcile import OK
from connector_core.store import Link, LinkState


@click.command()
@config_option
@json_option
def status(config_path: str | None, *, as_json: bool) -> None:
    """Show at a glance whether everything works."""
    with opened(config_path) as app:
        stats = app.store.stats()
        rows = [
            {
                "integration": entry.record.id,
                "organization": entry.record.organization,
                "plugin": entry.record.plugin,
                "state": entry.record.state.value,
                "problem": entry.record.problem,
            }
            for entry in app.registry.entries()
        ]
    if as_json:
        links = {state.value: stats.links.get(state.value, 0) for state in LinkState}
        print_json({"integrations": rows, "links": links, "due": stats.due_lanes, "oldest_due": stats.oldest_due})
        return
    print_rows(rows, as_json=False, empty="There is no integration yet; see: connector integrations --help")
    counts = ", ".join(f"{state}: {count}" for state, count in sorted(stats.links.items())) or "none"
    click.echo(f"\nLinks: {counts}. Waiting to be worked on: {stats.due_lanes}.")


@click.command()
@click.option("--state", type=click.Choice([state.value for state in LinkState]), help="Only those in this state.")
@click.option("--integration", help="Only those of this integration.")
@click.option("--limit", default=200, show_default=True, help="At most this many.")
@config_option
@json_option
def links(state: str | None, integration: str | None, limit: int, config_path: str | None, *, as_json: bool) -> None:
    """List incidents and their tickets, those that need somebody first."""
    with opened(config_path) as app:
        found = app.store.find_links(
            state=None if state is None else LinkState(state), integration_id=integration, limit=limit
        )
    print_rows([_row(link) for link in found], as_json=as_json, empty="There is no such link.")


@click.command()
@click.argument("name")
@config_option
@json_option
def explain(name: str, config_path: str | None, *, as_json: bool) -> None:
    """Tell the story of NAME: a link's number, an incident's id, or a ticket's key or id."""
    with opened(config_path) as app:
        stories = [(link, app.store.timeline(link.id)) for link in _find(app, name)]
    if as_json:
        print_json(
            [
                {
                    **_row(link),
                    "reason": link.status.reason,
                    "fix": link.status.fix,
                    "settings": dict(link.settings),
                    "agreed": {field.value: agreed.model_dump(mode="json") for field, agreed in link.base.items()},
                    "timeline": [vars(entry) for entry in timeline],
                }
                for link, timeline in stories
            ]
        )
        return
    for link, timeline in stories:
        click.secho(
            f"Link {link.id}: {link.incident.id} ↔ {link.ticket.key if link.ticket else 'no ticket yet'}", bold=True
        )
        click.echo(f"  {link.incident.title}")
        sentence = f"{link.status.state} {link.status.reason} {link.status.fix}".strip()
        click.echo(f"  {sentence}")
        for entry in timeline:
            click.echo(f"  {entry.at:%Y-%m-%d %H:%M:%S}Z  {entry.side:<9}  {entry.text}")
            if detail := _detail(entry.values):
                click.secho(f"  {'':<32}{detail}", dim=True)


@click.command()
@click.argument("name")
@config_option
def retry(name: str, config_path: str | None) -> None:
    """Try NAME again at once: a link's number, an incident's id, or a ticket's key or id."""
    with opened(config_path) as app:
        found = _find(app, name)
        for link in found:
            app.store.wake_lane(link.id, app.clock.now())
    click.echo(f"{len(found)} will be tried again as soon as the daemon runs.")


@click.command()
@click.argument("integration")
@click.option("--full", is_flag=True, help="Read every linked ticket, not only what may have changed.")
@config_option
@json_option
def reconcile(integration: str, config_path: str | None, *, full: bool, as_json: bool) -> None:
    """Read the linked tickets of INTEGRATION afresh, now."""
    with opened(config_path) as app, waiting(f"Reading the tickets of {integration} …"):
        run = app.reconciler.reconcile(integration, full=full)
    if as_json:
        print_json(vars(run))
    elif run.outcome == OK:
        click.echo(f"{run.seen} tickets read, {run.changed} had changed.")
    if run.outcome != OK:
        raise RemoteError(run.detail, code=run.outcome)


def _find(app: App, name: str) -> list[Link]:
    found = app.store.find_links(link_id=int(name)) if name.isdecimal() else []
    found = found or app.store.find_links(text=name)
    if not found:
        raise ConfigError(f"Nothing is known of {name!r}.", code="unknown", fix="List all with: connector links")
    return found


def _row(link: Link) -> dict[str, Any]:
    return {
        "link": link.id,
        "organization": link.organization,
        "integration": link.integration_id,
        "incident": link.incident_id,
        "ticket": link.ticket.key if link.ticket else None,
        "title": link.incident.title,
        "state": link.status.state.value,
        "code": link.status.code,
        "since": link.status.since,
        "next_try": link.status.next_try,
    }


def _detail(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items() if value not in (None, "", False))
