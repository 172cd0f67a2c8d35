"""The Table API: what is asked of it, and only what was asked for back.

A part of a query that the instance finds wrong is ignored and more rows come back [c_RESTAPI]: rows are held against
what was asked, always. Facts are from the vendor's documentation, by the names of its pages; see `quality.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from requests import Response

import connector_core as core
from connector_core.kit import answers, paging, rest, values
from connector_core.kit.values import Json

VENDOR = "ServiceNow"
PAGE = 1000
#: The values that columns have to have, by their names: one, or any of several.
Where = Mapping[str, str | Sequence[str]]
_SCRIPT = "javascript:"  # what the instance fills in; whoever asks looks whether it did
_NEW_FIX = "Give them values in set-up, under Further Fields of a new incident."
_VALUES_FIX = "Give them values in ServiceNow; those that resolving needs can be given in set-up, under Close Status."
_SYS_ID = re.compile(r"[0-9a-f]{32}")
ZONES = timedelta(days=1)  # a time in a query may be read in the zone of the account
API = "/api/now/v2/table"  # an empty list is 200 here, in v1 it is 404 [c_TableAPI]


class WriteRefused(core.RemoteError):
    """A rule refuses to write this record: of a closed one, say, or without the right to."""

    default_code = "write_refused"


def _own(response: Response, complaint: answers.Complaint, _about: answers.Subject) -> core.ConnectorError | None:
    """Tell a refusal of one record, by a data policy or a rule, from one of the account.

    The status is documented [r_RESTAPIHTTPResponseCodes]; the words are not: without them it is the account's.
    """
    method, said = response.request.method, str(complaint)
    if response.status_code != HTTPStatus.FORBIDDEN or method == "GET":
        return None
    if "data policy" in said.casefold():
        lack = f"{VENDOR} asks for more than is sent. It says: {said}"
        if method == "POST":
            return core.ConfigError(lack, code="fields_required", fix=_NEW_FIX)
        return core.RemoteError(lack, code="fields_required", fix=_VALUES_FIX)
    if method == "PATCH" and any(word in said.casefold() for word in ("acl exception", "business rule")):
        fix = "See in the incident what stands in the way; our account needs the role itil, or another that writes."
        return WriteRefused(f"{VENDOR} does not let our account write this incident. It says: {said}", fix=fix)
    return None


_FIXES = answers.Fixes(
    permission="Have an administrator give the account the role that is missing: itil for incidents, and "
    "snc_platform_rest_api_access where the Table API is closed.",
    address="Correct the address of the instance in set-up.",
    page="A developer instance sleeps after a while: sign in at developer.servicenow.com to wake it. Else look what "
    "answers at the address.",
)
RULES = answers.Answers(VENDOR, own=_own, fixes=_FIXES)


@dataclass(frozen=True)
class Table:
    """One table of an instance."""

    rest: rest.Rest
    name: str

    def find(  # noqa: PLR0913 - by keyword
        self, where: Where, *, fields: Sequence[str], also: str = "", by: str = "sys_id", most: int = 0, skip: int = 0
    ) -> Iterator[Json]:
        """Yield the rows that have these values, whatever else came back.

        `also` is a further part of the query, which may be ignored: whoever asks for it looks at the rows again.

        Raises:
            ConfigError: a column that tells is closed to our account.
        """
        asked = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in where.items()}
        if any("^" in value or "," in value for one in asked.values() for value in one):
            said = "This cannot be looked for: it has a sign that parts a query."
            raise core.RemoteError(said, code="query_impossible")
        parts = [f"{name}={one[0]}" if len(one) == 1 else f"{name}IN{','.join(one)}" for name, one in asked.items()]
        query = "^".join(filter(None, [*parts, also, f"ORDERBY{by}"]))
        params = shown([*fields, *asked]) | {"sysparm_query": query}
        params |= {"sysparm_limit": str(most or PAGE), "sysparm_offset": str(skip)}
        told = [(name, one) for name, one in asked.items() if not one[0].startswith(_SCRIPT)]
        for row in self.rest.pages(f"/{self.name}", "result", paging.LinkHeader(), params=params):
            if hidden := next((name for name, _ in told if raw(row, name) is None), ""):
                closed = f"{VENDOR} does not show the column {hidden} of {self.name}."
                fix = "Have an administrator let the account read it: it is in an access rule (ACL)."
                raise core.ConfigError(closed, code="column_closed", fix=fix)
            if all(raw(row, name) in one for name, one in told):
                yield row

    def get(self, sys_id: str, fields: Sequence[str]) -> Json:
        """Return one row, with what people read for its values."""
        answer = self.rest.get(self._path(sys_id), about=answers.Subject.TICKET, params=shown(fields))
        return values.whole(values.value_at(answer, "result"))

    def write(self, sent: Mapping[str, str], fields: Sequence[str], sys_id: str = "") -> Json:
        """Make a row, or change one; return it as it is then.

        Raises:
            RetryLater: whether it was written is not known.
        """
        method, about = ("PATCH", answers.Subject.TICKET) if sys_id else ("POST", answers.Subject.SETUP)
        said = self.rest.call(method, self._path(sys_id), body=dict(sent), about=about, params=shown(fields))
        row = values.as_object(values.value_at(said.body, "result"))
        shown_id = raw(row, "sys_id") or ""
        if not is_sys_id(shown_id) or sys_id not in {"", shown_id}:
            raise values.unreadable(outcome_unknown=True)
        return row

    def _path(self, sys_id: str) -> str:
        return f"/{self.name}/{rest.segment(sys_id)}" if sys_id else f"/{self.name}"


def shown(fields: Sequence[str]) -> dict[str, str]:
    """Return the parameters that say how rows are shown: with what people read beside values, references as ids."""
    named = {"sysparm_fields": ",".join(dict.fromkeys(fields))}
    return {**named, "sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}


def raw(row: Json, name: str, part: str = "value") -> str | None:
    """Return what a column holds, or by `display_value` what people read; None where it is not shown."""
    held: Any = row.get(name)
    held = held.get(part) if isinstance(held, dict) else held
    return held if isinstance(held, str) else None


def is_sys_id(text: str) -> bool:
    """Return whether a text is the id of a record, as the instance makes them."""
    return _SYS_ID.fullmatch(text) is not None


def stamp(moment_: datetime) -> str:
    """Write a time for a query; it may be read in the zone of the account, so that a day has to be to spare."""
    return f"{moment_.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
