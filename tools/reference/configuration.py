"""The page about the configuration file, made from its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from connector_core.config.schema import config_schema
from connector_core.plugins import PluginSet, load_plugins
from tools.reference.markdown import code, plain, table

INTRO = """\
# Configuration

Every key of `connector.yaml`, with its default. The same as JSON schema, for editors: `connector config schema`. The
same as a commented file: [`connector.example.yaml`](../../config/connector.example.yaml). A value may be `${env:NAME}`
(an environment variable) or `${file:/path}` (the content of a file) wherever it stands. `connector config check` shows
every mistake with line, column and fix; `connector config diff` and `connector config apply` bring a changed file to
the running daemon.
"""
Schema = dict[str, Any]


def page(plugins: PluginSet | None = None) -> str:
    """Return the whole page."""
    plugins = plugins or load_plugins()
    schema = config_schema(plugins)
    book = Book(schema["$defs"])
    titles = {plugin.name: plugin.info.title for plugin in plugins.ready}
    parts = [INTRO, book.section("The file", schema)]
    parts += list(book.nested("", schema, 2))
    for name, shared in schema["properties"]["plugins"]["properties"].items():
        if shared.get("properties"):
            parts.append(book.section(f"plugins.{name}: {titles[name]}", shared))
            parts += list(book.nested(f"plugins.{name}", shared, 3))
    return "\n".join(parts)


#: What every integration has; shown once, with the first of them.
BY_CORE = frozenset({"fields", "comments"})


class Book:
    """Writes sections of a schema with its definitions at hand."""

    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions

    def section(self, title: str, schema: Schema, level: int = 2) -> str:
        """Return a heading with a table of keys."""
        needed = set(schema.get("required", ()))
        rows = [
            (code(key), self.kind(value), "**needed**" if key in needed else _default(value), plain(self.about(value)))
            for key, value in (*schema.get("properties", {}).items(), *self._by_pattern(schema))
        ]
        return f"{'#' * level} {title}\n\n{table(('Key', 'Value', 'Default', 'Meaning'), rows)}"

    def nested(self, path: str, schema: Schema, level: int, skip: frozenset[str] = frozenset()) -> Iterator[str]:
        """Return a section for each part of the file below this one."""
        for key, value in (*schema.get("properties", {}).items(), *self._by_pattern(schema)):
            here = ".".join(filter(None, (path, key)))
            inner = self._object(value)
            if key in skip or here == "plugins":
                continue
            if inner is not None:
                if inner.get("properties"):
                    yield self.section(f"`{here}`", inner, level)
                yield from self.nested(here, inner, min(level + 1, 4))
            elif (items := self._items(value)) is not None:
                yield self.section(f"`{here}`, each", items, level)
                yield from self.nested(here, items, min(level + 1, 4))
            else:
                yield from self._alternatives(here, self._resolved(value), level)

    def _alternatives(self, path: str, value: Schema, level: int) -> Iterator[str]:
        """Return a section for each kind of what may stand in a place, by the key that tells them apart."""
        found = [self._resolved(one) for one in (*value.get("oneOf", ()), *value.get("anyOf", ()))]
        for one in list(found):
            found += [self._resolved(inner) for inner in one.get("oneOf", ())]
        kinds = [one for one in found if one.get("properties")]
        for number, one in enumerate(kinds):
            key = next(key for key, inner in one["properties"].items() if "const" in inner)
            told = one["properties"][key]
            title = f"`{path}` with `{key}: {told['const']}`"
            yield self.section(title, one, min(level, 3))
            yield from self.nested(path, one, min(level + 1, 4), skip=BY_CORE if number else frozenset())

    def about(self, value: Schema) -> str:
        """Return what a key is for."""
        told = value.get("description") or self._resolved(value).get("description", "")
        return str(told)

    def kind(self, value: Schema) -> str:
        """Return what a value may be."""
        value = self._resolved(value)
        if "const" in value:
            return code(str(value["const"]))
        if "enum" in value:
            return ", ".join(code(_shown(one)) for one in value["enum"])
        for several in ("anyOf", "oneOf"):
            if several in value:
                kinds = dict.fromkeys(self.kind(one) for one in value[several] if not _is_aside(one))
                return "see below" if several == "oneOf" else " or ".join(kinds)
        if value.get("type") == "array":
            return f"list of {self.kind(value.get('items', {})) or 'anything'}"
        kind = value.get("type", "")
        kind = next((one for one in kind if one != "null"), "") if isinstance(kind, list) else kind
        return _bounded({"object": "section", "string": "text", "boolean": "true or false"}.get(kind, kind), value)

    def _by_pattern(self, schema: Schema) -> list[tuple[str, Schema]]:
        found = [("NAME", value) for value in schema.get("patternProperties", {}).values()]
        more = schema.get("additionalProperties")
        return [*found, *([("NAME", more)] if isinstance(more, dict) and more else [])]

    def _object(self, value: Schema) -> Schema | None:
        value = self._resolved(value)
        if value.get("type") == "object" or "properties" in value:
            return value
        for one in value.get("anyOf", ()):
            if (found := self._object(one)) is not None:
                return found
        return None

    def _items(self, value: Schema) -> Schema | None:
        """Return what each entry of a list is, if it is a section."""
        value = self._resolved(value)
        lists = [one for one in (value, *map(self._resolved, value.get("anyOf", ()))) if one.get("type") == "array"]
        found = [self._object(one.get("items", {})) for one in lists]
        return next((one for one in found if one is not None), None)

    def _resolved(self, value: Schema) -> Schema:
        if "$ref" not in value:
            return value
        own = {key: one for key, one in value.items() if key != "$ref"}
        return {**self._definitions[value["$ref"].rpartition("/")[2]], **own}


def _is_aside(value: Schema) -> bool:
    """Return whether an alternative is one that every value has: nothing, or a reference."""
    return value.get("type") == "null" or r"\$\{(env|file):" in str(value.get("pattern", ""))


def _bounded(kind: str, value: Schema) -> str:
    low, high = value.get("minimum", value.get("exclusiveMinimum")), value.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return f"{kind}, {low} or more" if low is not None else kind


def _default(value: Schema) -> str:
    default = value.get("default")
    return "" if default in (None, "", []) or isinstance(default, dict) else code(_shown(default))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
