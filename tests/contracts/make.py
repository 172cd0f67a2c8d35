"""Makes the facts of this folder from Atlassian's published descriptions: `make contracts`.

Facts are what a machine can check: operations, the place, need and type of their parameters, statuses, and shapes as
JSON Schema (with OpenAPI's `nullable`). No title, description or example is taken over. Only what the sandbox serves is
kept, since nothing else can be called in a test; of documents (ADF), the kinds of node that tests make or convert.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connector_jira_jsm_sandbox.api import PLATFORM, SERVICE_DESK
from tests.contracts import published

HERE = Path(__file__).parent
SERVED = {"platform": ("/rest/api/3", PLATFORM), "service_desk": ("/rest/servicedeskapi", SERVICE_DESK)}
# The kinds that tests make (`documents.py`) and that the sandbox's own converter knows.
# fmt: off
KINDS = frozenset({
    "doc", "paragraph", "heading", "bulletList", "orderedList", "listItem", "rule", "codeBlock", "blockquote", "panel",
    "table", "tableRow", "tableHeader", "tableCell",
    "text", "hardBreak", "mention", "inlineCard", "emoji", "status", "date",
    "strong", "em", "strike", "underline", "code", "link", "subsup", "textColor",
})
_PLAIN = frozenset({
    "enum", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "nullable", "pattern", "required", "type", "uniqueItems",
})
# Words, and what asks nothing of JSON.
_DROPPED = frozenset({
    "$schema", "default", "deprecated", "description", "discriminator", "example", "format", "readOnly", "title",
    "writeOnly", "xml",
})
# fmt: on
_CHOICES = frozenset({"anyOf", "oneOf"})
_REFERENCE = re.compile(r"^#/(?:components/schemas|definitions)/")
_WIDTH = 119  # and a comma


def facts() -> dict[str, dict[str, Any]]:
    """Return all facts by the name of their file."""
    return {**{name: _api(name) for name in SERVED}, "documents": _documents()}


def text(fact: Mapping[str, Any]) -> str:
    """Write facts down: sorted, what fits on a line on one line."""
    return _written(fact, 0) + "\n"


def same_path(operation: str) -> str:
    """Return an operation without the names of its path's parameters, which differ from author to author."""
    return re.sub(r"\{[^}]*\}", "{}", operation)


def served(name: str) -> set[str]:
    """List the operations of an API that the sandbox serves."""
    base, operations = SERVED[name]
    return {same_path(f"{one.method} {base}{one.path}") for one in operations}


def main() -> None:
    """Write the files."""
    if not published.is_here():
        sys.exit(f"No published descriptions in {published.FOLDER}; set CONNECTOR_SHARED.")
    for name, fact in facts().items():
        (HERE / f"{name}.json").write_text(text(fact))


def _api(name: str) -> dict[str, Any]:
    whole, wanted = published.api(name), served(name)
    operations = {
        key: _operation(operation) for key, operation in whole["operations"].items() if same_path(key) in wanted
    }
    return {"operations": operations, "shapes": _reachable(operations, whole["components"]["schemas"])}


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        name: {**parameter, "schema": _shape(parameter["schema"])}
        for name, parameter in operation["parameters"].items()
    }
    responses = {status: _shape(schema) for status, schema in operation["responses"].items()}
    bodies = {"body": _shape(operation["body"])} if "body" in operation else {}
    return {"parameters": parameters, "responses": responses, **bodies}


def _documents() -> dict[str, Any]:
    whole = published.documents()
    known = {name: schema for name, schema in whole["definitions"].items() if _kind(schema, whole) in {None, *KINDS}}
    start = _shape({"$ref": whole["$ref"]}, known)
    return {**start, "shapes": _reachable(start, known, known)}


def _kind(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str | None:
    """Return the kind of node or mark that a definition is of; None for a choice of several."""
    kind = schema.get("properties", {}).get("type", {}).get("enum", [None])[0]
    for part in schema.get("allOf", []) if kind is None else ():
        if "$ref" in part:
            return _kind(whole["definitions"][_name(part)], whole)
    return kind


def _reachable(
    start: object, schemas: Mapping[str, Any], known: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    found: dict[str, Any] = {}
    waiting = list(_references(start))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _shape(schemas[name], known)
            waiting += _references(found[name])
    return found


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/shapes/")
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        yield from _references(one)


def _name(reference: Mapping[str, Any]) -> str:
    return _REFERENCE.sub("", reference["$ref"])


def _shape(schema: Any, known: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return what a schema asks of JSON; a kind of node outside `known` may not stand anywhere."""
    if not isinstance(schema, dict):
        return schema
    if known is not None and "$ref" in schema and _name(schema) not in known:
        return False
    shape = {key: _asked(key, value, known) for key, value in schema.items() if not _is_dropped(key)}
    if shape.get("additionalProperties") in ({}, True):
        del shape["additionalProperties"]
    if False in shape.get("allOf", ()) or any(shape[key] == [] for key in _CHOICES & set(shape)):
        return False
    return shape["allOf"][0] if list(shape) == ["allOf"] and len(shape["allOf"]) == 1 else shape


def _asked(key: str, value: Any, known: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - JSON
    """Return what one keyword of a schema asks."""
    if key == "$ref":
        return f"#/shapes/{_REFERENCE.sub('', value)}"
    if key == "properties":
        return {name: _shape(one, known) for name, one in value.items()}
    if key in {"items", "additionalProperties", "allOf"}:
        return [_shape(one, known) for one in value] if isinstance(value, list) else _shape(value, known)
    if key in _CHOICES:
        return [shape for shape in (_shape(one, known) for one in value) if shape is not False]
    if key in _PLAIN:
        return value
    raise ValueError(f"what to do with {key!r} is not decided: {value}")


def _is_dropped(key: str) -> bool:
    return key in _DROPPED or key.startswith("x-")


def _written(node: object, depth: int, key: str = "") -> str:
    """Write a node down, and the key that it stands under before it."""
    line = key + json.dumps(node, ensure_ascii=False, sort_keys=True)
    if len(line) + depth <= _WIDTH or not isinstance(node, dict | list) or not node:
        return line
    inner = "\n" + " " * (depth + 1)
    if isinstance(node, list):
        return key + "[" + ",".join(inner + _written(one, depth + 1) for one in node) + inner[:-1] + "]"
    entries = (_written(node[name], depth + 1, f"{json.dumps(name)}: ") for name in sorted(node))
    return key + "{" + ",".join(inner + entry for entry in entries) + inner[:-1] + "}"


if __name__ == "__main__":
    main()
