"""Tables of links, lanes, events and the console, and what was known of webhooks and sources."""

from __future__ import annotations

from sqlite_utils import Database

from connector_core.store.steps.sets import migrations, run


@migrations()
def m001_first_tables(db: Database) -> None:
    """Create everything the first version stores. Times are ISO 8601 in UTC; lanes use seconds since the epoch."""
    run(db, *_FIRST_TABLES)


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
    run(
        db,
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
    )


@migrations()
def m005_console(db: Database) -> None:
    """Keep logins, set-up links, what the wizard showed for an answer, and what the console shows at a glance."""
    run(db, *_CONSOLE_TABLES)


@migrations()
def m006_knowledge_and_checkups(db: Database) -> None:
    """Keep what plugins learn about the other side, and what was last found when an integration was tried."""
    run(
        db,
        """
        CREATE TABLE knowledge (
          integration_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at TEXT NOT NULL,
          PRIMARY KEY (integration_id, key),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE checkup (
          integration_id TEXT PRIMARY KEY, at TEXT NOT NULL, findings TEXT NOT NULL,
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE refusal (
          route TEXT PRIMARY KEY, at TEXT NOT NULL, refusals INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m007_polled_sources(db: Database) -> None:
    """Remember how far each polled source was read, and how the last look ended; the former may be long."""
    run(
        db,
        """
        CREATE TABLE source_cursor (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, cursor TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE source_state (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, looked_at TEXT NOT NULL, worked_at TEXT,
          outcome TEXT NOT NULL, reason TEXT NOT NULL, fix TEXT NOT NULL, since TEXT NOT NULL, open_incidents INTEGER,
          account_name TEXT NOT NULL, findings TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m008_webhooks(db: Database) -> None:
    """Know how each webhook fares, what plugins registered, what stands in their way, and what is to be read."""
    run(
        db,
        """
        CREATE TABLE hook_fact (
          integration_id TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, last_at TEXT NOT NULL,
          PRIMARY KEY (integration_id, name),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE hook_registration (
          integration_id TEXT PRIMARY KEY, body TEXT, problem TEXT NOT NULL, fix TEXT NOT NULL,
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE hook_token (route TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
        "ALTER TABLE link ADD COLUMN hints INTEGER NOT NULL DEFAULT 0",
    )


@migrations()
def m009_sources_of_set_up(db: Database) -> None:
    """Keep sources that were made in set-up; a set-up link may be for a step of one."""
    run(
        db,
        """
        CREATE TABLE source (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, answers TEXT NOT NULL, secrets BLOB NOT NULL,
          created_at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE source_label (
          organization TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL,
          PRIMARY KEY (organization, key, value),
          FOREIGN KEY (organization) REFERENCES source (organization) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE handover RENAME TO former_handover",
        """
        CREATE TABLE handover (
          token TEXT PRIMARY KEY, integration_id TEXT, organization TEXT, step TEXT NOT NULL, made_by TEXT NOT NULL,
          created_at TEXT NOT NULL, expires_at TEXT NOT NULL, used_at TEXT,
          CHECK ((integration_id IS NULL) != (organization IS NULL)),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE,
          FOREIGN KEY (organization) REFERENCES source (organization) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        "INSERT INTO handover (token, integration_id, step, made_by, created_at, expires_at, used_at)"
        " SELECT token, integration_id, step, made_by, created_at, expires_at, used_at FROM former_handover",
        "DROP TABLE former_handover",
    )


@migrations()
def m010_comments(db: Database) -> None:
    """Keep comments until they are carried, and of those that were the ids; know when a ticket's were last read."""
    run(
        db,
        "ALTER TABLE integration ADD COLUMN comments TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE link ADD COLUMN comment_looks INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE link ADD COLUMN comments_at TEXT",
        """
        CREATE TABLE comment (
          id INTEGER PRIMARY KEY AUTOINCREMENT, link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
          side TEXT NOT NULL, their_id TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
          internal INTEGER NOT NULL, created_at TEXT NOT NULL, state TEXT NOT NULL, marker TEXT NOT NULL,
          attempted_at TEXT, written_id TEXT, UNIQUE (link_id, side, their_id)
        ) STRICT
        """,
        "CREATE INDEX comment_waiting ON comment (link_id, side, id) WHERE state = 'waiting'",
        "CREATE INDEX comment_written ON comment (link_id, side, written_id) WHERE written_id IS NOT NULL",
    )


@migrations()
def m011_early_hints(db: Database) -> None:
    """Keep which tickets are to be read whose creation has not been answered yet."""
    run(
        db,
        """
        CREATE TABLE early_hint (
          integration_id TEXT NOT NULL, ticket_id TEXT NOT NULL, received_at TEXT NOT NULL,
          PRIMARY KEY (integration_id, ticket_id),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m012_drafts(db: Database) -> None:
    """Hold a change of an active integration's answers until the steps that depend on it are answered."""
    db.conn.execute("ALTER TABLE integration ADD COLUMN draft TEXT")


@migrations()
def m013_refusals_by_reason(db: Database) -> None:
    """Count deliveries that were turned away by their reason; so far there was one, a signature that nobody made."""
    run(
        db,
        """
        CREATE TABLE refused_delivery (
          route TEXT NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL, last_at TEXT NOT NULL,
          PRIMARY KEY (route, code)
        ) STRICT, WITHOUT ROWID
        """,
        "INSERT INTO refused_delivery SELECT route, 'signature_mismatch', refusals, at FROM refusal",
        "DROP TABLE refusal",
    )


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

# Kept by triggers, so that no other statement has to think of it: how many links there are, and what they are found by.
_COUNT_NEW = (
    "INSERT INTO link_count VALUES (NEW.integration_id, NEW.state, 1)"
    " ON CONFLICT (integration_id, state) DO UPDATE SET links = links + 1;"
)
_UNCOUNT_OLD = (
    "UPDATE link_count SET links = links - 1 WHERE integration_id = OLD.integration_id AND state = OLD.state;"
)
# No OR REPLACE: the conflict clause of the statement that fires a trigger would override it.
_WRITE_TEXT = (
    "INSERT INTO link_text SELECT id, text FROM link_words WHERE {which}"
    " ON CONFLICT DO UPDATE SET text = excluded.text;"
)
_WRITE_NEW_TEXT = _WRITE_TEXT.format(which="id = NEW.id")
_WRITE_INCIDENT_TEXT = _WRITE_TEXT.format(which="organization = NEW.organization AND incident_id = NEW.id")

_CONSOLE_TABLES = (
    """
    CREATE TABLE console_session (
      token TEXT PRIMARY KEY, user TEXT NOT NULL, proof TEXT NOT NULL, form_token TEXT NOT NULL,
      created_at TEXT NOT NULL, seen_at TEXT NOT NULL, expires_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE handover (
      token TEXT PRIMARY KEY, integration_id TEXT NOT NULL, step TEXT NOT NULL, made_by TEXT NOT NULL,
      created_at TEXT NOT NULL, expires_at TEXT NOT NULL, used_at TEXT,
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE answer_label (
      integration_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL,
      PRIMARY KEY (integration_id, key, value),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE webhook_secret_change (
      integration_id TEXT PRIMARY KEY, changed_at TEXT NOT NULL,
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE activity (
      integration_id TEXT NOT NULL, hour TEXT NOT NULL, entries INTEGER NOT NULL, last_at TEXT NOT NULL,
      PRIMARY KEY (integration_id, hour),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO activity SELECT link.integration_id, substr(timeline.at, 1, 13), COUNT(*), MAX(timeline.at)
    FROM timeline JOIN link ON link.id = timeline.link_id GROUP BY 1, 2
    """,
    """
    CREATE TRIGGER timeline_activity AFTER INSERT ON timeline BEGIN
      INSERT INTO activity SELECT integration_id, substr(NEW.at, 1, 13), 1, NEW.at FROM link WHERE id = NEW.link_id
      ON CONFLICT (integration_id, hour) DO UPDATE SET entries = entries + 1, last_at = MAX(last_at, excluded.last_at);
    END
    """,
    "CREATE INDEX link_standing ON link (integration_id, state, since)",
    """
    CREATE TABLE link_count (
      integration_id TEXT NOT NULL, state TEXT NOT NULL, links INTEGER NOT NULL, PRIMARY KEY (integration_id, state)
    ) STRICT, WITHOUT ROWID
    """,
    "INSERT INTO link_count SELECT integration_id, state, COUNT(*) FROM link GROUP BY 1, 2",
    """
    CREATE VIEW link_words AS SELECT link.id, link.organization, link.incident_id,
      link.incident_id || char(10) || json_extract(incident.body, '$.title') || coalesce(char(10) || link.ticket_key
      || char(10) || link.ticket_id || char(10) || json_extract(link.ticket, '$.title'), '') AS text
    FROM link JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id
    """,
    """
    CREATE TABLE link_text (
      link_id INTEGER PRIMARY KEY REFERENCES link (id) ON DELETE CASCADE, text TEXT NOT NULL
    ) STRICT
    """,
    "INSERT INTO link_text SELECT id, text FROM link_words",
    f"CREATE TRIGGER link_made AFTER INSERT ON link BEGIN {_COUNT_NEW} {_WRITE_NEW_TEXT} END",
    f"""
    CREATE TRIGGER link_moved AFTER UPDATE OF state ON link WHEN OLD.state != NEW.state BEGIN
      {_UNCOUNT_OLD} {_COUNT_NEW}
    END
    """,
    f"CREATE TRIGGER link_removed AFTER DELETE ON link BEGIN {_UNCOUNT_OLD} END",
    f"CREATE TRIGGER link_reworded AFTER UPDATE OF ticket ON link BEGIN {_WRITE_NEW_TEXT} END",
    f"CREATE TRIGGER incident_reworded AFTER UPDATE OF body ON incident BEGIN {_WRITE_INCIDENT_TEXT} END",
)
