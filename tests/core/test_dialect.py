"""Statements are written once and translated; what is not understood is refused."""

from __future__ import annotations

from enum import StrEnum

import pytest

from connector_core.contract.models import FieldName
from connector_core.store import lanes, links
from connector_core.store.dialect import NotUnderstood, plain, translate


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("SELECT a FROM t WHERE b = ? AND c = ?", "SELECT a FROM t WHERE b = $1 AND c = $2"),
        ("UPDATE t SET a = ?2 WHERE b = ?1 OR c = ?2", "UPDATE t SET a = $2 WHERE b = $1 OR c = $2"),
        ("SELECT MIN(a) FROM t", "SELECT MIN(a) FROM t"),
        ("SELECT MIN(COALESCE(a, 1), ?) FROM t", "SELECT LEAST(COALESCE(a, 1), $1) FROM t"),
        ("SELECT MAX(MIN(a, b), MAX(c)) FROM t", "SELECT GREATEST(LEAST(a, b), MAX(c)) FROM t"),
        ("SELECT MAX(COALESCE(a, b)) FROM t", "SELECT MAX(COALESCE(a, b)) FROM t"),
        ("SELECT a FROM t WHERE b LIKE ? ESCAPE '\\'", "SELECT a FROM t WHERE b ILIKE $1 ESCAPE '\\'"),
        ("SELECT 1 FROM t WHERE a = ? /* FOR UPDATE */", "SELECT 1 FROM t WHERE a = $1 FOR UPDATE"),
        ("SELECT 1 FROM t /* FOR UPDATE SKIP LOCKED */", "SELECT 1 FROM t FOR UPDATE SKIP LOCKED"),
        ("SELECT 1 FROM t WHERE +t.a = ? AND b + 1 = 2", "SELECT 1 FROM t WHERE t.a = $1 AND b + 1 = 2"),
        ("DELETE FROM t WHERE a = 'why? MIN(1, 2) like'", "DELETE FROM t WHERE a = 'why? MIN(1, 2) like'"),
        ('DELETE FROM "like" WHERE "min" = ?', 'DELETE FROM "like" WHERE "min" = $1'),
        ("UPDATE t SET a = 'it''s' || ?", "UPDATE t SET a = 'it''s' || $1"),
    ],
)
def test_a_statement_is_said_as_postgresql_says_it(written, said):
    """What both understand stays as it is, also what stands in texts and names."""
    assert translate(written) == said


@pytest.mark.parametrize(
    "written",
    [
        "",
        "PRAGMA journal_mode",
        "CREATE TABLE t (a)",
        "INSERT OR REPLACE INTO t VALUES (1)",
        "INSERT OR IGNORE INTO t VALUES (1)",
        "SELECT rowid FROM t",
        "SELECT json_set(a, '$.b', 1) FROM t",
        "SELECT strftime('%Y', 'now')",
        "SELECT a FROM t LIMIT -1 OFFSET 3",
        "SELECT a FROM t WHERE b GLOB 'x*'",
        "SELECT a FROM t WHERE b = ? AND c = ?2",
        "SELECT a FROM t WHERE b = :name",
        "SELECT a FROM t WHERE b == 1",
        "SELECT a % 2 FROM t",
        "SELECT a FROM t -- and a word",
        "SELECT a /* why */ FROM t",
        "SELECT 'open FROM t",
    ],
)
def test_what_is_not_known_is_refused(written):
    """Half understood it might mean something else there."""
    with pytest.raises(NotUnderstood):
        translate(written)


def test_the_check_of_a_claim_and_its_taking_lock_the_lane():
    """Whoever takes a lane over waits for a write under its claim, and nobody who claims waits for writers."""
    assert translate(lanes.HELD).endswith("FOR UPDATE")
    assert "FOR UPDATE SKIP LOCKED)" in translate(lanes.TAKE.format(marks="?3"))
    assert "FOR UPDATE" not in translate(links.FINISHED)


def test_values_are_plain():
    """Columns hold numbers and texts; a text with U+0000 in it, which PostgreSQL refuses, is stored without."""

    class Name(StrEnum):
        ONE = "one"

    values = plain([True, False, None, 1, 1.5, "a\0b", "a", b"\0", Name.ONE, FieldName.TITLE])

    assert values == [1, 0, None, 1, 1.5, "ab", "a", b"\0", "one", "title"]
    assert [type(value) for value in values] == [int, int, type(None), int, float, str, str, bytes, str, str]
