"""What the daemon applied of the configuration file, and how others ask it to apply it again."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from connector_core.secrets import SecretBox
from connector_core.store import meta
from connector_core.store.nouns import Noun, opens, reads, seals, writes
from connector_core.store.records import Application
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

APPLIED = "config_taken_over"
#: Files are known of so many places, the latest.
MOST_PLACES = 1_000
_WISHES = "config_apply_wishes"
_PLACE = "config_apply_place"
_ANSWER = "config_apply_answer"


def save(db: Connection, box: SecretBox, snapshot: str) -> None:
    """Keep a snapshot of the file, sealed."""
    meta.put(db, APPLIED, box.seal(snapshot).decode("ascii"))


def snapshot(db: Connection, box: SecretBox) -> str | None:
    """Return the snapshot; None when no daemon has run yet, or no key opens it."""
    sealed = meta.get(db, APPLIED)
    return None if sealed is None else box.try_open(sealed.encode("ascii"))


def wish(db: Connection, place: str = "") -> int:
    """Ask the daemon to apply the file; return the number of this wish.

    Of several daemons it is for the one that reads its file at a place.
    """
    meta.put(db, _PLACE, place)
    meta.add(db, _WISHES)
    return wishes(db)


def wishes(db: Connection) -> int:
    """Return how often that was asked for."""
    return meta.number(db, _WISHES)


def wished_at(db: Connection) -> str:
    """Return at which place the file is that was last asked to be applied."""
    return meta.get(db, _PLACE) or ""


def answer(db: Connection, given: Application) -> None:
    """Keep what became of the wishes so far."""
    meta.put(db, _ANSWER, json.dumps(asdict(given), ensure_ascii=False))


def answered(db: Connection) -> Application | None:
    """Return what became of the last wish that was answered."""
    text = meta.get(db, _ANSWER)
    if text is None:
        return None
    given = json.loads(text)
    return Application(given["wish"], tuple(given["changes"]), tuple(given["restart"]), given["problem"])


def file_of(db: Connection, place: str) -> str | None:
    """Return the digest of the file that a daemon read last at a place; None where there was none."""
    row = db.execute("SELECT digest FROM config_file WHERE place = ?", (place,)).fetchone()
    return None if row is None else str(row[0])


def note_file(db: Connection, place: str, digest: str, at: datetime) -> None:
    """Keep the digest of the file that a daemon read at a place; of very many places the latest are known."""
    db.execute(
        "INSERT INTO config_file (place, digest, read_at) VALUES (?, ?, ?)"
        " ON CONFLICT (place) DO UPDATE SET digest = excluded.digest, read_at = excluded.read_at",
        (place, digest, write_time(at)),
    )
    db.execute(
        "DELETE FROM config_file WHERE place NOT IN"
        " (SELECT place FROM config_file ORDER BY read_at DESC, place LIMIT ?)",
        (MOST_PLACES,),
    )


class Configuration(Noun):
    """What was applied of the configuration file, and who asks for that."""

    save = seals(save)
    snapshot = opens(snapshot)
    wish = writes(wish)
    wishes = reads(wishes)
    wished_at = reads(wished_at)
    answer = writes(answer)
    answered = reads(answered)
    file_of = reads(file_of)
    note_file = writes(note_file)
