"""Nodes: the daemons that work on a database, each for one life of its process.

On SQLite there is one, whose claim to be that is a file lock. On PostgreSQL there may be several: each beats every
second by the database's clock and holds a lock that the server frees when its connection ends (`presence.py`). What a
node that is dead held is taken over by the others, a lane at a time.
"""

from __future__ import annotations

from datetime import datetime

from connector_core.store import lanes, meta, version
from connector_core.store.life import ALIVE
from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import Node, NodeEnd, NodeRow
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.statements import Connection, Row


def register(db: Connection, node: Node, *, beats: bool) -> None:
    """Note that a node is there; one that `beats` does so from now on."""
    started_at = write_time(node.started_at)
    db.execute(
        "INSERT INTO node (id, host, version, config_digest, started_at, seen_at, port, life_sign, knows)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            node.id,
            node.host,
            node.version,
            node.config_digest,
            started_at,
            started_at if beats else None,
            node.port,
            node.life_sign,
            version.LATEST,
        ),
    )


def register_alone(db: Connection, node: Node) -> int:
    """Note that a node is there, and that no other can be; return how many lanes those before left."""
    leave_none(db, node.started_at, but=node.id)
    register(db, node, beats=False)
    return lanes.recover(db, node.id)


def leave_none(db: Connection, now: datetime, *, but: str = "") -> None:
    """Note that no node is there any more, but one: whoever says so knows it by the lock of the database."""
    db.execute(
        "UPDATE node SET ended = ?, ended_at = ? WHERE ended = '' AND id != ?", (NodeEnd.GONE, write_time(now), but)
    )


def say_config(db: Connection, node_id: str, digest: str) -> None:
    """Note that a node has taken over another configuration file."""
    db.execute("UPDATE node SET config_digest = ? WHERE id = ?", (digest, node_id))


def say_stopping(db: Connection, node_id: str) -> None:
    """Note that a node takes no more work."""
    db.execute("UPDATE node SET stopping = 1 WHERE id = ?", (node_id,))


def bury(db: Connection, node_id: str, seen_at: datetime | None, how: NodeEnd, now: datetime) -> bool:
    """Note that a node is dead, unless it has beaten since; from now on its beats are refused.

    Only one of those who find it dead is told that it was.
    """
    return (
        db.execute(
            "UPDATE node SET ended = ?1, ended_at = ?2 WHERE id = ?3 AND ended = '' AND COALESCE(seen_at, '') = ?4",
            (how, write_time(now), node_id, write_time(seen_at) or ""),
        ).rowcount
        == 1
    )


def say_goodbye(db: Connection, node_id: str, now: datetime) -> None:
    """Note that a node ends in good order; what it still holds is left behind for whoever finds it first."""
    db.execute(
        "UPDATE node SET ended = ?, ended_at = ? WHERE id = ? AND ended = ''",
        (NodeEnd.GOODBYE, write_time(now), node_id),
    )


def is_first(db: Connection, node_id: str, since: datetime) -> bool:
    """Return whether a node began when nobody else was at work who beat since a time."""
    row = db.execute(
        "SELECT 1 FROM node, node AS one WHERE one.id = ?1 AND node.id != ?1 AND node.ended = '' AND node.seen_at >= ?2"
        " AND (node.started_at < one.started_at OR (node.started_at = one.started_at AND node.id < one.id))",
        (node_id, write_time(since)),
    ).fetchone()
    return row is None


def every(db: Connection) -> list[NodeRow]:
    """Return all nodes that are known of, the oldest first; one that ended in good order is left out."""
    alive = read_time(meta.get(db, ALIVE))
    running = dict(db.execute("SELECT boot, COUNT(*) FROM lane WHERE boot IS NOT NULL GROUP BY boot").fetchall())
    return [
        NodeRow(
            read(row),
            seen_at=read_time(row["seen_at"]) or alive,
            beats=row["seen_at"] is not None,
            is_stopping=bool(row["stopping"]),
            ended=NodeEnd(row["ended"]) if row["ended"] else None,
            ended_at=read_time(row["ended_at"]),
            lanes=running.get(row["id"], 0),
        )
        for row in db.execute("SELECT * FROM node WHERE ended != ? ORDER BY started_at, id", (NodeEnd.GOODBYE,))
    ]


def read(row: Row) -> Node:
    """Return the node of a row."""
    return Node(
        id=row["id"],
        host=row["host"],
        version=row["version"],
        config_digest=row["config_digest"],
        started_at=must_read_time(row["started_at"]),
        port=row["port"],
        life_sign=row["life_sign"],
    )


class Nodes(Noun):
    """The daemons of this database."""

    register = writes(register)
    register_alone = writes(register_alone, EVERYBODY)
    say_config = writes(say_config)
    say_stopping = writes(say_stopping)
    bury = writes(bury)
    say_goodbye = writes(say_goodbye)
    is_first = reads(is_first)
    every = reads(every)
