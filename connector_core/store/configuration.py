"""What the daemon applied of the configuration file, and how others ask it to apply it again."""

from __future__ import annotations

import json
from dataclasses import asdict

from connector_core.secrets import SecretBox
from connector_core.store import meta
from connector_core.store.nouns import Noun, opens, reads, seals, writes
from connector_core.store.records import Application
from connector_core.store.statements import Connection

APPLIED = "config_taken_over"
_WISHES = "config_apply_wishes"
_ANSWER = "config_apply_answer"


def save(db: Connection, box: SecretBox, snapshot: str) -> None:
    """Keep a snapshot of the file, sealed."""
    meta.put(db, APPLIED, box.seal(snapshot).decode("ascii"))


def snapshot(db: Connection, box: SecretBox) -> str | None:
    """Return the snapshot; None when no daemon has run yet, or no key opens it."""
    sealed = meta.get(db, APPLIED)
    return None if sealed is None else box.try_open(sealed.encode("ascii"))


def wish(db: Connection) -> int:
    """Ask the daemon to apply the file; return the number of this wish."""
    meta.add(db, _WISHES)
    return wishes(db)


def wishes(db: Connection) -> int:
    """Return how often that was asked for."""
    return meta.number(db, _WISHES)


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


class Configuration(Noun):
    """What was applied of the configuration file, and who asks for that."""

    save = seals(save)
    snapshot = opens(snapshot)
    wish = writes(wish)
    wishes = reads(wishes)
    answer = writes(answer)
    answered = reads(answered)
