"""A person in front of a browser, who does what the product page says, by the names that stand there."""

from __future__ import annotations

from itertools import count
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from connector_core.demo.stage import ORGANIZATION

_numbers = count(1)


class Person:
    """Clicks and types; `name` is the integration that is set up."""

    def __init__(self, page: Page, stage):
        self.page = page
        self.stage = stage
        self.name = f"desk-{next(_numbers)}"

    @property
    def path(self):
        """The path of the page that is shown."""
        return urlsplit(self.page.url).path

    def open(self, path):
        """Open a page of the console."""
        self.page.goto(f"{self.stage.daemon.url}{path}")

    def click(self, name, role="button"):
        """Click a button."""
        self.page.get_by_role(role, name=name, exact=True).click()

    def sees(self, text):
        """Wait until a text is shown."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def is_at(self, title):
        """Wait until a page is shown by its heading."""
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(title)

    def log_in(self, path="/"):
        """Open a page and log in on the way."""
        self.open(path)
        self.page.get_by_label("Password").fill(self.stage.environ["DEMO_CONSOLE_PASSWORD"])
        self.click("Sign in")

    def start(self):
        """Make a new integration, up to its first step."""
        self.open("/integrations/new")
        self.page.get_by_label("Organization").select_option(ORGANIZATION)
        self.page.get_by_label("Name").fill(self.name)
        self.click("Next")
        self.is_at("Authorize access")

    def authorize(self, decision="Accept"):
        """Go to the consent page and decide."""
        self.page.get_by_role("button", name="Authorize access").click()
        self.click(decision)

    def at_step(self, key):
        """Open a step by its address."""
        self.open(f"/integrations/{self.name}/setup/step/{key}")

    def choose(self, label, button="Update"):
        """Select an entry of the list and press a button."""
        self.page.get_by_label(label).check()
        self.click(button)

    def answer_all(self):
        """Answer every list from the first step on."""
        self.click("Next", "link")
        for title, label in (
            ("Select Service Desk", "Support (SUP)"),
            ("Request Types", "Report an incident"),
            ("Close Status", "Resolved"),
        ):
            self.is_at(title)
            self.choose(label)
            self.sees("Updated.")
            self.click("Next")
            if title == "Request Types":
                self.leave_as_they_are()
        self.is_at("Webhook")

    def leave_as_they_are(self):
        """Go past the steps that a simple site needs no answers for."""
        for title in ("Request Fields", "Priorities"):
            self.is_at(title)
            self.click("Next")

    def activate(self):
        """Go to the last step and activate."""
        self.open(f"/integrations/{self.name}/setup/enable")
        self.click("Activate")
        self.sees("The integration is active.")

    def set_up(self):
        """Have all of it done by command, without the optional step: quicker than a dozen pages in a browser."""
        answers = self.stage.sandbox.integration_settings()
        self._command("setup", "--organization", ORGANIZATION, "--plugin", self.stage.plugin.name)
        self.stage.authorize(self.name)
        self._command("setup", *(f"--set={key}={value}" for key, value in answers.items()))
        self._command("enable")

    def _command(self, name, *options):
        done = self.stage.daemon.command("integrations", name, self.name, *options)
        assert done.returncode == 0, done.stdout + done.stderr
