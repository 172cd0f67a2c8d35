"""What `connector status` shows: integrations, sources, what is paused, and what needs somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from connector_core.cli.notifier_rows import notifier_row
from connector_core.cli.output import counted, print_json, print_rows
from connector_core.cli.source_rows import source_row
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.models import Finding
from connector_core.health.routing_findings import routing_findings
from connector_core.health.running import not_running
from connector_core.health.webhook_health import states
from connector_core.polling.statuses import Outage, Status, Word
from connector_core.reading import Reader
from connector_core.registry.entry import Entry
from connector_core.secrets import LOST_KEY_FIX
from connector_core.store import Backlog, Breaker, IntegrationRecord, LinkState
from connector_core.words.advice import fix_in_terminal, for_terminal, joined
from connector_core.words.link_status import UNLINKED

_WITHOUT_KEY = (
    "The secret key is not set here, or is not that of the database: webhooks, the end of authorizations, sources"
    " and notifiers made in set-up are left out."
)
_NOTIFIER = ("organization", "notifier", "channel", "state", "problem", "fix", "last_sent")
_NEEDS_SOMEBODY = (LinkState.BLOCKED, LinkState.CONFLICT, LinkState.GONE)


def print_overview(reader: Reader, *, as_json: bool) -> None:
    """Show how things stand."""
    stats = reader.store.overview.stats()
    breakers = reader.store.breakers.every()
    entries = reader.registry.entries()
    webhooks = _webhooks(reader, entries) if reader.store.can_open_secrets else {}
    statuses, known = reader.statuses, reader.statuses.known()
    rows = [
        _integration(
            entry,
            statuses.of_entry(entry, known),
            stats.backlogs.get(entry.record.id, Backlog({})),
            webhook=webhooks.get(entry.record.id, "unknown"),
        )
        for entry in entries
    ]
    rows += [_broken(record, statuses.of_broken(error)) for record, error in reader.registry.broken()]
    served = {*reader.registry.sources.usable(), *(one["organization"] for one in rows if one["state"] == "active")}
    asked = [source_row(reader.poller.status(name)) for name in reader.config.organizations if name in served]
    now, has_key = reader.clock.now(), reader.store.can_open_secrets
    routing = routing_findings(reader.store, reader.registry)
    unreadable = [str(one) for one in reader.store.secrets.still_unreadable()]
    stopped = not_running(reader.store.nodes.every(), now)
    told = [notifier_row(one) for one in reader.registry.notifiers.statuses()]
    if as_json:
        links = {state.value: stats.links.get(state.value, 0) for state in LinkState}
        print_json(
            {
                "running": stopped is None,
                "integrations": rows,
                "sources": asked,
                "links": links,
                "unlinked": stats.unlinked,
                "due": stats.due_lanes,
                "parked": stats.parked_lanes,
                "oldest_due": stats.oldest_due,
                "notifications": told,
                "paused": [_breaker(breaker) for breaker in breakers],
                "outages": [_outage(outage) for outage in statuses.outages(known)],
                "unreadable_secrets": unreadable,
                "routing": {name: [one.model_dump(mode="json") for one in found] for name, found in routing.items()},
            }
        )
        return
    _say_stopped(stopped)
    shown = [_shown(one, now) for one in rows]
    written = sum(len(one.integrations) for one in reader.config.organizations.values())
    held = counted(written, "integration")
    not_taken_over = f"The file has {held}; the daemon takes over what it says at its start: connector run"
    nothing = not_taken_over if written else "There is no integration yet; see: connector integrations --help"
    print_rows(shown, as_json=False, empty=nothing)
    if not has_key:
        click.echo(_WITHOUT_KEY, err=True)
    if unreadable:
        click.secho(f"\nThese stored secrets cannot be opened with secret_key: {', '.join(unreadable)}.", fg="yellow")
        click.echo(joined(LOST_KEY_FIX, for_terminal((Advice(Remedy.FORGET_SECRETS),))))
    if asked:
        click.echo("\nSources:")
        columns = ("organization", "source", "state", "to_know", "fix", "last_answer")
        print_rows([{name: one[name] for name in columns} for one in asked], as_json=False, empty="")
        for one in asked:
            if one["not_accepted"]:
                click.echo(f"{one['organization']}: {one['not_accepted']}")
    if told:
        click.echo("\nNotifications:")
        print_rows([{name: one[name] for name in _NOTIFIER} for one in told], as_json=False, empty="")
    _print_routing(routing)
    if breakers:
        click.echo("\nPaused:")
        print_rows([_breaker(breaker) for breaker in breakers], as_json=False, empty="")
    linked = _counts(stats.links, stats.unlinked) or "none"
    click.echo(f"\nLinks: {linked}. Waiting to be worked on: {stats.due_lanes}.")
    if any(stats.links.get(state.value) for state in _NEEDS_SOMEBODY):
        click.secho("Some need attention; see: connector links --failed", fg="yellow")


def _say_stopped(stopped: Finding | None) -> None:
    if stopped is not None:
        click.secho(f"{stopped.title}. {fix_in_terminal(stopped)}\n", fg="yellow")


def _webhooks(reader: Reader, entries: Sequence[Entry]) -> Mapping[str, str]:
    routes = {entry.record.plugin: entry.plugin.info.webhook_route for entry in entries}
    return states(reader.store, [entry.record for entry in entries], routes, reader.clock.now())


def _print_routing(routing: Mapping[str, Sequence[Finding]]) -> None:
    if routing:
        click.echo("\nRouting:")
        rows = [
            {"organization": name, "state": one.severity.value, "to_know": one.title, "fix": one.fix}
            for name, found in routing.items()
            for one in found
        ]
        print_rows(rows, as_json=False, empty="")


def _broken(record: IntegrationRecord, status: Status) -> dict[str, Any]:
    return {
        "integration": record.id,
        "organization": record.organization,
        "plugin": record.plugin,
        "state": record.state.value,
        **_told(status),
        "webhook": "unknown",
        "oldest_to_ticket": None,
        "oldest_to_incident": None,
        "links": {},
        "unlinked": 0,
    }


def _told(status: Status) -> dict[str, Any]:
    """Return what there is to say of an integration, as everywhere; `problem` is empty where nothing is wrong."""
    is_well = status.word is Word.ACTIVE and not status.warns
    return {
        "status": status.word.value,
        "code": status.code,
        "sentence": status.sentence,
        "problem": "" if is_well else status.sentence,
        "fix": fix_in_terminal(status),
    }


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "what": outage.title,
        "reason": outage.reason,
        "since": outage.since,
        "next_try": outage.next_try,
        "waiting": outage.waiting,
        "integrations": list(outage.integrations),
    }


def _integration(entry: Entry, status: Status, backlog: Backlog, *, webhook: str) -> dict[str, Any]:
    record = entry.record
    return {
        "integration": record.id,
        "organization": record.organization,
        "plugin": record.plugin,
        "state": record.state.value,
        **_told(status),
        "webhook": webhook,
        "oldest_to_ticket": backlog.to_ticket_since,
        "oldest_to_incident": backlog.to_incident_since,
        "links": dict(backlog.links),
        "unlinked": backlog.unlinked,
    }


def _shown(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a row as people read it: the sentence of its status in place of what scripts take apart."""
    left_out = {"code", "problem", "state", "unlinked"}
    return {
        **{name: value for name, value in row.items() if name not in left_out},
        **_ages(row, now),
        "links": _counts(row["links"], row["unlinked"]),
    }


def _breaker(breaker: Breaker) -> dict[str, Any]:
    return {
        "what": breaker.key,
        "code": breaker.code,
        "reason": breaker.reason,
        "since": breaker.since,
        "next_try": breaker.until,
        "waiting": breaker.parked,
        "fix": breaker.fix or ("Resolve the cause. Run: connector retry" if breaker.needs_person else ""),
    }


def _ages(shown: Mapping[str, Any], now: datetime) -> dict[str, str]:
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


def _counts(links: Mapping[str, int], unlinked: int) -> str:
    """Return how many links are in each state; those that somebody unlinked, which are stored as paused, apart."""
    told = {**links, LinkState.PAUSED.value: links.get(LinkState.PAUSED, 0) - unlinked, UNLINKED: unlinked}
    return ", ".join(f"{state}: {count}" for state, count in sorted(told.items()) if count > 0)
