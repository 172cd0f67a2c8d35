"""Answers of set-up as the settings of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.plugin_info import Settings
from connector_core.contract.secret_lists import STORED
from connector_core.plugins import Plugin
from connector_core.store import IntegrationRecord


def settings_of(plugin: Plugin, answers: Mapping[str, Any], record: IntegrationRecord) -> Settings:
    """Validate answers with the plugin's model.

    Raises:
        ConfigError: something is missing or wrong; the message names it.
    """
    try:
        return plugin.info.settings.model_validate({**answers, **record.secret_answers}, context=STORED)
    except ValidationError as exc:
        places = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise ConfigError(
            f"The settings of {record.id} are not complete: {places}.",
            code="settings_incomplete",
            advice=Advice(Remedy.SET_UP, record.id),
        ) from exc


def settings_if_complete(plugin: Plugin, record: IntegrationRecord) -> Settings | None:
    """Return the settings of an integration; None while answers are missing."""
    try:
        return settings_of(plugin, record.answers, record)
    except ConfigError:
        return None


def link_settings(plugin: Plugin, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that a link keeps."""
    return {key: answers[key] for key in plugin.info.link_settings if key in answers}
