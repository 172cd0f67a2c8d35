"""The tables in PostgreSQL: those that the migrations of SQLite lead to, and what came after, by name.

Texts are compared and ordered by their bytes, as SQLite does it, whatever the language of the server. The migrations
are in `postgres_steps`; what one may do, and what is left to a finishing step, `schema.py` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connector_core.store.listing_schema import LISTING_TRIGGERS
from connector_core.store.postgres_steps import (
    ADDED,
    FINISHING,
    INDEXES,
    LATER,
    LATER_INDEXES,
    MIGRATIONS,
    REMOVED,
    TABLES,
    TRIGGERS,
)
from connector_core.store.postgres_steps.statements import Run
from connector_core.store.statements import Connection

_FINISH = "finish_"

_MADE = 'CREATE TABLE IF NOT EXISTS migration (name TEXT COLLATE "C" PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL)'


def migrate(run: Run, done: Sequence[str]) -> None:
    """Apply what is missing; to be called in one transaction that nobody else migrates beside."""
    run(_MADE)
    _apply(MIGRATIONS, run, done)


def finish(run: Run, done: Sequence[str]) -> None:
    """Remove what no version uses that knows the last migration; to be called as `migrate`."""
    _apply(FINISHING, run, done)


def _apply(steps: Mapping[str, Callable[[Run], None]], run: Run, done: Sequence[str]) -> None:
    for name, apply in steps.items():
        if name not in done:
            apply(run)
            run(f"INSERT INTO migration VALUES ('{name}', clock_timestamp())")  # noqa: S608 - ours


def pending(done: Sequence[str]) -> list[str]:
    """Return which migrations are missing."""
    return [name for name in MIGRATIONS if name not in done]


def unfinished(done: Sequence[str]) -> list[str]:
    """Return which finishing steps were not taken yet."""
    return [name for name in FINISHING if name not in done]


def added_later(done: Sequence[str]) -> list[str]:
    """Return which migrations a later version made: they only add."""
    return [name for name in done if name not in MIGRATIONS and not name.startswith(_FINISH)]


def removed_later(done: Sequence[str]) -> list[str]:
    """Return which finishing steps of a later version were taken: what this version needs may be gone."""
    return [name for name in done if name not in FINISHING and name.startswith(_FINISH)]


def missing(db: Connection) -> list[str]:
    """Return what this version stores and a database has no place for, a sentence each."""
    there = {
        " ".join(row)
        for row in db.execute(
            "SELECT 'table' AS kind, relname AS name FROM pg_class"
            " WHERE relkind IN ('r', 'v') AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ?1)"
            " UNION ALL SELECT 'index', indexname FROM pg_indexes WHERE schemaname = ?1"
            " UNION ALL SELECT 'trigger', tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            "  JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ?1 AND NOT tgisinternal"
            " UNION ALL SELECT 'column', table_name || '.' || column_name FROM information_schema.columns"
            "  WHERE table_schema = ?1",
            (_schema(db),),
        ).fetchall()
    }
    return [f"{part} is missing" for part in _parts() if part not in there]


def _schema(db: Connection) -> str:
    return str(db.execute("SELECT value FROM (SELECT CAST(CURRENT_SCHEMA AS TEXT) AS value) AS present").fetchone()[0])


def _parts() -> list[str]:
    """Name every table, column, index and trigger."""
    every = [
        *TABLES.items(),
        *LATER.items(),
        *(one for added in ADDED.values() for one in added.items()),
    ]
    parts = [f"table {name}" for name in (*TABLES, *LATER, "link_words", "link_facts", "migration")]
    parts += [f"index {name}" for name in (*INDEXES, *LATER_INDEXES)] + [
        f"trigger {name}" for name in (*TRIGGERS, *LISTING_TRIGGERS)
    ]
    parts += [f"column {table}.{name}" for table, columns in every for name in _columns(columns)]
    return [part for part in parts if part not in REMOVED]


def _columns(columns: str) -> list[str]:
    """Return the names of the columns among columns and conditions."""
    depth, items = 0, [""]
    for sign in columns:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            items.append("")
        else:
            items[-1] += sign
    firsts = [item.split()[0] for item in items]
    return [first.strip('"') for first in firsts if first not in {"PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}]
