"""Connections to PostgreSQL: how each is set up, a pool of them, and what may be wrong with the server.

What they rest on: `READ COMMITTED`, so that a statement behind a lock sees what was committed before; times after which
nobody waits any more, so that a process that hangs inside a transaction loses it; and that a commit is on disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.databases import PostgreSQL
from connector_core.store import postgres_schema, version
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
#: A server that does not answer any more, as one that has lost its network, is found out while we wait for it, too.
_DEFAULTS = {
    "application_name": "connector",
    "connect_timeout": str(CONNECT_S),
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}

Raw: TypeAlias = "psycopg.Connection[Any]"


class Row(tuple[Any, ...]):  # noqa: SLOT001 - what has a length of its own can have no slots
    """A row: its values by name or place."""

    names: Mapping[str, int]

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - as `statements.Row`
        return super().__getitem__(self.names[key] if isinstance(key, str) else key)


@lru_cache(maxsize=2048)
def _places(columns: tuple[bytes | None, ...]) -> Mapping[str, int]:
    """Return where each column is; the first of those that are called alike."""
    return {(name or b"").decode(): place for place, name in reversed(list(enumerate(columns)))}


def _rows(cursor: psycopg.Cursor[Any] | psycopg.RawCursor[Any]) -> Any:  # noqa: ANN401 - psycopg's row maker
    found = cursor.pgresult  # its description has all about each column, and costs as much as the statement
    names = _places(tuple(found.fname(place) for place in range(found.nfields)) if found is not None else ())

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


def make_pool(url: str, *, first: Callable[[Raw], None], most: int = MOST_CONNECTIONS) -> ConnectionPool[Raw]:
    """Make connections that many share; they are opened as they are needed, and `first` has each before others do."""

    def configure(raw: Raw) -> None:
        set_up(raw)
        first(raw)

    return ConnectionPool(
        url,
        min_size=0,
        max_size=most,
        open=True,
        timeout=WAIT_S,
        configure=configure,
        kwargs={"autocommit": True, **_parameters(url)},
        name="connector",
        reconnect_timeout=WAIT_S,
    )


def _parameters(url: str) -> dict[str, Any]:
    """Return what the URL leaves open; of several servers the one is meant that takes changes."""
    given = conninfo_to_dict(url)
    of_several = {"target_session_attrs": "read-write"} if "," in str(given.get("host", "")) else {}
    return {name: value for name, value in (_DEFAULTS | of_several).items() if name not in given}


def is_read_only(exc: BaseException) -> bool:
    """Return whether a server takes no changes any more: another one may have taken its place."""
    return getattr(exc, "sqlstate", None) == "25006"


def failure(exc: BaseException, *, reading: bool = False, named_in: str = "database") -> RetryLater:
    """Say what is wrong with the database, in the words of `failures.py`."""
    if isinstance(exc, PoolTimeout):
        # Whether all are in use or none can be had: it does not say.
        return server_failure(exc, "08000", reading=reading, named_in=named_in)
    if isinstance(exc, PoolClosed):
        return RetryLater("The database is closed.", code="store_closed")
    state = getattr(exc, "sqlstate", None)
    if state is None and isinstance(exc, psycopg.Error) and not isinstance(exc, psycopg.OperationalError):
        state = "XX000"  # of psycopg's own, about what was asked of it
    return server_failure(exc, state, reading=reading, named_in=named_in)


def is_lost(exc: BaseException, raw: Raw | None) -> bool:
    """Return whether a connection has ended, so that whatever was not committed can be done on another one."""
    return isinstance(exc, psycopg.OperationalError) and raw is not None and (raw.closed or raw.broken)


def unusable(place: PostgreSQL, exc: BaseException) -> ConnectorError:
    """Say why a database cannot be opened; what its server may mend by itself is waited for."""
    state = getattr(exc, "sqlstate", None)
    text = " ".join(str(exc).split())
    kind = next((code for code, said in _REFUSED_AT_THE_DOOR.items() if re.search(said, text)), None)
    if kind is None and state is not None and state[:2] in {"28", "3D", "42"}:
        kind = "database_unusable"
    if kind is not None:
        return ConfigError(
            f"{place} cannot be used as database: {text}.", code=kind, detail=text, fix=_fix(kind, place)
        )
    told = failure(exc, named_in=place.named_in)
    return ConfigError(
        f"{place} cannot be used as database. {told.message} {text}", code=told.code, detail=text, fix=told.fix
    )


#: What libpq and the server say before there is a connection, where there is no code to tell it by.
_REFUSED_AT_THE_DOOR = {
    "database_certificate": "certificate verify failed|(root|server) certificate",
    "database_not_made": 'FATAL: database "[^"]*" does not exist',
    "database_user_not_made": 'FATAL: role "[^"]*" does not exist',
    "database_password": "password authentication failed|no password supplied",
}


def _fix(kind: str, place: PostgreSQL) -> str:
    about = conninfo_to_dict(place.url)
    name, user = about.get("dbname", "connector"), about.get("user", "connector")
    if kind == "database_certificate":
        return (
            f"Name the host in {place.named_in} as its certificate does. The authority that signed it is named there by"
            " sslrootcert: a file, or system for those of this machine."
        )
    if kind == "database_not_made":
        return (
            f'Make it as a superuser of that server: CREATE DATABASE "{name}" OWNER "{user}" ENCODING \'UTF8\''
            f" TEMPLATE template0; or name another one in {place.named_in}."
        )
    if kind == "database_user_not_made":
        return f"Make it as a superuser of that server: CREATE ROLE \"{user}\" LOGIN PASSWORD '…'"
    if kind == "database_password":
        return (
            f"Give the password of {user} in PGPASSWORD, in a file that PGPASSFILE names (or ~/.pgpass), or in the URL"
            f" in {place.named_in}, where %40 stands for @ and %2F for /."
        )
    return "Check user, password and name of the database, and that the database belongs to that user."


_ANYTHING_THERE = """
    SELECT CAST(relname AS TEXT) FROM pg_class WHERE relnamespace = to_regnamespace(CURRENT_SCHEMA)
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    UNION ALL SELECT CAST(proname AS TEXT) FROM pg_proc WHERE pronamespace = to_regnamespace(CURRENT_SCHEMA)
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    ORDER BY 1 LIMIT 1
"""


def anything_there(raw: Raw) -> str | None:
    """Return the name of something that is in a database, of anybody's but of extensions; None when it is empty."""
    found = raw.execute(_ANYTHING_THERE).fetchone()
    return None if found is None else str(found[0])


