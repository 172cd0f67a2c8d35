"""Other settings for open links: a run is begun in one transaction, done link by link, and can be taken back.

A link has its former settings in the run that changed them. It is changed only while it still has those that the run
began with: whatever happened to it meanwhile stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector_core.contract.setup_steps import answer_to, in_words
from connector_core.store import audit, integrations, lanes, timeline
from connector_core.store.nouns import Noun, reads, writes
from connector_core.store.records import (
    DISCARDED,
    About,
    Act,
    ChangeState,
    Left,
    SameSettings,
    SettingsChange,
    SettingsRun,
    Subject,
    TimelineEntry,
    TimelineKind,
)
from connector_core.store.rows import must_read_time, read_time, write_json, write_time
from connector_core.store.statements import Connection, Row

#: So long a run that has ended can be looked at and taken back.
KEPT_FOR = timedelta(days=90)
MOST_RUNS = 20

# An unlinked incident has no settings that matter.
_OPEN = "integration_id = ?1 AND is_open = 1 AND code != ?2"
_UNMADE = "(ticket_id IS NULL AND attempted_at IS NULL)"
GROUPED = (
    f"SELECT settings, CASE WHEN {_UNMADE} THEN 1 ELSE 0 END AS is_unmade, COUNT(*) AS links FROM link"  # noqa: S608 - ours
    f" WHERE {_OPEN} GROUP BY 1, 2 ORDER BY 1, 2"
)
#: The same of those with other settings than some: where nearly all have these, next to nothing is sorted.
GROUPED_OTHERS = GROUPED.replace(" GROUP BY", " AND settings != ?3 GROUP BY")
TAKEN_IN = (
    "INSERT INTO settings_change (run_id, link_id, before, after, state)"  # noqa: S608 - as above
    f" SELECT ?3, id, settings, ?5, 'waiting' FROM link WHERE {_OPEN} AND settings = ?4"
    f" AND CASE WHEN {_UNMADE} THEN 1 ELSE 0 END = ?6"
)
LISTED = (
    "SELECT id, COALESCE(ticket_key, incident_id) AS name FROM link"  # noqa: S608 - as above
    f" WHERE {_OPEN} AND settings = ?3 AND CASE WHEN {_UNMADE} THEN 1 ELSE 0 END = ?4 ORDER BY id LIMIT ?5"
)


def same_settings(db: Connection, integration_id: str) -> list[SameSettings]:
    """Return how many open links have which settings."""
    rows = db.execute(GROUPED, (integration_id, DISCARDED)).fetchall()
    return [SameSettings(json.loads(row["settings"]), bool(row["is_unmade"]), row["links"]) for row in rows]


def other_settings(db: Connection, integration_id: str, present: Mapping[str, object]) -> list[SameSettings]:
    """Return the same of those that have not just the present settings."""
    rows = db.execute(GROUPED_OTHERS, (integration_id, DISCARDED, write_json(dict(present)))).fetchall()
    return [SameSettings(json.loads(row["settings"]), bool(row["is_unmade"]), row["links"]) for row in rows]


def having(db: Connection, integration_id: str, group: SameSettings, most: int) -> list[tuple[int, str]]:
    """Return some of the open links that have these settings, each with the key of its ticket, or of its incident."""
    values = (integration_id, DISCARDED, write_json(dict(group.settings)), int(group.is_unmade), most)
    return [(row["id"], row["name"]) for row in db.execute(LISTED, values).fetchall()]


def begin(  # noqa: PLR0913, PLR0917 - what is begun, by whom and when
    db: Connection,
    integration_id: str,
    settings: Mapping[str, object],
    wanted: Sequence[tuple[SameSettings, Mapping[str, object]]],
    by: str,
    now: datetime,
) -> int | None:
    """Begin a run over groups of open links, each with its new settings; None while another one is under way."""
    run_id = _begun(db, integration_id, settings, None, by, now)
    if run_id is None:
        return None
    for group, after in wanted:
        before = write_json(dict(group.settings))
        values = (integration_id, DISCARDED, run_id, before, write_json(dict(after)), int(group.is_unmade))
        db.execute(TAKEN_IN, values)
    _note(db, Act.SETTINGS_APPLIED, run_id, integration_id, settings)
    return run_id


def undo(  # noqa: PLR0913, PLR0917 - as above
    db: Connection, integration_id: str, run_id: int, by: str, now: datetime, link_id: int | None
) -> int | None:
    """Begin a run that gives links back what a run took from them, all or one; None while another is under way.

    Where nothing is left of it to take back, the new run has no link.
    """
    row = db.execute("SELECT settings FROM settings_run WHERE id = ?", (run_id,)).fetchone()
    settings = json.loads(row["settings"])
    undoing = _begun(db, integration_id, settings, run_id, by, now)
    if undoing is None:
        return None
    db.execute(
        "INSERT INTO settings_change (run_id, link_id, before, after, state)"
        " SELECT ?1, link_id, after, before, 'waiting' FROM settings_change"
        " WHERE run_id = ?2 AND state = 'done' AND (CAST(?3 AS BIGINT) IS NULL OR link_id = CAST(?3 AS BIGINT))",
        (undoing, run_id, link_id),
    )
    _note(db, Act.SETTINGS_UNDONE, undoing, integration_id, {})
    return undoing


def _begun(  # noqa: PLR0913, PLR0917 - as above
    db: Connection,
    integration_id: str,
    settings: Mapping[str, object],
    undoes: int | None,
    by: str,
    now: datetime,
) -> int | None:
    under_way = db.execute(
        "SELECT 1 FROM settings_run WHERE integration_id = ? AND ended_at IS NULL", (integration_id,)
    ).fetchone()
    if under_way is not None:
        return None
    (run_id,) = db.execute(
        "INSERT INTO settings_run (integration_id, settings, undoes, made_by, made_at) VALUES (?, ?, ?, ?, ?)"
        " RETURNING id",
        (integration_id, write_json(dict(settings)), undoes, by, write_time(now)),
    ).fetchone()
    return int(run_id)


def _note(db: Connection, act: Act, run_id: int, integration_id: str, settings: Mapping[str, object]) -> None:
    (links,) = db.execute("SELECT COUNT(*) FROM settings_change WHERE run_id = ?", (run_id,)).fetchone()
    (organization,) = db.execute("SELECT organization FROM integration WHERE id = ?", (integration_id,)).fetchone()
    told = {"open incidents": (None, str(links)), **{name: (None, str(value)) for name, value in settings.items()}}
    audit.note(db, act, About(Subject.INTEGRATION, integration_id, organization), told)


def waiting(db: Connection, run_id: int, most: int) -> list[SettingsChange]:
    """Return some links that a run has not come to yet."""
    rows = db.execute(
        "SELECT * FROM settings_change WHERE run_id = ? AND state = 'waiting' ORDER BY link_id LIMIT ?", (run_id, most)
    )
    return [_read_change(row) for row in rows.fetchall()]


def carry_out(
    db: Connection, integration_id: str, run: SettingsRun, done: Sequence[tuple[int, str]], now: datetime
) -> int:
    """Give links of a run their new settings, or leave those with a reason as they are; return how many have new ones.

    Each is woken: what it waited for may have been its settings.
    """
    changed, labels = 0, integrations.labels(db, integration_id)
    for link_id, reason in done:
        row = db.execute(
            "SELECT settings_change.*, link.settings, link.is_open FROM settings_change"
            " JOIN link ON link.id = settings_change.link_id"
            " WHERE settings_change.run_id = ? AND settings_change.link_id = ?"
            " AND settings_change.state = 'waiting' AND link.integration_id = ?",
            (run.id, link_id, integration_id),
        ).fetchone()
        if row is None:  # another node was faster, or it is gone
            continue
        why = reason or _obstacle(row)
        state = ChangeState.LEFT if why else ChangeState.DONE
        db.execute(
            "UPDATE settings_change SET state = ?, reason = ? WHERE run_id = ? AND link_id = ?",
            (state, why, run.id, link_id),
        )
        if not why:
            _change(db, run, _read_change(row), labels, now)
            changed += 1
    return changed


def _obstacle(row: Row) -> str:
    if row["settings"] != row["before"]:
        return Left.CHANGED
    return "" if row["is_open"] else Left.CLOSED


def _change(
    db: Connection,
    run: SettingsRun,
    change: SettingsChange,
    labels: Mapping[tuple[str, str], str],
    now: datetime,
) -> None:
    db.execute("UPDATE link SET settings = ? WHERE id = ?", (write_json(dict(change.after)), change.link_id))
    if run.undoes is not None:
        db.execute(
            "UPDATE settings_change SET state = 'undone' WHERE run_id = ? AND link_id = ?",
            (run.undoes, change.link_id),
        )
    kind = TimelineKind.SETTINGS_APPLIED if run.undoes is None else TimelineKind.SETTINGS_UNDONE
    told = {name: [_in_words(labels, name, one) for one in pair] for name, pair in change.changed.items()}
    values = {"by": run.made_by, **told}
    timeline.append(db, change.link_id, (TimelineEntry(kind, "connector", now, values),))
    lanes.wake(db, change.link_id, now)


def _in_words(labels: Mapping[tuple[str, str], str], name: str, value: object) -> str | None:
    """Return a setting with the name that people read for it, as it is today."""
    text = "" if value is None else answer_to({name: value}, name)
    return in_words(text, labels.get((name, text))) if text else None


def end(db: Connection, integration_id: str, run_id: int, now: datetime) -> bool:
    """Note that a run has come to all its links; False while some wait."""
    return bool(
        db.execute(
            "UPDATE settings_run SET ended_at = ?1 WHERE id = ?2 AND integration_id = ?3 AND ended_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM settings_change WHERE run_id = ?2 AND state = 'waiting')",
            (write_time(now), run_id, integration_id),
        ).rowcount
    )


def under_way(db: Connection) -> dict[str, int]:
    """Return the run that is under way of each integration that has one."""
    rows = db.execute("SELECT integration_id, id FROM settings_run WHERE ended_at IS NULL ORDER BY id").fetchall()
    return {row["integration_id"]: row["id"] for row in rows}


def runs(db: Connection, integration_id: str) -> list[SettingsRun]:
    """Return the latest runs of an integration, the latest first."""
    rows = db.execute(
        "SELECT * FROM settings_run WHERE integration_id = ? ORDER BY id DESC LIMIT ?", (integration_id, MOST_RUNS)
    )
    return [_read_run(db, row) for row in rows.fetchall()]


def get(db: Connection, run_id: int) -> SettingsRun | None:
    """Return one run."""
    row = db.execute("SELECT * FROM settings_run WHERE id = ?", (run_id,)).fetchone()
    return None if row is None else _read_run(db, row)


def left(db: Connection, run_id: int, most: int) -> list[SettingsChange]:
    """Return some links that a run left as they were, and why."""
    rows = db.execute(
        "SELECT * FROM settings_change WHERE run_id = ? AND state = 'left' ORDER BY link_id LIMIT ?", (run_id, most)
    )
    return [_read_change(row) for row in rows.fetchall()]


def of_link(db: Connection, link_id: int) -> SettingsChange | None:
    """Return the latest change of a link's settings that was not taken back, nor took one back itself."""
    row = db.execute(
        "SELECT settings_change.* FROM settings_change JOIN settings_run ON settings_run.id = run_id"
        " WHERE link_id = ? AND state = 'done' AND undoes IS NULL ORDER BY run_id DESC LIMIT 1",
        (link_id,),
    ).fetchone()
    return None if row is None else _read_change(row)


