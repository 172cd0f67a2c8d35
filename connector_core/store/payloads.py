"""Headers and bodies of the delivery log: compressed, and sealed with keys of their own.

These keys are stored in `meta`, sealed with the key of the database. So a change of that key has not to seal every body
anew, and whoever gives up what is sealed gives up the bodies. After a change of the key new ones are sealed with a new
key of the log: who knows the former key of the database reads none of them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector_core.secrets import SecretBox
from connector_core.store import meta
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

KEYS = "delivery_log_keys"
MOST_KEYS = 8
_QUICKLY = 1
_AT_ONCE = 200


class PayloadBox:
    """Seals payloads with the first key, and opens what any of them has sealed."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, payload: Mapping[str, Any]) -> bytes:
        """Write a payload so that only the key opens it."""
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64decode(self._fernet.encrypt(zlib.compress(text, _QUICKLY)))

    def open(self, sealed: bytes) -> dict[str, Any] | None:
        """Read what `seal` wrote; None when no key opens it."""
        try:
            packed = self._fernet.decrypt(base64.urlsafe_b64encode(sealed))
            found: dict[str, Any] = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
        except (InvalidToken, zlib.error, ValueError):
            return None
        return found


def box_of(db: Connection, box: SecretBox) -> PayloadBox | None:
    """Return what seals and opens payloads; None where there is none yet, or no key opens it."""
    sealed = meta.get(db, KEYS)
    text = None if sealed is None else box.try_open(sealed.encode("ascii"))
    return None if text is None else PayloadBox(json.loads(text))


def make_box(db: Connection, box: SecretBox) -> PayloadBox | None:
    """Return the same, made where there is none yet; None where one is there that no key opens."""
    if meta.get(db, KEYS) is None:
        _put(db, box, [Fernet.generate_key().decode("ascii")])
    return box_of(db, box)


def change_key(db: Connection, box: SecretBox) -> None:
    """Have payloads sealed with another key from now on; the former ones open what they sealed."""
    present = box_of(db, box)
    if present is not None:
        _put(db, box, [Fernet.generate_key().decode("ascii"), *present.keys][:MOST_KEYS])


def _put(db: Connection, box: SecretBox, keys: Sequence[str]) -> None:
    meta.put(db, KEYS, box.seal(json.dumps(list(keys))).decode("ascii"))


def add(db: Connection, entry_id: int, at: datetime, sealed: bytes) -> None:
    """Keep the payload of an entry."""
    db.execute(
        "INSERT INTO delivery_payload (entry_id, at, size, sealed) VALUES (?, ?, ?, ?)",
        (entry_id, write_time(at), len(sealed), sealed),
    )


def get(db: Connection, box: SecretBox, entry_id: int) -> dict[str, Any] | None:
    """Return the payload of an entry; None where there is none any more, or no key opens it."""
    row = db.execute("SELECT sealed FROM delivery_payload WHERE entry_id = ?", (entry_id,)).fetchone()
    opener = None if row is None else box_of(db, box)
    return None if opener is None else opener.open(bytes(row[0]))


def total(db: Connection) -> int:
    """Return how many bytes payloads take, samples left out."""
    return int(db.execute("SELECT COALESCE(SUM(size), 0) FROM delivery_payload WHERE is_sample = 0").fetchone()[0])


def forget(db: Connection, before: datetime, most: int) -> int:
    """Delete some that are older; return how many."""
    rows = db.execute(
        "SELECT entry_id FROM delivery_payload WHERE is_sample = 0 AND at < ? ORDER BY at LIMIT ?",
        (write_time(before), most),
    ).fetchall()
    _drop(db, [row[0] for row in rows])
    return len(rows)


def trim(db: Connection, most_bytes: int) -> int:
    """Delete some of the oldest while all take more than so many bytes; return how many bytes are still too many."""
    excess = total(db) - most_bytes
    if excess <= 0:
        return 0
    dropped: list[int] = []
    for entry_id, size in db.execute(
        "SELECT entry_id, size FROM delivery_payload WHERE is_sample = 0 ORDER BY at LIMIT ?", (_AT_ONCE,)
    ).fetchall():
        if excess <= 0:
            break
        dropped.append(entry_id)
        excess -= size
    _drop(db, dropped)
    return max(excess, 0) if dropped else 0


def _drop(db: Connection, entry_ids: Sequence[int]) -> None:
    db.executemany("DELETE FROM delivery_payload WHERE entry_id = ?", [(one,) for one in entry_ids])
    db.executemany("UPDATE delivery_log SET has_payload = 0 WHERE id = ?", [(one,) for one in entry_ids])
