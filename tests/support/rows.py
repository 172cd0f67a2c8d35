"""Looking into the database of a store, and changing what is in it, whichever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector_core.store import Store
from connector_core.store.nouns import EVERYBODY
from connector_core.store.postgres_steps import TABLES
from connector_core.store.statements import Connection


def sql(store: Store, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement in a transaction of its own; return the rows that it gives."""

    def run(db: Connection) -> list[tuple[Any, ...]]:
        cursor: Any = db.execute(statement, values)
        return [] if cursor.description is None else [tuple(row) for row in cursor.fetchall()]

    return store.database.write(EVERYBODY, run)


def count(store: Store, table: str) -> int:
    """Count the rows of a table."""
    return int(sql(store, f'SELECT COUNT(*) FROM "{table}"')[0][0])  # noqa: S608 - names of tests


def everything(store: Store, tables: Sequence[str] = tuple(TABLES)) -> bytes:
    """Return all that is stored, in one piece, to look for what must not be there."""
    rows = [sql(store, f'SELECT * FROM "{table}"') for table in tables]  # noqa: S608 - ours
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for table in rows for row in table for value in row
    )
