"""The life of a ticket at a real Request Tracker, as the core's kit has it for every plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from connector_core.kit.scripts import filled_script
from connector_core.kit.texts import packaged
from connector_core.plugins import Plugin
from connector_core.testing import BrowserSetup, DaemonLife, TicketingLife
from connector_core.testing.conformance.system import MovingClock
from connector_core.testing.trials import try_mutants
from connector_request_tracker_sandbox import RequestTrackerSandbox
from tests.support.browser import open_browser
from tests.support.needed import require

SCRIP = packaged("connector_request_tracker", "scrip.pl")

pytestmark = pytest.mark.request_tracker


class PastedSite(RequestTrackerSandbox):
    """A site whose administrator pastes the Scrip that our wizard hands out."""

    def register_webhook(self, url, secret, *, script=None):
        """Paste it, filled in."""
        filled = filled_script(SCRIP, {"url": url, "secret": secret})
        super().register_webhook(url, secret, script=script or filled)


def open_site() -> PastedSite:
    """Serve a site; without Request Tracker on this machine the test is left out."""
    require("request-tracker")
    site = PastedSite()
    site.start()
    return site


class TestRequestTrackerLife(TicketingLife):
    """Hooks, with faults in the session."""

    plugin = "request_tracker"
    longest_wait_s = 0.1  # it shows at once what was done

    @classmethod
    def open_system(cls, clock: MovingClock) -> PastedSite:  # noqa: ARG003 - it goes by the clock of this machine
        """Serve a site."""
        return open_site()


class TestRequestTrackerInTheDaemon(DaemonLife):
    """The daemon as a process, a sample platform, and the site."""

    plugin = "request_tracker"

    @classmethod
    def open_system(cls, plugin: Plugin) -> PastedSite:  # noqa: ARG003 - there is one
        """Serve a site."""
        return open_site()


class TestRequestTrackerInTheBrowser(BrowserSetup):
    """Set-up, from nothing to active."""

    plugin = "request_tracker"

    @classmethod
    def open_system(cls, plugin: Plugin) -> PastedSite:  # noqa: ARG003 - as above
        """Serve a site."""
        return open_site()

    @classmethod
    @contextmanager
    def open_browser(cls) -> Iterator[Browser]:
        """Take the Chromium of this machine."""
        with open_browser() as browser:
            yield browser


def test_every_mutant_is_noticed():
    """Whatever is broken in the plugin or in its session, one of the checks fails."""
    trials = try_mutants(TestRequestTrackerLife)

    assert len(trials) >= 25
    assert [trial.mutant for trial in trials if not trial.noticed_by] == []
