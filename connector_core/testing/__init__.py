"""The kit for plugin authors: the contract as tests, handles to call hooks with, a clock, and both sides in memory.

`MemoryDesk` and `MemoryPlatform` are plugins themselves: read them as examples, or have one play the other side of
yours. A plugin's contract test is a few lines:

    from connector_core.testing import PluginContract
    import connector_my_desk

    class TestMyDesk(PluginContract):
        module = connector_my_desk
        settings = {"queue": "support"}
"""

from __future__ import annotations

from connector_core.testing.clock import FrozenClock
from connector_core.testing.contract import PluginContract
from connector_core.testing.core import MemoryCore
from connector_core.testing.handle import make_integration, make_source
from connector_core.testing.in_memory import Call, recorded
from connector_core.testing.memory_desk import MemoryDesk, MemoryTicket
from connector_core.testing.memory_platform import MemoryPlatform

__all__ = [
    "Call",
    "FrozenClock",
    "MemoryCore",
    "MemoryDesk",
    "MemoryPlatform",
    "MemoryTicket",
    "PluginContract",
    "make_integration",
    "make_source",
    "recorded",
]
