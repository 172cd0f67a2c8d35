"""`connector nodes`: the daemons of this database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from connector_core.cli.opening import config_option, json_option, looking
from connector_core.cli.output import print_rows
from connector_core.store import NodeRow


@click.command()
@config_option
@json_option
def nodes(config_path: str | None, *, as_json: bool) -> None:
    """List the daemons that work on this database.

    On SQLite there is one. On PostgreSQL there may be several, on different hosts. One that stopped in good order is
    not listed, one that is lost is listed for a day.
    """
    with looking(config_path) as reader:
        now = reader.clock.now()
        rows = [_row(one, now, as_json=as_json) for one in reader.store.nodes.every()]
    print_rows(rows, as_json=as_json, empty="No connector has run on this database. Start one with: connector run")


def _row(one: NodeRow, now: datetime, *, as_json: bool) -> dict[str, Any]:
    row = {
        "host": one.node.host,
        "state": one.state(now).value,
        "version": one.node.version,
        "since": one.node.started_at,
        "lanes": one.lanes,
        "last_beat": one.seen_at,
        "config": one.node.config_digest,
    }
    return {"id": one.node.id, **row, "lost_at": one.ended_at} if as_json else row
