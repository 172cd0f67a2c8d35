"""The page about the addresses of the server, made from its routes and their description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from tools.reference.markdown import code, plain, table

DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.yaml"
INTRO = """\
# HTTP

What `connector run` answers. For machines the same is in [`openapi.yaml`](../openapi.yaml).

"""
PAGES = """\
## Pages for people

The console; behind a login where one is configured. They are no interface: addresses may change.

"""


def page(web: Starlette) -> str:
    """Return the whole page."""
    description = YAML(typ="safe").load(DESCRIPTION.read_text())
    described = description["paths"]
    routes = [
        (route.path, sorted((route.methods or set()) - {"HEAD"})) for route in web.routes if isinstance(route, Route)
    ]
    mounts = [(f"{route.path}/…", ["GET"]) for route in web.routes if isinstance(route, Mount)]
    parts = [INTRO + _prose(description["info"]["description"])]
    parts += [
        "\n".join(_operation(f"{method} {path}", operation, description))
        for path, methods in routes
        for method in methods
        if (operation := described.get(path, {}).get(method.lower()))
    ]
    people: dict[str, set[str]] = {}
    for path, methods in routes + mounts:
        if path not in described:
            people.setdefault(path, set()).update(methods)
    rows = [(code(path), ", ".join(sorted(methods))) for path, methods in sorted(people.items())]
    parts.append(PAGES + table(("Address", "Methods"), rows))
    return "\n".join(parts)


def _operation(title: str, operation: dict[str, Any], description: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n\n{_prose(operation['summary'])}"
    if told := operation.get("description"):
        yield _prose(told)
    given = [_found(one, description) for one in operation.get("parameters", ())]
    if given:
        yield table(
            ("Parameter", "In", "Meaning"),
            [(code(one["name"]), one["in"], plain(one.get("description", ""))) for one in given],
        )
    answers = [(status, _found(one, description)) for status, one in operation["responses"].items()]
    yield table(("Answer", "When"), [(str(status), plain(one["description"])) for status, one in answers])


def _found(part: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        for name in part["$ref"].removeprefix("#/").split("/"):
            description = description[name]
        return description
    return part


def _prose(text: str) -> str:
    """Write paragraphs, in which code is marked already."""
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(part.replace("<", "&lt;") if "`" not in part else part for part in parts if part) + "\n"
