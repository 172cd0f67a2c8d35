"""Removing an organization, or one incident, with everything that is stored of it: a few rows in a transaction.

`OF_ORGANIZATION` says table by table whose rows are deleted, and how they are found. What was removed so far is counted
in the transaction that removes it, so that a removal that was killed goes on where it ended and its count is right.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector_core.store import audit, integrations, life, meta
from connector_core.store.nouns import EVERYBODY, Noun, reads, writes
from connector_core.store.records import About, Act, Subject
from connector_core.store.rows import write_json
from connector_core.store.statements import Connection

_COUNTED = "removing:"
#: Links in one transaction: each has its timeline with it.
LINKS_AT_ONCE = 20


@dataclass(frozen=True)
class Owned:
    """Rows of a table that are an organization's, ?1: those of a condition, deleted by their key."""

    table: str
    key: str
    where: str


_ITS_INTEGRATIONS = "(SELECT id FROM integration WHERE organization = ?1)"
_OF_INTEGRATION = f"integration_id IN {_ITS_INTEGRATIONS}"
_OF_SOURCE = "organization = ?1"


def _of_integration(table: str, key: str) -> Owned:
    return Owned(table, key, _OF_INTEGRATION)


#: What a link has with it.
OF_LINK = ("comment", "timeline", "lane", "link_text", "link_listed", "settings_change")
#: In the order in which they are deleted; links come before.
OF_ORGANIZATION = (
    _of_integration("delivery", "seq"),
    _of_integration("early_ticket", "integration_id, ticket_id"),
    _of_integration("early_hint", "integration_id, ticket_id"),
    _of_integration("run", "id"),
    _of_integration("activity", "integration_id, hour"),
    _of_integration("knowledge", "integration_id, key"),
    _of_integration("checkup", "integration_id"),
    _of_integration("hook_fact", "integration_id, name"),
    _of_integration("hook_registration", "integration_id"),
    _of_integration("answer_label", "integration_id, key, value"),
    _of_integration("webhook_secret_change", "integration_id"),
    _of_integration("authorization", "state"),
    _of_integration("link_count", "integration_id, state"),
    _of_integration("settings_run", "id"),
    _of_integration("round_trip", "id"),
    _of_integration("figure", "integration_id, span, start"),
    _of_integration("figure_time", "integration_id, span, start, bucket"),
    Owned("delivery_payload", "entry_id", "entry_id IN (SELECT id FROM delivery_log WHERE organization = ?1)"),
    Owned("delivery_log", "id", _OF_SOURCE),
    Owned("organization_name", "organization", _OF_SOURCE),
    Owned("handover", "token", f"organization = ?1 OR {_OF_INTEGRATION}"),
    Owned(
        "breaker",
        "key",
        "key IN ('source:' || ?1, 'poll:' || ?1) OR EXISTS (SELECT 1 FROM integration WHERE organization = ?1"
        " AND (key = 'grant:' || id OR substr(key, 1, length(id) + length('settings::')) = 'settings:' || id || ':'))",
    ),
    Owned("duty", "name", _OF_SOURCE),
    Owned("event", "seq", _OF_SOURCE),
    Owned("incident", "organization, id", _OF_SOURCE),
    Owned("source_label", "organization, key, value", _OF_SOURCE),
    Owned("source", "organization", _OF_SOURCE),
    Owned("source_cursor", "organization", _OF_SOURCE),
    Owned("source_state", "organization", _OF_SOURCE),
    Owned("routing", "organization, origin", _OF_SOURCE),
    Owned("notice", "notifier, key", _OF_SOURCE),
    Owned("notifier_state", "id", _OF_SOURCE),
    Owned("notifier", "id", _OF_SOURCE),
    Owned("audit_entry", "id", _OF_SOURCE),
)
#: What is nobody's: of the whole connector, of a plugin, of a host, or of a person. Logins are ended by name.
OF_NOBODY = frozenset({"meta", "node", "config_file", "pace", "hook_token", "refused_delivery", "replay"}) | frozenset(
    {"console_session", "console_preference"}
)


