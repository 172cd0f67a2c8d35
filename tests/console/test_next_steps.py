"""Where a person goes on: what has to be decided is near the top, and what is shown on a phone is all there."""

from __future__ import annotations

import pytest

from tests.support.served import ServedLink


@pytest.fixture
def served(tmp_path):
    """Serve a link."""
    opened = ServedLink(tmp_path)
    yield opened
    opened.stop()


def test_the_buttons_of_a_link_come_before_its_timeline(served, admin):
    """They follow the state by themselves, as the rest of the page does."""
    page = admin.get(f"/links/{served.number}").text
    live = page[page.index('data-live="link"') :]

    assert live.index('value="retry"') < live.index("Both sides") < live.index("Timeline")
    assert page.index('aria-current="page">Links') < page.index(" / Display is dark</p>")


def test_the_front_page_leads_to_what_was_switched_off(served, admin):
    """A disabled integration is one click from its activation."""
    assert ">Activate</a>" not in admin.get("/").text
    admin.post("/integrations/acme-desk/disable", seen_on="/integrations/acme-desk")

    assert 'href="/integrations/acme-desk/setup/enable">Activate</a>' in admin.get("/").text


@pytest.mark.extended
def test_on_a_phone_the_present_step_is_in_sight(person):
    """Also the last one of a long row."""
    person.page.set_viewport_size({"width": 390, "height": 844})
    person.start()
    for path in ("step/webhook", "enable"):
        person.open(f"/integrations/{person.name}/setup/{path}")
        box = person.page.locator(".steps a[aria-current]").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