def prepare(url: str, name: object, *, migrates: bool = True) -> None:
    """Make or bring up to date what is in a database, if its server can keep what we promise.

    Raises:
        ConfigError: it cannot, a later version made what is there, or someone else did; or an earlier one did and
            nobody `migrates`.
    """
    with migrating(url, name) as (raw, done):
        refuse_newer(done, name)
        if not done and (found := anything_there(raw)) is not None:
            raise ConfigError(
                f"{name} is someone else's: {found} is there, and nothing of the connector.",
                code="database_foreign",
                fix="Make a database for the connector alone, and use its address.",
            )
        if done and not migrates:
            refuse_older(done, name)
        if postgres_schema.pending(done):
            postgres_schema.migrate(lambda statement: raw.execute(statement.encode()), done)


@contextmanager
def migrating(url: str, name: object) -> Iterator[tuple[Raw, list[str]]]:
    """Run a block in a transaction that nobody else migrates beside, knowing which migrations were applied.

    Raises:
        ConfigError: the server cannot keep what we promise.
    """
    with closing(connect(url)) as raw:
        _refuse_forgetful(raw, name)
        _refuse_few_letters(raw, name)
        _refuse_shared(raw, url, name)
        raw.execute("SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        with raw.transaction():
            raw.execute(f"SELECT pg_advisory_xact_lock({OF_NAMES}, hashtext('migrate'))")
            yield raw, applied(raw)


def _refuse_forgetful(raw: Raw, name: object) -> None:
    (durable,) = raw.execute("SHOW synchronous_commit").fetchone() or ("",)
    if durable == "off":
        raise ConfigError(
            f"{name} says that something is stored before it is: synchronous_commit is off.",
            code="database_forgetful",
            fix="Set synchronous_commit = on in PostgreSQL, for this role and database too.",
        )


def _refuse_few_letters(raw: Raw, name: object) -> None:
    (letters,) = raw.execute("SHOW server_encoding").fetchone() or ("",)
    if letters != "UTF8":
        raise ConfigError(
            f"{name} cannot hold every text: its encoding is {letters}.",
            code="database_encoding",
            fix="Make a database with the encoding UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
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
            fix="Set pool_mode = session for this database, or use the address of PostgreSQL itself.",
        )


def _process(raw: Raw) -> int:
    (pid,) = raw.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    return int(pid)


#: By so much longer a lock is waited for than it is held.
LATER_S = 10


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

    def acquire_for(self, seconds: int) -> None:
        """Wait until the lock is free and take it, for so long at most: then the server ends the connection."""
        self._take("pg_advisory_lock", seconds)

    def release(self) -> None:
        """Let go."""
        if self._raw is not None:
            with suppress(psycopg.Error):
                self._raw.close()
            self._raw = None

    def _take(self, function: str, for_s: int = 0) -> bool:
        self._raw = connect(self._url)
        try:
            wait_s = for_s + LATER_S if for_s else 0
            self._raw.execute(
                f"SET lock_timeout = '{wait_s}s'; SET statement_timeout = 0; SET idle_session_timeout = '{for_s}s'"
            )
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
    """Refuse a database of which a later version has removed something; what one only added to is no trouble.

    Raises:
        ConfigError: what this version needs may be gone.
    """
    if removed := postgres_schema.removed_later(done):
        raise version.newer(name, removed[-1])


def refuse_older(done: list[str], name: object) -> None:
    """Refuse a database that has to be brought up to date first.

    Raises:
        ConfigError: it was made by an earlier version, or by nobody.
    """
    if not done:
        raise ConfigError(
            f"There is nothing of the connector in {name} yet: it has not run with this database.",
            code="database_missing",
            advice=Advice(Remedy.START),
        )
    if postgres_schema.pending(done):
        raise version.older(name)
