"""Reads the part of JQL that a connector needs: clauses joined by AND, and ORDER BY.

`parse` gives a query that can judge an issue; everything that it does not know is refused, never ignored.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from connector_jira_jsm_sandbox.issue import Fields, Issue
from connector_jira_jsm_sandbox.profile import User
from connector_jira_jsm_sandbox.site import Site

Judge = Callable[[Issue, Fields], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>!=|!~|<=|>=|[=<>~(),])|(?P<word>[^\s=<>!~(),"']+))"""
)
_RELATIVE = re.compile(r"^([+-]?)(\d+)([wdhm])$")
_ABSOLUTE = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}
_ALIASES = {"issue": "key", "issuekey": "key", "id": "key", "statuscategory": "statuscategory", "type": "issuetype"}
_SORTS: dict[str, Callable[[Issue, Fields], object]] = {
    "created": lambda issue, _: issue.created,
    "updated": lambda _, fields: fields.updated,
    "key": lambda issue, _: int(issue.id),
    "priority": lambda _, fields: int(fields.priority_id),
    "summary": lambda _, fields: fields.summary,
    "status": lambda _, fields: fields.status_id,
}
_MOST_SORTS = 7


class BadQuery(ValueError):
    """A query that the site refuses; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query that has been read: what must hold, and the order as (field, is falling)."""

    clauses: tuple[Judge, ...]
    order: tuple[tuple[str, bool], ...]

    def accepts(self, issue: Issue, fields: Fields) -> bool:
        """Return whether an issue matches."""
        return all(clause(issue, fields) for clause in self.clauses)

    def ordered(self, found: list[tuple[Issue, Fields]]) -> list[tuple[Issue, Fields]]:
        """Sort what was found; without an order the newest come first."""
        ranked = sorted(found, key=lambda pair: int(pair[0].id), reverse=True)
        for name, falling in reversed(self.order):
            sort = _SORTS[name]
            ranked.sort(key=lambda pair, sort=sort: sort(*pair), reverse=falling)  # type: ignore[misc]  # keys of one sort compare
        return ranked


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool = False

    @property
    def word(self) -> str:
        """The token as a keyword; quoted text is none."""
        return "" if self.quoted else self.text.upper()


def parse(text: str, site: Site, reader: User) -> Query:
    """Read a query for a person, whose time zone decides what a bare date means."""
    return _Parser(_tokens(text), site, reader).query()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadQuery(f"Error in the JQL Query: The character at position {position + 1} is not expected.")
        position = match.end()
        if quoted := match["quoted"]:
            tokens.append(_Token(re.sub(r"\\(.)", r"\1", quoted[1:-1]), quoted=True))
        else:
            tokens.append(_Token(match["sign"] or match["word"]))
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], site: Site, reader: User) -> None:
        self._tokens = tokens
        self._site = site
        self._reader = reader

    def query(self) -> Query:
        clauses: list[Judge] = []
        while self._tokens and self._tokens[0].word != "ORDER":
            clauses.append(self._clause())
            if self._tokens and self._tokens[0].word == "AND":
                self._tokens.pop(0)
                if not self._tokens or self._tokens[0].word == "ORDER":
                    raise BadQuery("Error in the JQL Query: Expecting a clause after 'AND'.")
            elif self._tokens and self._tokens[0].word != "ORDER":
                raise BadQuery(f"Error in the JQL Query: Expecting 'AND' but got '{self._tokens[0].text}'.")
        return Query(tuple(clauses), self._order())

    def _clause(self) -> Judge:
        field = self._take().text
        name = _ALIASES.get(field.lower(), field.lower())
        sign = self._sign()
        values = self._values() if "in" in sign else [self._take().text]
        build = _BUILDERS.get(name)
        if build is None:
            raise BadQuery(f"Field '{field}' does not exist or you do not have permission to view it.")
        return build(self._site, self._reader, name, sign, values)

    def _sign(self) -> str:
        token = self._take()
        if token.word == "NOT":
            token = self._take()
            if token.word != "IN":
                raise BadQuery(f"Error in the JQL Query: Expecting 'IN' but got '{token.text}'.")
            return "not in"
        if token.word == "IN":
            return "in"
        if token.quoted or token.text not in {*_COMPARE, "~"}:
            raise BadQuery(f"Error in the JQL Query: Expecting operator but got '{token.text}'.")
        return token.text

    def _values(self) -> list[str]:
        self._expect("(")
        values = [self._take().text]
        while (token := self._take()).text == ",":
            values.append(self._take().text)
        if token.text != ")":
            raise BadQuery(f"Error in the JQL Query: Expecting ')' but got '{token.text}'.")
        return values

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._tokens:
            return ()
        self._take()
        self._expect("BY")
        order: list[tuple[str, bool]] = []
        while True:
            field = self._take().text
            name = _ALIASES.get(field.lower(), field.lower())
            if name not in _SORTS:
                raise BadQuery(f"Field '{field}' does not exist or you do not have permission to view it.")
            direction = self._tokens.pop(0).word if self._tokens and self._tokens[0].word in {"ASC", "DESC"} else "ASC"
            order.append((name, direction == "DESC"))
            if not self._tokens:
                break
            self._expect(",")
        if len(order) > _MOST_SORTS:
            raise BadQuery(f"The ORDER BY clause may name at most {_MOST_SORTS} fields.")
        return tuple(order)

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text.upper() != text:
            raise BadQuery(f"Error in the JQL Query: Expecting '{text}' but got '{token.text}'.")

    def _take(self) -> _Token:
        if not self._tokens:
            raise BadQuery("Error in the JQL Query: The query ends too early.")
        return self._tokens.pop(0)


