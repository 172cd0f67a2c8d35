"""With which key the database is sealed: all of it with one, that of a known text which stands in it.

Only the start of the daemon, and `connector db forget-secrets`, change to another key. Until then every process seals
as everything else is sealed, whatever key comes first in its own configuration: a value under a key that is about to be
taken out of the file would be lost.
"""

from __future__ import annotations

from connector_core.secrets import SecretBox
from connector_core.store import meta
from connector_core.store.statements import Connection

CANARY = "secret_key_check"


def sealing_box(db: Connection, box: SecretBox) -> SecretBox:
    """Return the box that seals as the database is sealed.

    Raises:
        WrongKey: none of the keys is the one of the database.
    """
    sealed = meta.get(db, CANARY)
    return box if sealed is None else box.sealing_like(sealed.encode("ascii"))


def check_key(db: Connection, box: SecretBox) -> None:
    """Refuse keys that do not open the database, so that this is noticed before anything runs.

    Raises:
        WrongKey: none of them is the one of the database.
    """
    if meta.get(db, CANARY) is None:
        keep_key(db, box)
    else:
        sealing_box(db, box)


def opens(db: Connection, box: SecretBox) -> bool:
    """Return whether one of the keys is that of the database; where it has none yet, any is."""
    sealed = meta.get(db, CANARY)
    return sealed is None or box.try_open(sealed.encode("ascii")) is not None


def is_sealed_with_first(db: Connection, box: SecretBox) -> bool:
    """Return whether the first key is that of the database."""
    sealed = meta.get(db, CANARY)
    return sealed is not None and box.is_first(sealed.encode("ascii"))


def keep_key(db: Connection, box: SecretBox) -> None:
    """Make the first key that of the database."""
    meta.put(db, CANARY, box.seal(CANARY).decode("ascii"))
