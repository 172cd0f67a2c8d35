"""Chromium without a window, wherever this machine has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.needed import require
from tools.need import BROWSER_FLAGS

SEEN_WITHIN_S = 30  # as long as an action waits by default; a busy machine is slow


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; where there is none, the test is left out with its group."""
    path = require("browser")
    expect.set_options(timeout=SEEN_WITHIN_S * 1000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(BROWSER_FLAGS))
        yield started
        started.close()
