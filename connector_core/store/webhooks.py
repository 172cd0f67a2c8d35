"""What is known of an integration's webhook: which secrets sign, what is ignored and why, what nobody told of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import SecretStr

from connector_core.contract.models import HookRegistration
from connector_core.secrets import SecretBox
from connector_core.store.integrations import note_change
from connector_core.store.nouns import EVERYBODY, Noun, opens, reads, seals, submits, writes
from connector_core.store.records import MISSED, REFUSED, HookFact, ManagedWebhook
from connector_core.store.rows import must_read_time, read_time, write_time
from connector_core.store.statements import Connection

LATEST = "SELECT event, matched, received_at FROM delivery WHERE integration_id = ? ORDER BY seq DESC LIMIT 1"
MOST_FACTS = 100  # secrets come and go, and each that signed has a name


def count(db: Connection, integration_id: str, name: str, at: datetime, by: int = 1) -> None:
    """Count a fact, and when it was last so."""
    db.execute(
        "INSERT INTO hook_fact (integration_id, name, count, last_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (integration_id, name) DO UPDATE SET count = hook_fact.count + excluded.count,"
        " last_at = MAX(hook_fact.last_at, excluded.last_at)",
        (integration_id, name, by, write_time(at)),
    )


def facts(db: Connection, integration_id: str) -> Mapping[str, HookFact]:
    """Return all facts by name."""
    rows = db.execute("SELECT name, count, last_at FROM hook_fact WHERE integration_id = ?", (integration_id,))
    return {row["name"]: HookFact(row["count"], must_read_time(row["last_at"])) for row in rows}


def facts_of_all(db: Connection) -> Mapping[str, Mapping[str, HookFact]]:
    """Return all facts by integration and name."""
    found: dict[str, dict[str, HookFact]] = {}
    for row in db.execute("SELECT integration_id, name, count, last_at FROM hook_fact"):
        fact = HookFact(row["count"], must_read_time(row["last_at"]))
        found.setdefault(row["integration_id"], {})[row["name"]] = fact
    return found


def forget_facts(db: Connection, _: datetime, most: int) -> int:
    """Delete the facts that were counted longest ago where an integration has very many; return how many."""
    crowded = db.execute(
        "SELECT integration_id FROM hook_fact GROUP BY integration_id HAVING COUNT(*) > ? LIMIT ?", (MOST_FACTS, most)
    ).fetchall()
    return sum(
        db.execute(
            "DELETE FROM hook_fact WHERE integration_id = ?1 AND name NOT IN"
            " (SELECT name FROM hook_fact WHERE integration_id = ?1 ORDER BY last_at DESC, name LIMIT ?2)",
            (integration_id, MOST_FACTS),
        ).rowcount
        for (integration_id,) in crowded
    )


def note_refusals(  # noqa: PLR0913, PLR0917 - whose, why, how many and when
    db: Connection, integration_id: str, route: str, code: str, refusals: int, at: datetime
) -> None:
    """Count deliveries that were turned away: an integration's, or on a route when its id is empty."""
    if integration_id:
        count(db, integration_id, REFUSED + code, at, refusals)
        return
    db.execute(
        "INSERT INTO refused_delivery (route, code, count, last_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (route, code) DO UPDATE SET count = refused_delivery.count + excluded.count,"
        " last_at = MAX(refused_delivery.last_at, excluded.last_at)",
        (route, code, refusals, write_time(at)),
    )


def note_missed(db: Connection, integration_id: str, changes: int, at: datetime) -> None:
    """Count changes that were found which no delivery had told of."""
    count(db, integration_id, MISSED, at, changes)


def latest_event(db: Connection, integration_id: str) -> tuple[str, bool, datetime] | None:
    """Return the sender's word for the latest delivery, whether it was about a ticket that a link has, and when."""
    row = db.execute(LATEST, (integration_id,)).fetchone()
    return None if row is None else (row["event"], bool(row["matched"]), must_read_time(row["received_at"]))


def refused(db: Connection, route: str) -> Mapping[str, HookFact]:
    """Return what was turned away on a route, by its reason."""
    rows = db.execute("SELECT code, count, last_at FROM refused_delivery WHERE route = ?", (route,))
    return {row["code"]: HookFact(row["count"], must_read_time(row["last_at"])) for row in rows}


