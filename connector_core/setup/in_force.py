"""Which configuration file is in force: the one that a daemon of this database took over last."""

from __future__ import annotations

from connector_core.config import Config, Snapshot
from connector_core.store import Store


def applied(store: Store) -> Snapshot | None:
    """Return what was taken over last; None when no daemon has run yet, or no key opens it."""
    text = store.configuration.snapshot()
    return None if text is None else Snapshot.load(text)


def file_in_force(store: Store, config: Config) -> str | None:
    """Return the digest of the file that was taken over last, as nodes name theirs; None as above."""
    snapshot = applied(store)
    return None if snapshot is None else config.digest_of(snapshot)
