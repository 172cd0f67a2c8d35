"""Moves a database: every row of a SQLite file into an empty database on a PostgreSQL server, and a check of the copy.

Over there all of it is one transaction: killed at any moment, a move leaves nothing, and is begun again. Nobody can
write the file meanwhile. It stays as it is, but for a note that it is a copy from then on, so that whoever goes on with
it has a database of before. Rows are never in memory but for a few at a time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from psycopg import sql

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, RemoteError
from connector_core.databases import PostgreSQL
from connector_core.secrets import SecretBox, WrongKey
from connector_core.store import health, lanes, life, nodes, postgres_schema, postgres_steps, sealing, secrets
from connector_core.store import postgres_connections as connections
from connector_core.store.beside import BesideFile
from connector_core.store.connection import connect
from connector_core.store.daemon_lock import daemon_lock
from connector_core.store.dialect import plain
from connector_core.store.opening import refuse_any_other
from connector_core.store.postgres import ServerLife
from connector_core.store.postgres_connections import Raw, Session
from connector_core.store.records import DAMAGE_FIX

TELL_EVERY = 1_000
_READ_AT_ONCE = 500


@dataclass(frozen=True)
class Step:
    """How far a move has come: so many rows of a table are copied, or read again to be checked."""

    table: str
    done: int
    of: int
    is_check: bool


Tell = Callable[[Step], None]


@dataclass(frozen=True)
class Moved:
    """What was moved; `cut` has how many texts lost their U+0000 on the way, by table and column."""

    tables: int
    rows: int
    cut: Mapping[str, int]


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    rows: int

    @property
    def names(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@dataclass
class _Sum:
    """How many rows there are, and a digest that does not depend on their order."""

    rows: int = 0
    digest: int = field(default=0)

    def add(self, row: Sequence[Any]) -> None:
        self.rows += 1
        self.digest = (self.digest + int.from_bytes(sha256(repr(tuple(row)).encode()).digest())) % 2**256


def move(source: Path, target: PostgreSQL, box: SecretBox, now: datetime, tell: Tell) -> Moved:
    """Copy everything, check the copy, and make it the database to go on with.

    Raises:
        ConfigError: a daemon runs on the file, it is of another version, the key is not its own, or the target cannot
            be used or is not empty.
        RemoteError: the file is damaged, or the copy is not what was copied; nothing is left of it.
    """
    if not source.exists():
        raise ConfigError(
            f"There is no database {source}: there is nothing to move.",
            code="database_missing",
            fix="Name the PostgreSQL database in database, and start the connector.",
            advice=Advice(Remedy.START),
        )
    lock = daemon_lock(source)
    if not lock.try_acquire():
        raise ConfigError(
            f"A connector is running on {source}.", code="already_running", fix="Stop it, then move the database."
        )
    try:
        with _held(source, box) as db:
            with connections.migrating(target.url, target) as (raw, done):
                if done and life.is_same(db, Session(raw)):
                    _mark_copy(db)  # what an earlier move had left to do
                    raise _moved_already(source, target)
                _refuse_anything_there(raw, target, is_ours=bool(done))
                moved = _copy_all(db, raw, tell)
                _check_secrets(db, raw, box)
                _settle(db, Session(raw), source, now)
                raw.execute("ANALYZE")
            _mark_copy(db)
            return moved
    except sqlite3.DatabaseError as exc:
        raise health.unusable(source, exc) from exc
    except connections.TROUBLE as exc:
        raise connections.unusable(target, exc) from exc
    finally:
        lock.release()


def require_empty(target: PostgreSQL) -> None:
    """Refuse a database on a server that cannot be used, or has anything in it.

    Raises:
        ConfigError: with the reason, and what to do.
    """
    try:
        with closing(connections.connect(target.url)) as raw:
            _refuse_anything_there(raw, target, is_ours=bool(connections.applied(raw)))
    except connections.TROUBLE as exc:
        raise connections.unusable(target, exc) from exc


@contextmanager
def _held(source: Path, box: SecretBox) -> Iterator[sqlite3.Connection]:
    """Open a file so that nobody else writes it meanwhile, if it is whole and ours."""
    with closing(connect(source)) as db:
        refuse_any_other(db, source)
        db.execute("PRAGMA query_only = OFF")  # or it could not be kept from writers
        db.execute("BEGIN IMMEDIATE")
        if problems := health.problems(db):
            raise RemoteError(
                f"The database is damaged, nothing was moved: {problems[0]}", code="database_damaged", fix=DAMAGE_FIX
            )
        if not sealing.opens(db, box):
            raise WrongKey
        yield db


def _refuse_anything_there(raw: Raw, target: PostgreSQL, *, is_ours: bool) -> None:
    if is_ours:
        raise ConfigError(
            f"There is a database of the connector in {target} already.",
            code="target_not_empty",
            fix="Name an empty one. If that one is what an earlier move made, name it in database, and start.",
        )
    found = connections.anything_there(raw)
    if found is not None:
        raise ConfigError(
            f"{target} is not empty: {found} is there.", code="target_not_empty", fix="Name an empty database."
        )


def _moved_already(source: Path, target: PostgreSQL) -> ConfigError:
    return ConfigError(
        f"{source} was copied to {target} already: an earlier move was ended when that was done and checked.",
        code="moved_already",
        fix="Name that one in database, and start the connector. What was done to the file since is not in it: if"
        " there is any, empty that database and move the file again.",
    )


def _copy_all(db: sqlite3.Connection, raw: Raw, tell: Tell) -> Moved:
    """Make the tables, fill them without their triggers, which ran once already, and read them again."""
    postgres_schema.migrate(lambda statement: raw.execute(statement.encode()), [])
    tables, cut = _tables(db), Counter[str]()
    for table in tables:
        raw.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table.name)))
    copied = {table.name: _copy(db, raw, table, cut, tell) for table in tables}
    for table in tables:
        if _read_again(raw, table, tell) != copied[table.name]:
            raise RemoteError(
                f"The copy of the table {table.name} is not what was copied; nothing is left of the copy.",
                code="copy_differs",
                fix="Move the database again. If that does not help, look for damage.",
                advice=Advice(Remedy.CHECK_DATABASE),
            )
        raw.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table.name)))
    _continue_numbers(db, raw)
    return Moved(len(tables), sum(table.rows for table in tables), cut)


def _tables(db: sqlite3.Connection) -> list[_Table]:
    """Return our tables, in an order in which each comes after those that it names rows of."""
    order = [*postgres_steps.TABLES, *postgres_steps.LATER]
    found = {
        str(row[0])
        for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not row[0].startswith(("_", "sqlite_"))
    }
    return [
        _Table(
            name,
            tuple(row[0] for row in db.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (name,))),
            db.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0],  # noqa: S608 - ours
        )
        for name in sorted(found, key=order.index)
    ]


def _copy(db: sqlite3.Connection, raw: Raw, table: _Table, cut: Counter[str], tell: Tell) -> _Sum:
    total = _Sum()
    columns = ", ".join(f'"{name}"' for name in table.columns)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), table.names)
    with raw.cursor() as cursor, cursor.copy(into) as copy:
        for row in db.execute(f'SELECT {columns} FROM "{table.name}"'):  # noqa: S608 - ours
            values = plain(row)
            if values != list(row):
                changed = zip(table.columns, values, row, strict=True)
                cut.update(f"{table.name}.{name}" for name, after, before in changed if after != before)
            total.add(values)
            copy.write_row(values)
            if total.rows % TELL_EVERY == 0:
                tell(Step(table.name, total.rows, table.rows, is_check=False))
    tell(Step(table.name, total.rows, table.rows, is_check=False))
    return total


def _read_again(raw: Raw, table: _Table, tell: Tell) -> _Sum:
    total = _Sum()
    with raw.cursor(name="moved") as cursor:
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(table.names, sql.Identifier(table.name)))
        for row in cursor:
            total.add(row)
            if total.rows % TELL_EVERY == 0:
                tell(Step(table.name, total.rows, table.rows, is_check=True))
    tell(Step(table.name, total.rows, table.rows, is_check=True))
    return total


def _continue_numbers(db: sqlite3.Connection, raw: Raw) -> None:
    """Have numbers that rows get by themselves go on where they were: also behind those of deleted rows."""
    for name, last in db.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0").fetchall():
        (key,) = db.execute("SELECT name FROM pragma_table_info(?) WHERE pk = 1", (name,)).fetchone()
        raw.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", (f'"{name}"', key, last))


def _check_secrets(db: sqlite3.Connection, raw: Raw, box: SecretBox) -> None:
    """Open each secret over there that can be opened here."""
    there = Session(raw)
    if not sealing.opens(there, box) or secrets.unreadable(there, box) != secrets.unreadable(db, box):
        raise RemoteError(
            "Secrets of the copy cannot be opened; nothing is left of the copy.",
            code="copy_differs",
            fix="Move the database again.",
        )


def _settle(db: sqlite3.Connection, there: Session, source: Path, now: datetime) -> None:
    """Free what the last daemon of the file held, and tell the next one that it goes on where that one ended."""
    nodes.leave_none(there, now)
    lanes.recover(there, "")
    beside = BesideFile(source).read()
    if beside is not None and life.is_known(db, beside):
        ServerLife.keep_home(there)


def _mark_copy(db: sqlite3.Connection) -> None:
    life.mark_copy(db)
    db.execute("COMMIT")
