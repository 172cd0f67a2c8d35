"""Connections to PostgreSQL: how each is set up, a pool of them, and what may be wrong with the server.

What they rest on: `READ COMMITTED`, so that a statement behind a lock sees what was committed before; times after which
nobody waits any more, so that a process that hangs inside a transaction loses it; and that a commit is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.store import postgres_schema
from connector_core.store.dialect import plain, translate
from connector_core.store.failures import server_failure

#: What an operation may raise because of the database; whatever else is raised belongs to the caller.
TROUBLE = (psycopg.Error, OSError, MemoryError)
MOST_CONNECTIONS = 16
WAIT_S = 5.0
CONNECT_S = 10
_STATEMENTS_KEPT = 500

#: First halves of the names of our locks in the database, where others may have locks, too.
OF_DOMAINS, OF_NAMES, OF_NODES = 0x584F_4E31, 0x584F_4E32, 0x584F_4E33
EVERYBODYS = 0

_SETTINGS = (
    "SET default_transaction_isolation = 'read committed'; SET lock_timeout = '5s'; SET statement_timeout = '30s';"
    " SET idle_in_transaction_session_timeout = '10s'; SET standard_conforming_strings = on"
)
_DEFAULTS = {"application_name": "connector", "connect_timeout": str(CONNECT_S), "tcp_user_timeout": "10000"}

Raw: TypeAlias = "psycopg.Connection[Any]"


class Row(tuple[Any, ...]):  # noqa: SLOT001 - what has a length of its own can have no slots
    """A row: its values by name or place."""

    names: Mapping[str, int]

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - as `statements.Row`
        return super().__getitem__(self.names[key] if isinstance(key, str) else key)


def _rows(cursor: psycopg.Cursor[Any] | psycopg.RawCursor[Any]) -> Any:  # noqa: ANN401 - psycopg's row maker
    columns = [column.name for column in cursor.description or ()]
    names = {name: place for place, name in reversed(list(enumerate(columns)))}

    def make(values: Sequence[Any]) -> Row:
        row = Row(values)
        row.names = names
        return row

    return make


@lru_cache(maxsize=2048)
def _said(statement: str) -> bytes:
    return translate(statement).encode()


class Session:
    """A connection as operations know it: their statements are translated, their values made plain."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> psycopg.RawCursor[Row]:
        """Run one statement."""
        cursor = psycopg.RawCursor(self.raw, row_factory=_rows)
        return cursor.execute(_said(statement), plain(values))

    def executemany(self, statement: str, values: Any, /) -> psycopg.RawCursor[Row]:  # noqa: ANN401 - rows of values
        """Run one statement for each of some rows of values."""
        rows = [plain(one) for one in values]
        cursor = psycopg.RawCursor(self.raw, row_factory=_rows)
        if rows:
            cursor.executemany(_said(statement), rows)
        return cursor


def connect(url: str) -> Raw:
    """Open a connection of its own."""
    raw = psycopg.connect(url, autocommit=True, **_parameters(url))
    try:
        set_up(raw)
    except BaseException:
        raw.close()
        raise
    return raw


def set_up(raw: Raw) -> None:
    """Make a new connection one of ours."""
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(str, StrDumper)
    raw.prepared_max = _STATEMENTS_KEPT
    raw.execute(_SETTINGS)


def make_pool(url: str, *, most: int = MOST_CONNECTIONS) -> ConnectionPool[Raw]:
    """Make connections that many share; they are opened as they are needed."""
    return ConnectionPool(
        url,
        min_size=0,
        max_size=most,
        open=True,
        timeout=WAIT_S,
        configure=set_up,
        kwargs={"autocommit": True, **_parameters(url)},
        name="connector",
        reconnect_timeout=WAIT_S,
    )


def _parameters(url: str) -> dict[str, Any]:
    given = conninfo_to_dict(url)
    return {name: value for name, value in _DEFAULTS.items() if name not in given}


def failure(exc: BaseException, *, reading: bool = False) -> RetryLater:
    """Say what is wrong with the database, in the words of `failures.py`."""
    if isinstance(exc, PoolTimeout):
        # Whether all are in use or none can be had: it does not say.
        return server_failure(exc, "08000", reading=reading)
    if isinstance(exc, PoolClosed):
        return RetryLater("The database is closed.", code="store_closed")
    state = getattr(exc, "sqlstate", None)
    if state is None and isinstance(exc, psycopg.Error) and not isinstance(exc, psycopg.OperationalError):
        state = "XX000"  # of psycopg's own, about what was asked of it
    return server_failure(exc, state, reading=reading)


def is_lost(exc: BaseException, raw: Raw | None) -> bool:
    """Return whether a connection has ended, so that whatever was not committed can be done on another one."""
    return isinstance(exc, psycopg.OperationalError) and raw is not None and (raw.closed or raw.broken)