def exists(db: Connection, organization: str) -> bool:
    """Return whether anything is stored of an organization but what was written down about it.

    Rows without an organization are nobody's.
    """
    if not organization:
        return False
    return any(count for table, count in stored(db, organization).items() if table != "audit_entry")


def stored(db: Connection, organization: str) -> Mapping[str, int]:
    """Return how many rows there are of an organization, by table."""
    of_links = "link_id IN (SELECT id FROM link WHERE organization = ?1)"
    conditions = {
        "link": _OF_SOURCE,
        **dict.fromkeys(OF_LINK, of_links),
        **{owned.table: owned.where for owned in OF_ORGANIZATION},
        "integration": _OF_SOURCE,
    }
    found = {
        table: int(db.execute(f'SELECT COUNT(*) FROM "{table}" WHERE {where}', (organization,)).fetchone()[0])  # noqa: S608 - ours
        for table, where in conditions.items()
    }
    return {table: number for table, number in found.items() if number}


def tickets(db: Connection, organization: str) -> Mapping[str, int]:
    """Return how many tickets the integrations of an organization are linked with."""
    return dict(
        db.execute(
            "SELECT integration_id, COUNT(*) FROM link WHERE organization = ? AND ticket_id IS NOT NULL"
            " GROUP BY integration_id",
            (organization,),
        ).fetchall()
    )


def owners(db: Connection, incident_id: str) -> list[str]:
    """Return the organizations that know an incident of an id, or have news of one."""
    rows = db.execute(
        "SELECT organization FROM incident WHERE id = ?1 UNION SELECT organization FROM event WHERE incident_id = ?1"
        " ORDER BY organization",
        (incident_id,),
    )
    return [name for (name,) in rows]


def disable(db: Connection, organization: str) -> None:
    """Have nothing more done for an organization's integrations while they are removed."""
    db.execute("UPDATE integration SET state = 'disabled' WHERE organization = ?", (organization,))
    integrations.note_changes(db)


def remove_some(db: Connection, organization: str, most: int) -> bool:
    """Delete some rows of an organization that are neither integrations nor their sealed secrets; False when none is.

    Deletes are by table, in order: a row that refers to another goes first.
    """
    found = db.execute("SELECT id FROM link WHERE organization = ? LIMIT ?", (organization, LINKS_AT_ONCE)).fetchall()
    if found:
        _count(db, organization, _remove_links(db, [link_id for (link_id,) in found]))
        return True
    for owned in OF_ORGANIZATION:
        removed = db.execute(
            f'DELETE FROM "{owned.table}" WHERE ({owned.key}) IN'  # noqa: S608 - ours
            f' (SELECT {owned.key} FROM "{owned.table}" WHERE {owned.where} LIMIT ?2)',
            (organization, most),
        ).rowcount
        if removed:
            _count(db, organization, {owned.table: removed})
            return True
    return False


def finish(db: Connection, organization: str, users: Collection[str]) -> Mapping[str, int]:
    """Delete the integrations of an organization of which nothing else is left, and write down what was removed.

    `users` are the people who may still use the console by their passwords: logins of others end. The names of the
    integrations are kept among those that were removed once, so that who makes one again has its tickets looked for.
    Return the rows by table, those of earlier attempts too.
    """
    ids = [name for (name,) in db.execute("SELECT id FROM integration WHERE organization = ?", (organization,))]
    for name in ids:
        db.execute("DELETE FROM integration WHERE id = ?", (name,))
        life.note_removed(db, name)
    sessions = db.execute('SELECT token, "user" FROM console_session WHERE signed_on IS NULL').fetchall()
    ended = [(token,) for token, user in sessions if user not in users]
    db.executemany("DELETE FROM console_session WHERE token = ?", ended)
    _count(db, organization, {"integration": len(ids), "console_session": len(ended)})
    counted = _counted(db, organization)
    meta.put(db, _COUNTED + organization, None)
    integrations.note_changes(db)
    changes = {table: (str(number), "0") for table, number in counted.items()}
    audit.note(db, Act.REMOVED, About(Subject.ORGANIZATION, organization, organization), changes)
    return counted


