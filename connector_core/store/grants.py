"""Grants of access to the other side, sealed."""

from __future__ import annotations

import sqlite3

from connector_core.contract.models import Grant
from connector_core.secrets import SecretBox
from connector_core.store.nouns import Noun, opens, seals
from connector_core.store.rows import write_json


def save(db: sqlite3.Connection, box: SecretBox, integration_id: str, grant: Grant | None) -> None:
    """Store a grant, sealed, or forget it; where its site has another address than before, so have its tickets."""
    known = None if grant is None else get(db, box, integration_id)
    old, present = (None if one is None else one.site for one in (known, grant))
    if old is not None and present is not None and old.id == present.id and old.url != present.url:
        _relocate(db, integration_id, old.url, present.url)
    sealed = None if grant is None else box.seal(write_grant(grant))
    db.execute("UPDATE integration SET grant_sealed = ? WHERE id = ?", (sealed, integration_id))


def _relocate(db: sqlite3.Connection, integration_id: str, before: str, after: str) -> None:
    """Write the new address of a site into those of its tickets; nothing of a ticket has changed by that."""
    db.execute(
        "UPDATE link SET"
        " ticket = json_set(ticket, '$.url', ?3 || substr(json_extract(ticket, '$.url'), length(?2) + 1))"
        " WHERE integration_id = ?1 AND substr(json_extract(ticket, '$.url'), 1, length(?2) + 1) = ?2 || '/'",
        (integration_id, before.rstrip("/"), after.rstrip("/")),
    )


def write_grant(grant: Grant) -> str:
    """Write a grant in clear, to be sealed."""
    opened = grant.model_dump(mode="json")
    opened["headers"] = {name: secret.get_secret_value() for name, secret in grant.headers.items()}
    opened["secrets"] = {name: secret.get_secret_value() for name, secret in grant.secrets.items()}
    return write_json(opened)


def read_grant(text: str) -> Grant:
    """Read what `write_grant` wrote."""
    return Grant.model_validate_json(text)


def get(db: sqlite3.Connection, box: SecretBox, integration_id: str) -> Grant | None:
    """Return the grant of an integration."""
    row = db.execute("SELECT grant_sealed FROM integration WHERE id = ?", (integration_id,)).fetchone()
    return None if row is None or row[0] is None else read_grant(box.open(row[0]))


class Grants(Noun):
    """Access to the other side, by integration."""

    get = opens(get)
    save = seals(save)
