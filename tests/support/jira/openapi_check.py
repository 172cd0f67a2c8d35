"""Holds recorded API calls against what Atlassian describes: the facts in `tests/contracts`.

The sandbox is only as good as it is honest: whatever the connector sends must be what Atlassian documents, and
whatever the sandbox answers must be too. `assert_calls_match_openapi` reports every mismatch at once. Where the
published descriptions are at hand, which no test needs, calls are held against them too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema

from connector_jira_jsm_sandbox import RecordedCall
from tests.contracts import facts, published

# Addresses that no description covers, with the reason.
UNDESCRIBED = re.compile(
    r"^/(oauth/|authorize)"  # the authorization server has no description
    r"|^/rest/webhooks/1\.0/"  # administrators' webhooks are documented in prose only
    r"|^/rest/api/[23]/issuetype$"  # left out of the cut-down description
    r"|^/rest/api/[23]/user/search$"  # as above; its entries are those of `user`, see test_sandbox_honesty.py
    r"|^/rest/api/[23]/search$"  # taken away, and answers 410
)
# Rich text is a string in API v2 and a document in v3; the description knows v3 only.
_RICH_TEXT = frozenset({"description", "environment", "body", "comment"})
# Where the descriptions are stricter than the service: recorded changes hold nulls, and the published example of a
# bulk history holds epoch numbers for times.
_LOOSENED = {"ChangeDetails": ("from", "fromString", "to", "toString"), "Changelog": ("created",)}
_GATEWAY_STATUSES = frozenset({401, 429, 500, 502, 503})


class Api:
    """One API as somebody describes it, in the layout of the facts. A validator is made once for each schema."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._described = described
        self._validators: dict[tuple[str, ...], jsonschema.Draft7Validator] = {}
        self._roots = {is_old: self._root(is_old=is_old) for is_old in (False, True)}

    def operation(self, method: str, path: str) -> str | None:
        """Return the most literal operation at a path."""
        parts = path.strip("/").split("/")
        fitting = [key for key in self._described["operations"] if _literals(key, method, parts) is not None]
        return max(fitting, key=lambda key: _literals(key, method, parts) or 0, default=None)

    def facts(self, operation: str) -> Mapping[str, Any]:
        """Return what is described of an operation."""
        found: Mapping[str, Any] = self._described["operations"][operation]
        return found

    def problems(self, operation: str, *place: str, value: object, is_old: bool) -> Iterator[str]:
        """Yield how a value differs from the schema at a place of an operation."""
        key = (operation, *place, str(is_old))
        if key not in self._validators:
            schema = functools.reduce(lambda node, name: node[name], place, self.facts(operation))
            whole = {**_json_schema(schema, is_old=is_old), **self._roots[is_old]}
            self._validators[key] = jsonschema.Draft7Validator(whole)
        for error in self._validators[key].iter_errors(value):
            yield f"at {error.json_path}: {error.message[:300]}"

    def _root(self, *, is_old: bool) -> dict[str, Any]:
        """Return what references lead to."""
        root = {key: value for key, value in self._described.items() if key != "operations"}
        turned: dict[str, Any] = _json_schema(root, is_old=is_old)
        shapes = turned["shapes"] if "shapes" in turned else turned["components"]["schemas"]
        for name, properties in _LOOSENED.items():
            for one in properties if name in shapes else ():
                shapes[name]["properties"][one] = {"type": ["string", "integer", "null"]}
        return turned


Source = tuple[Api, ...]


@functools.cache
def known_facts() -> Source:
    """Return both APIs as the facts describe them."""
    return tuple(Api(facts.read(name)) for name in published.APIS)


@functools.cache
def published_descriptions() -> Source:
    """Return both APIs as Atlassian describes them."""
    return tuple(Api(published.api(name)) for name in published.APIS)


def assert_calls_match_openapi(calls: Iterable[RecordedCall], *, allow: str | None = None) -> None:
    """Fail with a list of all mismatches; calls whose `METHOD path` matches `allow` are not looked at."""
    sources = [known_facts(), *([published_descriptions()] if published.is_here() else [])]
    mismatches = [
        f"{call.method} {call.path}: {problem}"
        for call in calls
        if allow is None or not re.search(allow, f"{call.method} {call.path}")
        for source in sources
        for problem in check_call(call, source)
    ]
    assert not mismatches, "\n".join(["calls that do not match the published API:", *dict.fromkeys(mismatches)])


