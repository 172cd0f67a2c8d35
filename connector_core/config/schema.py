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
_CHOOSY = frozenset({"pattern", "format", "enum", "const"})
_REFERENCE = {"type": "string", "pattern": r"\$\{(env|file):"}


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
        **_with_references({**schema, "$defs": dict(sorted(definitions.items()))}),
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


def _with_references(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Let a reference stand wherever a value is described more closely than as text."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in {"integer", "number", "boolean"} or (
        schema.get("type", "string") == "string" and _CHOOSY & schema.keys() and "properties" not in schema
    ):
        told = {key: schema[key] for key in ("title", "description", "default") if key in schema}
        value = {key: part for key, part in schema.items() if key not in told}
        return {**told, "anyOf": [value, _REFERENCE]}
    return {key: part if key in {"default", "examples"} else _with_references(part) for key, part in schema.items()}
