"""That a node is there, on PostgreSQL, and what nodes tell each other.

The session is a connection of its own: when its process ends, however it does, its kernel closes it and the server
frees its lock. What is told goes through NOTIFY, which takes a lock of all databases at commit: it is sent by itself,
after the commit that it is about, and not more often than every 20 ms.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from connector_core.clock import steady
from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.loops import BEAT_S, Loop, Watched
from connector_core.store import nodes
from connector_core.store import postgres_connections as connections
from connector_core.store.postgres_connections import (
    OF_NAMES,
    OF_NODES,
    TROUBLE,
    Raw,
    applied,
    connect,
    failure,
    refuse_newer,
)
from connector_core.store.presence import Beat, News, Seen
from connector_core.store.rows import read_time, write_time

#: Between two tellings.
APART_S = 0.02
CONNECT_AGAIN_S = 1.0

_LOCKED = (
    "SELECT CAST(objid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND CAST(classid AS bigint) = %s AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Session:
    """The session of a node."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._raw: Raw | None = None
        self._held: set[str] = set()
        self._sessions = 0
        #: Whose database was seen to be one that this version understands.
        self._understood = ""

    @property
    def session(self) -> int | None:
        """The number of the present session; None while there is none."""
        return None if self._raw is None else self._sessions

    def hold(self, node_id: str) -> None:
        """Have the session be that of a node; those that it was before are let go of."""
        try:
            raw = self._connection()
            if node_id not in self._held:
                # Nobody else has this id; what another version of the connection holds, the server frees soon.
                raw.execute("SELECT pg_advisory_lock(CAST(%s AS int), CAST(%s AS int))", (OF_NODES, number_of(node_id)))
                self._held.add(node_id)
            for former in self._held - {node_id}:
                raw.execute(
                    "SELECT pg_advisory_unlock(CAST(%s AS int), CAST(%s AS int))", (OF_NODES, number_of(former))
                )
                self._held.discard(former)
        except TROUBLE as exc:
            raise self._lost(exc) from exc

    def beat(self, node_id: str) -> Beat:
        """Note that a node is alive, by the clock of the database."""
        self.hold(node_id)
        try:
            raw = self._connection()
            self._refuse_newer(raw, node_id)
            asked = steady()
            at = raw.execute("SELECT clock_timestamp()").fetchall()[0][0]
            answered = steady()
            alive = raw.execute(
                "UPDATE node SET seen_at = %s WHERE id = %s AND ended = ''", (write_time(at), node_id)
            ).rowcount
        except TROUBLE as exc:
            raise self._lost(exc) from exc
        return Beat(at, alive == 1, asked, answered)

    def others(self, node_id: str) -> Sequence[Seen]:
        """Return the other nodes that are not known to be dead."""
        try:
            raw = self._connection()
            found = (
                connections.Session(raw)
                .execute("SELECT * FROM node WHERE ended = '' AND id != ?", (node_id,))
                .fetchall()
            )
            locked = sessions(raw)
        except TROUBLE as exc:
            raise self._lost(exc) from exc
        return [
            Seen(node, read_time(row["seen_at"]) or node.started_at, number_of(node.id) in locked)
            for node, row in ((nodes.read(row), row) for row in found)
        ]

    def close(self) -> None:
        """Let go of the session."""
        raw, self._raw = self._raw, None
        self._held.clear()
        if raw is not None:
            with suppress(psycopg.Error):
                raw.close()

    def _connection(self) -> Raw:
        if self._raw is None:
            raw = connect(self._url)
            self._raw = raw
            self._sessions += 1
            raw.execute("SET statement_timeout = '5s'")  # a beat that takes longer is none
            # As `DaemonLock` has it: commands that must be alone wait for the last daemon.
            raw.execute(f"SELECT pg_try_advisory_lock_shared({OF_NAMES}, hashtext('daemon'))")
        return self._raw

    def _refuse_newer(self, raw: Raw, node_id: str) -> None:
        """Refuse to go on where something was removed, once a session and behind the registration.

        Who removes something looks for nodes first, and keeps others from registering meanwhile.
        """
        if self._understood == f"{self._sessions} {node_id}":
            return
        try:
            refuse_newer(applied(raw), "The database")
        except ConfigError as exc:
            raise RetryLater(exc.message, code=exc.code, fix=exc.fix) from exc
        self._understood = f"{self._sessions} {node_id}"

    def _lost(self, exc: BaseException) -> RetryLater:
        self.close()
        return failure(exc)


