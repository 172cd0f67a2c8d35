"""Fills texts in that come from a form, at a cost that is bounded however they are written.

Jinja reads a text; what it read is computed here, by what stands in four lists: nodes, operators, filters and tests.
Nothing else may stand in a text, and none of it repeats anything. Each step costs what it looks at, and there is so
much to spend for a text and no more: `MOST_WORK`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, TemplateError, TemplateSyntaxError, nodes

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Device, Incident, Location
from connector_core.contract.template_filling import Filling
from connector_core.contract.template_values import (
    FILTERS,
    LARGEST_NUMBER,
    LONGEST_TEXT,
    OPERATORS,
    TESTS,
    NotAllowedError,
)

LONGEST_TEMPLATE = 8_000
DEEPEST = 50

_STRUCTURE = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Keyword, nodes.Operand)
# What people may try, in their words; of anything else Jinja's own word is said.
_CALLED = {
    nodes.For: "a loop (for)",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.Call: "a call such as x()",
    nodes.Slice: "a range such as [0:5]",
    nodes.List: "a list",
    nodes.Tuple: "a list",
    nodes.Dict: "a dictionary",
    nodes.BinExpr: "arithmetic",
    nodes.UnaryExpr: "arithmetic",
}


def fill(text: str, incident: Incident, *, strict: bool = False) -> str:
    """Fill an incident's values in; `strict` refuses names that no incident has.

    Raises:
        ConfigError: the text cannot be filled in.
    """
    tree = _parsed(text)
    try:
        return Filling(_values(incident), strict=strict).filled(tree)
    except NotAllowedError as exc:
        raise _wrong(text, str(exc)) from exc


@lru_cache(maxsize=256)
def parts_around(text: str, name: str) -> tuple[tuple[str | None, ...], tuple[str | None, ...]] | None:
    """Return what stands before and behind the only place of a value, None for each part that differs.

    Raises:
        ConfigError: the text cannot be read.
    """
    tree = _parsed(text)
    known = [value for node in tree.find_all((nodes.Getattr, nodes.Getitem)) if (value := _value_named(node))]
    whole = sum(1 for node in tree.find_all(nodes.Name))
    if known.count(name) != 1 or len(known) != whole:
        return None
    parts: list[str | None] = []
    place = None
    for part in _top_level(tree):
        if _value_named(part) == name:
            place = len(parts)
        parts.append(part.data if isinstance(part, nodes.TemplateData) else None)
    return None if place is None else (tuple(parts[:place]), tuple(parts[place + 1 :]))


def _top_level(tree: nodes.Template) -> Iterator[nodes.Node]:
    for node in tree.body:
        yield from node.nodes if isinstance(node, nodes.Output) else (node,)


def _value_named(node: nodes.Node) -> str:
    """Return which of the incident's values a node names, nothing when it names none."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem) or not isinstance(node.node, nodes.Name):
        return ""
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else ""


def _values(incident: Incident) -> dict[str, Any]:
    """Return an incident as templates see it; what it lacks is a hole, so that a misspelt name is something else."""
    shown = incident.model_dump(mode="json")
    for part, model in (("device", Device), ("location", Location)):
        shown[part] = shown[part] or dict.fromkeys(model.model_fields)
    return {name: _cut(value) for name, value in shown.items()}


def _cut(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _cut(part) for name, part in value.items()}
    return value[:LONGEST_TEXT] if isinstance(value, str) else value


# Reading


@cache
def _environment() -> Environment:
    return Environment(autoescape=False)  # noqa: S701 - texts for tickets, no pages; nothing is compiled or run by Jinja


@lru_cache(maxsize=256)
def _parsed(text: str) -> nodes.Template:
    """Return what a text says.

    Raises:
        ConfigError: it cannot be read, or something stands in it that may not.
    """
    if len(text) > LONGEST_TEMPLATE:
        raise _wrong(text, f"it is longer than {LONGEST_TEMPLATE} characters")
    try:
        tree = _environment().parse(text)
        _check(tree)
    except TemplateSyntaxError as exc:
        raise _wrong(text, _in_words(exc.message or "")) from exc
    except NotAllowedError as exc:
        raise _wrong(text, str(exc)) from exc
    except (ValueError, ArithmeticError) as exc:
        raise _wrong(text, "a number or a character in it cannot be read") from exc
    except RecursionError as exc:
        raise _wrong(text, "it is nested too deeply") from exc
    except (TemplateError, SyntaxError, MemoryError) as exc:
        raise _wrong(text, "it cannot be read") from exc
    return tree


def _check(tree: nodes.Template) -> None:
    """Refuse whatever is in none of the lists."""
    left: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while left:
        node, depth = left.pop()
        if depth > DEEPEST:
            raise NotAllowedError("it is nested too deeply")
        if type(node) not in _STRUCTURE and type(node) not in Filling.HOW:
            raise NotAllowedError(f"{_called(node)} is not allowed here")
        _check_alone(node)
        left += [(child, depth + 1) for child in node.iter_child_nodes()]


def _check_alone(node: nodes.Node) -> None:
    if isinstance(node, nodes.Name) and node.name != "incident":
        raise NotAllowedError(f"there is no {node.name}; values are those of incident")
    if isinstance(node, nodes.Const) and isinstance(node.value, int | float):
        if not abs(node.value) <= LARGEST_NUMBER:
            raise NotAllowedError(f"a number is larger than {LARGEST_NUMBER}")
    elif isinstance(node, nodes.Filter | nodes.Test):
        known: Mapping[str, object] = FILTERS if isinstance(node, nodes.Filter) else TESTS
        if node.name not in known or node.dyn_args or node.dyn_kwargs:
            kind = "filter" if isinstance(node, nodes.Filter) else "test"
            raise NotAllowedError(f"there is no {kind} {node.name} here; there are {', '.join(sorted(known))}")
        if isinstance(node, nodes.Filter) and node.node is None:
            raise NotAllowedError("a filter needs a value")
    elif isinstance(node, nodes.Operand) and node.op not in OPERATORS:
        raise NotAllowedError(f"{node.op} is not allowed here")


def _in_words(said: str) -> str:
    """Return what the engine says, without its jargon about tags that it was looking for."""
    if "'endfor'" in said:
        return f"{_CALLED[nodes.For]} is not allowed here"
    if "looking for the following tags" in said or "Unexpected end of template" in said:
        return "a part that begins with {% is not closed"
    return said or "it cannot be read"


def _called(node: nodes.Node) -> str:
    found = next((words for kind, words in _CALLED.items() if isinstance(node, kind)), None)
    return found or type(node).__name__.lower()


def _wrong(text: str, reason: str) -> ConfigError:
    shown = " ".join(text[:1000].split())[:60]
    return ConfigError(
        f"The template {shown!r} cannot be filled in: {reason.rstrip('.')}.",
        code="template_invalid",
        fix="Use values such as {{ incident.title }}, {{ incident.device.name }} or {{ incident.location.path }}.",
    )
