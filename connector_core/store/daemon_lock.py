"""The lock that a daemon holds while it lives: alone on a file, beside others on a server."""

from __future__ import annotations

from typing import Protocol

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.store import health, private
from connector_core.store.driver import require_driver
from connector_core.store.filelock import FileLock


class DaemonLock(Protocol):
    """What the daemon of a file holds while it lives, and what those of a server share."""

    def try_acquire(self) -> bool:
        """Take it if it is free; return whether it was."""
        ...

    def try_share(self) -> bool:
        """Take it beside other daemons, if there may be some; return whether it was taken."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


def daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Return the lock that the daemons of a database hold while they live."""
    if not isinstance(database, PostgreSQL):
        private.make_folder(database.parent)
        return FileLock(database.with_name(f"{database.name}.daemon.lock"))
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra

    return postgres.DaemonLock(database)


def take_daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Take the daemon's lock.

    Raises:
        ConfigError: another daemon works on this file, a command has the database for itself, or the lock cannot be
            made.
    """
    try:
        lock = daemon_lock(database)
        is_ours = lock.try_share()
    except OSError as exc:
        raise health.unusable(database, exc) from exc
    if not is_ours and isinstance(database, PostgreSQL):
        raise ConfigError(
            f"A command has {database} for itself.",
            code="database_in_use",
            fix="Start the connector again when that command has ended.",
        )
    if not is_ours:
        raise ConfigError(
            f"Another connector is running on {database}.",
            code="already_running",
            fix="Stop it first, or name another database.",
        )
    return lock