def forget(db: Connection, now: datetime, most: int) -> int:
    """Delete some runs that ended long ago, with their links' former settings."""
    return db.execute(
        "DELETE FROM settings_run WHERE id IN (SELECT id FROM settings_run WHERE ended_at < ? ORDER BY id LIMIT ?)",
        (write_time(now - KEPT_FOR), most),
    ).rowcount


def _read_run(db: Connection, row: Row) -> SettingsRun:
    counted = db.execute(
        "SELECT state, COUNT(*) AS links FROM settings_change WHERE run_id = ? GROUP BY state", (row["id"],)
    )
    return SettingsRun(
        id=row["id"],
        integration_id=row["integration_id"],
        settings=json.loads(row["settings"]),
        undoes=row["undoes"],
        made_by=row["made_by"],
        made_at=must_read_time(row["made_at"]),
        ended_at=read_time(row["ended_at"]),
        counts={ChangeState(one["state"]): one["links"] for one in counted.fetchall()},
    )


def _read_change(row: Row) -> SettingsChange:
    return SettingsChange(
        run_id=row["run_id"],
        link_id=row["link_id"],
        before=json.loads(row["before"]),
        after=json.loads(row["after"]),
        state=ChangeState(row["state"]),
        reason=row["reason"],
    )


class LinkSettings(Noun):
    """Other settings for open links."""

    same_settings = reads(same_settings)
    other_settings = reads(other_settings)
    having = reads(having)
    begin = writes(begin)
    undo = writes(undo)
    waiting = reads(waiting)
    carry_out = writes(carry_out)
    end = writes(end)
    under_way = reads(under_way)
    runs = reads(runs)
    get = reads(get)
    left = reads(left)
    of_link = reads(of_link)
