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

from typing import TYPE_CHECKING, Any

from connector_core.testing.clock import FrozenClock
from connector_core.testing.contract import PluginContract
from connector_core.testing.core import MemoryCore
from connector_core.testing.handle import make_integration, make_source
from connector_core.testing.in_memory import Call, recorded
from connector_core.testing.memory_desk import MemoryDesk
from connector_core.testing.memory_platform import MemoryPlatform
from connector_core.testing.memory_tickets import MemoryTicket

if TYPE_CHECKING:  # these take longer to load, and most of them need pytest
    from connector_core.testing.browser import BrowserSetup
    from connector_core.testing.daemon import DaemonLife
    from connector_core.testing.life import TicketingLife
    from connector_core.testing.sandbox import HttpSandbox
    from connector_core.testing.source import SourceLife

__all__ = [
    "BrowserSetup",
    "Call",
    "DaemonLife",
    "FrozenClock",
    "HttpSandbox",
    "MemoryCore",
    "MemoryDesk",
    "MemoryPlatform",
    "MemoryTicket",
    "PluginContract",
    "SourceLife",
    "TicketingLife",
    "make_integration",
    "make_source",
    "recorded",
]

_LOADED_LATE = {
    "BrowserSetup": "browser",
    "HttpSandbox": "sandbox",
    "SourceLife": "source",
    "DaemonLife": "daemon",
    "TicketingLife": "life",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class of the kit
    """Load what takes longer when it is asked for."""
    if name not in _LOADED_LATE:
        raise AttributeError(name)
    from importlib import import_module  # noqa: PLC0415 - rarely needed

    return getattr(import_module(f"{__name__}.{_LOADED_LATE[name]}"), name)
