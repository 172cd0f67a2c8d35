"""Logins to the console, kept by the hash of their token so that a copied database opens nothing."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from connector_core.store import audit
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import About, Act, SessionRecord, Subject
from connector_core.store.rows import must_read_time, write_time
from connector_core.store.statements import Connection


def begin(db: Connection, token: str, session: SessionRecord) -> None:
    """Store a login, and forget those that have ended."""
    db.execute("DELETE FROM console_session WHERE expires_at < ?", (write_time(session.created_at),))
    db.execute(
        'INSERT INTO console_session (token, "user", proof, form_token, created_at, seen_at, expires_at)'
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            hashed(token),
            session.user,
            session.proof,
            session.form_token,
            write_time(session.created_at),
            write_time(session.seen_at),
            write_time(session.expires_at),
        ),
    )
    audit.note(db, Act.SIGNED_IN, About(Subject.SESSION, session.user))


def get(db: Connection, token: str) -> SessionRecord | None:
    """Return a login, ended or not."""
    row = db.execute("SELECT * FROM console_session WHERE token = ?", (hashed(token),)).fetchone()
    if row is None:
        return None
    return SessionRecord(
        user=row["user"],
        proof=row["proof"],
        form_token=row["form_token"],
        created_at=must_read_time(row["created_at"]),
        seen_at=must_read_time(row["seen_at"]),
        expires_at=must_read_time(row["expires_at"]),
    )


def touch(db: Connection, token: str, at: datetime) -> None:
    """Remember that a login is in use."""
    db.execute("UPDATE console_session SET seen_at = ? WHERE token = ?", (write_time(at), hashed(token)))


def end(db: Connection, token: str) -> None:
    """Forget a login."""
    ended = db.execute('DELETE FROM console_session WHERE token = ? RETURNING "user"', (hashed(token),)).fetchone()
    if ended is not None:
        audit.note(db, Act.SIGNED_OUT, About(Subject.SESSION, ended[0]))


def end_all(db: Connection, user: str | None = None) -> int:
    """Forget all logins, or those of one user; return how many."""
    ended = db.execute(
        'DELETE FROM console_session WHERE CAST(?1 AS TEXT) IS NULL OR "user" = ?1 RETURNING "user"', (user,)
    ).fetchall()
    for (name,) in ended:
        audit.note(db, Act.SIGNED_OUT, About(Subject.SESSION, name))
    return len(ended)


def hashed(token: str) -> str:
    """Return what is stored of a token."""
    return sha256(token.encode()).hexdigest()


class Sessions(Noun):
    """Logins to the console."""

    begin = writes(begin)
    get = reads(get)
    touch = writes(touch)
    end = writes(end)
    end_all = writes(end_all)
