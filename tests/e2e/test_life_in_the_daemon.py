"""The life of a ticket through the daemon, as the core's kit has it for every plugin."""

from __future__ import annotations

import pytest

from connector_core.testing import DaemonLife


@pytest.mark.extended
class TestJiraInTheDaemon(DaemonLife):
    """Jira, on a simple site."""

    plugin = "jira_jsm"


@pytest.mark.extended
class TestServiceNowInTheDaemon(DaemonLife):
    """ServiceNow, on a simple instance."""

    plugin = "servicenow"


@pytest.mark.extended
class TestRoundupInTheDaemon(DaemonLife):
    """Roundup, before a tracker of its own."""

    plugin = "roundup"
