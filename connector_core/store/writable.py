"""Whether changes can be stored, proven by storing some.

Something small proves it as long as the database takes what it is given. Once it has refused a change, only something
large does: on a disk with a little room left, small changes are stored and what arrives is not.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from connector_core.contract.errors import RetryLater
from connector_core.store import meta
from connector_core.store.statements import Connection

WITHIN_S = 5.0
#: More than any event or delivery takes, and than most that are stored together.
LARGE_BYTES = 1024 * 1024

_PROOFS, _LARGE = "writability_proofs", "room_proof"


class Writing(Protocol):
    """What runs transactions and knows how that went."""

    @property
    def refusals(self) -> int:
        """How often the database, not a caller, was the reason that something was not stored."""
        ...

    def submit(self, scope: None, work: Callable[[Connection], Any], /) -> Future[Any]:
        """Have a transaction run and committed; the future ends afterwards."""
        ...


class Proof:
    """Proves that a database takes changes, and remembers until when that is proven."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._one_at_a_time = threading.Lock()
        #: Refusals up to this one are of the past: something large was stored since.
        self._overcome = 0

    def give(self) -> None:
        """Store something.

        Raises:
            RetryLater: it is not stored, or not soon.
        """
        self._store(_count)
        if self._writing.refusals > self._overcome:
            self._give_large()

    @staticmethod
    def look(db: Connection) -> None:
        """Read something small; raise what the database raises."""
        meta.get(db, _PROOFS)

    def _give_large(self) -> None:
        with self._one_at_a_time:
            refusals = self._writing.refusals
            if refusals > self._overcome:
                self._store(_take_room)
                self._store(_leave_room)
                self._overcome = refusals

    def _store(self, work: Callable[[Connection], None]) -> None:
        proof = self._writing.submit(None, work)
        try:
            proof.result(WITHIN_S)
        except TimeoutError as exc:
            raise RetryLater("The database does not take changes in time.", code="store_busy") from exc


def _count(db: Connection) -> None:
    meta.add(db, _PROOFS)


def _take_room(db: Connection) -> None:
    """Store what no database can keep in less room."""
    meta.put(db, _LARGE, secrets.token_hex(LARGE_BYTES // 2))


def _leave_room(db: Connection) -> None:
    meta.put(db, _LARGE, None)
