"""The migrations of PostgreSQL, by their numbers: append only, never edited once released."""

from __future__ import annotations

from connector_core.store.postgres_steps.later import ADDED, FINISHING, LATER, LATER_INDEXES, MIGRATIONS, REMOVED
from connector_core.store.postgres_steps.m018_baseline import INDEXES, TABLES, TRIGGERS

__all__ = ["ADDED", "FINISHING", "INDEXES", "LATER", "LATER_INDEXES", "MIGRATIONS", "REMOVED", "TABLES", "TRIGGERS"]
