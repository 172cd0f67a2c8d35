"""`connector audit`: who did what."""

from __future__ import annotations

from datetime import timedelta

import click

from connector_core.cli.numbers import WholeNumber
from connector_core.cli.opening import config_option, json_option, looking
from connector_core.cli.output import print_rows
from connector_core.store import AuditEntry, AuditFilter, Subject


@click.command()
@click.option("--about", type=click.Choice([subject.value for subject in Subject]), help="Only what is about these.")
@click.option("--name", help="Only about the integration, source, link or user of this name.")
@click.option("--by", help="Only what this person did.")
@click.option("--days", type=WholeNumber(1, 10_000), help="Only of the last so many days.")
@click.option("--limit", type=WholeNumber(1, 100_000), default=100, show_default=True, help="At most this many.")
@config_option
@json_option
def audit(  # noqa: PLR0913 - one argument an option
    about: str | None,
    name: str | None,
    by: str | None,
    days: int | None,
    config_path: str | None,
    *,
    limit: int,
    as_json: bool,
) -> None:
    """List who changed what, and from where, the latest first.

    What the connector does by itself is in the timelines of links: see `connector explain`.
    """
    with looking(config_path) as reader:
        since = None if days is None else reader.clock.now() - timedelta(days=days)
        subject = None if about is None else Subject(about)
        found = reader.store.audit.find(AuditFilter(subject=subject, name=name, by=by, since=since), limit)
    rows = [_row(entry, as_json=as_json) for entry in found]
    is_narrowed = any(one is not None for one in (about, name, by, days))
    print_rows(rows, as_json=as_json, empty="No results." if is_narrowed else "Nothing has been changed yet.")


def _row(entry: AuditEntry, *, as_json: bool) -> dict[str, object]:
    changes = entry.changes
    return {
        "at": entry.by.at,
        "by": entry.by.name,
        "via": entry.by.via.value,
        "act": entry.act.value,
        "about": entry.about.subject.value,
        "name": entry.about.name,
        "organization": entry.about.organization,
        "changes": {name: list(pair) for name, pair in changes.items()}
        if as_json
        else "; ".join(f"{name}: {old or 'nothing'} → {new or 'nothing'}" for name, (old, new) in changes.items()),
    }
