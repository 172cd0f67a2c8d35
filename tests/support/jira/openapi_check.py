"""Holds recorded API calls against Atlassian's published OpenAPI descriptions.

The sandbox is only as good as it is honest: whatever the connector sends must be what Atlassian documents, and
whatever the sandbox answers must be too. `assert_calls_match_openapi` reports every mismatch at once.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from connector_jira_jsm.sandbox import RecordedCall

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).parents[4] / "shared"))
_DESCRIPTIONS = ("jsm.openapi.json", "jira-platform.openapi.json")
# Addresses that no description covers, with the reason.
_UNDESCRIBED = re.compile(
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


def assert_calls_match_openapi(calls: Iterable[RecordedCall], *, allow: str | None = None) -> None:
    """Fail with a list of all mismatches; calls whose `METHOD path` matches `allow` are not looked at."""
    if not all((SHARED / "openapi" / name).is_file() for name in _DESCRIPTIONS):
        pytest.skip(f"no published API descriptions in {SHARED / 'openapi'}; set CONNECTOR_SHARED")
    mismatches = [
        f"{call.method} {call.path}: {problem}"
        for call in calls
        if allow is None or not re.search(allow, f"{call.method} {call.path}")
        for problem in check_call(call)
    ]
    assert not mismatches, "\n".join(["calls that do not match the published API:", *dict.fromkeys(mismatches)])


def check_call(call: RecordedCall) -> Iterator[str]:
    """Yield what is wrong with one call."""
    path = unquote(call.path)
    if _UNDESCRIBED.search(path) or (call.fault is not None and call.fault != "slow"):
        return
    is_old = path.startswith("/rest/api/2/")
    found = _operation(call.method, path.replace("/rest/api/2/", "/rest/api/3/", 1))
    if found is None:
        if call.status not in {404, 405}:
            yield "no such operation"
        return
    description, operation = found
    if call.status < 400:  # a refused call may be wrong on purpose
        yield from _check_query(operation, call)
        yield from _check_request(description, operation, call, is_old=is_old)
    yield from _check_response(description, operation, call, is_old=is_old)


def _check_query(operation: Mapping[str, Any], call: RecordedCall) -> Iterator[str]:
    described = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    for name, values in call.query.items():
        if name not in described:
            yield f"query parameter {name!r} is not described"
            continue
        kind = described[name]["schema"].get("type")
        if kind == "integer" and not all(re.fullmatch(r"-?\d+", value) for value in values):
            yield f"query parameter {name!r} should be an integer, got {values}"
        if kind == "boolean" and not set(values) <= {"true", "false"}:
            yield f"query parameter {name!r} should be true or false, got {values}"
    for name, one in described.items():
        if one.get("required") and name not in call.query:
            yield f"query parameter {name!r} is required"


def _check_request(
    description: str, operation: Mapping[str, Any], call: RecordedCall, *, is_old: bool
) -> Iterator[str]:
    body = operation.get("requestBody")
    if body is None:
        if call.request_json not in (None, {}):
            yield "a body was sent that is not described"
        return
    if call.request_body and call.request_json is None:
        yield "the request body is not JSON"
        return
    schema = body["content"].get("application/json", {}).get("schema")
    if schema is not None:
        for problem in _problems(description, schema, call.request_json, is_old=is_old):
            yield f"request {problem}"


def _check_response(
    description: str, operation: Mapping[str, Any], call: RecordedCall, *, is_old: bool
) -> Iterator[str]:
    response = operation["responses"].get(str(call.status))
    if response is None:
        if call.status not in _GATEWAY_STATUSES:
            yield f"status {call.status} is not described"
        return
    if call.status == 401:  # the gateway answers in its own shape, before the operation is reached
        return
    if call.status == 204 and call.response_body:
        yield "status 204 came with a body"
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or call.status == 204:
        return
    if call.response_json is None:
        yield "the answer's body is not JSON"
        return
    for problem in _problems(description, schema, call.response_json, is_old=is_old):
        yield f"answer {call.status} {problem}"


def _operation(method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
    parts = path.strip("/").split("/")
    best: tuple[int, str, Mapping[str, Any]] | None = None
    for description in _DESCRIPTIONS:
        for template, operations in _load(description)["paths"].items():
            names = template.strip("/").split("/")
            if len(names) != len(parts) or method.lower() not in operations:
                continue
            if all(name.startswith("{") or name == part for name, part in zip(names, parts, strict=True)):
                literals = sum(not name.startswith("{") for name in names)
                if best is None or literals > best[0]:
                    best = (literals, description, operations[method.lower()])
    return None if best is None else (best[1], best[2])


def _problems(description: str, schema: Mapping[str, Any], value: object, *, is_old: bool) -> Iterator[str]:
    whole = {**_json_schema(schema, is_old=is_old), "components": _components(description, is_old=is_old)}
    for error in jsonschema.Draft7Validator(whole, format_checker=None).iter_errors(value):
        yield f"at {error.json_path}: {error.message[:300]}"


@functools.cache
def _load(description: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SHARED / "openapi" / description).read_text())
    return loaded


@functools.cache
def _components(description: str, *, is_old: bool) -> dict[str, Any]:
    schemas = _load(description)["components"]["schemas"]
    turned = {name: _json_schema(schema, is_old=is_old) for name, schema in schemas.items()}
    for name, properties in _LOOSENED.items():
        for one in properties if name in turned else ():
            turned[name]["properties"][one] = {"type": ["string", "integer", "null"]}
    return {"schemas": turned}


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
