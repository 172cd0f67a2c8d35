"""`connector config`: the configuration file."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from connector_core.cli.opening import config_option, read
from connector_core.cli.output import print_json
from connector_core.config import config_schema
from connector_core.plugins import load_plugins

_NOT_SHOWN = frozenset({"secrets", "warnings", "answers"})


@click.group()
def config() -> None:
    """Check, show or describe the configuration file."""


@config.command()
@config_option
def check(config_path: str | None) -> None:
    """Check the file and say everything that is wrong with it, each with line, column and fix."""
    found, _, _ = read(config_path)
    for warning in found.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    count = sum(len(organization.integrations) for organization in found.organizations.values())
    click.echo(f"{found.path}: fine ({len(found.organizations)} organizations, {count} integrations).")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the file, with the settings of every installed plugin."""
    click.echo(json.dumps(config_schema(load_plugins()), indent=2))


@config.command()
@config_option
def show(config_path: str | None) -> None:
    """Print the configuration as it is understood, defaults filled in and secrets masked."""
    found, _, _ = read(config_path)
    print_json(_plain(found))


def _plain(value: Any) -> Any:  # noqa: ANN401 - walks any tree of settings
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.name not in _NOT_SHOWN]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
