"""The store for commands that only read: beside a running daemon nothing changes by looking.

The database is neither made nor brought up to date. What plugins learn while they look is kept here, for this command
alone. One thing is written: a grant that had to be renewed, for the other side takes the former one only once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Grant
from connector_core.secrets import SecretBox
from connector_core.store import breakers, health, integrations, taken_over
from connector_core.store.connection import connect
from connector_core.store.records import Breaker, Checkup, IntegrationRecord, SourceRecord, SourceState
from connector_core.store.sqlite import SQLiteStore, refuse_newer, refuse_older

T = TypeVar("T")


class LookingStore(SQLiteStore):
    """A `Store` that only reads; `open_to_look` makes it."""

    def __init__(self, path: Path, box: SecretBox) -> None:
        self.path = path
        self._box = box
        self._local = threading.local()
        self._readers = []
        self._readers_lock = threading.Lock()
        self._learnt: dict[tuple[str, str], Any] = {}
        self.ends_pauses = False

    def _submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:  # noqa: ARG002 - it is not done
        raise ConfigError("This command only reads.", code="only_reading")

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._submit(work).result()

    def close(self) -> None:
        """Close every connection."""
        self._close_readers()

    # Without the secret key

    def integrations(self) -> list[IntegrationRecord]:
        """Return all integrations; without the key, as if they had no secrets."""
        return self._read(lambda db: integrations.every(db, self._box if self._box.has_key else None))

    def grant(self, integration_id: str) -> Grant | None:
        """Return the grant of an integration, none without the key."""
        return super().grant(integration_id) if self._box.has_key else None

    def source_records(self) -> list[SourceRecord]:
        """Return the sources that were made in set-up, none without the key."""
        return super().source_records() if self._box.has_key else []

    def taken_over(self) -> str | None:
        """Return what the daemon took over from the file, nothing without the key."""
        return super().taken_over() if self._box.has_key else None

    # What is not kept

    def recall(self, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered under a key, here first."""
        if (integration_id, key) in self._learnt:
            return self._learnt[integration_id, key]
        return super().recall(integration_id, key)

    def remember(self, integration_id: str, key: str, value: str, at: datetime) -> None:  # noqa: ARG002 - as the store's
        """Keep a value for this command alone."""
        self._learnt[integration_id, key] = json.loads(value)

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep nothing: it is asked for again."""

    def remember_source_label(self, organization: str, key: str, value: str, label: str) -> None:
        """Keep nothing: it is asked for again."""

    def record_checkup(self, checkup: Checkup) -> None:
        """Keep nothing: what a daemon finds is what counts."""

    def note_problem(self, integration_id: str, code: str, problem: str) -> None:
        """Keep nothing: the daemon will meet it, too."""

    def note_source(self, state: SourceState) -> None:
        """Keep nothing."""

    def trip_breaker(self, breaker: Breaker) -> None:
        """Keep nothing."""

    def reset_breaker(self, key: str, now: datetime) -> int:
        """Wake nothing, unless it is the command's purpose to end a pause."""
        return self._write_now(lambda db: breakers.reset(db, key, now)) if self.ends_pauses else 0

    # What is written

    def save_grant(self, integration_id: str, grant: Grant | None) -> None:
        """Store a renewed grant: without it the daemon would be left with one that is used up."""
        self._write_now(lambda db: integrations.save_grant(db, self._box, integration_id, grant))

    def wish_application(self) -> int:
        """Ask the daemon to take over the file: the wish itself changes nothing."""
        return self._write_now(taken_over.wish)

    def _write_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with closing(connect(self.path, writer=True).conn) as db:
            db.execute("BEGIN IMMEDIATE")
            result = work(db)
            db.execute("COMMIT")
        return result


def open_to_look(path: Path, box: SecretBox) -> LookingStore:
    """Open a database for reading.

    Raises:
        ConfigError: there is none yet, it was made by an older or a newer version, or it is no database of ours.
    """
    if not path.exists():
        raise ConfigError(
            f"There is no database {path} yet: the connector has not run with this file.",
            code="database_missing",
            fix="Start it with: connector run",
        )
    try:
        database = connect(path)
        with closing(database.conn):
            refuse_newer(database, path)
            refuse_older(database, path)
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(path, exc) from exc
    return LookingStore(path, box)
