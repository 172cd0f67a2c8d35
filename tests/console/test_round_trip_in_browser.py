"""A test incident in Chromium: sent from the step that activates, and watched without a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.extended
def test_a_test_incident_is_watched_until_it_has_come_back(person):
    """From Activate to the verdict by clicks alone; the page follows by itself."""
    person.set_up()
    person.open(f"/integrations/{person.name}/setup/enable")
    person.click("Send a test incident", role="link")
    person.is_at("Test incident")

    person.click("Send a test incident")

    verdict = person.page.get_by_text("Both directions work, without a webhook", exact=True)
    expect(verdict).to_be_visible(timeout=90_000)
    expect(person.page.get_by_role("row")).to_have_count(5)
    expect(person.page.get_by_role("button", name="Send a test incident")).to_be_enabled()
