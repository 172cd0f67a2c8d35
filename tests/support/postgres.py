"""PostgreSQL for tests: one throw-away server a run, a database in it for each worker, and servers that may crash.

    def test_something(postgresql_url):        # tables that are there stay, their rows are gone: milliseconds
    def test_something(bare_postgresql_url):   # nothing at all is in it

    with own_server(fsync=True) as server:     # for tests of faults; its URL: server.url
        server.crash()                         # as `pg_ctl stop -m immediate`, or as when the power goes
        server.start()

All workers of pytest-xdist share the server of their run, which is started by whoever needs it first. A guard
(`postgres_guard.py`) stops it when the run is over or was killed. It listens on a socket in its own folder only, writes
nothing through to the disk unless told to, and sorts texts as people do and not by bytes, as a customer's may.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import psutil

from tests.support import postgres_guard
from tests.support.needed import require
from tests.support.postgres_guard import as_server

if TYPE_CHECKING:
    import psycopg

GUARD = Path(postgres_guard.__file__)
PREFIX = "connector-pg-"
# The role of the product: it owns its database and is no superuser.
ROLE = "connector"
# What tells which migrations were applied stays with the tables that they made.
KEPT = ("migration",)
STOPS_WITHIN_S = 60
LONGEST_SOCKET = 100  # bytes of its path; systems allow 104 or 108
_ICU_SINCE = 15

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
port = 5432
max_connections = 300
shared_buffers = 64MB
wal_level = minimal
max_wal_senders = 0
lc_messages = 'C'
autovacuum = off
jit = off
"""
FOR_STANDBYS = "wal_level = replica\nmax_wal_senders = 4\nwal_keep_size = 256MB\n"
WITHOUT_FSYNC = "fsync = off\nfull_page_writes = off\n"


@dataclass(frozen=True)
class Server:
    """A server that takes connections."""

    #: URL of a superuser; whatever database it names, others can be asked for.
    admin: str
    #: Who owns the databases and works with them.
    role: str | None = ROLE

    def url(self, database: str) -> str:
        """Return the URL of a database for who works with it."""
        return _with(self.admin, database=database, user=self.role)

    def admin_url(self, database: str) -> str:
        """Return the URL of a database for the superuser."""
        return _with(self.admin, database=database)

    def make(self, database: str) -> Database:
        """Make a database; one of that name is thrown away."""
        self.drop(database)
        with connected(self.admin) as connection:
            connection.execute(f'CREATE DATABASE "{database}"{f" OWNER {self.role}" if self.role else ""}')
        return Database(self, database)

    def drop(self, database: str) -> None:
        """Throw a database away, whoever is connected to it."""
        with connected(self.admin) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


