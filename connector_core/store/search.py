"""Finding links among very many: by state, integration, organization, and whatever stands in their ids and titles."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from connector_core.contract.models import Priority
from connector_core.store.records import NO_PRIORITY, Link, LinkFilter, LinkOrder
from connector_core.store.rows import LINK_COLUMNS, LINK_TABLES, NO_TESTS, read_link, write_time
from connector_core.store.statements import Connection

#: Priorities in the order in which `listing_schema` numbers them.
_RANKS = {**{priority.value: rank for rank, priority in enumerate(Priority)}, NO_PRIORITY: len(Priority)}
_ORDERS = {
    LinkOrder.ATTENTION: "is_settled, link_id DESC",
    LinkOrder.UPDATED: "updated_at DESC, link_id DESC",
    LinkOrder.NEWEST: "link_id DESC",
    LinkOrder.OLDEST: "link_id",
    LinkOrder.PRIORITY: "priority, link_id DESC",
}
_AT_ONCE = 500


@dataclass(frozen=True)
class _Where:
    """Conditions that must all hold, with the values of their question marks."""

    conditions: tuple[str, ...] = ()
    values: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""

    def also(self, condition: str, *values: object) -> _Where:
        return _Where((*self.conditions, condition), (*self.values, *values))

    def among(self, column: str, allowed: Collection[str]) -> _Where:
        return self.also(f"{column} IN ({marks(allowed)})", *allowed)


def find(db: Connection, wanted: LinkFilter) -> list[Link]:
    """Return links that fit, in the order that is asked for."""
    where = _where(wanted)
    if where is None:
        return []
    statement = listed(where.text, wanted.order)
    ids = [row[0] for row in db.execute(statement, (*where.values, wanted.limit, wanted.offset))]
    return [link for start in range(0, len(ids), _AT_ONCE) for link in _whole(db, ids[start : start + _AT_ONCE])]


def listed(where: str, order: LinkOrder) -> str:
    """Return the statement of a page of links."""
    return f"SELECT link_id FROM link_listed{where} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"  # noqa: S608 - fixed fragments


def count(db: Connection, wanted: LinkFilter) -> int:
    """Return how many links fit, on all pages."""
    where = _where(wanted)
    if where is None:
        return 0
    return int(db.execute(f"SELECT COUNT(*) FROM link_listed{where.text}", where.values).fetchone()[0])  # noqa: S608 - fixed fragments


def marks(values: Collection[object]) -> str:
    """Return as many question marks; an empty list is no SQL on PostgreSQL, and nothing is among nothing."""
    return ", ".join("?" * len(values)) or "NULL"


def containing(text: str) -> str:
    """Return a pattern of LIKE for whatever holds a text."""
    return "%" + "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in text) + "%"


def _where(wanted: LinkFilter) -> _Where | None:
    """Return the conditions; None when nothing can fit."""
    if "\0" in wanted.text or "\0" in wanted.place:
        return None  # it would end the pattern, and no text has one
    where = _Where((NO_TESTS.replace("link.id", "link_id"),))
    if wanted.organizations is not None:
        where = where.among("organization", wanted.organizations)
    if wanted.integration_id is not None:
        where = where.also("integration_id = ?", wanted.integration_id)
    if wanted.states:
        where = where.among("state", wanted.states)
    if wanted.without_codes:
        where = where.also(f"code NOT IN ({marks(wanted.without_codes)})", *wanted.without_codes)
    return _narrowed(where, wanted)


def _narrowed(where: _Where, wanted: LinkFilter) -> _Where:
    """Add what is asked of the incident, its ticket and their age."""
    if wanted.text:
        found = "link_id IN (SELECT link_id FROM link_text WHERE text LIKE ? ESCAPE '\\')"
        where = where.also(found, containing(wanted.text))
    if wanted.place:
        where = where.also("place LIKE ? ESCAPE '\\'", containing(wanted.place))
    if wanted.priority is not None:
        where = where.also("priority = ?", _RANKS.get(wanted.priority))
    if wanted.is_open is not None:
        where = where.also("is_open = ?", int(wanted.is_open))
    if wanted.created_since is not None:
        where = where.also("created_at >= ?", write_time(wanted.created_since))
    if wanted.created_before is not None:
        where = where.also("created_at < ?", write_time(wanted.created_before))
    return where


def _whole(db: Connection, ids: list[int]) -> list[Link]:
    rows = db.execute(f"SELECT {LINK_COLUMNS} FROM {LINK_TABLES} WHERE link.id IN ({marks(ids)})", ids)  # noqa: S608 - question marks
    by_id = {row["id"]: read_link(row) for row in rows}
    return [by_id[id_] for id_ in ids if id_ in by_id]
