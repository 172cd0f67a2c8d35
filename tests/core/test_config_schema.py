"""The schema and the example: both say what the models say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from connector_core.config import config_schema, load_config
from connector_core.config.positions import read_document
from connector_core.plugins import load_plugins
from tests.support.fake_plugins import fake_plugins

FOLDER = Path(__file__).parents[2] / "config"
EXAMPLE = FOLDER / "connector.example.yaml"
SCHEMA = FOLDER / "connector.schema.json"
REGENERATE = "connector config schema > config/connector.schema.json"


@pytest.fixture(scope="module")
def plugins():
    """Load the plugins that are installed, of which the example uses two."""
    return load_plugins()


@pytest.fixture(scope="module")
def validator(plugins):
    """Return a validator of the installed plugins' schema."""
    schema = config_schema(plugins)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def example_environ():
    """Give each variable of the example a value."""
    return dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", EXAMPLE.read_text()), "a-value-that-is-long-enough")


def keys_of(schema):
    """List all keys that a schema has anywhere."""
    if isinstance(schema, list):
        return {key for part in schema for key in keys_of(part)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {}))
    return own | {key for part in schema.values() for key in keys_of(part)}


def test_schema_file_is_current(plugins):
    """The committed schema is what the models give."""
    assert json.loads(SCHEMA.read_text()) == config_schema(plugins), f"regenerate it: {REGENERATE}"


def test_example_loads_without_a_warning(plugins):
    """The example is right, and no secret is written into it."""
    config = load_config(EXAMPLE, plugins, example_environ())

    assert config.warnings == ()
    assert list(config.organizations["acme"].integrations) == ["acme-helpdesk"]


def test_example_fits_the_schema(validator):
    """Editors that know the schema find nothing wrong with the example."""
    assert [error.message for error in validator.iter_errors(read_document(EXAMPLE).values)] == []


def test_example_has_every_key(plugins):
    """Every key of the core and of the plugins that it shows is in the example, set or commented out."""
    shown = load_plugins(disabled={plugin.name for plugin in plugins.ready} - {"jira_jsm", "xyte"})
    written = set(re.findall(r"([a-z_]+):", EXAMPLE.read_text()))

    assert keys_of(config_schema(shown)) - written == set()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"secret_key": "k", "sever": {}},
        {"secret_key": "k", "reconcile": {"every": 60}},
        {"secret_key": "k", "organizations": {"Acme Inc": {}}},
        {"secret_key": "k", "organizations": {"acme": {"source": {"secret": "s"}}}},
        {"secret_key": "k", "organizations": {"acme": {"source": {"plugin": "desk", "secret": "s"}}}},
        {"secret_key": "k", "organizations": {"acme": {"integrations": {"a": {"plugin": "desk", "desk": 10}}}}},
        {"secret_key": "k", "plugins": {"desk": {"regoin": "eu"}}},
    ],
    ids=lambda values: next(reversed(values), "nothing"),
)
def test_schema_refuses_what_the_loader_refuses(values):
    """Mistakes are seen while the file is written."""
    validator = jsonschema.Draft202012Validator(config_schema(fake_plugins()))

    assert not validator.is_valid(values)


def test_schema_takes_a_reference_for_a_number():
    """What is not just any text may come from the environment too."""
    validator = jsonschema.Draft202012Validator(config_schema(fake_plugins()))
    values = {
        "secret_key": "${env:KEY}",
        "server": {"port": "${env:PORT}"},
        "logging": {"level": "${env:LEVEL}"},
        "organizations": {"a": {"integrations": {"b": {"plugin": "desk", "desk": "1", "enabled": "${env:ON}"}}}},
    }

    assert validator.is_valid(values)


def test_every_key_is_described():
    """No setting is without a sentence that says what it is for."""

    def undescribed(schema, place):
        if isinstance(schema, list):
            return [found for part in schema for found in undescribed(part, place)]
        if not isinstance(schema, dict):
            return []
        mine = [
            f"{place}.{name}"
            for name, part in schema.get("properties", {}).items()
            if not part.get("description") and "$ref" not in part and place != "plugins"
        ]
        return mine + [found for key, part in schema.items() for found in undescribed(part, key)]

    assert undescribed(config_schema(load_plugins()), "") == []