def unusable(name: object, exc: BaseException) -> ConnectorError:
    """Say why a database cannot be opened; what its server may mend by itself is waited for."""
    state = getattr(exc, "sqlstate", None)
    text = " ".join(str(exc).split())
    if state is not None and state[:2] in {"28", "3D", "42"}:
        return ConfigError(
            f"{name} cannot be used as database: {text}.",
            code="database_unusable",
            detail=text,
            fix="Check user, password and name of the database, and that the database belongs to that user.",
        )
    told = failure(exc)
    return ConfigError(
        f"{name} cannot be used as database. {told.message} {text}", code=told.code, detail=text, fix=told.fix
    )


def prepare(url: str, name: object) -> None:
    """Make or bring up to date what is in a database, if its server can keep what we promise.

    Raises:
        ConfigError: it cannot, or a later version made what is there.
    """
    with closing(connect(url)) as raw:
        _refuse_forgetful(raw, name)
        _refuse_shared(raw, url, name)
        raw.execute("SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        with raw.transaction():  # and nobody beside
            raw.execute(f"SELECT pg_advisory_xact_lock({OF_NAMES}, hashtext('migrate'))")
            done = applied(raw)
            refuse_newer(done, name)
            if postgres_schema.pending(done):
                postgres_schema.migrate(lambda statement: raw.execute(statement.encode()), done)


def _refuse_forgetful(raw: Raw, name: object) -> None:
    (durable,) = raw.execute("SHOW synchronous_commit").fetchone() or ("",)
    if durable == "off":
        raise ConfigError(
            f"{name} says that something is stored before it is: synchronous_commit is off.",
            code="database_forgetful",
            fix="Set synchronous_commit = on in PostgreSQL, for this role and database too.",
        )


def _refuse_shared(raw: Raw, url: str, name: object) -> None:
    """Refuse what stands before a server and gives one connection to several of ours; a direct one needs no proof."""
    if _process(raw) == raw.info.backend_pid:
        return
    with closing(connect(url)) as other:
        seen = [_process(one) for one in (raw, other, raw, other)]
    if len(set(seen)) != 2 or seen[:2] != seen[2:]:  # noqa: PLR2004 - two of ours are two of the server's
        raise ConfigError(
            f"{name} is behind PgBouncer, or the like, in transaction mode: one connection is several clients', so that"
            " no lock of ours would hold.",
            code="database_pooled",
            fix="Set pool_mode = session for this database, or name PostgreSQL itself in database.",
        )


def _process(raw: Raw) -> int:
    (pid,) = raw.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    return int(pid)


class NamedLock:
    """A lock that a connection of its own holds; the server frees it when that ends, however it does."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._raw: Raw | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        return self._take("pg_try_advisory_lock")

    def try_share(self) -> bool:
        """Take the lock beside others that share it, if nobody has it alone; return whether it was taken."""
        return self._take("pg_try_advisory_lock_shared")

    def acquire(self) -> None:
        """Wait until the lock is free and take it."""
        self._take("pg_advisory_lock")

    def release(self) -> None:
        """Let go."""
        if self._raw is not None:
            with suppress(psycopg.Error):
                self._raw.close()
            self._raw = None

    def _take(self, function: str) -> bool:
        self._raw = connect(self._url)
        try:
            self._raw.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            row = self._raw.execute(f"SELECT {function}({OF_NAMES}, hashtext(%s))", (self._name,)).fetchone()
        except BaseException:
            self.release()
            raise
        if row is not None and row[0] is False:
            self.release()
            return False
        return True


def applied(raw: Raw) -> list[str]:
    """Return the migrations that a database has gone through; none when it is not ours."""
    row = raw.execute("SELECT to_regclass('migration') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return []
    return [str(one[0]) for one in raw.execute("SELECT name FROM migration ORDER BY applied_at, name").fetchall()]


def refuse_newer(done: list[str], name: object) -> None:
    """Refuse a database that this version does not understand.

    Raises:
        ConfigError: it was made by a later one.
    """
    newer = postgres_schema.unknown(done)
    if newer:
        raise ConfigError(
            f"{name} was written by a newer version of the connector ({newer[-1]}).",
            code="database_newer",
            fix="Install that version or a later one, or restore a backup.",
        )


def refuse_older(done: list[str], name: object) -> None:
    """Refuse a database that has to be brought up to date first.

    Raises:
        ConfigError: it was made by an earlier version, or by nobody.
    """
    if not done:
        raise ConfigError(
            f"There is nothing of the connector in {name} yet: it has not run with this database.",
            code="database_missing",
            fix="Start it with: connector run",
        )
    if postgres_schema.pending(done):
        raise ConfigError(
            f"{name} was written by an older version of the connector, and this command only reads.",
            code="database_older",
            fix="Start the connector, or run: connector db migrate",
        )