@dataclass(frozen=True)
class Database:
    """A database on a server."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        """Its URL, for who works with it."""
        return self.server.url(self.name)

    def empty(self, kept: Sequence[str] = KEPT) -> None:
        """Delete all rows and count from one again; tables stay."""
        with self._alone() as connection:
            connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
            tables = connection.execute(
                "SELECT format('DELETE FROM %%I.%%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> ALL(%s)",
                [list(kept)],
            ).fetchall()
            connection.execute("; ".join(statement for (statement,) in tables))
            connection.execute("SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence")

    def clear(self) -> None:
        """Remove everything that is in it."""
        with self._alone() as connection:
            schemas = connection.execute(
                "SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace"
                r" WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'"
            ).fetchall()
            connection.execute("; ".join(statement for (statement,) in schemas))
            owner = f" AUTHORIZATION {self.server.role}" if self.server.role else ""
            connection.execute(f"CREATE SCHEMA public{owner}")

    @contextmanager
    def _alone(self) -> Iterator[psycopg.Connection]:
        """Connect as superuser, when nobody else is connected any more: an earlier test may have left somebody."""
        with connected(self.server.admin_url(self.name)) as connection:
            connection.execute(
                # The function behind pg_stat_activity: the view is joined with more, and takes several times as long.
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_get_activity(NULL)"
                " WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            yield connection


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """Connect for a while; each statement is a transaction."""
    import psycopg  # noqa: PLC0415 - slow to load, and most runs of single tests need none

    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@dataclass
class OwnServer:
    """A server that somebody starts and stops; everything is in one folder."""

    folder: Path
    programs: Path
    #: The process without which it is not to live on.
    owner: int = field(default_factory=os.getpid)
    port: int = postgres_guard.PORT

    @property
    def server(self) -> Server:
        """What can be connected to while it runs."""
        return Server(f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}&port={self.port}")

    @property
    def url(self) -> str:
        """The URL of a database that is there from the beginning, for who works with it."""
        return self.server.url(ROLE)

    def make(self, *, fsync: bool, settings: str = "") -> None:
        """Make what it keeps, its role and a first database, and start it."""
        self._own()
        command = [
            *(self.programs / "initdb", "-D", self.folder / "data", "-N", "-A", "trust", "-U", "postgres"),
            *("-E", "UTF8", "--locale=C", *self._sorting_as_people_do()),
        ]
        self._run(command)
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(SETTINGS.format(folder=self.folder) + ("" if fsync else WITHOUT_FSYNC) + settings)
        self.start()
        with connected(self.server.admin) as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        self.server.make(ROLE)

    def follow(self, primary: OwnServer) -> None:
        """Make a standby of another one, which keeps what its followers need, and start it."""
        self._own()
        source = primary.server.admin
        self._run(
            [
                self.programs / "pg_basebackup",
                "-D",
                self.folder / "data",
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "-d",
                source,
            ]
        )
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"\nunix_socket_directories = '{self.folder}'\n")
        self.start()

    def promote(self) -> None:
        """Have a standby take over: it goes on from where it is, and takes changes."""
        with connected(self.server.admin) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def is_behind(self, primary: OwnServer) -> bool:
        """Return whether a standby has not got everything yet."""
        with connected(primary.server.admin) as there, connected(self.server.admin) as here:
            at = there.execute("SELECT CAST(pg_current_wal_flush_lsn() AS text)").fetchall()[0]
            return here.execute("SELECT pg_last_wal_replay_lsn() < CAST(%s AS pg_lsn)", at).fetchall() == [(True,)]

    def configure(self, setting: str, value: str) -> None:
        """Change a setting of a server that runs, for who is connected already, too."""
        with connected(self.server.admin) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")

    def speak_tls(self, key_and_certificate: Path, port: int) -> None:
        """Take connections with TLS on a port of loopback, too."""
        file = self.folder / "data" / "server.pem"
        file.touch(0o600)
        file.write_bytes(key_and_certificate.read_bytes())
        if os.geteuid() == 0:
            shutil.chown(file, postgres_guard.USER, postgres_guard.USER)
        settings = self.folder / "data" / "postgresql.conf"
        with settings.open("a") as lines:
            # The port is part of the name of the socket, so a second one is none that the tests know.
            lines.write(
                f"\nlisten_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '{file}'\nssl_key_file = '{file}'\n"
            )
            lines.write(f"port = {port}\n")
        self.port = port
        self.stop()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [sys.executable, GUARD, str(self.owner), self.folder, self.programs, str(self.port)]
        # In a session of its own: Ctrl-C is for the run, which ends first.
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, start_new_session=True)
        assert ended.returncode == 0, f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()[-2000:]}"

    def crash(self) -> None:
        """End it at once, without a word to anybody: what was not committed is lost, what was has to be recovered."""
        self._end(signal.SIGQUIT)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it take connections and answer nobody, as a machine does whose disk hangs."""
        parent = psutil.Process(self._pid())
        all_of_it = [parent, *parent.children(recursive=True)]
        try:
            for one in all_of_it:
                with suppress(psutil.NoSuchProcess):  # a worker may have ended since it was counted
                    one.suspend()
            yield
        finally:
            for one in all_of_it:
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let there be no server for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def crash_a_part(self) -> None:
        """End one process of it, as when memory is short: it ends all others, recovers and goes on by itself."""
        import psycopg  # noqa: PLC0415 - as above

        with psycopg.connect(self.server.admin, autocommit=True) as witness:
            witness.execute("SET statement_timeout = 0")
            victim = psycopg.connect(self.server.admin)
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with suppress(psycopg.OperationalError):
                witness.execute("SELECT pg_sleep(%s)", [STOPS_WITHIN_S])  # until its connection ends
            victim.close()
        ends_at = time.monotonic() + STOPS_WITHIN_S
        while not self._answers():
            assert time.monotonic() < ends_at, "PostgreSQL did not recover"
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415 - as above

        try:
            with connected(self.server.admin):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """Stop it in good order; whoever is connected is sent away."""
        self._end(signal.SIGINT)

    def remove(self) -> None:
        """End it and leave nothing."""
        if self._pid() is not None:
            self.crash()
        shutil.rmtree(self.folder)

    def _own(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, postgres_guard.USER, postgres_guard.USER)
        (self.folder / "owner").write_text(f"{self.owner} {psutil.Process(self.owner).create_time()}")

    def _run(self, command: Sequence[Path | str]) -> None:
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **as_server())
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def _end(self, number: signal.Signals) -> None:
        server = psutil.Process(self._pid())
        server.send_signal(number)
        server.wait(STOPS_WITHIN_S)

    def _pid(self) -> int | None:
        """Return the process of the server, None when it does not run."""
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return None
        return pid if psutil.pid_exists(pid) else None

    def _sorting_as_people_do(self) -> tuple[str, ...]:
        said = subprocess.run(
            [self.programs / "initdb", "--version"], capture_output=True, text=True, check=True
        ).stdout
        version = int(said.split()[2].partition(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))
        return ("--locale-provider=icu", "--icu-locale=en") if version >= _ICU_SINCE else ()


