"""The migrations of SQLite, by their numbers: append only, never edited once released."""

from __future__ import annotations

from connector_core.store.steps import m001_to_m013, m014_to_m029, m030_on  # noqa: F401 - in the order of their numbers
from connector_core.store.steps.sets import finishing, migrations

__all__ = ["finishing", "migrations"]
