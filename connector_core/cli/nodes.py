"""`connector nodes`: the daemons of this database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from connector_core.cli.opening import config_option, json_option, looking
from connector_core.cli.output import print_rows
from connector_core.health.running import state_of
from connector_core.setup.in_force import file_in_force
from connector_core.store import NodeRow, different_files, living


@click.command()
@config_option
@json_option
def nodes(config_path: str | None, *, as_json: bool) -> None:
    """List the daemons that work on this database.

    On SQLite there is one. On PostgreSQL there may be several, on different hosts. One that stopped in good order is
    not listed, one that is lost is listed for a day. Those with the same configuration file have the same `config`,
    wherever they listen; where they differ, this is said, and which is in force: the one that was taken over last.
    """
    with looking(config_path) as reader:
        now = reader.clock.now()
        found = reader.store.nodes.every()
        in_force = file_in_force(reader.store, reader.config)
    rows = [_row(one, now, in_force, as_json=as_json) for one in found]
    print_rows(rows, as_json=as_json, empty="No connector has run on this database. Start one with: connector run")
    if files := different_files(living(found)):
        click.echo(f"Not all have the same configuration file: {said(files)}.{_of_these(files, in_force)}", err=True)


def _of_these(files: Mapping[str, Sequence[str]], in_force: str | None) -> str:
    return f" In force is {in_force}." if in_force in files else ""


def _row(one: NodeRow, now: datetime, in_force: str | None, *, as_json: bool) -> dict[str, Any]:
    row = {
        "node": one.node.name,
        "state": state_of(one, now).value,
        "version": one.node.version,
        "since": one.node.started_at,
        "lanes": one.lanes,
        "last_beat": one.seen_at,
        "config": one.node.config_digest,
    }
    if not as_json:
        return row
    also = {"id": one.node.id, "host": one.node.host, "port": one.node.port, "lost_at": one.ended_at}
    return {**row, "config_in_force": one.node.config_digest == in_force, **also}


def said(files: Mapping[str, Sequence[str]]) -> str:
    """Say which nodes have which file."""
    return "; ".join(f"{', '.join(names)}: {digest}" for digest, names in files.items())
