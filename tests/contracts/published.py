"""Where Atlassian's published descriptions are, for those who have them; no test needs them.

`CONNECTOR_SHARED` names the folder, by default `shared` beside the checkout. What they say of the operations that the
sandbox serves is kept in this folder as facts, see `make.py`.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "openapi"
PAYLOADS = SHARED / "payloads"  # deliveries that other projects recorded
# Facts by name, and the published file that they are made of.
APIS = {"platform": "jira-platform.openapi.json", "service_desk": "jsm.openapi.json"}
DOCUMENTS = "adf.schema.json"


def is_here() -> bool:
    """Return whether all published files are at hand."""
    return all((FOLDER / name).is_file() for name in (*APIS.values(), DOCUMENTS))


@functools.cache
def api(name: str) -> dict[str, Any]:
    """Return one API in the layout of the facts: every operation under its method and path, schemas as published."""
    described = json.loads((FOLDER / APIS[name]).read_text())
    operations = {
        f"{method.upper()} {path}": _operation(operation)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    }
    return {"operations": operations, "components": {"schemas": described["components"]["schemas"]}}


@functools.cache
def documents() -> dict[str, Any]:
    """Return the schema of documents (ADF) as published."""
    schema: dict[str, Any] = json.loads((FOLDER / DOCUMENTS).read_text())
    return schema


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        one["name"]: {"in": one["in"], **({"required": True} if one.get("required") else {}), "schema": one["schema"]}
        for one in operation.get("parameters", [])
    }
    body = operation.get("requestBody")
    responses = {status: _schema(response) for status, response in operation["responses"].items()}
    whole = {"parameters": parameters, "responses": responses}
    return whole if body is None else {**whole, "body": _schema(body)}


def _schema(described: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a JSON body; None where no JSON is described."""
    schema: dict[str, Any] | None = described.get("content", {}).get("application/json", {}).get("schema")
    return schema
