"""The configuration file: reading it, checking it, describing it."""

from __future__ import annotations

from connector_core.config.load import load_config, peek_disabled, read_config
from connector_core.config.loaded import Config, IntegrationConfig, OrganizationConfig, SourceConfig
from connector_core.config.mistakes import ConfigInvalid, Mistake
from connector_core.config.schema import config_schema

__all__ = [
    "Config",
    "ConfigInvalid",
    "IntegrationConfig",
    "Mistake",
    "OrganizationConfig",
    "SourceConfig",
    "config_schema",
    "load_config",
    "peek_disabled",
    "read_config",
]
