"""Logins to the console and set-up links, kept by the hash of their token so that a copied database opens nothing."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from hashlib import sha256

from connector_core.store.records import Handover, SessionRecord
from connector_core.store.rows import must_read_time, read_time, write_time


def begin(db: sqlite3.Connection, token: str, session: SessionRecord) -> None:
    """Store a login, and forget those that have ended."""
    db.execute("DELETE FROM console_session WHERE expires_at < ?", (write_time(session.created_at),))
    db.execute(
        "INSERT INTO console_session (token, user, proof, form_token, created_at, seen_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            _hashed(token),
            session.user,
            session.proof,
            session.form_token,
            write_time(session.created_at),
            write_time(session.seen_at),
            write_time(session.expires_at),
        ),
    )


def get(db: sqlite3.Connection, token: str) -> SessionRecord | None:
    """Return a login, ended or not."""
    row = db.execute("SELECT * FROM console_session WHERE token = ?", (_hashed(token),)).fetchone()
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


def touch(db: sqlite3.Connection, token: str, at: datetime) -> None:
    """Remember that a login is in use."""
    db.execute("UPDATE console_session SET seen_at = ? WHERE token = ?", (write_time(at), _hashed(token)))


def end(db: sqlite3.Connection, token: str) -> None:
    """Forget a login."""
    db.execute("DELETE FROM console_session WHERE token = ?", (_hashed(token),))


def end_all(db: sqlite3.Connection, user: str | None) -> int:
    """Forget all logins, or those of one user; return how many."""
    return db.execute("DELETE FROM console_session WHERE ?1 IS NULL OR user = ?1", (user,)).rowcount


def add_handover(db: sqlite3.Connection, token: str, handover: Handover) -> None:
    """Store a set-up link."""
    db.execute("DELETE FROM handover WHERE expires_at < ?", (write_time(handover.created_at),))
    db.execute(
        "INSERT INTO handover (token, integration_id, organization, step, made_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            _hashed(token),
            None if handover.of_source else handover.name,
            handover.name if handover.of_source else None,
            handover.step,
            handover.made_by,
            write_time(handover.created_at),
            write_time(handover.expires_at),
        ),
    )


def handover(db: sqlite3.Connection, token: str) -> Handover | None:
    """Return a set-up link, used or not."""
    row = db.execute("SELECT * FROM handover WHERE token = ?", (_hashed(token),)).fetchone()
    if row is None:
        return None
    return Handover(
        name=row["integration_id"] or row["organization"],
        of_source=row["organization"] is not None,
        step=row["step"],
        made_by=row["made_by"],
        created_at=must_read_time(row["created_at"]),
        expires_at=must_read_time(row["expires_at"]),
        used_at=read_time(row["used_at"]),
    )


def use_handover(db: sqlite3.Connection, token: str, at: datetime) -> bool:
    """Use a set-up link up; False when it had been used already."""
    used = "UPDATE handover SET used_at = ? WHERE token = ? AND used_at IS NULL"
    return db.execute(used, (write_time(at), _hashed(token))).rowcount == 1


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