def check_call(call: RecordedCall, source: Source | None = None) -> Iterator[str]:
    """Yield what is wrong with one call, by the facts unless another source is given."""
    path = unquote(call.path)
    if UNDESCRIBED.search(path) or (call.fault is not None and call.fault != "slow"):
        return
    is_old = path.startswith("/rest/api/2/")
    path = path.replace("/rest/api/2/", "/rest/api/3/", 1)
    found = [(api, key) for api in source or known_facts() if (key := api.operation(call.method, path)) is not None]
    if not found:
        if call.status not in {404, 405}:
            yield "no such operation"
        return
    api, operation = found[0]  # the two have no address in common
    if call.status < 400:  # a refused call may be wrong on purpose
        yield from _check_parameters(operation, path, api.facts(operation)["parameters"], call)
        yield from _check_request(api, operation, call, is_old=is_old)
    yield from _check_response(api, operation, call, is_old=is_old)


def _literals(operation: str, method: str, parts: list[str]) -> int | None:
    """Count the parts of a path that an operation names itself; None if it has another path or method."""
    described, _, path = operation.partition(" ")
    names = path.strip("/").split("/")
    if described != method or len(names) != len(parts):
        return None
    pairs = list(zip(names, parts, strict=True))
    fits = all(name.startswith("{") or name == part for name, part in pairs)
    return sum(name == part for name, part in pairs) if fits else None


def _check_parameters(
    operation: str, path: str, described: Mapping[str, Mapping[str, Any]], call: RecordedCall
) -> Iterator[str]:
    names = operation.partition(" ")[2].split("/")
    in_path = {name[1:-1]: [part] for name, part in zip(names, path.split("/"), strict=True) if name.startswith("{")}
    for place, given in (("query", call.query), ("path", in_path)):
        here = {name: one for name, one in described.items() if one["in"] == place}
        for name, values in given.items():
            if name not in here:
                yield f"{place} parameter {name!r} is not described"
                continue
            kind, choice = here[name]["schema"].get("type"), here[name]["schema"].get("enum")
            if choice is not None and not set(values) <= set(choice):
                yield f"{place} parameter {name!r} should be one of {choice}, got {values}"
            if kind == "integer" and not all(re.fullmatch(r"-?\d+", value) for value in values):
                yield f"{place} parameter {name!r} should be an integer, got {values}"
            if kind == "boolean" and not set(values) <= {"true", "false"}:
                yield f"{place} parameter {name!r} should be true or false, got {values}"
        for name, one in here.items():
            if one.get("required") and name not in given:
                yield f"{place} parameter {name!r} is required"


def _check_request(api: Api, operation: str, call: RecordedCall, *, is_old: bool) -> Iterator[str]:
    if "body" not in api.facts(operation):
        if call.request_json not in (None, {}):
            yield "a body was sent that is not described"
        return
    if call.request_body and call.request_json is None:
        yield "the request body is not JSON"
        return
    if api.facts(operation)["body"] is not None:
        for problem in api.problems(operation, "body", value=call.request_json, is_old=is_old):
            yield f"request {problem}"


def _check_response(api: Api, operation: str, call: RecordedCall, *, is_old: bool) -> Iterator[str]:
    status, responses = str(call.status), api.facts(operation)["responses"]
    if status not in responses:
        if call.status not in _GATEWAY_STATUSES:
            yield f"status {call.status} is not described"
        return
    if call.status == 401:  # the gateway answers in its own shape, before the operation is reached
        return
    if call.status == 204 and call.response_body:
        yield "status 204 came with a body"
    if responses[status] is None or call.status == 204:
        return
    if call.response_json is None:
        yield "the answer's body is not JSON"
        return
    for problem in api.problems(operation, "responses", status, value=call.response_json, is_old=is_old):
        yield f"answer {call.status} {problem}"


def _json_schema(node: Any, *, is_old: bool) -> Any:  # noqa: ANN401 - JSON
    """Turn an OpenAPI 3.0 schema into a JSON Schema: `nullable`, and open rich text for API v2."""
    if isinstance(node, list):
        return [_json_schema(one, is_old=is_old) for one in node]
    if not isinstance(node, dict):
        return node
    turned = {
        key: _json_schema(value, is_old=is_old) for key, value in node.items() if key not in {"example", "default"}
    }
    if is_old and isinstance(node.get("properties"), dict):
        for name in _RICH_TEXT & set(node["properties"]):
            turned["properties"][name] = {}
    if node.get("nullable") is True:
        return {"anyOf": [turned, {"type": "null"}]}
    return turned
