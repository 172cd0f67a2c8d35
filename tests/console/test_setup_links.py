"""The set-up link: one step, once, for somebody without a login."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.support.person import Person


@contextmanager
def stranger(browser, stage):
    """Open another profile, of somebody without a password."""
    context = browser.new_context()
    yield Person(context.new_page(), stage)
    context.close()


def link_of(person, key):
    """Make a set-up link for a step; return its address."""
    person.open(f"/integrations/{person.name}/setup/{key}")
    person.page.get_by_text("Need someone else to do this step?").click()
    person.click("Create setup link")
    return person.page.locator(".copy code").inner_text()


@pytest.mark.extended
def test_somebody_else_authorizes_access(person, browser):
    """The link leads to the consent page and back, works once, and shows nothing but the step."""
    person.start()
    link = link_of(person, "authorize")
    with stranger(browser, person.stage) as helper:
        helper.page.goto(link)
        assert person.name not in helper.page.content()
        assert helper.page.get_by_role("navigation").count() == 0
        helper.authorize("Decline")
        helper.sees("Access was not authorized")
        helper.click("Back to the step", "link")
        helper.authorize()
        helper.sees("Done, thank you")
        helper.page.goto(link)
        helper.sees("it was used or has expired")
        helper.open("/")
        helper.is_at("Sign in")

    person.open(f"/integrations/{person.name}/setup/authorize")
    person.sees("Avery Agent")


@pytest.mark.extended
def test_somebody_else_pastes_the_webhook_secret(person, browser):
    """The step asks for one secret; an empty answer does not use the link up."""
    person.set_up()
    link = link_of(person, "step/webhook")
    with stranger(browser, person.stage) as helper:
        helper.page.goto(link)
        helper.sees("Settings (cog icon) → System → WebHooks")
        helper.click("Update")
        helper.sees("Nothing was entered.")
        helper.page.get_by_label("Webhook Secret").fill("pasted by the helper")
        helper.click("Update")
        helper.sees("Done, thank you")

    person.at_step("webhook")
    expect(person.page.locator(".light")).to_contain_text("Waiting for the first delivery.")


def test_a_link_that_never_was(visitor):
    """An invented link looks like one that was used."""
    visitor.open("/hand-over/invented")

    visitor.sees("it was used or has expired")
