"""A real Request Tracker 5 on loopback, with a person at the desk and an administrator who can be told what to do."""

from __future__ import annotations

from connector_request_tracker_sandbox.installed import NotInstalledError, RequestTrackerError
from connector_request_tracker_sandbox.site import RequestTrackerSandbox, open_sandbox

__all__ = ["NotInstalledError", "RequestTrackerError", "RequestTrackerSandbox", "open_sandbox"]
