"""The tables, as numbered migrations: append only, never edited once released.

A migration only adds, for daemons of the version before go on beside those of the new one: a table, an index, a column
that may be left out. What its version needs no more is removed by a step of `finishing`, later, with the same number:
nobody removes what a running daemon still reads or writes, this version's included.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlite_utils import Database, Migrations

from connector_core.store.figures_schema import TELL_FIGURES
from connector_core.store.listing_schema import LIST_LINKS, LISTED_VIEW, LISTING_TRIGGERS
from connector_core.store.records.figures import bucket_of
from connector_core.store.rows import must_read_time

migrations = Migrations("connector_core")
#: Steps that remove something, `finish_m030_…` what no version that knows `m030_…` uses. There is none yet.
finishing = Migrations("connector_core_finish")


def missing(db: sqlite3.Connection) -> list[str]:
    """Return what this version stores and a database has no place for, a sentence each."""
    fresh = Database(memory=True, execute_plugins=False)
    with closing(fresh.conn):
        migrations.apply(fresh)
        finishing.apply(fresh)
        there = _parts(db)
        return [f"{part} is missing" for part in _parts(fresh.conn) if part not in there]


def _parts(db: sqlite3.Connection) -> list[str]:
    """Name every table, column, index, trigger and view."""
    found = [
        (str(kind), str(name))
        for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'")
    ]
    columns = [
        f"column {name}.{row[0]}"
        for kind, name in found
        if kind == "table"
        for row in db.execute("SELECT name FROM pragma_table_info(?)", (name,))
    ]
    return [*(f"{kind} {name}" for kind, name in found), *columns]


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.conn.execute(statement)


@migrations()
def m001_first_tables(db: Database) -> None:
    """Create everything the first version stores. Times are ISO 8601 in UTC; lanes use seconds since the epoch."""
    _run(db, *_FIRST_TABLES)


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
    _run(
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
    _run(db, *_CONSOLE_TABLES)


@migrations()
def m006_knowledge_and_checkups(db: Database) -> None:
    """Keep what plugins learn about the other side, and what was last found when an integration was tried."""
    _run(
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
    _run(
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
    _run(
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
    _run(
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
    _run(
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
    _run(
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
    _run(
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


@migrations()
def m014_many_integrations(db: Database) -> None:
    """Tell which integrations changed since a version, where each one's site is, and whose a ticket may be."""
    _run(
        db,
        "ALTER TABLE integration ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE integration ADD COLUMN site TEXT",
        "ALTER TABLE integration ADD COLUMN renewable_until TEXT",
        "CREATE INDEX integration_revision ON integration (revision)",
        "CREATE INDEX integration_seq ON integration (seq, id)",
        "CREATE INDEX integration_organization ON integration (organization, seq)",
        "CREATE INDEX link_ticket ON link (organization, ticket_id) WHERE ticket_id IS NOT NULL",
        "CREATE INDEX link_creating ON link (organization) WHERE ticket_id IS NULL AND attempted_at IS NOT NULL",
    )


@migrations()
def m015_open_renewals(db: Database) -> None:
    """Remember since when a grant is being renewed: the answer may be lost, and the old one is taken for a while."""
    _run(
        db,
        "ALTER TABLE integration ADD COLUMN renewal_since TEXT",
        "CREATE INDEX integration_renewal ON integration (renewal_since) WHERE renewal_since IS NOT NULL",
    )


