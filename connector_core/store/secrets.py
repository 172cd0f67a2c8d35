"""All that is sealed, as one list: sealed again when the key is changed, and given up when the key is lost.

What none of the keys opens stays as it is, so that the former key may still be put back. It is missing meanwhile: an
integration waits for its authorization, a source for its secrets, and a webhook is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector_core.secrets import SecretBox
from connector_core.store import configuration, integrations, lanes, meta, payloads
from connector_core.store.nouns import EVERYBODY, Noun
from connector_core.store.records import NEEDS_AUTHORIZATION, SECRETS_UNREADABLE, TakenUp, Unreadable
from connector_core.store.sealing import is_sealed_with_first, keep_key, opens
from connector_core.store.statements import Connection

_UNREADABLE = "secrets_unreadable"  # what the last start could not open; not there before the first one looked
_AUTHORIZATION = "authorization"


@dataclass(frozen=True)
class SealedColumn:
    """A column that holds sealed texts: `key` names the row, `what` is what people call it.

    `nothing` is the text of a row that has no secret. A row whose secret is given up gets `without` in its place, or is
    deleted. `only` are the rows that are sealed, where the others are not.
    """

    table: str
    column: str
    key: str
    what: str
    nothing: str = ""
    without: bytes | None = None
    is_deleted: bool = False
    only: tuple[str, ...] = ()

    def rows(self, db: Connection) -> Iterator[tuple[str, bytes | str]]:
        """Yield what is sealed, by row."""
        found = db.execute(
            f'SELECT {self.key}, {self.column} FROM "{self.table}" WHERE length({self.column}) > 0'  # noqa: S608 - ours
        ).fetchall()
        yield from ((name, sealed) for name, sealed in found if not self.only or name in self.only)

    def put(self, db: Connection, name: str, sealed: bytes | str | None) -> None:
        """Replace what a row holds."""
        db.execute(f'UPDATE "{self.table}" SET {self.column} = ? WHERE {self.key} = ?', (sealed, name))  # noqa: S608 - ours

    def forget(self, db: Connection, name: str) -> None:
        """Give up the secret of a row."""
        if self.is_deleted:
            db.execute(f'DELETE FROM "{self.table}" WHERE {self.key} = ?', (name,))  # noqa: S608 - ours
        else:
            self.put(db, name, self.without)


#: Where sealed texts are; beside them there is the known text that tells the key.
SEALED = (
    SealedColumn("integration", "grant_sealed", "id", _AUTHORIZATION),
    SealedColumn("authorization", "grant_sealed", "state", "", is_deleted=True),
    SealedColumn("integration", "secrets", "id", "secrets of the integration", integrations.NO_SECRETS, b""),
    SealedColumn("source", "secrets", "organization", "secrets of the source", "{}", b""),
    SealedColumn("notifier", "secrets", "id", "secrets of the notifier", without=b""),
    SealedColumn("hook_token", "sealed", "route", "address of the webhooks", is_deleted=True),
    SealedColumn("console_session", "id_token", "token", ""),
    SealedColumn("meta", "value", "key", "", is_deleted=True, only=(configuration.APPLIED, payloads.KEYS)),
)


def take_up(db: Connection, box: SecretBox, now: datetime) -> TakenUp:
    """Seal everything with the first key, in one transaction; what no key opens stays as it is.

    That is looked for again at each start while something is unreadable: its key may have been put back.
    """
    known = meta.get(db, _UNREADABLE)
    if known == "[]" and is_sealed_with_first(db, box):
        return TakenUp()
    resealed, unreadable = 0, []
    for column in SEALED:
        for name, sealed in column.rows(db):
            text = box.try_open(_bytes(sealed))
            if text is None:
                unreadable.append(Unreadable(column.what, name))
            elif column.nothing and text == column.nothing:
                column.put(db, name, b"")
            elif not box.is_first(_bytes(sealed)):
                rotated = box.rotate(_bytes(sealed))
                column.put(db, name, rotated if isinstance(sealed, bytes) else rotated.decode("ascii"))
                resealed += 1
    keep_key(db, box)
    if resealed:
        payloads.change_key(db, box)
    _note(db, known, [one for one in unreadable if one.what], now)
    return TakenUp(resealed, tuple(one for one in unreadable if one.what))


def unreadable(db: Connection, box: SecretBox) -> Sequence[Unreadable]:
    """Return what none of the keys opens now."""
    return [
        Unreadable(column.what, name)
        for column in SEALED
        for name, sealed in column.rows(db)
        if column.what and box.try_open(_bytes(sealed)) is None
    ]


def still_unreadable(db: Connection, box: SecretBox) -> Sequence[Unreadable]:
    """Return what the start of the daemon could not open, and nobody has entered again since."""
    if not box.has_key or meta.get(db, _UNREADABLE) in {None, "[]"}:
        return ()
    return unreadable(db, box)


def in_clear(db: Connection, box: SecretBox) -> set[str]:
    """Return every secret that is sealed and can be opened, so that it can be taken out of a text."""
    found: set[str] = set()
    for column in SEALED:
        for _, sealed in column.rows(db):
            text = None if column.only else box.try_open(_bytes(sealed))
            if text is not None:
                found |= set(_secrets_in(text))
    return found


def _secrets_in(text: str) -> Iterator[str]:
    """Yield the secrets of a sealed text: of a grant not what it says of account and site."""
    try:
        opened = json.loads(text)
    except ValueError:
        yield text
        return
    is_grant = isinstance(opened, dict) and {"headers", "secrets"} <= opened.keys()
    for leaf in _leaves([opened["headers"], opened["secrets"]] if is_grant else opened):
        yield leaf
        yield from leaf.split()[1:]  # a header says of which kind it is before the secret


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)


def forget(db: Connection, box: SecretBox, now: datetime, *, beside_daemon: bool) -> Sequence[Unreadable]:
    """Give up what none of the keys opens, in one transaction; links stay.

    The first key becomes that of the database, unless a daemon runs: it may not have that key yet.
    """
    if not beside_daemon:
        take_up(db, box, now)
    lost = unreadable(db, box)
    for column in SEALED:
        for name, sealed in column.rows(db):
            if box.try_open(_bytes(sealed)) is None:
                column.forget(db, name)
    for one in lost:
        if one.what == _AUTHORIZATION:
            text = "The authorization was lost with its key. Authorize again."
            _set_problem(db, one.name, NEEDS_AUTHORIZATION, text)
    if not beside_daemon:
        meta.put(db, _UNREADABLE, "[]")
    integrations.note_changes(db)
    return lost


def _note(db: Connection, known: str | None, unreadable: Sequence[Unreadable], now: datetime) -> None:
    """Write down what cannot be opened, with the integrations that wait for it; those that can go on are let go on."""
    waiting = {one.name for one in unreadable if one.what == _AUTHORIZATION}
    before = {name for what, name in json.loads(known or "[]") if what == _AUTHORIZATION}
    for name in waiting:
        text = (
            "Its authorization cannot be opened: secret_key is not the key that it was sealed with. Put the former key "
            "back, or authorize access again."
        )
        _set_problem(db, name, SECRETS_UNREADABLE, text)
    for name in before - waiting:
        _set_problem(db, name, "", "")
        lanes.wake_all(db, name, now)
    meta.put(db, _UNREADABLE, json.dumps([[one.what, one.name] for one in unreadable]))
    integrations.note_changes(db)


def _set_problem(db: Connection, integration_id: str, code: str, problem: str) -> None:
    """Say what an integration waits for; one that somebody disabled waits for that person."""
    db.execute(
        "UPDATE integration SET problem_code = ?, problem = ? WHERE id = ? AND state != 'disabled'",
        (code, problem, integration_id),
    )


def _bytes(sealed: bytes | str) -> bytes:
    return sealed if isinstance(sealed, bytes) else sealed.encode("ascii", "replace")


class Secrets(Noun):
    """What is sealed, and with which key."""

    def take_up(self, now: datetime) -> TakenUp:
        """Seal everything with the first key; only the daemon does that, when it starts."""
        return self._database.write(EVERYBODY, lambda db: take_up(db, self._database.box, now))

    def forget(self, now: datetime, *, beside_daemon: bool = False) -> Sequence[Unreadable]:
        """Give up what none of the keys opens; return it."""
        box = self._database.box
        return self._database.write(EVERYBODY, lambda db: forget(db, box, now, beside_daemon=beside_daemon))

    def unreadable(self) -> Sequence[Unreadable]:
        """Return what none of the keys opens, whether a daemon has met it or not."""
        return self._database.read(lambda db: unreadable(db, self._database.box))

    def still_unreadable(self) -> Sequence[Unreadable]:
        """Return what the daemon could not open when it started, and nobody has entered again since."""
        return self._database.read(lambda db: still_unreadable(db, self._database.box))

    def in_clear(self) -> set[str]:
        """Return every secret that can be opened, so that it can be taken out of a text; none without the key."""
        return self._database.read(lambda db: in_clear(db, self._database.box))

    def are_ours(self) -> bool:
        """Return whether one of the keys is that of the database."""
        return self._database.read(lambda db: opens(db, self._database.box))