def _choice(sign: str, values: list[str], field: str) -> tuple[frozenset[str], bool]:
    if sign not in {"=", "!=", "in", "not in"}:
        raise BadQuery(f"The operator '{sign}' is not supported by the '{field}' field.")
    return frozenset(value.casefold() for value in values), sign in {"=", "in"}


def _project(site: Site, _: User, name: str, sign: str, values: list[str]) -> Judge:
    wanted, positive = _choice(sign, values, name)
    keys: set[str] = set()
    for value in wanted:
        open_desks = [d for d in site.profile.desks if d.project_key not in site.forbidden]
        desks = [d for d in open_desks if value in (d.project_id, d.project_key.casefold(), d.name.casefold())]
        if not desks:
            original = next(one for one in values if one.casefold() == value)
            raise BadQuery(f"The value '{original}' does not exist for the field 'project'.")
        keys |= {desk.project_key for desk in desks}
    return lambda issue, _: (issue.project_key in keys) == positive


def _key(site: Site, __: User, name: str, sign: str, values: list[str]) -> Judge:
    _, positive = _choice(sign, values, name)
    ids: set[str] = set()
    for value in values:
        found = site.shown(value)
        if found is None:
            text = "An issue with key '{}' does not exist for field 'key'."
            raise BadQuery(text.format(value))
        ids.add(found.id)
    return lambda issue, _: (issue.id in ids) == positive


def _status(site: Site, _: User, name: str, sign: str, values: list[str]) -> Judge:
    wanted, positive = _choice(sign, values, name)
    return lambda _, f: bool({f.status_id, site.profile.status(f.status_id).name.casefold()} & wanted) == positive


def _issue_type(site: Site, _: User, name: str, sign: str, values: list[str]) -> Judge:
    wanted, positive = _choice(sign, values, name)
    names = {kind.id: kind.name.casefold() for kind in site.profile.issue_types}
    if unknown := wanted - {*names, *names.values()}:
        raise BadQuery(f"The value '{min(unknown)}' does not exist for the field 'issuetype'.")
    return lambda issue, _: bool({issue.issue_type_id, names[issue.issue_type_id]} & wanted) == positive


def _category(site: Site, _: User, name: str, sign: str, values: list[str]) -> Judge:
    wanted, positive = _choice(sign, values, name)
    words = {
        "new": {"new", "to do", "2"},
        "indeterminate": {"indeterminate", "in progress", "4"},
        "done": {"done", "3"},
    }
    if unknown := wanted - set().union(*words.values()):
        raise BadQuery(f"The value '{min(unknown)}' does not exist for the field 'statusCategory'.")
    return lambda _, f: bool(words[site.profile.status(f.status_id).category] & wanted) == positive


def _priority(site: Site, _: User, name: str, sign: str, values: list[str]) -> Judge:
    wanted, positive = _choice(sign, values, name)
    names = {one.id: one.name.casefold() for one in site.profile.priorities}
    return lambda _, f: bool({f.priority_id, names[f.priority_id]} & wanted) == positive


def _words(_: Site, __: User, name: str, sign: str, values: list[str]) -> Judge:
    if sign != "~":
        raise BadQuery(f"The operator '{sign}' is not supported by the '{name}' field.")
    text = values[0].strip()
    is_phrase = len(text) > 1 and text[0] == text[-1] == '"'
    wanted = re.findall(r"\w+", text.casefold())
    if not wanted:
        raise BadQuery(f"The text query '{text}' is not allowed to be empty.")

    def judge(_: Issue, fields: Fields) -> bool:
        parts = {"summary": [fields.summary], "description": [fields.description or ""]}
        everything = [fields.summary, fields.description or "", *(comment.body for comment in fields.comments)]
        found = re.findall(r"\w+", " ".join(parts.get(name, everything)).casefold())
        if is_phrase:
            return any(found[start : start + len(wanted)] == wanted for start in range(len(found)))
        return set(wanted) <= set(found)

    return judge


def _time(site: Site, reader: User, name: str, sign: str, values: list[str]) -> Judge:
    if sign not in _COMPARE:
        raise BadQuery(f"The operator '{sign}' is not supported by the '{name}' field.")
    limit = _moment(values[0], site, reader, name)
    compare = _COMPARE[sign]
    if name == "created":
        return lambda issue, _: compare(issue.created, limit)
    return lambda _, fields: compare(fields.updated, limit)


def _moment(text: str, site: Site, reader: User, name: str) -> datetime:
    if relative := _RELATIVE.match(text):
        amount = timedelta(**{_UNITS[relative[3]]: int(relative[2])})
        return site.now() - amount if relative[1] == "-" else site.now() + amount
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    # A bare date is read in the person's own time zone: https://support.atlassian.com jql-fields, "Updated".
    zone = UTC if text.endswith(" UTC") else timezone(timedelta(minutes=reader.utc_offset_minutes))
    for pattern in _ABSOLUTE:
        try:
            return datetime.strptime(text.removesuffix(" UTC"), pattern).replace(tzinfo=zone)
        except ValueError:
            continue
    raise BadQuery(
        f"Date value '{text}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
        "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    )


_BUILDERS: dict[str, Callable[[Site, User, str, str, list[str]], Judge]] = {
    "project": _project,
    "key": _key,
    "status": _status,
    "statuscategory": _category,
    "issuetype": _issue_type,
    "priority": _priority,
    "summary": _words,
    "description": _words,
    "text": _words,
    "created": _time,
    "updated": _time,
}
