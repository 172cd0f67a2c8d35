"""What a browser leaves running in this process hinders no other test."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(scope="module", autouse=True)
def driven(request):
    """Have a browser for the module, not for its test: its driver keeps an event loop running in this thread."""
    request.getfixturevalue("browser")
    assert asyncio._get_running_loop() is not None


def test_a_test_without_a_browser_can_run_an_event_loop():
    """Whichever test had one in this process before."""
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"