def under_way(db: Connection) -> Sequence[str]:
    """Return the organizations whose removal began and has not ended."""
    rows = db.execute(
        "SELECT key FROM meta WHERE substr(key, 1, CAST(?1 AS INTEGER)) = ?2", (len(_COUNTED), _COUNTED)
    ).fetchall()
    return sorted(key.removeprefix(_COUNTED) for (key,) in rows)


def forget_incident(db: Connection, organization: str, incident_id: str) -> Mapping[str, int]:
    """Delete one incident of an organization with its links, their timelines and its events; return the rows by table.

    That somebody did is written down without the incident's id.
    """
    links = db.execute(
        "SELECT id FROM link WHERE organization = ? AND incident_id = ?", (organization, incident_id)
    ).fetchall()
    removed = dict(_remove_links(db, [link_id for (link_id,) in links])) if links else {}
    of_links = [str(link_id) for (link_id,) in links]
    for table, column in (("event", "incident_id"), ("incident", "id")):
        removed[table] = db.execute(
            f"DELETE FROM {table} WHERE organization = ? AND {column} = ?",  # noqa: S608 - ours
            (organization, incident_id),
        ).rowcount
    # Of what was logged of it the ids are told first, a line each.
    begins = f"{incident_id}\n"
    removed["delivery_log"] = db.execute(
        "DELETE FROM delivery_log WHERE organization = ?"
        " AND (about = ? OR substr(about, 1, CAST(? AS INTEGER)) = ?"
        " OR link_id IN (SELECT CAST(value AS BIGINT) FROM json_each(?)))",
        (organization, incident_id, len(begins), begins, write_json([link_id for (link_id,) in links])),
    ).rowcount
    removed["audit_entry"] = sum(
        db.execute(
            "DELETE FROM audit_entry WHERE organization = ? AND subject = 'link' AND name = ?", (organization, name)
        ).rowcount
        for name in of_links
    )
    counted = {table: number for table, number in removed.items() if number}
    changes = {table: (str(number), "0") for table, number in counted.items()}
    if counted:
        audit.note(db, Act.REMOVED, About(Subject.INCIDENT, "", organization), changes)
    return counted


def _remove_links(db: Connection, ids: Sequence[int]) -> Mapping[str, int]:
    """Delete links with what belongs to them; return the rows by table."""
    these = write_json(list(ids))
    which = "IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
    removed = {
        table: db.execute(f"DELETE FROM {table} WHERE link_id {which}", (these,)).rowcount  # noqa: S608 - ours
        for table in OF_LINK
    }
    removed["link"] = db.execute(f"DELETE FROM link WHERE id {which}", (these,)).rowcount  # noqa: S608 - ours
    return removed


def _counted(db: Connection, organization: str) -> dict[str, int]:
    known = meta.get(db, _COUNTED + organization)
    return {} if known is None else json.loads(known)


def _count(db: Connection, organization: str, removed: Mapping[str, int]) -> None:
    known = _counted(db, organization)
    for table, number in removed.items():
        if number:
            known[table] = known.get(table, 0) + number
    meta.put(db, _COUNTED + organization, json.dumps(known))


class Removals(Noun):
    """Removing everything of an organization."""

    exists = reads(exists)
    stored = reads(stored)
    under_way = reads(under_way)
    owners = reads(owners)
    tickets = reads(tickets)
    disable = writes(disable, EVERYBODY)
    remove_some = writes(remove_some)
    finish = writes(finish, EVERYBODY)
    forget_incident = writes(forget_incident)

    def remove_all(self, organization: str, most: int = 500) -> Iterator[None]:
        """Remove everything but the integrations, a few rows at a time; yield after each transaction."""
        self.disable(organization)
        while self.remove_some(organization, most):
            yield
