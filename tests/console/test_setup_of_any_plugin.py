"""Set-up in the browser, as the core's kit walks it for every plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from connector_core.testing import BrowserSetup
from tests.support.browser import open_browser


class InOurChromium(BrowserSetup):
    """In the Chromium of this machine."""

    @classmethod
    @contextmanager
    def open_browser(cls) -> Iterator[Browser]:
        """Start it."""
        with open_browser() as browser:
            yield browser


@pytest.mark.extended
class TestJiraInTheBrowser(InOurChromium):
    """Jira, on a simple site."""

    plugin = "jira_jsm"


@pytest.mark.extended
class TestServiceNowInTheBrowser(InOurChromium):
    """ServiceNow, on a simple instance."""

    plugin = "servicenow"


@pytest.mark.extended
class TestRoundupInTheBrowser(InOurChromium):
    """Roundup, before a tracker of its own."""

    plugin = "roundup"
