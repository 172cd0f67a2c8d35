"""The lock that the one daemon of a database holds while it lives."""

from __future__ import annotations

from typing import Protocol

from connector_core.contract.errors import ConfigError
from connector_core.databases import DatabasePlace, PostgreSQL
from connector_core.store import health, private
from connector_core.store.driver import require_driver
from connector_core.store.filelock import FileLock


class DaemonLock(Protocol):
    """What the one daemon of a database holds while it lives."""

    def try_acquire(self) -> bool:
        """Take it if it is free; return whether it was."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


def daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Return the lock that the one daemon of a database holds while it lives."""
    if not isinstance(database, PostgreSQL):
        private.make_folder(database.parent)
        return FileLock(database.with_name(f"{database.name}.daemon.lock"))
    require_driver()
    from connector_core.store import postgres  # noqa: PLC0415 - the driver is an extra

    return postgres.DaemonLock(database)


def take_daemon_lock(database: DatabasePlace) -> DaemonLock:
    """Take the daemon's lock.

    Raises:
        ConfigError: another daemon works on this database, or the lock cannot be made.
    """
    try:
        lock = daemon_lock(database)
        is_ours = lock.try_acquire()
    except OSError as exc:
        raise health.unusable(database, exc) from exc
    if not is_ours:
        raise ConfigError(
            f"Another connector is running on {database}.",
            code="already_running",
            fix="Stop it first, or name another database.",
        )
    return lock
