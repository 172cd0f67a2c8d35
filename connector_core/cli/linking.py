"""`connector link`: link tickets that are there already with incidents, one or a table of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from connector_core.cli.beside.files import writing
from connector_core.cli.opening import config_option, json_option, opened, read_only
from connector_core.cli.output import print_json, print_rows, shown
from connector_core.linking import tables
from connector_core.linking.outcomes import Linked, Outcome, Wanted

_FAILED = 1
_MOST_SHOWN = 50


@click.command()
@click.argument("incident", required=False)
@click.argument("ticket", required=False)
@click.option("--csv", "table", type=click.File("rb"), help="A table of incidents and tickets; - reads standard input.")
@click.option("--integration", help="The integration whose ticket it is, where the organization has several.")
@click.option("--organization", help="The organization, where several have an incident of this ID.")
@click.option("--finished", is_flag=True, help="Take tickets that are done, too; their incidents are then closed.")
@click.option("--dry-run", is_flag=True, help="Read the tickets and say what would be done; change nothing.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what came of each row to a new CSV.",
)
@config_option
@json_option
def link(  # noqa: PLR0913, PLR0917 - one argument an option
    incident: str | None,
    ticket: str | None,
    table: BinaryIO | None,
    integration: str | None,
    organization: str | None,
    report: Path | None,
    config_path: str | None,
    *,
    finished: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Link INCIDENT with TICKET, which is there already: its key, its ID, or the address of its page.

    The ticket is read first. One that is gone, or has another incident, is refused, and so is an incident that has a
    ticket: unlink that first. The ticket gets the connector's mark, then both sides are compared: where a field
    differs, its sync rule says who wins, by default the later change. The settings are the integration's of today.

    A table (--csv) is CSV in UTF-8 or UTF-16, separated by comma, semicolon, tab or |. Its first line names the
    columns incident and ticket, and integration and organization where they are needed; others are passed over. Each
    row has a result. To give the same table again does no harm.
    """
    wanted = _wanted(incident, ticket, table, integration or "", organization or "")
    with ExitStack() as stack:
        app = stack.enter_context(read_only(config_path, needs_secrets=True) if dry_run else opened(config_path))
        file = None if report is None else stack.enter_context(writing(report, "utf-8-sig", ""))
        found = app.linker.link(wanted, dry_run=dry_run, finished=finished, pause=_pause)
        results = list(_reported(found, file) if file is not None else found)
    _print(results, as_json=as_json, is_table=table is not None)
    if not all(one.outcome.is_good for one in results):
        click.get_current_context().exit(_FAILED)


def _wanted(
    incident: str | None, ticket: str | None, table: BinaryIO | None, integration: str, organization: str
) -> Sequence[Wanted]:
    if (table is None) == (incident is None) or (incident is None) != (ticket is None):
        raise click.UsageError("Name INCIDENT and TICKET, or a table with --csv.")
    if table is None:
        return [Wanted((incident or "").strip(), (ticket or "").strip(), integration, organization)]
    rows = tables.read(table.read(tables.MOST_BYTES + 1))
    return [
        Wanted(one.incident, one.ticket, one.integration or integration, one.organization or organization, one.row)
        for one in rows
    ]


def _reported(found: Iterator[Linked], file: TextIO) -> Iterator[Linked]:
    """Write each result down as soon as it is there."""
    results: list[Linked] = []

    def kept() -> Iterator[Linked]:
        for one in found:
            results.append(one)
            yield one

    for line in tables.write(kept()):
        file.write(line)
        if results:
            yield results.pop()


def _pause(wait_s: float) -> None:
    click.echo(f"The site asks to wait: going on in {wait_s:.0f} seconds.", err=True)
    time.sleep(wait_s)


def _print(results: Sequence[Linked], *, as_json: bool, is_table: bool) -> None:
    if as_json:
        print_json([_detailed(one) for one in results])
        return
    rows = [tables.as_row(one) for one in results if not is_table or one.outcome is not Outcome.KNOWN]
    print_rows(rows[:_MOST_SHOWN], as_json=False, empty="Nothing is left to be linked.")
    if len(rows) > _MOST_SHOWN:
        click.echo(f"… and {len(rows) - _MOST_SHOWN} more; --report FILE or --json has all.")
    if is_table:
        counted = Counter(one.outcome.value for one in results)
        click.echo("; ".join(f"{name}: {number}" for name, number in counted.most_common()))
        return
    for one in results:
        for found in one.differences:
            click.echo(
                shown(f"  {found.field.value}: incident {found.incident!r}, ticket {found.ticket!r}: {found.remedy}")
            )


def _detailed(one: Linked) -> dict[str, object]:
    changes = [
        {"field": found.field.value, "incident": found.incident, "ticket": found.ticket, "remedy": found.remedy}
        for found in one.differences
    ]
    return {**tables.as_row(one), "changes": changes}
