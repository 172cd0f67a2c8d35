"""Set-up in the browser, from nothing to active: whatever steps a plugin has are walked as a person would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from connector_core.contract.sandboxes import Sandbox
from connector_core.contract.setup_steps import answer_to
from connector_core.demo.sandboxes import open_sandbox
from connector_core.demo.stage import ORGANIZATION, Stage, until
from connector_core.plugins import Plugin, load_plugins
from connector_core.testing.conformance.checks import PROPERTY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MOST_PAGES = 40
NAME = "desk-in-the-browser"


class BrowserSetup:
    """Inherit, name the plugin, run pytest; needs Playwright and a Chromium that it finds.

    class TestMyDeskInTheBrowser(BrowserSetup):
        plugin = "my_desk"

    Answers are those of the stand-in's working integration, by their keys; a list without one gets its first entry, and
    what is optional is left as it is. `answers` has others, or more.
    """

    plugin: ClassVar[str]
    answers: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def open_system(cls, plugin: Plugin) -> Sandbox:
        """Start the stand-in of the plugin's vendor, or reach a real server."""
        desk: Sandbox = open_sandbox(plugin)
        return desk

    @classmethod
    @contextmanager
    def open_browser(cls) -> Iterator[Browser]:
        """Start a browser without a window."""
        playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch()
            yield browser
            browser.close()

    def test_browser_sets_it_up_from_nothing_to_active(self, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        """Every step is answered, access is authorized, the integration is active, and an incident gets its ticket."""
        request.node.user_properties.append((PROPERTY, {"plugin": self.plugin, "life": type(self).__name__}))
        plugin = load_plugins().get(self.plugin)
        stage = Stage(plugin, tmp_path, sandbox=self.open_system(plugin), with_webhook=False, in_file=False)
        try:
            stage.open_unauthorized()
            with self.open_browser() as browser:
                page = browser.new_page()
                walker = Walker(page, stage, {**stage.sandbox.integration_settings(), **self.answers})
                walker.begin()
                walker.walk()
            stage.platform.open("Fan 1 failed", priority="high")
            until(stage.sandbox.tickets)
        finally:
            stage.close()


class Walker:
    """A person who answers what is asked and clicks Next."""

    def __init__(self, page: Page, stage: Stage, answers: Mapping[str, Any]) -> None:
        self.page = page
        self.stage = stage
        self.answers = answers
        #: The pages that were walked, by the ends of their addresses.
        self.walked: list[str] = []

    def begin(self) -> None:
        """Sign in and make an integration."""
        page = self.page
        page.goto(f"{self.stage.daemon.url}/integrations/new")
        page.get_by_label("Password").fill(self.stage.environ["DEMO_CONSOLE_PASSWORD"])
        page.get_by_role("button", name="Sign in").click()
        page.locator("#organization").select_option(ORGANIZATION)
        page.locator("#plugin").select_option(self.stage.plugin.name)
        page.locator("#integration-name").fill(NAME)
        page.get_by_role("button", name="Next", exact=True).click()
        page.wait_for_url("**/setup/**")

    def walk(self) -> None:
        """Go from page to page until it is active.

        Raises:
            AssertionError: a page does not lead on.
        """
        for _ in range(MOST_PAGES):
            path = urlsplit(self.page.url).path
            step = path.rpartition("/setup/")[2]
            assert self.walked.count(step) < 2, f"the page {step} leads to itself: {self._said()}"  # noqa: PLR2004 - authorizing comes back once
            self.walked.append(step)
            if step == "enable":
                self._activate()
                return
            if step == "authorize":
                self._authorize()
            else:
                self._answer(path)
        raise AssertionError(f"not active after {MOST_PAGES} pages: {self.walked}")

    def _authorize(self) -> None:
        page = self.page
        with page.expect_navigation():
            page.get_by_role("button", name="Authorize access").click()
        if self.stage.has_consent:  # a page of ours stands between, and goes on by itself
            page.wait_for_url(lambda url: not url.startswith(self.stage.daemon.url))
            page.goto(self.stage.sandbox.approve(page.url))
        if page.locator("input[name=site]").count():
            page.locator("input[name=site]").first.check()
            with page.expect_navigation():
                page.get_by_role("button", name="Update", exact=True).click()
        page.get_by_role("link", name="Next", exact=True).click()
        page.wait_for_url(lambda url: not url.endswith("/authorize"))

    def _answer(self, path: str) -> None:
        """Answer the questions of a step, save, and go on."""
        page, given = self.page, False
        lists = [one.get_attribute("id") or "" for one in page.locator("fieldset.choices[id^=q-]").all()]
        for key in (name.removeprefix("q-") for name in lists):
            given |= self._choose(key)
        for box in page.locator("#answers input[id^=f-], #answers textarea[id^=f-]").all():
            value = self._value(box.get_attribute("name") or "")
            if value and box.is_editable():
                box.fill(value)
                given = True
        if given:
            page.get_by_role("button", name="Update", exact=True).click()
            page.get_by_text("Updated.").first.wait_for()
        page.locator("button.next, a.next").first.click()
        page.wait_for_url(lambda url: urlsplit(url).path != path)

    def _choose(self, key: str) -> bool:
        """Choose from a list; nothing where an answer is there already, or none is wanted."""
        radios = self.page.locator(f'input[type=radio][name="{key}"]')
        values = [one.get_attribute("value") or "" for one in radios.all()]
        # What is folded away is answered, too.
        self.page.evaluate("document.querySelectorAll('details.advanced').forEach((one) => { one.open = true })")
        wanted = self._value(key)
        if wanted in values:
            radios.nth(values.index(wanted)).check()
            return True
        is_optional = self.page.locator(f'fieldset[id="q-{key}"] legend small').count() > 0
        if is_optional or not values or self.page.locator(f'input[name="{key}"]:checked').count():
            return False
        radios.first.check()
        return True

    def _value(self, key: str) -> str:
        value = self.answers.get(key)
        return value.get_secret_value() if isinstance(value, SecretStr) else answer_to(self.answers, key)

    def _activate(self) -> None:
        page = self.page
        page.get_by_role("button", name="Activate", exact=True).click()
        active = page.get_by_text("The integration is active.").or_(page.get_by_text("opens a ticket from now on"))
        problem = page.locator("#problem")
        active.or_(problem).first.wait_for()
        assert not problem.count(), f"it cannot be activated: {self._said()}"

    def _said(self) -> str:
        return " / ".join(one.inner_text() for one in self.page.locator(".notice.bad, .findings").all())[:500]
