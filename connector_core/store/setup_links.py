"""Set-up links: kept, as logins are, by the hash of their token."""

from __future__ import annotations

from datetime import datetime

from connector_core.store import audit
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import SetupLink
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.sessions import hashed
from connector_core.store.statements import Connection


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
    if row is None:
        return None
    return SetupLink(
        name=row["integration_id"] or row["organization"],
        of_source=row["organization"] is not None,
        step=row["step"],
        made_by=row["made_by"],
        created_at=must_read_time(row["created_at"]),
        expires_at=must_read_time(row["expires_at"]),
        used_at=read_time(row["used_at"]),
    )


def use(db: Connection, token: str, at: datetime) -> bool:
    """Use a set-up link up; False when it had been used already."""
    used = "UPDATE handover SET used_at = ? WHERE token = ? AND used_at IS NULL"
    return db.execute(used, (write_time(at), hashed(token))).rowcount == 1


def give_back(db: Connection, token: str) -> None:
    """Let a set-up link be used again: what it was used for did not come off."""
    db.execute("UPDATE handover SET used_at = NULL WHERE token = ?", (hashed(token),))


class SetupLinks(Noun):
    """Set-up links."""

    add = writes(add)
    get = reads(get)
    use = writes(use)
    give_back = writes(give_back)
