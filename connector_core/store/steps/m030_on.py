"""Figures, the delivery log, test incidents, marks, names and sessions."""

from __future__ import annotations

from sqlite_utils import Database

from connector_core.store.figures_schema import TELL_FIGURES
from connector_core.store.records.figures import bucket_of
from connector_core.store.rows import must_read_time
from connector_core.store.steps.sets import migrations, run


@migrations()
def m030_figures(db: Database) -> None:
    """Count what happens by hour and by day, and how long requests take; what happened before is told from the rest."""
    db.conn.create_function("bucket_between", 2, _bucket_between)
    run(db, *_FIGURES, *(one.format(bucket="bucket_between(link.created_at, created.at)") for one in TELL_FIGURES))


def _bucket_between(start: str, end: str) -> int:
    return bucket_of(must_read_time(end) - must_read_time(start))


@migrations()
def m031_delivery_log(db: Database) -> None:
    """Log what came in and what was called, with its bodies, and what is fed in again."""
    run(
        db,
        """
        CREATE TABLE delivery_log (
          id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, way TEXT NOT NULL, kind TEXT NOT NULL,
          organization TEXT NOT NULL, integration_id TEXT NOT NULL, client TEXT NOT NULL, method TEXT NOT NULL,
          address TEXT NOT NULL, result TEXT NOT NULL, code TEXT NOT NULL, status INTEGER, took_ms INTEGER NOT NULL,
          size INTEGER NOT NULL, attempt INTEGER NOT NULL, event TEXT NOT NULL, about TEXT NOT NULL, link_id INTEGER,
          facts TEXT NOT NULL, has_payload INTEGER NOT NULL, is_sample INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX delivery_log_at ON delivery_log (at)",
        "CREATE INDEX delivery_log_of_organization ON delivery_log (organization, id)",
        "CREATE INDEX delivery_log_of_integration ON delivery_log (integration_id, id)",
        "CREATE INDEX delivery_log_of_link ON delivery_log (link_id, id) WHERE link_id IS NOT NULL",
        "CREATE INDEX delivery_log_refused ON delivery_log (organization, id) WHERE result = 'refused'",
        "CREATE INDEX delivery_log_sample ON delivery_log (organization, id) WHERE is_sample = 1",
        """
        CREATE TABLE delivery_payload (
          entry_id INTEGER PRIMARY KEY REFERENCES delivery_log (id) ON DELETE CASCADE, at TEXT NOT NULL,
          size INTEGER NOT NULL, is_sample INTEGER NOT NULL DEFAULT 0, sealed BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX delivery_payload_in_order ON delivery_payload (is_sample, at, size)",
        """
        CREATE TABLE replay (
          id INTEGER PRIMARY KEY AUTOINCREMENT, organizations TEXT, wanted TEXT NOT NULL, started_by TEXT NOT NULL,
          started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT NOT NULL DEFAULT '', total INTEGER NOT NULL,
          reached INTEGER NOT NULL DEFAULT 0, newest INTEGER NOT NULL, accepted INTEGER NOT NULL DEFAULT 0,
          ignored INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '{}'
        ) STRICT
        """,
    )


@migrations()
def m032_round_trips(db: Database) -> None:
    """Keep test incidents apart, what became of each, and when an integration is tested by itself."""
    run(
        db,
        "ALTER TABLE link ADD COLUMN is_test INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX link_test ON link (integration_id, state) WHERE is_test = 1",
        "ALTER TABLE integration ADD COLUMN test_at TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE round_trip (
          id TEXT PRIMARY KEY, organization TEXT NOT NULL,
          integration_id TEXT NOT NULL REFERENCES integration (id) ON DELETE CASCADE, link_id INTEGER NOT NULL,
          started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT NOT NULL DEFAULT '', facts TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX round_trip_of_integration ON round_trip (integration_id, started_at)",
        "CREATE UNIQUE INDEX round_trip_running ON round_trip (integration_id) WHERE ended_at IS NULL",
    )


@migrations()
def m033_marks(db: Database) -> None:
    """Know which tickets were linked by hand and have yet to get our mark."""
    db.conn.execute("ALTER TABLE link ADD COLUMN mark_due INTEGER NOT NULL DEFAULT 0")


@migrations()
def m034_names_and_settings_of_links(db: Database) -> None:
    """Keep what people call integrations and organizations, and each time that open links were given other settings."""
    run(
        db,
        "ALTER TABLE integration ADD COLUMN name TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE organization_name (organization TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID",
        """
        CREATE TABLE settings_run (
          id INTEGER PRIMARY KEY AUTOINCREMENT, integration_id TEXT NOT NULL, settings TEXT NOT NULL, undoes INTEGER,
          made_by TEXT NOT NULL, made_at TEXT NOT NULL, ended_at TEXT,
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT
        """,
        "CREATE INDEX settings_run_of_integration ON settings_run (integration_id, id)",
        "CREATE INDEX settings_run_open ON settings_run (id) WHERE ended_at IS NULL",
        """
        CREATE TABLE settings_change (
          run_id INTEGER NOT NULL REFERENCES settings_run (id) ON DELETE CASCADE,
          link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE, before TEXT NOT NULL, after TEXT NOT NULL,
          state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', PRIMARY KEY (run_id, link_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX settings_change_of_link ON settings_change (link_id)",
        "CREATE INDEX settings_change_waiting ON settings_change (run_id, link_id) WHERE state = 'waiting'",
    )


@migrations()
def m035_sessions_of_people(db: Database) -> None:
    """Know whose a session is and what single sign-on said of them, and keep what people choose for every page."""
    run(
        db,
        "ALTER TABLE console_session ADD COLUMN person TEXT",
        "ALTER TABLE console_session ADD COLUMN address TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE console_session ADD COLUMN signed_on TEXT",
        "ALTER TABLE console_session ADD COLUMN id_token BLOB",
        """
        CREATE TABLE console_preference (
          person TEXT PRIMARY KEY, zone TEXT NOT NULL, theme TEXT NOT NULL, used_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m036_links_by_change(db: Database) -> None:
    """Find the links that changed last without sorting all of them."""
    run(db, "CREATE INDEX link_listed_by_change ON link_listed (updated_at DESC, link_id DESC)")


@migrations()
def m037_revoked_and_unlinked(db: Database) -> None:
    """Know which setup links were revoked, and count unlinked pairs without reading all links."""
    run(
        db,
        "ALTER TABLE handover ADD COLUMN revoked_at TEXT",
        "CREATE INDEX link_unlinked ON link (integration_id) WHERE code = 'discarded'",
    )


#: Rows lie in the order of time, in which the figures of all are added up; one integration's are found by an index.
_FIGURES = (
    """
    CREATE TABLE figure (
      integration_id TEXT NOT NULL, span TEXT NOT NULL, start TEXT NOT NULL, incidents INTEGER NOT NULL DEFAULT 0,
      requests INTEGER NOT NULL DEFAULT 0, to_ticket INTEGER NOT NULL DEFAULT 0,
      to_incident INTEGER NOT NULL DEFAULT 0, delayed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
      waiting INTEGER NOT NULL DEFAULT 0, oldest_s INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (span, start, integration_id),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX figure_of_integration ON figure (integration_id, start)",
    """
    CREATE TABLE figure_time (
      integration_id TEXT NOT NULL, span TEXT NOT NULL, start TEXT NOT NULL, bucket INTEGER NOT NULL,
      requests INTEGER NOT NULL, PRIMARY KEY (span, start, bucket, integration_id),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX figure_time_of_integration ON figure_time (integration_id, start)",
)
