"""The plugin keeps the contract that the core ships as tests."""

from __future__ import annotations

import connector_jira_jsm
from connector_core.testing import PluginContract


class TestJiraJsm(PluginContract):
    """Everything that every plugin must keep to."""

    module = connector_jira_jsm
    settings = {"service_desk": "10", "request_type": "25", "close_status": "10002"}  # noqa: RUF012 - as documented
