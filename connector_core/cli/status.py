"""`connector status` and `connector links`: how things stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from connector_core.cli.link_rows import row
from connector_core.cli.opening import config_option, json_option, looking
from connector_core.cli.output import print_json, print_rows
from connector_core.cli.source_rows import source_row
from connector_core.health.webhook_health import states
from connector_core.reading import Reader
from connector_core.registry.authorizations import ends_soon
from connector_core.registry.entry import Entry
from connector_core.secrets import LOST_KEY_FIX
from connector_core.store import Backlog, Breaker, LinkState

_WITHOUT_KEY = (
    "The secret key is not set here, or is not that of the database: webhooks, the end of authorizations and sources"
    " made in set-up are left out."
)
_NEEDS_SOMEBODY = (LinkState.BLOCKED, LinkState.CONFLICT, LinkState.GONE)


@click.command()
@config_option
@json_option
def status(config_path: str | None, *, as_json: bool) -> None:
    """Show at a glance whether everything works, what waits, and what needs a person."""
    with looking(config_path) as reader:
        stats = reader.store.overview.stats()
        breakers = reader.store.breakers.every()
        entries = reader.registry.entries()
        webhooks = states(reader.store, [entry.record for entry in entries]) if reader.store.can_open_secrets else {}
        ends = reader.store.grants.ends() if reader.store.can_open_secrets else {}
        paused = {breaker.key: breaker.reason for breaker in breakers}
        rows = [
            _integration(
                reader,
                entry,
                stats.backlogs.get(entry.record.id, Backlog({})),
                paused,
                webhook=webhooks.get(entry.record.id, "unknown"),
                until=ends.get(entry.record.id),
            )
            for entry in entries
        ]
        served = {*reader.registry.sources.usable(), *(one["organization"] for one in rows if one["state"] == "active")}
        asked = [source_row(reader.poller.status(name)) for name in reader.config.organizations if name in served]
        now, has_key = reader.clock.now(), reader.store.can_open_secrets
        unreadable = [str(one) for one in reader.store.secrets.still_unreadable()]
    if as_json:
        links = {state.value: stats.links.get(state.value, 0) for state in LinkState}
        print_json(
            {
                "integrations": rows,
                "sources": asked,
                "links": links,
                "due": stats.due_lanes,
                "parked": stats.parked_lanes,
                "oldest_due": stats.oldest_due,
                "paused": [_breaker(breaker) for breaker in breakers],
                "unreadable_secrets": unreadable,
            }
        )
        return
    shown = [{**one, **_ages(one, now), "links": _counts(one["links"])} for one in rows]
    print_rows(shown, as_json=False, empty="There is no integration yet; see: connector integrations --help")
    if not has_key:
        click.echo(_WITHOUT_KEY, err=True)
    if unreadable:
        click.secho(f"\nThese stored secrets cannot be opened with secret_key: {', '.join(unreadable)}.", fg="yellow")
        click.echo(LOST_KEY_FIX)
    if asked:
        click.echo("\nSources:")
        columns = ("organization", "source", "state", "to_know", "fix", "last_answer")
        print_rows([{name: one[name] for name in columns} for one in asked], as_json=False, empty="")
    if breakers:
        click.echo("\nPaused:")
        print_rows([_breaker(breaker) for breaker in breakers], as_json=False, empty="")
    click.echo(f"\nLinks: {_counts(stats.links) or 'none'}. Waiting to be worked on: {stats.due_lanes}.")
    if any(stats.links.get(state.value) for state in _NEEDS_SOMEBODY):
        click.secho("Some need a person; see: connector links --failed", fg="yellow")


@click.command()
@click.option("--state", type=click.Choice([state.value for state in LinkState]), help="Only those in this state.")
@click.option("--failed", is_flag=True, help="Only those that will not go on by themselves.")
@click.option("--integration", help="Only those of this integration.")
@click.option("--organization", help="Only those of this organization.")
@click.option("--limit", default=200, show_default=True, help="At most this many.")
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
    """List incidents and their tickets, those that need somebody first."""
    with looking(config_path) as reader:
        if failed:
            found = [
                link for link in reader.operations.failed(integration) if organization in {None, link.organization}
            ][:limit]
        else:
            found = reader.store.links.find(
                state=None if state is None else LinkState(state),
                organization=organization,
                integration_id=integration,
                limit=limit,
            )
    rows = [{**row(link), "reason": link.status.reason, "fix": link.status.fix} for link in found]
    if not (failed or as_json):
        rows = [row(link) for link in found]
    is_narrowed = state is not None or integration is not None or organization is not None
    print_rows(rows, as_json=as_json, empty=_no_links(failed=failed, is_narrowed=is_narrowed))


def _no_links(*, failed: bool, is_narrowed: bool) -> str:
    if failed:
        return "Nothing failed, and nothing needs somebody."
    return "There is no such link." if is_narrowed else "Nothing is linked yet."


def _integration(  # noqa: PLR0913 - what was asked for once, for all
    reader: Reader,
    entry: Entry,
    backlog: Backlog,
    paused: Mapping[str, str],
    *,
    webhook: str,
    until: datetime | None,
) -> dict[str, Any]:
    record = entry.record
    soon = ends_soon(record.id, until, reader.clock.now())
    circuit = reader.registry.circuit(entry)
    pause = next((paused[key] for key in (circuit.site, circuit.grant) if key is not None and key in paused), "")
    return {
        "integration": record.id,
        "organization": record.organization,
        "plugin": record.plugin,
        "state": record.state.value,
        "problem": record.problem or pause or (soon.title if soon else ""),
        "webhook": webhook,
        "oldest_to_ticket": backlog.to_ticket_since,
        "oldest_to_incident": backlog.to_incident_since,
        "links": dict(backlog.links),
    }


def _breaker(breaker: Breaker) -> dict[str, Any]:
    return {
        "what": breaker.key,
        "code": breaker.code,
        "reason": breaker.reason,
        "since": breaker.since,
        "next_try": breaker.until,
        "waiting": breaker.parked,
        "fix": breaker.fix or ("" if not breaker.needs_person else "Mend it, then: connector retry"),
    }


def _ages(shown: dict[str, Any], now: datetime) -> dict[str, str]:
    return {name: _age(shown[name], now) for name in ("oldest_to_ticket", "oldest_to_incident")}


def _age(since: datetime | None, now: datetime) -> str:
    """Return how long something waits, in the largest unit that fits."""
    if since is None:
        return ""
    seconds = max(0, round((now - since).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _counts(links: dict[str, int]) -> str:
    return ", ".join(f"{state}: {count}" for state, count in sorted(links.items()) if count)