@migrations()
def m016_authorizations_of_somebody(db: Database) -> None:
    """Know who began an authorization, and hold what they bring back; those that are under way begin again."""
    _run(
        db,
        "DROP TABLE authorization_state",
        """
        CREATE TABLE authorization (
          state TEXT PRIMARY KEY, integration_id TEXT NOT NULL, callback_url TEXT NOT NULL, begun_by TEXT NOT NULL,
          mark TEXT NOT NULL, expires_at TEXT NOT NULL, returned_at TEXT, problem TEXT NOT NULL DEFAULT '',
          grant_sealed BLOB, FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m017_what_was_heard_when(db: Database) -> None:
    """Know when we heard of what is shown, since when an incident has no link, and when a source was last read.

    Waiting comments are found in the order in which they were written.
    """
    _run(
        db,
        "ALTER TABLE incident ADD COLUMN heard_at TEXT",
        "ALTER TABLE incident ADD COLUMN unlinked_since TEXT",
        "UPDATE incident SET unlinked_since = strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"
        " WHERE NOT EXISTS (SELECT 1 FROM link"
        " WHERE link.organization = incident.organization AND link.incident_id = incident.id)",
        "CREATE INDEX incident_unlinked ON incident (unlinked_since) WHERE unlinked_since IS NOT NULL",
        """
        CREATE TRIGGER incident_linked AFTER INSERT ON link BEGIN
          UPDATE incident SET unlinked_since = NULL WHERE organization = NEW.organization AND id = NEW.incident_id;
        END
        """,
        """
        CREATE TRIGGER incident_unlinked AFTER DELETE ON link BEGIN
          UPDATE incident SET unlinked_since = COALESCE(heard_at, strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'))
          WHERE organization = OLD.organization AND id = OLD.incident_id AND NOT EXISTS
          (SELECT 1 FROM link WHERE link.organization = OLD.organization AND link.incident_id = OLD.incident_id);
        END
        """,
        "ALTER TABLE link ADD COLUMN ticket_heard_at TEXT",
        "ALTER TABLE source_cursor ADD COLUMN read_at TEXT",
        "DELETE FROM link_count WHERE integration_id NOT IN (SELECT id FROM integration)",
        "DROP INDEX comment_waiting",
        "CREATE INDEX comment_waiting ON comment (link_id, side, created_at, id) WHERE state = 'waiting'",
    )


@migrations()
def m018_looks(db: Database) -> None:
    """Know links whose ticket is looked for and never made, and forget those that have none."""
    _run(
        db,
        "ALTER TABLE link ADD COLUMN looks_since TEXT",
        "CREATE INDEX link_without ON link (over_at) WHERE looks_since IS NOT NULL AND ticket_id IS NULL",
    )


@migrations()
def m019_nodes(db: Database) -> None:
    """Know the daemons of a database, until when a write of a lane may still be under way, and who waits for that."""
    _run(
        db,
        """
        CREATE TABLE node (
          id TEXT PRIMARY KEY, host TEXT NOT NULL, version TEXT NOT NULL, config_digest TEXT NOT NULL,
          started_at TEXT NOT NULL, seen_at TEXT, stopping INTEGER NOT NULL DEFAULT 0, ended TEXT NOT NULL DEFAULT '',
          ended_at TEXT
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE lane ADD COLUMN calling_until REAL",
        "ALTER TABLE lane ADD COLUMN not_before REAL",
    )


@migrations()
def m020_duties(db: Database) -> None:
    """Know what happens once on all nodes, who does it, and which file was last seen where."""
    _run(
        db,
        """
        CREATE TABLE duty (
          name TEXT PRIMARY KEY, organization TEXT NOT NULL, due_at REAL NOT NULL, mark TEXT NOT NULL DEFAULT '',
          node TEXT, fence INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX duty_held ON duty (node) WHERE node IS NOT NULL",
        """
        CREATE TABLE config_file (
          place TEXT PRIMARY KEY, digest TEXT NOT NULL, read_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m021_over_all_nodes(db: Database) -> None:
    """Know who tries a place that did not work, which sites are near their limit, and more of each node."""
    _run(
        db,
        "ALTER TABLE breaker ADD COLUMN trying_by TEXT",
        "ALTER TABLE breaker ADD COLUMN trying_until REAL",
        "CREATE TABLE pace (site TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID",
        "ALTER TABLE node ADD COLUMN port INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE node ADD COLUMN life_sign TEXT NOT NULL DEFAULT ''",
    )


@migrations()
def m022_signed_integrations(db: Database) -> None:
    """Know who has a webhook's secret without opening it; the start of a daemon notes it of those stored before."""
    _run(db, "ALTER TABLE integration ADD COLUMN is_signed INTEGER")


@migrations()
def m023_what_nodes_know(db: Database) -> None:
    """Know the last migration that each daemon's version knows, so that nothing is removed that it needs."""
    db.conn.execute("ALTER TABLE node ADD COLUMN knows TEXT NOT NULL DEFAULT ''")


@migrations()
def m024_who_hinted(db: Database) -> None:
    """Know by which event a ticket was told of that is to be read, and who is said to have changed what."""
    db.conn.execute("ALTER TABLE link ADD COLUMN hinted_by TEXT NOT NULL DEFAULT ''")


@migrations()
def m025_routing(db: Database) -> None:
    """Keep the rules by which incidents go to integrations, and where each incident was sent by them."""
    _run(
        db,
        """
        CREATE TABLE routing (
          organization TEXT NOT NULL, origin TEXT NOT NULL, rules TEXT NOT NULL, changed_at TEXT NOT NULL,
          changed_by TEXT NOT NULL, PRIMARY KEY (organization, origin)
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE incident ADD COLUMN route TEXT",
        "ALTER TABLE incident ADD COLUMN route_state TEXT",
        "CREATE INDEX incident_unsent ON incident (organization, route_state) WHERE route_state IS NOT NULL",
    )


@migrations()
def m026_links_that_differ(db: Database) -> None:
    """Count the links whose two sides differ without reading all of them."""
    db.conn.execute("CREATE INDEX link_differs ON link (integration_id) WHERE code = 'differs'")


@migrations()
def m027_notifiers(db: Database) -> None:
    """Keep who is told of what needs attention, what each was told, and whether messages arrive."""
    _run(
        db,
        """
        CREATE TABLE notifier (
          id TEXT PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
          secrets BLOB NOT NULL, created_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE notifier_state (
          id TEXT PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL, looked_at TEXT NOT NULL, tried_at TEXT,
          worked_at TEXT, failing_since TEXT, failures INTEGER NOT NULL DEFAULT 0, next_try TEXT,
          code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', fix TEXT NOT NULL DEFAULT ''
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE notice (
          notifier TEXT NOT NULL, key TEXT NOT NULL, organization TEXT NOT NULL, kind TEXT NOT NULL,
          integration_id TEXT NOT NULL, since TEXT NOT NULL, details TEXT NOT NULL, seen_at TEXT NOT NULL,
          told_at TEXT, ended_at TEXT, message TEXT NOT NULL DEFAULT '', PRIMARY KEY (notifier, key)
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m028_audit_log(db: Database) -> None:
    """Write down who did what, also of what was removed since: nothing refers to it."""
    _run(
        db,
        """
        CREATE TABLE audit_entry (
          id INTEGER PRIMARY KEY, at TEXT NOT NULL, organization TEXT NOT NULL, actor TEXT NOT NULL, via TEXT NOT NULL,
          act TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, changes TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX audit_entry_of_organization ON audit_entry (organization, id)",
        "CREATE INDEX audit_entry_by_time ON audit_entry (at)",
    )


@migrations()
def m029_lists(db: Database) -> None:
    """Sort and filter very many links without reading them whole, and find what happened at a time."""
    _run(db, *_LISTED)


@migrations()
def m030_figures(db: Database) -> None:
    """Count what happens by hour and by day, and how long requests take; what happened before is told from the rest."""
    db.conn.create_function("bucket_between", 2, _bucket_between)
    _run(db, *_FIGURES, *(one.format(bucket="bucket_between(link.created_at, created.at)") for one in TELL_FIGURES))


def _bucket_between(start: str, end: str) -> int:
    return bucket_of(must_read_time(end) - must_read_time(start))


@migrations()
def m031_delivery_log(db: Database) -> None:
    """Log what came in and what was called, with its bodies, and what is fed in again."""
    _run(
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
    _run(
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
    _run(
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
    _run(
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

_LISTED = (
    "CREATE INDEX timeline_at ON timeline (at, id)",
    LISTED_VIEW.format(later="max"),
    """
    CREATE TABLE link_listed (
      link_id INTEGER PRIMARY KEY REFERENCES link (id) ON DELETE CASCADE, organization TEXT NOT NULL,
      integration_id TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, is_settled INTEGER NOT NULL,
      is_open INTEGER NOT NULL, priority INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
      place TEXT NOT NULL
    ) STRICT
    """,
    LIST_LINKS,
    "CREATE INDEX link_listed_in_order ON link_listed (is_settled, link_id DESC)",
    *(f"CREATE TRIGGER {name} {when} BEGIN {what} END" for name, (when, what) in LISTING_TRIGGERS.items()),
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