def sessions(raw: Raw) -> set[int]:
    """Return the numbers of the nodes that have a session."""
    return {_signed(row[0]) for row in raw.execute(_LOCKED, (OF_NODES,)).fetchall()}


def number_of(node_id: str) -> int:
    """Return the second half of the name of a node's lock."""
    return int.from_bytes(sha256(node_id.encode()).digest()[:4], "big", signed=True)


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


class Notices:
    """What nodes tell each other, by LISTEN and NOTIFY."""

    def __init__(self, url: str, pool: ConnectionPool[Raw], heard: Callable[[News | None], None]) -> None:
        self._url = url
        self._pool = pool
        self._heard = heard
        self._sender = ""
        self._hear: Callable[[News], None] = _nothing
        self._raw: Raw | None = None
        self._lock = threading.Lock()
        self._untold: set[News] = set()
        self._teller = Loop("node-teller", self._tell, first_s=None)
        self._listener = Loop("node-listener", self._listen, at_end=self._close)

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that tell and listen."""
        return (self._teller, self._listener)

    def start(self, sender: str, hear: Callable[[News], None]) -> None:
        """Listen to others than the sender, and send what is told in its name."""
        self._sender, self._hear = sender, hear
        self._teller.start()
        self._listener.start()

    def tell(self, news: News) -> None:
        """Tell the other nodes, soon and without waiting for it."""
        with self._lock:
            is_new = news not in self._untold
            self._untold.add(news)
        if is_new:
            self._teller.wake()

    def stop(self) -> None:
        """End; what was told last is sent."""
        self._teller.stop()
        self._listener.end()
        with self._lock:
            self._untold.add(News.LANES)  # our own listener, which passes it over, ends at once
        with suppress(RetryLater):
            self._send()
        self._listener.join(BEAT_S * 2)

    def _tell(self) -> float | None:
        """Send what is to be told, at once if there was nothing lately."""
        try:
            return APART_S if self._send() else None
        except RetryLater:  # it is a nudge only: others look by themselves
            return None

    def _send(self) -> bool:
        with self._lock:
            untold, self._untold = self._untold, set()
        if not untold:
            return False
        try:
            with self._pool.connection() as raw:
                for news in sorted(untold):
                    raw.execute("SELECT pg_notify(%s, %s)", (news.value, self._sender))
        except TROUBLE as exc:
            raise failure(exc) from exc
        return True

    def _listen(self) -> float:
        """Hear for a while what others tell."""
        try:
            raw = self._listening()
            for notice in raw.notifies(timeout=BEAT_S, stop_after=1):
                if notice.payload != self._sender:
                    self._take(News(notice.channel))
        except TROUBLE:
            self._close()
            return CONNECT_AGAIN_S
        return 0.0

    def _take(self, news: News) -> None:
        self._heard(news)
        self._hear(news)

    def _listening(self) -> Raw:
        if self._raw is None:
            raw = connect(self._url)
            self._raw = raw
            for news in News:
                raw.execute(sql.SQL("LISTEN {}").format(sql.Identifier(news.value)))
                self._take(news)  # whatever was told meanwhile
        return self._raw

    def _close(self) -> None:
        self._heard(None)
        raw, self._raw = self._raw, None
        if raw is not None:
            with suppress(psycopg.Error):
                raw.close()


def _nothing(_: News) -> None:
    """Hear nothing."""
