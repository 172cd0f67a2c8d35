"""Many integrations, several nodes, routing, notifications, the audit log and lists."""

from __future__ import annotations

from sqlite_utils import Database

from connector_core.store.listing_schema import LIST_LINKS, LISTED_VIEW, LISTING_TRIGGERS
from connector_core.store.steps.sets import migrations, run


@migrations()
def m014_many_integrations(db: Database) -> None:
    """Tell which integrations changed since a version, where each one's site is, and whose a ticket may be."""
    run(
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
    run(
        db,
        "ALTER TABLE integration ADD COLUMN renewal_since TEXT",
        "CREATE INDEX integration_renewal ON integration (renewal_since) WHERE renewal_since IS NOT NULL",
    )


@migrations()
def m016_authorizations_of_somebody(db: Database) -> None:
    """Know who began an authorization, and hold what they bring back; those that are under way begin again."""
    run(
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
    run(
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
    run(
        db,
        "ALTER TABLE link ADD COLUMN looks_since TEXT",
        "CREATE INDEX link_without ON link (over_at) WHERE looks_since IS NOT NULL AND ticket_id IS NULL",
    )


@migrations()
def m019_nodes(db: Database) -> None:
    """Know the daemons of a database, until when a write of a lane may still be under way, and who waits for that."""
    run(
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
    run(
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
    run(
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
    run(db, "ALTER TABLE integration ADD COLUMN is_signed INTEGER")


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
    run(
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
    run(
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
    run(
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
    run(db, *_LISTED)


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
