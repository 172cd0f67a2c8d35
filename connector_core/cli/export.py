"""`connector export`: everything that is stored of an organization or an incident, as JSON lines, no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from connector_core.cli.beside.files import writing
from connector_core.cli.link_rows import row
from connector_core.cli.opening import config_option, looking
from connector_core.cli.output import waiting
from connector_core.contract.errors import ConfigError
from connector_core.store import AuditFilter, Link, StoredEntry
from connector_core.words.timeline import told

if TYPE_CHECKING:
    from connector_core.reading import Reader

_MOST_ACTS = 1_000_000


@click.command()
@click.argument("organization")
@click.option("--incident", help="Only what is stored of this incident.")
@click.option(
    "--to", "target", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@config_option
def export(organization: str, incident: str | None, target: Path, config_path: str | None) -> None:
    """Write everything that is stored of ORGANIZATION to a file: one JSON object a line, each with its `kind`.

    Incidents, events, links with both sides, timeline and comments; without --incident also settings of integrations,
    routing and the audit log. Secrets are not in it. The daemon may run meanwhile.
    """
    with looking(config_path) as reader:
        if not _is_known(reader, organization, incident):
            what = organization if incident is None else f"{incident} of {organization}"
            raise ConfigError(f"Nothing is stored of {what}.", code="unknown")
        with writing(target) as file, waiting("Writing …"):
            count = _write(file, _lines(reader, organization, incident))
    click.echo(f"{target}: {count} lines.")


def _is_known(reader: Reader, organization: str, incident: str | None) -> bool:
    if incident is None:
        return reader.store.removals.exists(organization)
    return organization in reader.store.removals.owners(incident)


def _write(file: TextIO, lines: Iterator[Mapping[str, Any]]) -> int:
    count = 0
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        count += 1
    return count


def _lines(reader: Reader, organization: str, incident: str | None) -> Iterator[Mapping[str, Any]]:
    yield {"kind": "export", "organization": organization, "incident": incident, "at": reader.clock.now()}
    if incident is None:
        yield from _settings(reader, organization)
    store, name = reader.store.exporting, ""
    while incidents := store.incident_page(organization, name, incident):
        yield from ({"kind": "incident", **one} for one in incidents)
        name = incidents[-1]["id"]
    number = 0
    while events := store.event_page(organization, number, incident):
        yield from ({"kind": "event", **one} for one in events)
        number = events[-1]["seq"]
    number = 0
    while links := store.link_page(organization, number, incident):
        yield from (_link(reader, *one) for one in links)
        number = links[-1][0].id


def _settings(reader: Reader, organization: str) -> Iterator[Mapping[str, Any]]:
    for record in reader.store.integrations.every():
        if record.organization == organization:
            yield {
                "kind": "integration",
                "id": record.id,
                "plugin": record.plugin,
                "state": record.state,
                "from": record.origin,
                "created_at": record.created_at,
                "answers": dict(record.answers),
            }
    routing = reader.store.routing.in_force(organization)
    if routing is not None:
        rules = [rule.model_dump(mode="json", exclude_defaults=True) for rule in routing.rules]
        yield {"kind": "routing", "rules": rules}
    for entry in reader.store.audit.find(AuditFilter(organizations=[organization]), _MOST_ACTS):
        yield {
            "kind": "audit",
            "at": entry.by.at,
            "by": entry.by.name,
            "via": entry.by.via,
            "act": entry.act,
            "about": entry.about.subject,
            "name": entry.about.name,
            "changes": entry.changes,
        }


def _link(reader: Reader, link: Link, entries: list[StoredEntry], comments: list[dict[str, Any]]) -> Mapping[str, Any]:
    names = reader.registry.names(link.integration_id, link.organization)
    return {
        "kind": "link",
        **row(link),
        "settings": dict(link.settings),
        "ticket_shown": None if link.ticket is None else link.ticket.model_dump(mode="json", exclude_none=True),
        "timeline": [{**vars(entry), "text": told(entry, names).text} for entry in entries],
        "comments": comments,
    }
