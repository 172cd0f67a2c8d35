"""Finding links among very many: by state, integration, organization, and whatever stands in their ids and titles."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from connector_core.store.records import Link, LinkFilter
from connector_core.store.rows import LINK_COLUMNS, LINK_TABLES, read_link
from connector_core.store.statements import Connection

REST = "in_sync"


@dataclass(frozen=True)
class _Where:
    """Conditions that must all hold, with the values of their question marks."""

    conditions: tuple[str, ...] = ()
    values: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        return " AND ".join(self.conditions)

    def also(self, condition: str, *values: object) -> _Where:
        return _Where((*self.conditions, condition), (*self.values, *values))

    def among(self, column: str, allowed: Collection[str]) -> _Where:
        return self.also(f"{column} IN ({_marks(allowed)})", *allowed)


def find(db: Connection, wanted: LinkFilter) -> list[Link]:
    """Return links that fit, those that are not in sync first, then the newest."""
    if "\0" in wanted.text:
        return []  # it would end the pattern, and no text has one
    ids: list[int] = []
    offset = wanted.offset
    for part in _parts(wanted):
        ids += _ids(db, part, wanted.limit - len(ids), offset)
        if len(ids) >= wanted.limit:
            break
        offset = max(0, offset - _count(db, part)) if offset else 0
    return _whole(db, ids)


def _parts(wanted: LinkFilter) -> Iterator[_Where]:
    """Ask for what is not in sync, then for what is.

    A plus sign keeps SQLite from an index that would then have to be sorted: walking back from the newest link is
    quicker wherever most links fit.
    """
    where = _Where()
    if wanted.organizations is not None:
        where = where.among("+link.organization", wanted.organizations)
    if wanted.integration_id is not None:
        where = where.also("+link.integration_id = ?", wanted.integration_id)
    if wanted.text:
        found = "link.id IN (SELECT link_id FROM link_text WHERE text LIKE ? ESCAPE '\\')"
        where = where.also(found, _containing(wanted.text))
    if not wanted.states:
        yield where.also("link.state != ?", REST)
    elif unfinished := wanted.states - {REST}:
        yield where.among("link.state", unfinished)
    if not wanted.states or REST in wanted.states:
        yield where.also("+link.state = ?", REST)


def _ids(db: Connection, where: _Where, limit: int, offset: int) -> list[int]:
    statement = f"SELECT link.id FROM link WHERE {where.text} ORDER BY link.id DESC LIMIT ? OFFSET ?"  # noqa: S608 - fixed fragments
    return [row[0] for row in db.execute(statement, (*where.values, limit, offset))]


def _count(db: Connection, where: _Where) -> int:
    return int(db.execute(f"SELECT COUNT(*) FROM link WHERE {where.text}", where.values).fetchone()[0])  # noqa: S608 - fixed fragments


def _whole(db: Connection, ids: list[int]) -> list[Link]:
    rows = db.execute(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id IN ({_marks(ids)})", ids)  # noqa: S608 - question marks
    by_id = {row["id"]: read_link(row) for row in rows}
    return [by_id[id_] for id_ in ids if id_ in by_id]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _containing(text: str) -> str:
    """Return a pattern of LIKE for whatever holds a text."""
    return "%" + "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in text) + "%"
