"""What statements run on: a connection, the cursor that it answers with, and rows.

Statements stand once, in the modules of their nouns, in what every database here understands:

- `?` for values in their order, or `?1`, `?2` … by number; never both in one statement.
- A value that only `IS NULL` looks at has its type said: `CAST(?1 AS TEXT) IS NULL`.
- True and false are 1 and 0, in columns and among values; what is compared gives a condition, not a number:
  `CASE WHEN … THEN 1 ELSE 0 END`.
- `ON CONFLICT (key, …)` names its columns, a column of the row that was there its table, a subquery in FROM itself.
- `MIN` and `MAX` of several values are given none that is NULL: what then comes of it differs.
- `LIKE` takes the letters of English as equal, large or small.
- What a transaction reads and then relies on, whoever else writes it, is locked: `/* FOR UPDATE */` ends a SELECT. A
  database with one writer takes it for a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol


class Row(Protocol):
    """A row: its values by name or place."""

    def __getitem__(self, key: Any, /) -> Any:  # noqa: ANN401 - columns have types, rows have not
        """Return one value."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Go through the values."""
        ...


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row, or None
        """Return the next row."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows."""
        ...


class Connection(Protocol):
    """Where statements run, in a transaction if they change something."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each of some rows of values."""
        ...
