"""Fills texts in with Jinja's sandbox, cut down further.

The texts come from a form, so what may stand in them is listed, and nothing in that list can take long or grow large:
values, comparisons, `if`, and a few filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Device, Incident, Location

LONGEST_TEMPLATE = 8_000
LONGEST_TEXT = 32_000

_FILTERS = frozenset(
    {
        "capitalize",
        "d",
        "default",
        "first",
        "int",
        "last",
        "length",
        "lower",
        "round",
        "title",
        "trim",
        "truncate",
        "upper",
    }
)
_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.CondExpr,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.Keyword,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
)


class _Environment(ImmutableSandboxedEnvironment):
    """Looks names up in mappings only: a text has no methods here."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - what templates hold
        """Return a value of a mapping."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - what templates hold
        """Return a value of a mapping; whatever else is asked for is undefined."""
        if isinstance(obj, Mapping) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        return self.undefined(hint=f"no incident has a value named {argument}", obj=obj, name=str(argument))


def fill(text: str, incident: Incident, *, strict: bool = False) -> str:
    """Fill an incident's values in; `strict` refuses names that no incident has.

    Raises:
        ConfigError: the text cannot be filled in.
    """
    return _rendered(_compiled(text, strict=strict), text, incident)


@lru_cache(maxsize=256)
def parts_around(text: str, name: str) -> tuple[tuple[str | None, ...], tuple[str | None, ...]] | None:
    """Return what stands before and behind the only place of a value, None for each part that differs.

    Raises:
        ConfigError: the text cannot be read.
    """
    _compiled(text, strict=False)  # refuses what may not stand in a text
    tree = _environment(strict=False).parse(text)
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


def _rendered(template: Template, text: str, incident: Incident) -> str:
    try:
        return template.render(incident=_values(incident)).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, AssertionError, RecursionError) as exc:
        raise _wrong(text, str(exc)) from exc


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


@cache
def _environment(*, strict: bool) -> _Environment:
    undefined = StrictUndefined if strict else ChainableUndefined
    environment = _Environment(undefined=undefined, autoescape=False, finalize=_shown)
    environment.globals.clear()
    allowed: dict[str, Callable[..., Any]] = {name: environment.filters[name] for name in _FILTERS}
    environment.filters = allowed
    return environment


def _shown(value: object) -> object:
    return "" if value is None else value


@lru_cache(maxsize=256)
def _compiled(text: str, *, strict: bool) -> Template:
    if len(text) > LONGEST_TEMPLATE:
        raise _wrong(text, f"it is longer than {LONGEST_TEMPLATE} characters")
    environment = _environment(strict=strict)
    try:
        tree = environment.parse(text)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _NODES):
                raise _wrong(text, f"{type(node).__name__.lower()} is not allowed here")
            if isinstance(node, nodes.Name) and node.name != "incident":
                raise _wrong(text, f"there is no {node.name}; values are those of incident")
        return environment.from_string(tree)
    except TemplateSyntaxError as exc:
        raise _wrong(text, exc.message or "it cannot be read") from exc
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as exc:
        raise _wrong(text, "it cannot be read") from exc


def _wrong(text: str, reason: str) -> ConfigError:
    shown = " ".join(text.split())[:60]
    return ConfigError(
        f"The template {shown!r} cannot be filled in: {reason.rstrip('.')}.",
        code="template_invalid",
        fix="Use values such as {{ incident.title }}, {{ incident.device.name }} or {{ incident.location.path }}.",
    )
