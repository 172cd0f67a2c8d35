"""Sessions in the console, kept by the hash of their token so that a copied database opens nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from connector_core.secrets import SecretBox
from connector_core.store import audit
from connector_core.store.nouns import Noun, opens, reads, writes
from connector_core.store.records import About, Act, Preferences, SessionRecord, SignedOnAs, Subject
from connector_core.store.rows import must_read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

#: Whose a session is: those of versions before have a name alone.
_PERSON = 'COALESCE(console_session.person, "user")'
_READ = (
    "SELECT console_session.*, console_preference.zone, console_preference.theme FROM console_session"
    ' LEFT JOIN console_preference ON console_preference.person = COALESCE(console_session.person, "user")'
)
_END_PERSON = 'DELETE FROM console_session WHERE COALESCE(person, "user") = ? RETURNING "user"'
MOST_SHOWN = 50


def begin(db: Connection, token: str, session: SessionRecord, id_token: bytes | None = None) -> None:
    """Store a session, with the ID token if it has one, sealed, and forget those that have ended."""
    now, person = write_time(session.created_at), session.person or session.user
    db.execute("DELETE FROM console_session WHERE expires_at < ?", (now,))
    db.execute("UPDATE console_preference SET used_at = ? WHERE person = ?", (now, person))
    said = session.signed_on
    db.execute(
        'INSERT INTO console_session (token, "user", proof, form_token, created_at, seen_at, expires_at, person,'
        " address, signed_on, id_token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            hashed(token),
            session.user,
            session.proof,
            session.form_token,
            now,
            write_time(session.seen_at),
            write_time(session.expires_at),
            person,
            session.address,
            None if said is None else write_json({"is_admin": said.is_admin, "organizations": said.organizations}),
            id_token,
        ),
    )
    audit.note(db, Act.SIGNED_IN, About(Subject.SESSION, session.user), None if said is None else _role(said))


def get(db: Connection, token: str) -> SessionRecord | None:
    """Return a session, ended or not, with what its person chose."""
    row = db.execute(f"{_READ} WHERE token = ?", (hashed(token),)).fetchone()
    return None if row is None else _read(row)


def of_person(db: Connection, person: str) -> Sequence[SessionRecord]:
    """Return the latest sessions of somebody, those in use first."""
    rows = db.execute(f"{_READ} WHERE {_PERSON} = ? ORDER BY seen_at DESC LIMIT ?", (person, MOST_SHOWN))
    return [_read(row) for row in rows.fetchall()]


def id_token(db: Connection, box: SecretBox, token: str) -> str:
    """Return the ID token that a session began with; nothing where there is none that can be opened."""
    row = db.execute("SELECT id_token FROM console_session WHERE token = ?", (hashed(token),)).fetchone()
    return "" if row is None or row[0] is None else box.try_open(row[0]) or ""


def touch(db: Connection, token: str, at: datetime, address: str) -> None:
    """Remember that a session is in use, and from where."""
    statement = "UPDATE console_session SET seen_at = ?, address = ? WHERE token = ?"
    db.execute(statement, (write_time(at), address, hashed(token)))


def prefer(db: Connection, person: str, chosen: Preferences, now: datetime) -> None:
    """Store what somebody chose for every page; nothing is stored of whoever has what everybody has."""
    db.execute("DELETE FROM console_preference WHERE person = ?", (person,))
    if chosen != Preferences():
        db.execute(
            "INSERT INTO console_preference (person, zone, theme, used_at) VALUES (?, ?, ?, ?)",
            (person, chosen.zone, chosen.theme, write_time(now)),
        )


def end(db: Connection, token: str) -> None:
    """Forget a session."""
    ended = db.execute('DELETE FROM console_session WHERE token = ? RETURNING "user"', (hashed(token),)).fetchone()
    if ended is not None:
        audit.note(db, Act.SIGNED_OUT, About(Subject.SESSION, ended[0]))


def end_all(db: Connection, user: str | None = None) -> int:
    """Forget all sessions, or those of one name; return how many."""
    ended = db.execute(
        'DELETE FROM console_session WHERE CAST(?1 AS TEXT) IS NULL OR "user" = ?1 RETURNING "user"', (user,)
    ).fetchall()
    return _noted(db, ended)


def end_person(db: Connection, person: str) -> int:
    """Forget all sessions of somebody, whichever node they are used at; return how many."""
    return _noted(db, db.execute(_END_PERSON, (person,)).fetchall())


def hashed(token: str) -> str:
    """Return what is stored of a token."""
    return sha256(token.encode()).hexdigest()


def _noted(db: Connection, ended: Sequence[Row]) -> int:
    for (name,) in ended:
        audit.note(db, Act.SIGNED_OUT, About(Subject.SESSION, name))
    return len(ended)


def _role(said: SignedOnAs) -> audit.Changes:
    where = "all organizations" if said.organizations is None else ", ".join(said.organizations)
    return {"role": (None, f"{'admin' if said.is_admin else 'viewer'} of {where}")}


def _read(row: Row) -> SessionRecord:
    said = None if row["signed_on"] is None else json.loads(row["signed_on"])
    allowed = None if said is None or said["organizations"] is None else tuple(said["organizations"])
    return SessionRecord(
        user=row["user"],
        proof=row["proof"],
        form_token=row["form_token"],
        created_at=must_read_time(row["created_at"]),
        seen_at=must_read_time(row["seen_at"]),
        expires_at=must_read_time(row["expires_at"]),
        person=row["person"] or row["user"],
        address=row["address"],
        signed_on=None if said is None else SignedOnAs(bool(said["is_admin"]), allowed),
        preferences=Preferences(row["zone"] or "", row["theme"] or ""),
    )


class Sessions(Noun):
    """Sessions in the console."""

    begin = writes(begin)
    get = reads(get)
    of_person = reads(of_person)
    id_token = opens(id_token)
    touch = writes(touch)
    prefer = writes(prefer)
    end = writes(end)
    end_all = writes(end_all)
    end_person = writes(end_person)
