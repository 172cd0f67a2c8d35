"""Handles for what asks nobody: an integration in set-up, with the answers given so far."""

from __future__ import annotations

from dataclasses import replace

from connector_core import Integration, PluginInfo, Settings
from connector_core.testing import make_integration


def answered(**answers: object) -> Integration:
    """Return an integration whose set-up is unfinished."""
    return replace(make_integration(PluginInfo("a", "A", Settings), {}), settings=None, answers=answers)
