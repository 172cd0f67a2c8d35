"""What every plugin keeps to, for ServiceNow."""

from __future__ import annotations

import connector_servicenow
from connector_core.testing import PluginContract


class TestServiceNow(PluginContract):
    """The plugin as the daemon loads it."""

    module = connector_servicenow
    settings = {"instance": "acme", "assignment_group": "0" * 32, "close_code": "Solution provided"}  # noqa: RUF012 - as documented
