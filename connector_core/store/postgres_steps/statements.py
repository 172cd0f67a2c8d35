"""How the statements of migrations are made of what is listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

#: What a statement is said to.
Run: TypeAlias = Callable[[str], Any]


def by_bytes(columns: str) -> str:
    """Have every text among some columns compared by its bytes."""
    return re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', columns)


def make_tables(run: Run, *names: str, of: Mapping[str, str]) -> None:
    """Make some of the tables."""
    for name in names:
        run(f"CREATE TABLE {name} ({by_bytes(of[name])})")


def make_indexes(run: Run, *names: str, of: Mapping[str, str], kind: str = "INDEX") -> None:
    """Make some of the indexes."""
    for name in names:
        run(f"CREATE {kind} {name} ON {of[name]}")


def add_columns(run: Run, added: Mapping[str, str]) -> None:
    """Add columns to tables."""
    for table, columns in added.items():
        each = by_bytes(columns).split(", ")
        run(f"ALTER TABLE {table} {', '.join(f'ADD COLUMN {column}' for column in each)}")


def make_triggers(run: Run, triggers: Mapping[str, tuple[str, str]]) -> None:
    """Make triggers: when each fires, and what it does then."""
    for name, (when, what) in triggers.items():
        run(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what} RETURN NULL; END $$")
        run(f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {name}()")