def managed(db: Connection, integration_id: str) -> ManagedWebhook | None:
    """Return the webhook that a plugin registered by itself."""
    row = db.execute(
        "SELECT body, problem, fix FROM hook_registration WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    if row is None:
        return None
    registration = None if row["body"] is None else HookRegistration.model_validate_json(row["body"])
    return ManagedWebhook(registration, row["problem"], row["fix"])


def registered(db: Connection) -> frozenset[str]:
    """Return the integrations for which a plugin registered a webhook by itself."""
    rows = db.execute("SELECT integration_id FROM hook_registration WHERE body IS NOT NULL")
    return frozenset(row[0] for row in rows)


def save_managed(db: Connection, integration_id: str, hook: ManagedWebhook | None) -> None:
    """Store it or forget it; handles carry it, so they are made anew."""
    db.execute("DELETE FROM hook_registration WHERE integration_id = ?", (integration_id,))
    if hook is not None:
        body = None if hook.registration is None else hook.registration.model_dump_json()
        db.execute(
            "INSERT INTO hook_registration (integration_id, body, problem, fix) SELECT id, ?, ?, ? FROM integration"
            " WHERE id = ?",
            (body, hook.problem, hook.fix, integration_id),
        )
    note_change(db, integration_id)


def token(db: Connection, box: SecretBox, route: str) -> SecretStr | None:
    """Return the token in the address of a plugin's own webhooks; none where no key opens it."""
    row = db.execute("SELECT sealed FROM hook_token WHERE route = ?", (route,)).fetchone()
    text = None if row is None else box.try_open(row[0])
    return None if text is None else SecretStr(text)


def save_token(db: Connection, box: SecretBox, route: str, new: SecretStr) -> None:
    """Store a token, sealed, unless there is one that can be opened."""
    if token(db, box, route) is not None:
        return
    db.execute(
        "INSERT INTO hook_token (route, sealed) VALUES (?, ?)"
        " ON CONFLICT (route) DO UPDATE SET sealed = excluded.sealed",
        (route, box.seal(new.get_secret_value())),
    )


def note_secret_change(db: Connection, integration_id: str, at: datetime) -> None:
    """Remember when the secret of the webhook last changed."""
    db.execute(
        "INSERT INTO webhook_secret_change (integration_id, changed_at) VALUES (?, ?)"
        " ON CONFLICT (integration_id) DO UPDATE SET changed_at = excluded.changed_at",
        (integration_id, write_time(at)),
    )


def last_delivery_at(db: Connection, integration_id: str) -> datetime | None:
    """Return when the last delivery came in; this is no change of the integration, so its cached record lags."""
    row = db.execute("SELECT last_delivery_at FROM integration WHERE id = ?", (integration_id,)).fetchone()
    return None if row is None else read_time(row[0])


def last_deliveries(db: Connection) -> Mapping[str, datetime]:
    """Return when the last delivery came in, by integration."""
    rows = db.execute("SELECT id, last_delivery_at FROM integration WHERE last_delivery_at IS NOT NULL")
    return {row[0]: must_read_time(row[1]) for row in rows}


def secret_changes(db: Connection) -> Mapping[str, datetime]:
    """Return when the secret of the webhook last changed in set-up, by integration."""
    rows = db.execute("SELECT integration_id, changed_at FROM webhook_secret_change")
    return {row[0]: must_read_time(row[1]) for row in rows}


def secret_changed_at(db: Connection, integration_id: str) -> datetime | None:
    """Return when the secret of the webhook last changed in set-up."""
    row = db.execute(
        "SELECT changed_at FROM webhook_secret_change WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return None if row is None else read_time(row[0])


def deliveries(db: Connection, integration_id: str, latest: int) -> tuple[int, int]:
    """Count the latest deliveries of an integration, and those among them that were about no linked ticket."""
    row = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN matched = 0 THEN 1 ELSE 0 END), 0) FROM"
        " (SELECT matched FROM delivery WHERE integration_id = ? ORDER BY seq DESC LIMIT ?) AS latest",
        (integration_id, latest),
    ).fetchone()
    return int(row[0]), int(row[1])


class Webhooks(Noun):
    """What is known of webhooks, by integration."""

    facts = reads(facts)
    latest_event = reads(latest_event)
    facts_of_all = reads(facts_of_all)
    last_deliveries = reads(last_deliveries)
    secret_changes = reads(secret_changes)
    managed = reads(managed)
    registered = reads(registered)
    save_managed = writes(save_managed, EVERYBODY)
    token = opens(token)
    save_token = seals(save_token, EVERYBODY)
    note_missed = writes(note_missed)
    note_refusals = submits(note_refusals)
    refused = reads(refused)
    note_secret_change = writes(note_secret_change)
    secret_changed_at = reads(secret_changed_at)
    last_delivery_at = reads(last_delivery_at)
    deliveries = reads(deliveries)
