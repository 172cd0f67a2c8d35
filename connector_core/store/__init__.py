"""Everything durable, noun by noun; all SQL of the connector is in this package."""

from __future__ import annotations

from connector_core.store import records
from connector_core.store.records import *  # noqa: F403 - their names are listed there, once
from connector_core.store.store import Store

__all__ = ["Store"]
__all__ += records.__all__
