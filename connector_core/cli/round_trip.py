"""`connector integrations test`: send a test incident, and see each leg of its way there and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.opening import config_option, json_option, looking, opened, whoami
from connector_core.cli.output import print_json
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.health.webhook_findings import trouble_in_words
from connector_core.setup.synced import set_test_at
from connector_core.store import LegState, Outcome, RoundTrip, living
from connector_core.words.advice import for_terminal, joined
from connector_core.words.names import Names
from connector_core.words.round_trips import ToldLeg, told, verdict

if TYPE_CHECKING:
    from connector_core.app import App
    from connector_core.reading import Reader

LOOK_EVERY_S = 0.25
#: Longer than all legs may take together: nobody goes on with it.
LONGEST_S = 900.0
_OVER = frozenset({LegState.DONE, LegState.FAILED, LegState.SKIPPED})
_MARKS = {LegState.DONE: ("✓", "green"), LegState.FAILED: ("✗", "red"), LegState.SKIPPED: ("-", "yellow")}


@click.command()
@click.argument("integration")
@click.option("--wait", is_flag=True, help="Wait until it has ended, and show each step; exit code 1 when it failed.")
@click.option("--last", is_flag=True, help="Show the latest test; send none. Exit code 1 when it failed.")
@click.option("--daily", metavar="TIME", help="Send one each day: nightly, a time like 03:30 in UTC, or off.")
@config_option
@json_option
def test(  # noqa: PLR0913 - one argument an option
    integration: str, config_path: str | None, *, wait: bool, last: bool, daily: str | None, as_json: bool
) -> None:
    """Send a test incident through INTEGRATION: the proof that both directions work.

    A marked ticket is created the way real ones are, changed there, and closed once that change has come back. The
    incident platform is not touched. The running connector does it.
    """
    if last:
        _show_last(integration, config_path, as_json=as_json)
        return
    with opened(config_path) as app:
        if daily is not None:
            set_test_at(app.setup, integration, daily)
            at = app.registry.entry(integration).record.test_at
            click.echo(f"A test incident is sent each day at {at} UTC." if at else "None is sent by itself.")
            return
        _require_daemon(app)
        trip = app.round_trips.start(integration, whoami())
        names = app.registry.names(integration, trip.organization)
        if wait:
            trip = _wait(app, trip, names, as_json=as_json)
        fix = _webhook_fix(app, integration)
    if as_json:
        print_json(_as_json(trip, names, fix))
    elif not wait:
        click.echo(f"Sent as {trip.incident_id}. See: connector integrations test {integration} --last")
    if wait:
        _end(trip, as_json=as_json)


def _show_last(integration: str, config_path: str | None, *, as_json: bool) -> None:
    with looking(config_path) as reader:
        record = reader.registry.entry(integration).record
        trip = reader.store.round_trips.last(integration)
        left = reader.store.round_trips.left_open(integration)
        fix = _webhook_fix(reader, integration)
        names = reader.registry.names(integration, record.organization)
    if trip is None:
        raise ConfigError(
            f"No test incident was sent through {integration} yet.",
            code="no_test",
            advice=Advice(Remedy.SEND_TEST, integration),
        )
    if as_json:
        print_json({**_as_json(trip, names, fix), "open_tickets": [vars(one) for one in left]})
    else:
        click.echo(f"Sent {trip.started_at.isoformat(timespec='seconds')} by {trip.started_by or 'the daily test'}.")
        for leg in told(trip, names, fix):
            _print(leg)
        for one in left:
            click.echo(f"Still open: {one.key} {one.url or ''}".rstrip())
    if not trip.is_running:
        _end(trip, as_json=as_json)


def _require_daemon(app: App) -> None:
    """Refuse to send what nobody would take further."""
    if not living(app.store.nodes.every()):
        raise ConfigError(
            "No connector is running on this database: nobody would go on with the test.",
            code="not_running",
            advice=Advice(Remedy.START),
        )


def _webhook_fix(part: App | Reader, integration: str) -> str:
    """Return what is known to be wrong with the webhook."""
    entry = part.registry.entry(integration)
    return trouble_in_words(part.store, entry.record, entry.plugin.info.webhook_route, part.clock.now())


def _wait(app: App, trip: RoundTrip, names: Names, *, as_json: bool) -> RoundTrip:
    """Show each leg when it is over, until the test is."""
    shown: set[str] = set()
    until = time.monotonic() + LONGEST_S
    while True:
        now = app.store.round_trips.get(trip.id)
        if now is None:
            raise ConfigError(
                "The test was removed, with its integration.",
                code="test_removed",
                advice=Advice(Remedy.LIST_INTEGRATIONS),
            )
        for leg in told(now, names, _webhook_fix(app, now.integration_id)) if not as_json else ():
            if leg.state in _OVER and leg.leg not in shown:
                shown.add(leg.leg)
                _print(leg)
        if not now.is_running:
            return now
        if time.monotonic() > until:
            raise RemoteError(
                "The test has not ended: no connector goes on with it.",
                code="test_stuck",
                advice=Advice(Remedy.LIST_NODES),
            )
        time.sleep(LOOK_EVERY_S)


def _print(leg: ToldLeg) -> None:
    mark, colour = _MARKS.get(leg.state, ("…", "yellow"))
    click.secho(f" {mark} ", fg=colour, nl=False)
    after = f" after {leg.took}" if leg.took and leg.state is LegState.DONE else ""
    waited = f" ({leg.took})" if leg.took and leg.state is LegState.FAILED else ""
    click.echo(joined(f"{leg.title}{after}{waited}.", leg.text))
    fix = joined(leg.fix, for_terminal(() if leg.advice is None else (leg.advice,)))
    if fix:
        click.echo(f"     {fix}")


def _end(trip: RoundTrip, *, as_json: bool) -> None:
    if not as_json:
        place = f" {trip.ticket_key} {trip.ticket_url or ''}".rstrip()
        click.echo(f"{verdict(trip)}.{place}")
    if trip.outcome is Outcome.FAILED:
        raise click.exceptions.Exit(1)


def _as_json(trip: RoundTrip, names: Names, webhook_fix: str) -> dict[str, Any]:
    return {
        "incident_id": trip.incident_id,
        "integration": trip.integration_id,
        "organization": trip.organization,
        "outcome": trip.outcome.value or "running",
        "started_at": trip.started_at,
        "started_by": trip.started_by or None,
        "ended_at": trip.ended_at,
        "ticket_key": trip.ticket_key or None,
        "ticket_url": trip.ticket_url,
        "ticket_left_open": trip.is_left_open,
        "legs": [
            {
                "leg": one.leg.value,
                "state": one.state.value,
                "seconds": trip.of(one.leg).took_s,
                "code": trip.of(one.leg).why,
                "text": one.text,
                "fix": joined(one.fix, for_terminal(() if one.advice is None else (one.advice,))),
            }
            for one in told(trip, names, webhook_fix)
        ],
    }
