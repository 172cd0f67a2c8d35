"""`connector deliveries`: what came in and what was called; one of them in full; and taken again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from connector_core.cli.no_terminal import answer_needed
from connector_core.cli.numbers import WholeNumber
from connector_core.cli.opening import config_option, json_option, looking, opened, read_only, whoami
from connector_core.cli.output import print_json, print_rows, shown
from connector_core.contract.errors import ConfigError
from connector_core.health.delivery_words import NOT_KEPT, RESULTS, WAYS, reason_of, replay_failure
from connector_core.store import Logged, LoggedFilter, Replay, Result, Way

_NO_RESULTS = "No results."
_LATEST = 50


@click.group()
def deliveries() -> None:
    """Show what arrived and what was called, and replay what arrived.

    The configuration's section delivery_log says how long entries, headers and bodies are kept.
    """


def _filters(command: Any) -> Any:  # noqa: ANN401 - a decorator of click
    """Take the filters of the log as options."""
    for option in reversed(
        (
            click.option("--way", type=click.Choice([way.value for way in Way]), help="Only in, or only out."),
            click.option("--integration", help="Only those of this integration."),
            click.option("--organization", help="Only those of this organization."),
            click.option("--result", type=click.Choice([one.value for one in Result]), help="Only with this result."),
            click.option("--status", type=WholeNumber(1, 599), help="Only with this HTTP status; 4 is any 4xx."),
            click.option("--about", default="", help="Only those about this incident or ticket."),
            click.option("--samples", is_flag=True, help="Only those that are kept as samples."),
            click.option("--hours", type=WholeNumber(1, 100_000), help="Only of the last so many hours."),
        )
    ):
        command = option(command)
    return command


def _wanted(asked: Mapping[str, Any], now: Any) -> LoggedFilter:  # noqa: ANN401 - a time
    return LoggedFilter(
        way=Way(asked["way"]) if asked["way"] else None,
        integration_id=asked["integration"],
        organization=asked["organization"],
        result=Result(asked["result"]) if asked["result"] else None,
        status=asked["status"],
        text=asked["about"],
        only_samples=asked["samples"],
        since=now - timedelta(hours=asked["hours"]) if asked["hours"] else None,
    )


@deliveries.command("list")
@_filters
@click.option("--limit", type=WholeNumber(1, 100_000), default=50, show_default=True, help="At most this many.")
@config_option
@json_option
def list_deliveries(config_path: str | None, *, limit: int, as_json: bool, **asked: Any) -> None:  # noqa: ANN401 - the filters
    """List deliveries and calls, the latest first."""
    with looking(config_path) as reader:
        log = reader.store.delivery_log
        wanted = _wanted(asked, reader.clock.now())
        entries: list[Logged] = []
        before = None
        while len(entries) < limit:
            step = min(limit - len(entries), 1_000)
            page = log.find(LoggedFilter(**{**vars(wanted), "before": before, "limit": step}))
            entries += page.entries
            before = page.entries[-1].id if len(page.entries) == step else page.searched_to
            if before is None:
                break
    rows = [_row(entry, as_json=as_json) for entry in entries]
    print_rows(rows, as_json=as_json, empty=_NO_RESULTS if any(asked.values()) else "No deliveries yet.")


@deliveries.command()
@click.argument("number", type=WholeNumber(1))
@config_option
@json_option
def show(number: int, config_path: str | None, *, as_json: bool) -> None:
    """Show delivery or call NUMBER with its headers and bodies, secrets masked."""
    with read_only(config_path) as app:
        entry = app.store.delivery_log.get(number)
        if entry is None:
            raise _unknown(number)
        payload = app.store.delivery_log.payload(number) if entry.has_payload else None
    kept: dict[str, Any] = {} if payload is None else payload
    sides: dict[str, Any] = {name: kept[name] for name in ("request", "answer") if name in kept}
    if as_json:
        print_json(_row(entry, as_json=True) | sides)
        return
    for name, value in _row(entry, as_json=True).items():
        if value not in (None, ""):
            click.echo(f"{name}: {shown(str(value))}")
    for name, side in sides.items():
        click.echo(f"\n{name.capitalize()}")
        for header, value in sorted(side["headers"].items()):
            click.echo(f"  {shown(header)}: {shown(value)}")
        missing = NOT_KEPT.get(entry.facts.get(name, ""), "No body.")
        click.echo(f"\n{shown(_pretty(side['body'])) if side['body'] else missing}")
    if not sides:
        click.echo("\nHeaders and bodies are not kept, no longer kept, or cannot be opened here.")


@deliveries.command()
@click.argument("numbers", nargs=-1, type=WholeNumber(1))
@_filters
@click.option("--yes", is_flag=True, help="Do not ask before several are replayed.")
@config_option
def replay(numbers: tuple[int, ...], config_path: str | None, *, yes: bool, **asked: Any) -> None:  # noqa: ANN401 - the filters
    """Replay the deliveries NUMBERS, or all that the options choose.

    Each is processed again as if it arrived now. What is in sync already does not change. A running daemon does it;
    refused deliveries, and those whose bodies are no longer kept, are left out.
    """
    if not numbers and not any(asked.values()):
        raise click.UsageError("Say which ones: their numbers, or options that choose some.")
    with opened(config_path) as app:
        if numbers:
            found = {number: app.store.delivery_log.get(number) for number in numbers}
            if missing := [number for number, entry in found.items() if entry is None]:
                raise _unknown(missing[0])
            ids = [entry.id for entry in found.values() if entry is not None and entry.can_replay]
        else:
            ids, _ = app.store.replays.select(_wanted(asked, app.clock.now()))
        if not ids:
            raise ConfigError(
                "None of these deliveries can be replayed.",
                code="nothing_to_replay",
                fix="Choose accepted deliveries whose bodies are still kept, or have them sent again.",
            )
        if len(ids) > 1 and not yes:
            with answer_needed("Say --yes to replay several without being asked."):
                click.confirm(f"Replay {len(ids):,} deliveries?", abort=True)
        chosen = {"deliveries": ", ".join(map(str, numbers))} if numbers else {k: v for k, v in asked.items() if v}
        number = app.replaying.begin(ids, None, chosen, whoami())
    click.echo(f"Replay {number}: {len(ids):,} {'delivery' if len(ids) == 1 else 'deliveries'}.")
    click.echo("How far it has come: connector deliveries replays")


@deliveries.command()
@config_option
@json_option
def replays(config_path: str | None, *, as_json: bool) -> None:
    """List replays, the latest first: how far each has come, and how it ended."""
    with looking(config_path) as reader:
        found = reader.store.replays.latest(_LATEST)
    print_rows([_replay_row(one) for one in found], as_json=as_json, empty="Nothing was replayed yet.")


def _unknown(number: int) -> ConfigError:
    return ConfigError(
        f"There is no delivery {number}.",
        code="delivery_unknown",
        fix="List those that are still kept: older ones are deleted. Run: connector deliveries list",
    )


def _row(entry: Logged, *, as_json: bool) -> dict[str, Any]:
    row = {
        "id": entry.id,
        "at": entry.at,
        "way": WAYS[entry.way],
        "what": f"{entry.method} {entry.address}" if entry.way is Way.OUT else entry.event or entry.address,
        "about": entry.about.replace("\n", " "),
        "integration": entry.integration_id or entry.organization,
        "result": RESULTS[entry.result][0],
        "status": entry.status,
        "reason": reason_of(entry),
    }
    if not as_json:
        return row
    return {
        **row,
        "organization": entry.organization,
        "client": entry.client,
        "address": entry.address,
        "link": entry.link_id,
        "milliseconds": entry.took_ms,
        "bytes": entry.size,
        "attempt": entry.attempt or None,
        "sample": entry.is_sample,
        "can_replay": entry.can_replay,
    }


def _replay_row(one: Replay) -> dict[str, Any]:
    return {
        "replay": one.id,
        "started": one.started_at,
        "by": one.started_by,
        "state": one.outcome or "running",
        "deliveries": one.total,
        "accepted": one.accepted,
        "ignored": one.ignored,
        "failed": one.failed,
        "why": "; ".join(f"{number}: {replay_failure(code)}" for code, number in one.why.items()),
    }


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
