"""The Table API: `/api/now/table/<table>` and `/api/now/<version>/table/<table>`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connector_servicenow_sandbox.answers import Answer, Refusal, failure, no_such_address, not_found
from connector_servicenow_sandbox.callers import Callers, RateLimit
from connector_servicenow_sandbox.database import Database, Row
from connector_servicenow_sandbox.profile import Person
from connector_servicenow_sandbox.reading import Reader, Shown, View
from connector_servicenow_sandbox.sending import as_response
from connector_servicenow_sandbox.writing import Writer

_VERSIONS = ("", "v1", "v2")
_DEFAULT_LIMIT = 10_000
_WRITTEN = "incident"
_PAGING = ("sysparm_limit", "sysparm_offset")


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    version: str
    table: str
    sys_id: str
    query: Mapping[str, str]
    body: bytes
    user: Person

    @property
    def view(self) -> View:
        """How the answer is to look."""
        fields = tuple(name.strip() for name in self.query.get("sysparm_fields", "").split(",") if name.strip())
        asked = self.query.get("sysparm_display_value", "false")
        display: Shown = "all" if asked == "all" else "true" if asked == "true" else "false"
        return View(fields, display, self.query.get("sysparm_exclude_reference_link") == "true")

    def number(self, name: str, default: int) -> int:
        """Read a number of the query; what is none is as if it had not been said."""
        text = self.query.get(name, "")
        return int(text) if text.isdecimal() else default


@dataclass(slots=True)
class TableApi:
    """Serves reads of all tables and writes of incidents."""

    database: Database
    writer: Writer
    callers: Callers
    limit: RateLimit
    url: str
    #: Ids of incidents that the access rules keep from everybody but administrators.
    hidden: set[str] = field(default_factory=set)
    #: What people do between a change and the reading of its answer, each once.
    interruptions: list[Callable[[], object]] = field(default_factory=list)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        lists = [f"/api/now{version}/table/{{table}}" for version in ("", "/{version}")]
        records = [f"{path}/{{sys_id}}" for path in lists]
        return [
            *(Route(path, self.serve, methods=methods) for path in (*records, *lists)),
            Route("/api/{rest:path}", self.nowhere, methods=methods),
        ]

    async def nowhere(self, _: Request) -> Response:
        """Refuse an address of no API."""
        return as_response(no_such_address().answer)

    async def serve(self, request: Request) -> Response:
        """Serve one call."""
        body = await request.body()
        with self.database.lock:
            answer = self._answer(request, body)
        is_silent = request.headers.get("x-no-response-body", "") == "true" and answer.status < 300  # noqa: PLR2004
        return as_response(answer, without_body=request.method == "HEAD" or is_silent)

    def _answer(self, request: Request, body: bytes) -> Answer:
        headers: dict[str, str] = {}
        try:
            user = self.callers.caller(request)
            headers = self.limit.count(user.user_name)
            answer = self._run(self._call(request, body, user))
        except Refusal as refusal:
            answer = refusal.answer
        return Answer(answer.status, answer.body, headers | dict(answer.headers))

    def _call(self, request: Request, body: bytes, user: Person) -> _Call:
        parts = request.path_params
        method = request.headers.get("x-http-method-override", request.method).upper()
        call = _Call(
            "GET" if method == "HEAD" else method,
            parts.get("version", ""),
            parts["table"],
            parts.get("sys_id", ""),
            request.query_params,
            body,
            user,
        )
        if call.version not in _VERSIONS:
            raise no_such_address()
        _check_headers(request, call.method)
        if call.table not in self.database.columns:
            raise failure(400, f"Invalid table {call.table}")
        return call

    def _run(self, call: _Call) -> Answer:
        match (call.method, bool(call.sys_id)):
            case ("GET", False):
                return self._list(call)
            case ("GET", True):
                return Answer(200, {"result": self._show(call, self._visible(call))})
            case ("POST", False):
                return self._insert(call)
            case ("PUT" | "PATCH", True):
                return self._update(call)
            case ("DELETE", True):
                return self._delete(call)
            case _:
                raise failure(405, "Method not supported")

    # ------------------------------------------------------------------ reading

    def _reader(self, call: _Call) -> Reader:
        hidden = frozenset() if "admin" in call.user.roles else frozenset(self.hidden)
        return Reader(self.database, call.table, call.user, self.url, hidden)

    def _show(self, call: _Call, row: Row) -> dict[str, Any]:
        return self._reader(call).show(row, call.view)

    def _visible(self, call: _Call) -> Row:
        reader = self._reader(call)
        reader.check()
        row = self.database.find(call.table, call.sys_id)
        if row is None or not reader.sees(row):
            raise not_found()
        return row

    def _list(self, call: _Call) -> Answer:
        reader = self._reader(call)
        reader.check()
        found = reader.find(_asked_query(call.query))
        start, size = call.number("sysparm_offset", 0), call.number("sysparm_limit", _DEFAULT_LIMIT)
        # The page is cut before the access rules look at it: a short page, even an empty one, is not the last.
        page = [row for row in found[start : start + size] if reader.sees(row)]
        if not page and call.version == "v1":
            raise failure(404, "No Record found", "No records found")
        headers = {} if call.query.get("sysparm_no_count") == "true" else {"X-Total-Count": str(len(found))}
        if call.query.get("sysparm_suppress_pagination_header") != "true":
            links = self._links(call, start, size, len(found))
            headers |= {"Link": links} if links else {}
        return Answer(200, {"result": [reader.show(row, call.view) for row in page]}, headers)

    def _links(self, call: _Call, start: int, size: int, total: int) -> str:
        if not size:
            return ""
        last = (total - 1) // size * size if total else 0
        places = [("next", start + size)] if start + size < total else []
        places += [("prev", max(0, start - size))] if start else []
        places += [("first", 0), ("last", last)]
        version = f"/{call.version}" if call.version else ""
        kept = [(name, value) for name, value in call.query.items() if name not in _PAGING]
        address = f"{self.url}/api/now{version}/table/{call.table}"
        return ",".join(
            f'<{address}?{urlencode([*kept, ("sysparm_limit", size), ("sysparm_offset", place)])}>;rel="{name}"'
            for name, place in places
        )

    # ------------------------------------------------------------------ writing

    def _insert(self, call: _Call) -> Answer:
        values = self._values(call)
        row = self.writer.insert(values, call.user)
        version = f"/{call.version}" if call.version else ""
        location = f"{self.url}/api/now{version}/table/{call.table}/{row['sys_id']}"
        return Answer(201, {"result": self._show(call, row)}, {"Location": location})

    def _update(self, call: _Call) -> Answer:
        self._visible(call)
        row = self.writer.update(call.sys_id, self._values(call), call.user)
        if self.interruptions:
            self.interruptions.pop(0)()
            row = self._visible(call)
        return Answer(200, {"result": self._show(call, row)})

    def _delete(self, call: _Call) -> Answer:
        self._check_written(call)
        self._visible(call)
        self.writer.delete(call.sys_id, call.user)
        return Answer(204)

    def _values(self, call: _Call) -> dict[str, str]:
        self._check_written(call)
        as_displayed = call.query.get("sysparm_input_display_value") == "true"
        return self.writer.taken(_object(call.body), call.user, as_displayed=as_displayed)

    def _check_written(self, call: _Call) -> None:
        if call.table != _WRITTEN:
            raise failure(403, "Operation Failed", "ACL Exception Update Failed due to security constraints")


def _asked_query(query: Mapping[str, str]) -> str:
    if "sysparm_query" in query:
        return query["sysparm_query"]
    pairs = [
        f"{name}={value}" for name, value in query.items() if not name.startswith(("sysparm_", "access_token", "x-"))
    ]
    return "^".join(pairs)


def _check_headers(request: Request, method: str) -> None:
    accepted = request.headers.get("accept", "")
    if not accepted:
        raise failure(400, "Missing Accept header")
    if not any(kind in accepted for kind in ("application/json", "*/*", "application/*")):
        raise failure(406, "Not acceptable")
    if method in {"POST", "PUT", "PATCH"}:
        sent = request.headers.get("content-type", "")
        if not sent:
            raise failure(400, "Missing Content-Type header")
        if "application/json" not in sent:
            raise failure(415, "Unsupported media type")


def _object(body: bytes) -> dict[str, Any]:
    """Read a record; of several only the first is taken."""
    try:
        parsed: Any = json.loads(body or b"{}")
    except ValueError as error:
        raise failure(400, "Exception while reading request", "The payload is not valid JSON") from error
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else {}
    if not isinstance(parsed, dict):
        raise failure(400, "Exception while reading request", "The payload is not valid JSON")
    return parsed
