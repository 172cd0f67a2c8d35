"""Grants of access to the other side, sealed."""

from __future__ import annotations

import json
from datetime import datetime

from connector_core.contract.models import Grant
from connector_core.secrets import SecretBox
from connector_core.store import audit, integrations
from connector_core.store.integrations import note_change
from connector_core.store.nouns import EVERYBODY, Noun, opens, reads, seals, writes
from connector_core.store.records import NEEDS_AUTHORIZATION, IntegrationRecord
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection


def save(db: Connection, box: SecretBox, integration_id: str, grant: Grant | None) -> None:
    """Store a grant, sealed, or forget it; where its site has another address than before, so have its tickets.

    Another grant than before ends the renewal of that one; what its site is called does not.
    """
    known = get(db, box, integration_id)
    old, present = (None if one is None else one.site for one in (known, grant))
    if old is not None and present is not None and old.id == present.id and old.url != present.url:
        _relocate(db, integration_id, old.url, present.url)
    sealed = None if grant is None else box.seal(write_grant(grant))
    site = None if present is None else present.model_dump_json()
    until = None if grant is None else write_time(grant.renewable_until)
    db.execute(
        "UPDATE integration SET grant_sealed = ?, site = ?, renewable_until = ? WHERE id = ?",
        (sealed, site, until, integration_id),
    )
    consents = {None if one is None else one.consented_at for one in (known, grant)}
    if old != present or len(consents) > 1:
        note_change(db, integration_id)
    if grant is not None and len(consents) > 1:
        audit.note_authorized(db, integration_id, grant)
    if known is None or grant is None or not known.is_same_access(grant):
        end_renewal(db, integration_id)


def change_outdating(
    db: Connection, box: SecretBox, record: IntegrationRecord, known: IntegrationRecord, problem: str
) -> bool:
    """Store a changed integration, with which what was granted is not good any more; False as `integrations.change`.

    The `problem` is that it has to be authorized again.
    """
    if not integrations.change(db, box, record, known):
        return False
    present = get(db, box, record.id)
    if present is not None:
        save(db, box, record.id, present.outdated())
        integrations.note_problem(db, record.id, NEEDS_AUTHORIZATION, problem)
    return True


def renew(db: Connection, box: SecretBox, integration_id: str, grant: Grant, known: Grant) -> bool:
    """Store what a grant was renewed to; False, and nothing stored, when another one was stored since.

    Somebody else may have renewed it while we hung: theirs is the later one, and ours may have been retired by it.
    """
    present = get(db, box, integration_id)
    if present is not None and not present.is_same_access(known):
        return False
    save(db, box, integration_id, grant)
    return True


def note_sites(db: Connection, box: SecretBox) -> None:
    """Write down what is not sealed of grants that were stored by a version that did not: their sites and ends."""
    rows = db.execute("SELECT id, grant_sealed FROM integration WHERE site IS NULL AND grant_sealed IS NOT NULL")
    for integration_id, sealed in rows.fetchall():
        text = box.try_open(sealed)
        grant = None if text is None else read_grant(text)
        if grant is not None and grant.site is not None:
            db.execute(
                "UPDATE integration SET site = ?, renewable_until = ? WHERE id = ?",
                (grant.site.model_dump_json(), write_time(grant.renewable_until), integration_id),
            )
            note_change(db, integration_id)


def _relocate(db: Connection, integration_id: str, before: str, after: str) -> None:
    """Write the new address of a site into those of its tickets; nothing of a ticket has changed by that."""
    old, new = before.rstrip("/"), after.rstrip("/")
    rows = db.execute(
        "SELECT id, ticket FROM link WHERE integration_id = ?1"
        " AND substr(json_extract(ticket, '$.url'), 1, length(?2) + 1) = ?2 || '/'",
        (integration_id, old),
    ).fetchall()
    db.executemany(
        "UPDATE link SET ticket = ? WHERE id = ?", [(_moved(text, old, new), link_id) for link_id, text in rows]
    )


def _moved(ticket: str, before: str, after: str) -> str:
    """Return a ticket at another address."""
    shown = json.loads(ticket)
    shown["url"] = after + shown["url"].removeprefix(before)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def write_grant(grant: Grant) -> str:
    """Write a grant in clear, to be sealed."""
    opened = grant.model_dump(mode="json")
    opened["headers"] = {name: secret.get_secret_value() for name, secret in grant.headers.items()}
    opened["secrets"] = {name: secret.get_secret_value() for name, secret in grant.secrets.items()}
    if not grant.is_outdated:  # versions before this one do not know the key
        del opened["is_outdated"]
    return write_json(opened)


def read_grant(text: str) -> Grant:
    """Read what `write_grant` wrote."""
    return Grant.model_validate_json(text)


def get(db: Connection, box: SecretBox, integration_id: str) -> Grant | None:
    """Return the grant of an integration; none where no key opens it."""
    row = db.execute("SELECT grant_sealed FROM integration WHERE id = ?", (integration_id,)).fetchone()
    text = None if row is None or row[0] is None else box.try_open(row[0])
    return None if text is None else read_grant(text)


def holders(db: Connection) -> frozenset[str]:
    """Return the integrations that have a grant; none is opened."""
    return frozenset(row[0] for row in db.execute("SELECT id FROM integration WHERE grant_sealed IS NOT NULL"))


def begin_renewal(db: Connection, integration_id: str, at: datetime) -> datetime | None:
    """Note, before anybody is asked, that a grant is being renewed; return since when it is, if it was already."""
    since = open_renewals(db).get(integration_id)
    if since is None:
        db.execute("UPDATE integration SET renewal_since = ? WHERE id = ?", (write_time(at), integration_id))
    return since


def end_renewal(db: Connection, integration_id: str) -> None:
    """Note that a renewal was refused for sure, or is not wanted any more."""
    db.execute(
        "UPDATE integration SET renewal_since = NULL WHERE id = ? AND renewal_since IS NOT NULL", (integration_id,)
    )


def open_renewals(db: Connection) -> dict[str, datetime]:
    """Return the integrations whose grant is being renewed, and since when: nobody knows what came of it."""
    rows = db.execute("SELECT id, renewal_since FROM integration WHERE renewal_since IS NOT NULL")
    return {integration_id: must_read_time(since) for integration_id, since in rows.fetchall()}


def ends(db: Connection) -> dict[str, datetime]:
    """Return until when grants can be renewed, by integration; those that do not end are left out, none is opened."""
    rows = db.execute("SELECT id, renewable_until FROM integration WHERE renewable_until IS NOT NULL")
    return {row[0]: must_read_time(row[1]) for row in rows}


def ends_at(db: Connection, integration_id: str) -> datetime | None:
    """Return until when the grant of an integration can be renewed; None where it does not end, or there is none."""
    row = db.execute("SELECT renewable_until FROM integration WHERE id = ?", (integration_id,)).fetchone()
    return None if row is None else read_time(row[0])


class Grants(Noun):
    """Access to the other side, by integration."""

    get = opens(get)
    holders = reads(holders)
    ends = reads(ends)
    ends_at = reads(ends_at)
    save = seals(save, EVERYBODY)
    change_outdating = seals(change_outdating, EVERYBODY)
    renew = seals(renew)
    note_sites = seals(note_sites, EVERYBODY)
    begin_renewal = writes(begin_renewal)
    end_renewal = writes(end_renewal)
    open_renewals = reads(open_renewals)
