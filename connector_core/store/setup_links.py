"""Set-up links: kept, as logins are, by the hash of their token."""

from __future__ import annotations

from datetime import datetime

from connector_core.store import audit
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import SetupLink
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.sessions import hashed
from connector_core.store.statements import Connection, Row

#: So much of a token's hash tells a link from others.
ID_LENGTH = 12


def add(db: Connection, token: str, setup_link: SetupLink) -> None:
    """Store a set-up link."""
    db.execute("DELETE FROM handover WHERE expires_at < ?", (write_time(setup_link.created_at),))
    db.execute(
        "INSERT INTO handover (token, integration_id, organization, step, made_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            hashed(token),
            None if setup_link.of_source else setup_link.name,
            setup_link.name if setup_link.of_source else None,
            setup_link.step,
            setup_link.made_by,
            write_time(setup_link.created_at),
            write_time(setup_link.expires_at),
        ),
    )
    audit.note_shared(db, setup_link)


def get(db: Connection, token: str) -> SetupLink | None:
    """Return a set-up link, used or not."""
    row = db.execute("SELECT * FROM handover WHERE token = ?", (hashed(token),)).fetchone()
    return None if row is None else _read(row)


def in_force(db: Connection, name: str, at: datetime, *, of_source: bool) -> list[SetupLink]:
    """Return the set-up links of an integration or a source that can still be used, the latest first."""
    rows = db.execute(
        f"SELECT * FROM handover WHERE {_owner(of_source=of_source)} = ? AND used_at IS NULL AND expires_at > ?"  # noqa: S608 - a column
        " ORDER BY created_at DESC, token",
        (name, write_time(at)),
    )
    return [_read(row) for row in rows.fetchall()]


def revoke(db: Connection, name: str, link_id: str, at: datetime, *, of_source: bool) -> SetupLink | None:
    """End a set-up link of an integration or a source; return what it was before, None where there is none in force.

    One that is being used at this moment is not good again if that fails.
    """
    row = db.execute(
        f"SELECT * FROM handover WHERE {_owner(of_source=of_source)} = ? AND substr(token, 1, {ID_LENGTH}) = ?"  # noqa: S608 - a column
        " AND revoked_at IS NULL AND expires_at > ?",
        (name, link_id, write_time(at)),
    ).fetchone()
    if row is None:
        return None
    revoked = "UPDATE handover SET revoked_at = ?, used_at = COALESCE(used_at, ?) WHERE token = ?"
    db.execute(revoked, (write_time(at), write_time(at), row["token"]))
    before = _read(row)
    if before.used_at is None:
        audit.note_revoked(db, before)
    return before


def use(db: Connection, token: str, at: datetime) -> bool:
    """Use a set-up link up; False when it had been used already."""
    used = "UPDATE handover SET used_at = ? WHERE token = ? AND used_at IS NULL"
    return db.execute(used, (write_time(at), hashed(token))).rowcount == 1


def give_back(db: Connection, token: str) -> None:
    """Let a set-up link be used again, unless it was revoked: what it was used for did not come off."""
    db.execute("UPDATE handover SET used_at = NULL WHERE token = ? AND revoked_at IS NULL", (hashed(token),))


def _owner(*, of_source: bool) -> str:
    return "organization" if of_source else "integration_id"


def _read(row: Row) -> SetupLink:
    return SetupLink(
        name=row["integration_id"] or row["organization"],
        of_source=row["organization"] is not None,
        step=row["step"],
        made_by=row["made_by"],
        created_at=must_read_time(row["created_at"]),
        expires_at=must_read_time(row["expires_at"]),
        used_at=read_time(row["used_at"]),
        revoked_at=read_time(row["revoked_at"]),
        id=row["token"][:ID_LENGTH],
    )


class SetupLinks(Noun):
    """Set-up links."""

    add = writes(add)
    get = reads(get)
    in_force = reads(in_force)
    revoke = writes(revoke)
    use = writes(use)
    give_back = writes(give_back)
