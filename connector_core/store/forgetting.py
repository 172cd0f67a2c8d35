"""What is kept, table by table: for how long, or bounded by what. Nothing grows for ever by itself.

`KEPT` is the one place that says it; *What is kept* in `docs/operations.md` repeats its words. What goes by age is
forgotten by the hour, a few rows in a transaction, since others want to write too. What is bounded by number is kept so
by whoever adds to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector_core.store import (
    audit,
    configuration,
    delivery_log,
    early,
    figures,
    integrations,
    knowledge,
    life,
    link_settings,
    looks,
    notifiers,
    replays,
    round_trips,
    runs,
    timeline,
    webhooks,
)
from connector_core.store.nouns import EVERYBODY, Noun, writes
from connector_core.store.rows import write_time
from connector_core.store.statements import Connection

RECEIVED_FOR = timedelta(days=14)
UNLINKED_FOR = timedelta(days=30)
REFUSED_FOR = ACTIVITY_FOR = UNREAD_FOR = timedelta(days=90)
UNTRIED_FOR = timedelta(days=30)
ENDED_FOR = timedelta(days=1)
PREFERRED_FOR = timedelta(days=400)

_Forget = Callable[[Connection, datetime, int], int]

#: An incident without a link has a time in `unlinked_since`, which triggers keep; those are few, and indexed.
UNLINKED = "SELECT organization, id FROM incident WHERE unlinked_since < ? LIMIT ?"
UNTRIED = "DELETE FROM breaker WHERE until < ? AND NOT EXISTS (SELECT 1 FROM lane WHERE lane.breaker = breaker.key)"
_OLD_ACTIVITY = (
    "SELECT integration_id, hour FROM activity WHERE hour < substr(?, 1, 13)"
    " AND hour < (SELECT MAX(hour) FROM activity AS last WHERE last.integration_id = activity.integration_id) LIMIT ?"
)


@dataclass(frozen=True)
class Kept:
    """How long the rows of a table are kept, or what bounds their number, in words; `forget` deletes some of the rest.

    It returns how many, and is asked again while it finds as many as it may.
    """

    table: str
    how: str
    forget: _Forget | None = None


def _older(table: str, key: str, column: str, kept_for: timedelta) -> _Forget:
    """Return what deletes rows whose time lies further back."""
    statement = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {column} < ? LIMIT ?)"  # noqa: S608 - ours

    def forget(db: Connection, now: datetime, most: int) -> int:
        return db.execute(statement, (write_time(now - kept_for), most)).rowcount

    return forget


def _unlinked(db: Connection, now: datetime, most: int) -> int:
    found = db.execute(UNLINKED, (write_time(now - UNLINKED_FOR), most)).fetchall()
    db.executemany("DELETE FROM incident WHERE organization = ? AND id = ?", found)
    return len(found)


def _untried(db: Connection, now: datetime, _: int) -> int:
    return db.execute(UNTRIED, ((now - UNTRIED_FOR).timestamp(),)).rowcount


def _undone(db: Connection, now: datetime, _: int) -> int:
    return db.execute("DELETE FROM duty WHERE due_at < ?", ((now - UNTRIED_FOR).timestamp(),)).rowcount


def _unused_notifiers(db: Connection, now: datetime, most: int) -> int:
    return notifiers.forget_unused(db, now - UNTRIED_FOR, most)


def _paces(db: Connection, now: datetime, _: int) -> int:
    return db.execute("DELETE FROM pace WHERE until < ?", ((now - ENDED_FOR).timestamp(),)).rowcount


def _old_activity(db: Connection, now: datetime, most: int) -> int:
    found = db.execute(_OLD_ACTIVITY, (write_time(now - ACTIVITY_FOR), most)).fetchall()
    db.executemany("DELETE FROM activity WHERE integration_id = ? AND hour = ?", found)
    return len(found)


def _unread_cursors(db: Connection, now: datetime, most: int) -> int:
    """Delete cursors of sources that nobody has looked at for long; a look that shows nothing new keeps its cursor."""
    db.execute(
        "UPDATE source_cursor SET read_at = MAX(COALESCE(read_at, ?1), COALESCE((SELECT looked_at FROM source_state"
        " WHERE source_state.organization = source_cursor.organization), '')) WHERE read_at IS NULL OR read_at < ?2",
        (write_time(now), write_time(now - timedelta(days=1))),
    )
    return _old_cursors(db, now, most)


_old_cursors = _older("source_cursor", "organization", "read_at", UNREAD_FOR)
_AS_LINK = "as long as its link"
_ONE_EACH = "one for each integration, and gone with it"

KEPT = (
    Kept("node", f"while it runs, and {ENDED_FOR.days} day after its end", _older("node", "id", "ended_at", ENDED_FOR)),
    Kept("duty", f"while it is done, and {UNTRIED_FOR.days} days after it was due last", _undone),
    Kept("config_file", f"the latest {configuration.MOST_PLACES:,} places that a daemon read its file at"),
    Kept("integration", "until someone removes it"),
    Kept("source", "until someone removes it"),
    Kept("routing", "one for each organization with rules, or two where the file has some beside those made here"),
    Kept(
        "link",
        "for ever, or as `history.keep` says once incident and ticket are over; one whose ticket was looked for in vain"
        f" {looks.KEPT_FOR.days} days",
        looks.forget,
    ),
    Kept(
        "round_trip",
        f"the latest {round_trips.KEPT_TRIPS} test incidents of each integration; the links of those that are over"
        f" {round_trips.KEPT_FOR.days} days",
        round_trips.forget,
    ),
    Kept("lane", _AS_LINK),
    Kept("link_text", _AS_LINK),
    Kept("link_listed", _AS_LINK),
    Kept("timeline", f"{_AS_LINK}, the latest {timeline.MOST_ENTRIES:,} entries of each"),
    Kept("comment", f"{_AS_LINK}; without its text once it needs no syncing"),
    Kept(
        "incident",
        f"as long as it has a link; without one {UNLINKED_FOR.days} days after the last news of it",
        _unlinked,
    ),
    Kept("event", f"{RECEIVED_FOR.days} days", _older("event", "seq", "received_at", RECEIVED_FOR)),
    Kept("delivery", f"{RECEIVED_FOR.days} days", _older("delivery", "seq", "received_at", RECEIVED_FOR)),
    Kept("early_ticket", f"{early.KEPT_FOR.seconds // 60} minutes", lambda db, now, _: early.drop_old(db, now)),
    Kept("early_hint", f"{early.KEPT_FOR.seconds // 60} minutes; with `early_ticket`"),
    Kept(
        "delivery_log",
        f"as `delivery_log.keep` says, the latest {delivery_log.MOST_ENTRIES:,}; of what was refused the latest"
        f" {delivery_log.MOST_REFUSED:,} of each organization; up to {delivery_log.MOST_SAMPLES} samples of each",
    ),
    Kept(
        "delivery_payload",
        "as `delivery_log.payloads` and `delivery_log.most` say; of samples as long as these",
    ),
    Kept("replay", f"the latest {replays.MOST_REPLAYS:,}"),
    Kept("settings_run", f"{link_settings.KEPT_FOR.days} days after its end", link_settings.forget),
    Kept("settings_change", "as long as its `settings_run` and its link"),
    Kept("audit_entry", f"{audit.KEPT_FOR.days} days", audit.forget),
    Kept("link_count", "one for each state that links of an integration were in, and gone with it"),
    Kept("activity", f"{ACTIVITY_FOR.days} days, and the last hour of each integration", _old_activity),
    Kept(
        "figure",
        f"hours {figures.HOURS_FOR.days} days, days {figures.DAYS_FOR.days} days; one row for all that ever was of each"
        " integration",
        figures.forget,
    ),
    Kept(
        "figure_time",
        f"hours {figures.HOURS_FOR.days} days, days {figures.DAYS_FOR.days} days",
        figures.forget_times,
    ),
    Kept("run", f"the latest {runs.KEPT_RUNS} of each kind and outcome of an integration"),
    Kept("knowledge", f"the latest {knowledge.MOST_KEYS:,} things learnt of each integration"),
    Kept("checkup", _ONE_EACH),
    Kept("webhook_secret_change", _ONE_EACH),
    Kept("hook_registration", _ONE_EACH),
    Kept("hook_fact", f"the latest {webhooks.MOST_FACTS} of each integration", webhooks.forget_facts),
    Kept("hook_token", "one for each plugin"),
    Kept(
        "refused_delivery",
        f"{REFUSED_FOR.days} days after the last of its kind",
        _older("refused_delivery", "route, code", "last_at", REFUSED_FOR),
    ),
    Kept(
        "answer_label",
        f"{integrations.MOST_LABELS} for each integration: beyond that those of today's answers only",
    ),
    Kept("source_label", f"{integrations.MOST_LABELS} for each source: beyond that those of today's answers only"),
    Kept(
        "source_cursor",
        f"one for each organization; {UNREAD_FOR.days} days after its source was last read",
        _unread_cursors,
    ),
    Kept(
        "source_state",
        f"one for each organization; {UNREAD_FOR.days} days after its source was last read",
        _older("source_state", "organization", "looked_at", UNREAD_FOR),
    ),
    Kept("organization_name", "one for each organization that was given a name in set-up"),
    Kept("notifier", "until someone removes it"),
    Kept("notifier_state", f"one for each notifier, and {UNTRIED_FOR.days} days after its end", _unused_notifiers),
    Kept("notice", "while its condition lasts, and until its end was told; with `notifier_state`"),
    Kept("breaker", f"until the place works, or {UNTRIED_FOR.days} days after nobody needs it any more", _untried),
    Kept("pace", f"{ENDED_FOR.days} day after a site was near its limit", _paces),
    Kept(
        "authorization",
        f"until it is taken over, or {ENDED_FOR.days} day after its end",
        _older('"authorization"', "state", "expires_at", ENDED_FOR),
    ),
    Kept(
        "console_session",
        f"until logout, or {ENDED_FOR.days} day after its end",
        _older("console_session", "token", "expires_at", ENDED_FOR),
    ),
    Kept(
        "console_preference",
        f"one for each person who chose a time zone or a theme; {PREFERRED_FOR.days} days after they last signed in",
        _older("console_preference", "person", "used_at", PREFERRED_FOR),
    ),
    Kept("handover", f"{ENDED_FOR.days} day after its end", _older("handover", "token", "expires_at", ENDED_FOR)),
    Kept(
        "meta",
        f"one row for each thing that is noted; the names of the latest {life.MOST_REMOVED:,} removed integrations",
    ),
)


def forget(db: Connection, kept: Kept, now: datetime, most: int) -> int:
    """Delete some of what a table need not keep, return how many; all is gone when that is fewer than `most`."""
    return 0 if kept.forget is None else kept.forget(db, now, most)


class Forgetting(Noun):
    """What is forgotten by its age."""

    forget = writes(forget, EVERYBODY)
