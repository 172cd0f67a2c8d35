"""The tables, as numbered migrations: append only, never edited once released."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("connector_core")


@migrations()
def m001_first_tables(db: Database) -> None:
    """Create everything the first version stores. Times are ISO 8601 in UTC; lanes use seconds since the epoch."""
    for statement in _FIRST_TABLES:
        db.conn.execute(statement)


@migrations()
def m002_early_tickets(db: Database) -> None:
    """Keep what deliveries show of tickets whose creation has not been answered yet."""
    db.conn.execute(
        "CREATE TABLE early_ticket (integration_id TEXT NOT NULL, ticket_id TEXT NOT NULL, ticket TEXT NOT NULL,"
        " received_at TEXT NOT NULL, PRIMARY KEY (integration_id, ticket_id),"
        " FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID"
    )


@migrations()
def m003_active_since(db: Database) -> None:
    """Remember when an integration last became active: what changed before that was told to nobody."""
    db.conn.execute("ALTER TABLE integration ADD COLUMN active_since TEXT")


@migrations()
def m004_breakers_and_fair_lanes(db: Database) -> None:
    """Know each lane's integration, park lanes on circuit breakers, and tell since when each direction waits."""
    for statement in (
        """
        CREATE TABLE breaker (
          key TEXT PRIMARY KEY, code TEXT NOT NULL, reason TEXT NOT NULL, fix TEXT NOT NULL, since TEXT NOT NULL,
          until REAL NOT NULL, failures INTEGER NOT NULL, needs_person INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE lane ADD COLUMN integration_id TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lane ADD COLUMN breaker TEXT",
        "ALTER TABLE lane ADD COLUMN parked_at REAL",
        "UPDATE lane SET integration_id = (SELECT integration_id FROM link WHERE link.id = lane.link_id)",
        "DROP INDEX lane_due",
        "CREATE INDEX lane_ready ON lane (integration_id, due_at) WHERE boot IS NULL AND due_at IS NOT NULL",
        "CREATE INDEX lane_parked ON lane (breaker, parked_at, link_id) WHERE breaker IS NOT NULL",
        "ALTER TABLE link ADD COLUMN to_ticket_since TEXT",
        "ALTER TABLE link ADD COLUMN to_incident_since TEXT",
        "CREATE INDEX link_to_ticket ON link (integration_id, to_ticket_since) WHERE to_ticket_since IS NOT NULL",
        "CREATE INDEX link_to_incident ON link (integration_id, to_incident_since) WHERE to_incident_since IS NOT NULL",
        "ALTER TABLE link ADD COLUMN over_at TEXT",
        "UPDATE link SET over_at = since WHERE is_open = 0",
        "DROP INDEX link_open",
        "CREATE INDEX link_open ON link (integration_id, is_open, over_at)",
        "DROP INDEX link_state",
        "CREATE INDEX link_state ON link (state, integration_id)",
        "ALTER TABLE integration ADD COLUMN rules TEXT NOT NULL DEFAULT '{}'",
    ):
        db.conn.execute(statement)


_FIRST_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE integration (
      id TEXT PRIMARY KEY, organization TEXT NOT NULL, plugin TEXT NOT NULL, origin TEXT NOT NULL,
      state TEXT NOT NULL, answers TEXT NOT NULL, secrets BLOB NOT NULL, grant_sealed BLOB,
      problem_code TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '',
      created_at TEXT NOT NULL, activated_at TEXT, last_delivery_at TEXT, seq INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE incident (
      organization TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, occurred_at TEXT NOT NULL,
      event_rank INTEGER NOT NULL, PRIMARY KEY (organization, id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE event (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, organization TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
      incident_id TEXT NOT NULL, occurred_at TEXT NOT NULL, received_at TEXT NOT NULL, UNIQUE (organization, id)
    ) STRICT
    """,
    """
    CREATE TABLE delivery (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, integration_id TEXT NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL,
      matched INTEGER NOT NULL, received_at TEXT NOT NULL, UNIQUE (integration_id, id),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT
    """,
    """
    CREATE TABLE link (
      id INTEGER PRIMARY KEY AUTOINCREMENT, organization TEXT NOT NULL, integration_id TEXT NOT NULL,
      incident_id TEXT NOT NULL, marker TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
      base TEXT NOT NULL DEFAULT '{}', ticket TEXT, ticket_id TEXT, ticket_key TEXT, ticket_updated TEXT,
      is_open INTEGER NOT NULL DEFAULT 1, attempted_at TEXT, attempted_incident TEXT,
      state TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', fix TEXT NOT NULL DEFAULT '',
      since TEXT NOT NULL, next_try TEXT, attempts INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL,
      UNIQUE (integration_id, incident_id), UNIQUE (integration_id, ticket_id),
      FOREIGN KEY (integration_id) REFERENCES integration (id),
      FOREIGN KEY (organization, incident_id) REFERENCES incident (organization, id)
    ) STRICT
    """,
    "CREATE INDEX link_incident ON link (organization, incident_id)",
    "CREATE INDEX link_state ON link (state, since)",
    "CREATE INDEX link_key ON link (ticket_key) WHERE ticket_key IS NOT NULL",
    "CREATE INDEX link_open ON link (integration_id) WHERE is_open = 1",
    """
    CREATE TABLE lane (
      link_id INTEGER PRIMARY KEY REFERENCES link (id) ON DELETE CASCADE,
      due_at REAL, wakes INTEGER NOT NULL DEFAULT 0, boot TEXT, fence INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX lane_due ON lane (due_at) WHERE boot IS NULL AND due_at IS NOT NULL",
    "CREATE INDEX lane_claimed ON lane (boot) WHERE boot IS NOT NULL",
    """
    CREATE TABLE timeline (
      id INTEGER PRIMARY KEY AUTOINCREMENT, link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
      at TEXT NOT NULL, kind TEXT NOT NULL, side TEXT NOT NULL, text TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX timeline_link ON timeline (link_id, id)",
    """
    CREATE TABLE run (
      id INTEGER PRIMARY KEY AUTOINCREMENT, integration_id TEXT NOT NULL, kind TEXT NOT NULL, started_at TEXT NOT NULL,
      ended_at TEXT NOT NULL, outcome TEXT NOT NULL, seen INTEGER NOT NULL, changed INTEGER NOT NULL,
      detail TEXT NOT NULL, FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT
    """,
    "CREATE INDEX run_integration ON run (integration_id, kind, id)",
    """
    CREATE TABLE authorization_state (
      state TEXT PRIMARY KEY, integration_id TEXT NOT NULL, callback_url TEXT NOT NULL, expires_at TEXT NOT NULL,
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
)
