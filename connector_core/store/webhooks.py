"""What is known of an integration's webhook: which secrets sign, what is ignored and why, what nobody told of."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from pydantic import SecretStr

from connector_core.contract.models import HookRegistration
from connector_core.secrets import SecretBox
from connector_core.store import counters
from connector_core.store.integrations import VERSION
from connector_core.store.records import HookFact, OwnHook
from connector_core.store.rows import must_read_time, write_time


def count(db: sqlite3.Connection, integration_id: str, name: str, at: datetime, by: int = 1) -> None:
    """Count a fact, and when it was last so."""
    db.execute(
        "INSERT INTO hook_fact (integration_id, name, count, last_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (integration_id, name) DO UPDATE SET count = count + ?3, last_at = MAX(last_at, ?4)",
        (integration_id, name, by, write_time(at)),
    )


def facts(db: sqlite3.Connection, integration_id: str) -> Mapping[str, HookFact]:
    """Return all facts by name."""
    rows = db.execute("SELECT name, count, last_at FROM hook_fact WHERE integration_id = ?", (integration_id,))
    return {row["name"]: HookFact(row["count"], must_read_time(row["last_at"])) for row in rows}


def note_refused(db: sqlite3.Connection, route: str, code: str, at: datetime, by: int) -> None:
    """Count deliveries on a route that were turned away, when it cannot be told whose they were."""
    db.execute(
        "INSERT INTO refused_delivery (route, code, count, last_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (route, code) DO UPDATE SET count = count + ?3, last_at = MAX(last_at, ?4)",
        (route, code, by, write_time(at)),
    )


def refused(db: sqlite3.Connection, route: str) -> Mapping[str, HookFact]:
    """Return what was turned away on a route, by its reason."""
    rows = db.execute("SELECT code, count, last_at FROM refused_delivery WHERE route = ?", (route,))
    return {row["code"]: HookFact(row["count"], must_read_time(row["last_at"])) for row in rows}


def own(db: sqlite3.Connection, integration_id: str) -> OwnHook | None:
    """Return the webhook that a plugin registered by itself."""
    row = db.execute(
        "SELECT body, problem, fix FROM hook_registration WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    if row is None:
        return None
    registration = None if row["body"] is None else HookRegistration.model_validate_json(row["body"])
    return OwnHook(registration, row["problem"], row["fix"])


def save_own(db: sqlite3.Connection, integration_id: str, hook: OwnHook | None) -> None:
    """Store it or forget it; handles carry it, so they are made anew."""
    db.execute("DELETE FROM hook_registration WHERE integration_id = ?", (integration_id,))
    if hook is not None:
        body = None if hook.registration is None else hook.registration.model_dump_json()
        db.execute(
            "INSERT INTO hook_registration (integration_id, body, problem, fix) SELECT id, ?, ?, ? FROM integration"
            " WHERE id = ?",
            (body, hook.problem, hook.fix, integration_id),
        )
    counters.add(db, VERSION)


def token(db: sqlite3.Connection, box: SecretBox, route: str) -> SecretStr | None:
    """Return the token in the address of a plugin's own webhooks."""
    row = db.execute("SELECT sealed FROM hook_token WHERE route = ?", (route,)).fetchone()
    return None if row is None else SecretStr(box.open(row[0]))


def save_token(db: sqlite3.Connection, box: SecretBox, route: str, new: SecretStr) -> None:
    """Store a token, sealed, unless there is one."""
    db.execute(
        "INSERT INTO hook_token (route, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (route, box.seal(new.get_secret_value())),
    )
