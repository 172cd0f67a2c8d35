"""A real Roundup tracker on loopback, with people who can be told what to do."""

from __future__ import annotations

from connector_roundup_sandbox.desk import RoundupSandbox, open_sandbox
from connector_roundup_sandbox.people import RoundupError

__all__ = ["RoundupError", "RoundupSandbox", "open_sandbox"]
