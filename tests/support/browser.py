"""Chromium without a window, wherever this machine has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.need import BROWSER_FLAGS, NEEDS, find_browser


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; the test is skipped where there is none, with what to do about it."""
    path = find_browser()
    if path is None:
        pytest.skip(f"no Chromium that starts. {NEEDS['browser'].advice}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(BROWSER_FLAGS))
        yield started
        started.close()
