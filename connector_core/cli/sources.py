"""`connector sources`: the incident platforms, how they stand, and whether they can be reached."""

from __future__ import annotations

from typing import Any

import click

from connector_core.cli.integrations import print_findings
from connector_core.cli.opening import config_option, json_option, opened
from connector_core.cli.output import print_rows, waiting
from connector_core.errors import RemoteError
from connector_core.models import Severity
from connector_core.polling import SourceStanding


@click.group()
def sources() -> None:
    """Show the incident platforms and try whether they can be reached.

    A source is written into the configuration file, under its organization.
    """


@sources.command("list")
@config_option
@json_option
def list_sources(config_path: str | None, *, as_json: bool) -> None:
    """List all sources and how they stand."""
    with opened(config_path) as app:
        rows = [source_row(app.poller.standing(name)) for name in app.registry.sources()]
    print_rows(rows, as_json=as_json, empty="No organization has a source yet.")


@sources.command("test")
@click.argument("organization")
@config_option
@json_option
def test_source(organization: str, config_path: str | None, *, as_json: bool) -> None:
    """Try everything that the source of ORGANIZATION needs, without changing anything."""
    with opened(config_path) as app, waiting("Trying everything the source needs …"):
        findings = app.poller.check(organization)
    print_findings(findings, as_json=as_json)
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise RemoteError(f"The source of {organization} does not work as it is.", code="check_failed")


def source_row(standing: SourceStanding) -> dict[str, Any]:
    """Return a source as a row."""
    last = standing.last
    return {
        "organization": standing.organization,
        "source": standing.title,
        "state": standing.word,
        "to_know": standing.sentence,
        "fix": standing.fix,
        "open_incidents": last.open_incidents if last else None,
        "last_asked": last.looked_at if last else None,
        "last_answer": last.worked_at if last else None,
        "since": last.since if last else None,
    }