@contextmanager
def own_server(*, fsync: bool = False, settings: str = "") -> Iterator[OwnServer]:
    """Start a server for one test or one module, which may stop, crash and start it."""
    with _removed_at_the_end() as server:
        server.make(fsync=fsync, settings=settings)
        yield server


@contextmanager
def own_pair() -> Iterator[tuple[OwnServer, OwnServer]]:
    """Start a server and a standby that follows it."""
    with own_server(fsync=True, settings=FOR_STANDBYS) as primary, _removed_at_the_end() as standby:
        standby.follow(primary)
        yield primary, standby


@contextmanager
def _removed_at_the_end() -> Iterator[OwnServer]:
    programs = require("postgresql")
    server = OwnServer(Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short_folder())), programs)
    try:
        yield server
    finally:
        server.remove()


def shared_server() -> Server:
    """Return the server of this run, started by whoever asks first; or the one named by `CONNECTOR_TEST_DATABASE`."""
    given = os.environ.get("CONNECTOR_TEST_DATABASE")
    if given:
        return Server(given, role=None)
    programs = require("postgresql")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = _short_folder() / f"{PREFIX}{run[:12]}-{owner}"
    folder.mkdir(0o700, exist_ok=True)
    own = OwnServer(folder, programs, owner)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not postgres_guard.is_ready(folder, programs):
            _remove_what_was_left(folder.parent)
            shutil.rmtree(folder / "data", ignore_errors=True)  # of a worker that was killed over it
            own.make(fsync=False)
    return own.server


def worker_name() -> str:
    """Return the name of this worker's database."""
    return f"connector_test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"


def _short_folder() -> Path:
    """Return the folder for temporary files; another one if a socket in it would have too long a name."""
    folder = Path(tempfile.gettempdir())
    return folder if len(str(folder / f"{PREFIX}{'x' * 24}" / ".s.PGSQL.5432")) < LONGEST_SOCKET else Path("/tmp")  # noqa: S108 - as told


def _with(url: str, *, database: str, user: str | None = None) -> str:
    """Return a URL with another database, and another user without a password."""
    parts = urlsplit(url)
    host = parts.netloc if user is None else f"{user}@{parts.netloc.rpartition('@')[2]}"
    return f"{parts.scheme}://{host}/{database}{f'?{parts.query}' if parts.query else ''}"


def _remove_what_was_left(folder: Path) -> None:
    """Remove what runs left whose guards were killed too: their owners are gone."""
    for path in folder.glob(f"{PREFIX}*/owner"):
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            pid, born = path.read_text().split()
            if not psutil.pid_exists(int(pid)) or str(psutil.Process(int(pid)).create_time()) != born:
                shutil.rmtree(path.parent, ignore_errors=True)
