"""New databases of tests are copies of one that the migrations made: they run once in a process, not once in a test.

What is copied is all that they leave behind, the list of those that were applied included. A database that has anything
in it, or is to stop half-way, is migrated step by step as ever. A process that starts the interpreter itself, as most
tests of commands and kills do, knows nothing of this.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from sqlite_utils import Database, Migrations

from connector_core.store.steps import migrations

_apply = Migrations.apply


@cache
def migrated() -> bytes:
    """Return an empty database that was migrated step by step."""
    made = Database(memory=True, execute_plugins=False)
    with closing(made.conn) as db:
        _apply(migrations, made)
        db.commit()
        return db.serialize()


def use():
    """Have new databases of this process, and of what is forked from it, made this way."""
    Migrations.apply = _copy_or_apply


def _copy_or_apply(known, database, *, stop_before=None):
    """Do what `Migrations.apply` does."""
    if known is migrations and stop_before is None and _is_new(database.conn):
        with closing(sqlite3.connect(":memory:")) as made:
            made.deserialize(migrated())
            made.backup(database.conn)
    else:
        _apply(known, database, stop_before=stop_before)


def _is_new(db):
    return not db.in_transaction and db.execute("SELECT 1 FROM sqlite_master").fetchone() is None
