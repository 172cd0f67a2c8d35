"""The configuration file: reading it, checking it, describing it."""

from __future__ import annotations

from connector_core.config.load import (
    Peek,
    load_config,
    peek,
    peek_disabled,
    read_applied,
    read_config,
    read_leniently,
)
from connector_core.config.loaded import Config, IntegrationConfig, OrganizationConfig, SourceConfig, file_place
from connector_core.config.mistakes import ConfigInvalid, Mistake
from connector_core.config.schema import config_schema
from connector_core.config.snapshot import Change, Snapshot, differences, elsewhere

__all__ = [
    "Change",
    "Config",
    "ConfigInvalid",
    "IntegrationConfig",
    "Mistake",
    "OrganizationConfig",
    "Peek",
    "Snapshot",
    "SourceConfig",
    "config_schema",
    "differences",
    "elsewhere",
    "file_place",
    "load_config",
    "peek",
    "peek_disabled",
    "read_applied",
    "read_config",
    "read_leniently",
]
