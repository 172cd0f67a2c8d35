"""Encoded queries, `active=true^stateIN1,2^ORDERBYnumber`: what they mean, and which parts mean nothing.

A query is new queries (`^NQ`) of conditions (`^`) of alternatives (`^OR`). A part with an unknown column, an unknown
operator or a value that its column cannot have is invalid; whoever asks decides what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

_OPERATORS = (
    "NOT LIKE",
    "NOT IN",
    "STARTSWITH",
    "ENDSWITH",
    "ISNOTEMPTY",
    "ISEMPTY",
    "EMPTYSTRING",
    "ANYTHING",
    "BETWEEN",
    "DOESNOTCONTAIN",
    "LIKE",
    "IN",
    "!=",
    ">=",
    "<=",
    "=",
    ">",
    "<",
)
_CONDITION = re.compile(
    rf"(?P<column>[a-z0-9_.]+)(?P<operator>{'|'.join(map(re.escape, _OPERATORS))})(?P<value>.*)", re.DOTALL
)
_ORDER = re.compile(r"ORDERBY(?P<descending>DESC)?(?P<column>[a-z0-9_.]+)")
_BORDER = re.compile(r"\^(NQ|OR(?!DERBY)|EQ$|)")
_WITHOUT_VALUE = {"ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "ANYTHING"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column with a value."""

    column: str
    operator: str
    value: str


@dataclass(slots=True)
class Query:
    """What was asked. `groups` are alternatives as a whole; in each, every list of alternatives must hold."""

    groups: list[list[list[Condition]]] = field(default_factory=lambda: [[]])
    order: list[tuple[str, bool]] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def conditions(self) -> list[Condition]:
        """All comparisons."""
        return [one for group in self.groups for alternatives in group for one in alternatives]


Readable = Callable[[Condition], Condition | None]
Value = Callable[[str], str]


def parse(text: str, readable: Readable, has_column: Callable[[str], bool]) -> Query:
    """Read a query. `readable` turns a condition into the one to be compared, None when it means nothing."""
    query = Query()
    for border, part in _parts(text):
        if border == "NQ":
            query.groups.append([])
        if not part:
            continue
        if order := _ORDER.fullmatch(part):
            if has_column(order["column"]):
                query.order.append((order["column"], order["descending"] is not None))
            else:
                query.invalid.append(part)
            continue
        found = _CONDITION.fullmatch(part)
        condition = readable(Condition(found["column"], found["operator"], found["value"])) if found else None
        if condition is None:
            query.invalid.append(part)
        _place(query.groups[-1], condition, is_alternative=border == "OR")
    # A list without any valid part asks nothing, and a new query that asks nothing is none.
    query.groups = [[alternatives for alternatives in group if alternatives] for group in query.groups]
    query.groups = [group for group in query.groups if group]
    return query


def _place(group: list[list[Condition]], condition: Condition | None, *, is_alternative: bool) -> None:
    if not is_alternative or not group:
        group.append([])
    if condition is not None:
        group[-1].append(condition)


def _parts(text: str) -> Iterable[tuple[str, str]]:
    border, place = "", 0
    for found in _BORDER.finditer(text):
        yield border, text[place : found.start()]
        border, place = found[1], found.end()
    yield border, text[place:]


def matches(query: Query, value: Value, is_number: Callable[[str], bool], *, folded: bool) -> bool:
    """Say whether a row, read by `value`, is among those that were asked for."""

    def holds(condition: Condition) -> bool:
        return _holds(condition, value(condition.column), is_number=is_number(condition.column), folded=folded)

    return not query.groups or any(
        all(any(holds(one) for one in alternatives) for alternatives in group) for group in query.groups
    )


def _holds(condition: Condition, present: str, *, is_number: bool, folded: bool) -> bool:
    wanted = condition.value
    if folded:
        present, wanted = present.casefold(), wanted.casefold()
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: present == wanted,
        "!=": lambda: present != wanted,
        "IN": lambda: present in wanted.split(","),
        "NOT IN": lambda: present not in wanted.split(","),
        "LIKE": lambda: wanted in present,
        "NOT LIKE": lambda: wanted not in present,
        "DOESNOTCONTAIN": lambda: wanted not in present,
        "STARTSWITH": lambda: present.startswith(wanted),
        "ENDSWITH": lambda: present.endswith(wanted),
        "ISEMPTY": lambda: not present,
        "EMPTYSTRING": lambda: not present,
        "ISNOTEMPTY": lambda: bool(present),
        "ANYTHING": lambda: True,
        "BETWEEN": lambda: _between(present, wanted, is_number=is_number),
    }
    if condition.operator in tests:
        return tests[condition.operator]()
    # Nothing is neither before nor after anything.
    return bool(present) and _compared(present, condition.operator, wanted, is_number=is_number)


def _between(present: str, wanted: str, *, is_number: bool) -> bool:
    low, _, high = wanted.partition("@")
    return (
        bool(present)
        and _compared(present, ">=", low, is_number=is_number)
        and _compared(present, "<=", high, is_number=is_number)
    )


def _compared(present: str, operator: str, wanted: str, *, is_number: bool) -> bool:
    if is_number:
        left, right = float(present), float(wanted)
        sign = (left > right) - (left < right)
    else:
        sign = (present > wanted) - (present < wanted)
    return sign in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[operator]


def needs_value(operator: str) -> bool:
    """Say whether an operator compares with something."""
    return operator not in _WITHOUT_VALUE


def ordered(
    rows: Sequence[dict[str, str]], query: Query, key: Callable[[dict[str, str], str], tuple[float, str]]
) -> list[dict[str, str]]:
    """Sort rows as asked; what is equal stays in the order in which it was made."""
    result = list(rows)
    for column, is_descending in reversed(query.order):
        result.sort(key=lambda row: key(row, column), reverse=is_descending)
    return result
