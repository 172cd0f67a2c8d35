"""What each migration does, as a digest: one that has landed is never edited, for databases exist that had it.

    python -m tools.migrations    # adds the lines of new migrations to tests/core/landed_migrations.txt, changes none

A migration that has not been merged yet may still change: then its line is taken out by hand, and added again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from connector_core.store import postgres_steps
from connector_core.store.steps import finishing, migrations

LANDED = Path(__file__).parents[1] / "tests" / "core" / "landed_migrations.txt"


def digests() -> dict[str, str]:
    """Return the digest of every migration by its database and its name, in their order."""
    return {**_of_sqlite(), **_of_postgresql()}


def landed() -> dict[str, str]:
    """Return those that have landed."""
    lines = LANDED.read_text().splitlines() if LANDED.exists() else []
    return {f"{kind} {name}": digest for kind, name, digest in map(str.split, lines)}


def _of_sqlite() -> dict[str, str]:
    """Run each on a database of its own age, and note what SQLite was told."""
    found, told = {}, list[str]()
    database = Database(memory=True, execute_plugins=False)
    with closing(database.conn):
        for steps in (migrations, finishing):
            names = [step.name for step in steps.pending(database)]
            for name in names:
                connection: sqlite3.Connection = database.conn
                connection.set_trace_callback(told.append)
                steps.apply(database, stop_before=_after(names, name))
                connection.set_trace_callback(None)
                found[f"sqlite {name}"] = _digest(filter(_is_of_migration, told))
                told.clear()
    return found


def _is_of_migration(statement: str) -> bool:
    """Return whether a statement is the migration's own, not that of whoever applies it or of a trigger."""
    is_frame = statement.upper().startswith(("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "--"))
    return not is_frame and "_sqlite_migrations" not in statement


def _after(names: list[str], name: str) -> str | None:
    number = names.index(name) + 1
    return names[number] if number < len(names) else None


def _of_postgresql() -> dict[str, str]:
    found = {}
    for name, apply in {**postgres_steps.MIGRATIONS, **postgres_steps.FINISHING}.items():
        told: list[str] = []
        apply(told.append)
        found[f"postgresql {name}"] = _digest(told)
    return found


def _digest(statements: Iterable[str]) -> str:
    """Return one of what statements say, however they are indented."""
    text = "\n".join(" ".join(statement.split()) for statement in statements)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> None:
    """Add what is new."""
    known = landed()
    lines = [f"{name} {digest}\n" for name, digest in {**digests(), **known}.items()]
    LANDED.write_text("".join(lines))


if __name__ == "__main__":
    main()
