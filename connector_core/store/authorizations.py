"""Who is on the way to authorize, from when they are sent away until what they bring back is taken over or dropped.

States are kept, as logins are, by their hash, and so is the mark of whoever was sent: who comes back has to
have the same.
"""

from __future__ import annotations

from datetime import datetime
from hmac import compare_digest

from connector_core.contract.models import Grant
from connector_core.secrets import SecretBox
from connector_core.store.grants import read_grant, write_grant
from connector_core.store.nouns import Noun, opens, seals, writes
from connector_core.store.records import Authorization, Begun
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.sessions import hashed
from connector_core.store.statements import Connection, Row


def begin(db: Connection, authorization: Authorization, mark: str, now: datetime) -> None:
    """Remember that somebody was sent to authorize, by their mark, and forget those whose time is over."""
    db.execute('DELETE FROM "authorization" WHERE expires_at < ?', (write_time(now),))
    db.execute(
        'INSERT INTO "authorization" (state, integration_id, callback_url, begun_by, mark, expires_at)'
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            authorization.key,
            authorization.integration_id,
            authorization.callback_url,
            authorization.begun_by.value,
            hashed(mark),
            write_time(authorization.expires_at),
        ),
    )


def find(db: Connection, box: SecretBox, state: str, now: datetime) -> Authorization | None:
    """Return what a state was made for, also after it came back; None for one that is unknown, over or done with."""
    row = db.execute('SELECT * FROM "authorization" WHERE state = ?', (hashed(state),)).fetchone()
    return None if row is None or must_read_time(row["expires_at"]) < now else _read(row, box)


def redeem(db: Connection, state: str, mark: str, now: datetime) -> bool:
    """Use up a state; False unless it is good, was not used, and comes back with the mark that it was made with."""
    row = db.execute(
        'SELECT mark, expires_at FROM "authorization" WHERE state = ? AND returned_at IS NULL',
        (hashed(state),),
    ).fetchone()
    if row is None or must_read_time(row["expires_at"]) < now:
        return False
    if not compare_digest(row["mark"], hashed(mark)):
        return False
    used = 'UPDATE "authorization" SET returned_at = ? WHERE state = ? AND returned_at IS NULL'
    return db.execute(used, (write_time(now), hashed(state))).rowcount == 1


def hold(db: Connection, box: SecretBox, authorization: Authorization, grant: Grant, expires_at: datetime) -> None:
    """Keep what somebody brought back until it was seen."""
    db.execute(
        'UPDATE "authorization" SET grant_sealed = ?, expires_at = ? WHERE state = ?',
        (box.seal(write_grant(grant)), write_time(expires_at), authorization.key),
    )


def fail(db: Connection, authorization: Authorization, problem: str) -> None:
    """Say to whoever waits why nothing was brought back."""
    db.execute('UPDATE "authorization" SET problem = ? WHERE state = ?', (problem, authorization.key))


def held(db: Connection, box: SecretBox, integration_id: str, mark: str, now: datetime) -> Authorization | None:
    """Return what waits to be seen by somebody, the newest of it."""
    begun = _begun(db, integration_id, mark, now)
    brought = [row for row in begun if row["grant_sealed"] is not None]
    return _read(max(brought, key=lambda row: row["returned_at"]), box) if brought else None


def latest(db: Connection, box: SecretBox, integration_id: str, mark: str, now: datetime) -> Authorization | None:
    """Return what somebody began last, as far as it has come."""
    begun = _begun(db, integration_id, mark, now)
    return _read(max(begun, key=lambda row: row["expires_at"]), box) if begun else None


def end(db: Connection, authorization: Authorization) -> None:
    """Forget one that is done with, and others of the same integration that wait to be seen."""
    db.execute('DELETE FROM "authorization" WHERE state = ?', (authorization.key,))
    db.execute(
        'DELETE FROM "authorization" WHERE integration_id = ? AND grant_sealed IS NOT NULL',
        (authorization.integration_id,),
    )


def _begun(db: Connection, integration_id: str, mark: str, now: datetime) -> list[Row]:
    """Return what somebody began for an integration, as far as it has not expired."""
    return db.execute(
        'SELECT * FROM "authorization" WHERE integration_id = ? AND mark = ? AND expires_at >= ?',
        (integration_id, hashed(mark), write_time(now)),
    ).fetchall()


def _read(row: Row, box: SecretBox) -> Authorization:
    text = None if row["grant_sealed"] is None else box.try_open(row["grant_sealed"])
    return Authorization(
        key=row["state"],
        integration_id=row["integration_id"],
        callback_url=row["callback_url"],
        begun_by=Begun(row["begun_by"]),
        expires_at=must_read_time(row["expires_at"]),
        returned_at=read_time(row["returned_at"]),
        problem=row["problem"],
        grant=None if text is None else read_grant(text),
    )


class Authorizations(Noun):
    """Authorizations that are under way."""

    begin = writes(begin)
    find = opens(find)
    redeem = writes(redeem)
    hold = seals(hold)
    fail = writes(fail)
    held = opens(held)
    latest = opens(latest)
    end = writes(end)
