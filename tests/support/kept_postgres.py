"""One PostgreSQL database that many tests use one after the other, as fast as can be.

Its connections outlive the stores that are opened on it, with the statements that were prepared there, and only tables
that hold rows are emptied. What is about connections, or about how a database is opened, takes `postgresql_url`.
"""

from __future__ import annotations

from typing import Any

import psycopg

from connector_core.databases import PostgreSQL
from connector_core.store import postgres, postgres_connections
from connector_core.store.postgres_steps import LATER, TABLES
from tests.support.postgres import Database

_HOLD_ROWS = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")"  # noqa: S608 - ours
    for name in (*TABLES, *LATER)
)
_COUNT_ANEW = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"


class KeptDatabase:
    """A database of a worker, with the connections that stay."""

    def __init__(self, database: Database) -> None:
        self.place = PostgreSQL(database.url)
        postgres_connections.prepare(database.url, self.place)
        self._pool = _Kept(postgres_connections.make_pool(database.url, first=lambda _: None))
        self._admin = psycopg.connect(database.server.admin_url(database.name), autocommit=True, prepare_threshold=None)
        self._admin.execute("SET session_replication_role = replica; SET lock_timeout = '10s'")  # no triggers, no keys

    def empty(self) -> PostgreSQL:
        """Delete all rows and count from one again; return where it is."""
        held = [name for (name,) in self._admin.execute(_HOLD_ROWS.encode()).fetchall()]
        if held:
            self._admin.execute("; ".join(f'DELETE FROM "{name}"' for name in held).encode())  # noqa: S608 - ours
            self._admin.execute(_COUNT_ANEW)
        return self.place

    def offer(self, monkeypatch: Any) -> None:  # noqa: ANN401 - pytest's
        """Have stores use the connections that stay."""
        monkeypatch.setattr(postgres, "make_pool", lambda *_, **__: self._pool)
        monkeypatch.setattr(postgres_connections, "prepare", lambda *_, **__: None)

    def close(self) -> None:
        """Close all connections."""
        self._pool.kept.close()
        self._admin.close()


class _Kept:
    """A pool that no store closes."""

    def __init__(self, kept: Any) -> None:  # noqa: ANN401 - psycopg's
        self.kept = kept

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(self.kept, name)

    def close(self) -> None:
        """Stay open."""
