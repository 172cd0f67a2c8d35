"""A stand-in for a Xyte organization on loopback: its API with its quirks, a page to click on, a gateway if wanted."""

from __future__ import annotations

from connector_xyte_sandbox.quirks import Quirks
from connector_xyte_sandbox.server import XyteSandbox, open_sandbox

__all__ = ["Quirks", "XyteSandbox", "open_sandbox"]
