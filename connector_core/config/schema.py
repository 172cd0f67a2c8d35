"""The configuration file as JSON Schema, for editors and for people; made from the models, never written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from connector_core.config.models import ConfigFile, IntegrationEntry, SourceEntry
from connector_core.plugins import Plugin, PluginSet

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

# What makes a schema choosy: a reference would not pass it, although the value behind it may.
_CHOOSY = frozenset({"pattern", "format", "enum"})
_BY_NAME = frozenset({"properties", "patternProperties", "$defs"})
_VALUES = frozenset({"default", "examples", "const", "enum"})
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{(env|file):"}


def config_schema(plugins: PluginSet) -> Schema:
    """Return the schema of the whole file with the settings of every plugin that is ready."""
    schema = ConfigFile.model_json_schema(mode="validation")
    definitions: Schema = schema.pop("$defs")
    properties = schema["properties"]
    properties["plugins"] = {
        "description": properties["plugins"]["description"],
        "type": ["object", "null"],
        "properties": {
            plugin.name: _own(plugin.info.plugin_settings, f"{plugin.name}.shared", definitions)
            for plugin in plugins.ready
        },
    }
    for entry, hook in ((SourceEntry, "apply_change"), (IntegrationEntry, "on_incident_event")):
        fitting = [plugin for plugin in plugins.ready if plugin.implements(hook)]
        definitions[entry.__name__] = _by_plugin(definitions[entry.__name__], fitting, definitions)
    return {
        "$schema": DIALECT,
        "title": "Connector configuration",
        **_tidied({**schema, "$defs": dict(sorted(definitions.items()))}),
    }


def _by_plugin(entry: Schema, plugins: Iterable[Plugin], definitions: Schema) -> Schema:
    """Offer one alternative for each plugin: its name, the core's keys and its own."""
    alternatives = []
    for plugin in plugins:
        own = _own(plugin.info.settings, plugin.name, definitions)
        named = {**entry["properties"], "plugin": {"const": plugin.name, "description": plugin.info.title}}
        alternatives.append(
            {
                **own,
                "properties": {**named, **own.get("properties", {})},
                "required": ["plugin", *own.get("required", [])],
            }
        )
    return {"description": entry["description"], "oneOf": alternatives}


def _own(model: type[BaseModel], prefix: str, definitions: Schema) -> Schema:
    """Return a plugin model's schema, its definitions moved to ours under names of their own."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    return schema


def _tidied(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Drop what only pydantic's readers need, and let a reference stand wherever not just any text may."""
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _inside(key, part) for key, part in schema.items() if not _is_noise(key, part)}
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)
    kind = schema.get("type")
    if kind in ("integer", "number", "boolean") or (kind == "string" and _CHOOSY & schema.keys()):
        told = {key: schema.pop(key) for key in ("description", "default") if key in schema}
        return {**told, "anyOf": [schema, _REFERENCE]}
    return schema


def _is_noise(key: str, part: object) -> bool:
    """Tell titles that repeat the key, and what makes editors hide a reference as if it were the password."""
    return key in ("title", "writeOnly") or (key == "format" and part == "password")


def _inside(key: str, part: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if key in _BY_NAME:  # the keys of these are names that somebody chose, such as "type" or "format"
        return {name: _tidied(child) for name, child in part.items()}
    return part if key in _VALUES else _tidied(part)
