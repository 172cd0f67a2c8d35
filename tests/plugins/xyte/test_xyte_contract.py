"""The plugin keeps the contract that every plugin keeps."""

from __future__ import annotations

import connector_xyte
from connector_core.testing import PluginContract


class TestXyte(PluginContract):
    """The contract, with the least that has to be set."""

    module = connector_xyte
    settings = {"organization_key": "a-key"}  # noqa: RUF012 - as documented
