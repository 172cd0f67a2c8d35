"""The kit for plugin authors: a clock that stands still, a handle to call hooks with, and the contract as tests.

A plugin's contract test is a few lines:

    from connector_core.testing import PluginContract
    import connector_my_desk

    class TestMyDesk(PluginContract):
        module = connector_my_desk
        settings = {"queue": "support"}
"""

from __future__ import annotations

from connector_core.testing.clock import FrozenClock
from connector_core.testing.contract import PluginContract
from connector_core.testing.handle import make_integration, make_source

__all__ = ["FrozenClock", "PluginContract", "make_integration", "make_source"]
