"""What migrations are added to, and how one says its statements."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("connector_core")
#: Steps that remove something, `finish_m030_…` what no version that knows `m030_…` uses. There is none yet.
finishing = Migrations("connector_core_finish")


def run(db: Database, *statements: str) -> None:
    """Run statements, one after the other."""
    for statement in statements:
        db.conn.execute(statement)
