"""Takes the pictures of the README: the wizard and the console against the sandbox, in Chromium.

Run it with: make pictures. With --all it takes every page there is, to be looked at.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from connector_core.demo.stage import Stage, sandbox_plugin, until
from connector_core.logs import configure_logging
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox import Fault
from tests.support.browser import open_browser
from tests.support.person import Person

IN_README = frozenset({"wizard-service-desk", "wizard-webhook", "wizard-dark", "integrations", "link"})
INCIDENTS = (
    ("Lobby display offline", "No heartbeat for 5 minutes", "high"),
    ("Room sensor silent", "Battery below 3 %", "low"),
    ("Codec runs hot in the board room", "78 °C for an hour", "critical"),
    ("Touch panel needs a restart", "", "moderate"),
)


def main(folder: Path) -> None:
    """Set everything up and take every picture."""
    configure_logging("error")
    with tempfile.TemporaryDirectory() as scratch, open_browser() as browser:
        plugin = sandbox_plugin(load_plugins(), "jira_jsm")
        stage = Stage(plugin, Path(scratch), with_webhook=False, in_file=False)
        try:
            stage.open_unauthorized()
            take(browser, stage, folder)
        finally:
            stage.close()


def take(browser, stage, folder: Path) -> None:
    """Walk through the wizard and the console."""
    person = Person(browser.new_page(viewport={"width": 1200, "height": 760}), stage)
    person.name = "acme-helpdesk"

    def picture(name: str, *, of: Person = person) -> None:
        if name not in IN_README and "--all" not in sys.argv:
            return
        of.page.evaluate("document.activeElement?.blur()")
        of.page.screenshot(path=folder / f"{name}.png", full_page=True)

    walk(person, picture)
    work(stage)
    look(person, picture)
    link = person.path
    for name, options in (("dark", {"color_scheme": "dark"}), ("phone", {"is_mobile": True})):
        size = {"width": 390, "height": 844} if name == "phone" else {"width": 1200, "height": 760}
        other = Person(browser.new_page(viewport=size, **options), stage)
        other.name = person.name
        other.log_in(link)
        picture(f"link-{name}", of=other)
        other.at_step("close_status")
        picture(f"wizard-{name}", of=other)
        other.open("/")
        picture(f"integrations-{name}", of=other)


def walk(person: Person, picture) -> None:
    """Set an integration up."""
    person.open("/login")
    picture("login")
    person.log_in()
    picture("empty")
    person.start()
    picture("wizard-authorize")
    person.authorize("Decline")
    picture("wizard-declined")
    person.authorize()
    person.click("Next", "link")
    person.choose("Support (SUP)")
    picture("wizard-service-desk")
    person.click("Next")
    person.choose("Report an incident", "Next")
    person.is_at("Request Fields")
    picture("wizard-request-fields")
    person.leave_as_they_are()
    person.choose("Resolved")
    person.click("Next")
    person.click("Generate secret")
    picture("wizard-webhook-generated")
    person.click("Update")
    person.open(f"/integrations/{person.name}/setup/enable")
    picture("wizard-enable")
    person.click("Activate")
    person.sees("The integration is active.")


def look(person: Person, picture) -> None:
    """Look at what became of it; ends on a link."""
    person.at_step("close_status")
    picture("wizard-close-status")
    person.at_step("webhook")
    picture("wizard-webhook")
    person.open("/")
    picture("integrations")
    person.open("/unfinished")
    picture("failed-work")
    person.open(f"/integrations/{person.name}")
    person.click("Check now")
    picture("integration")
    person.open("/links")
    picture("links")
    person.click("Lobby: power supply dead", "link")
    person.page.locator(".timeline").wait_for()
    picture("link")


def work(stage) -> None:
    """Let incidents come in, agents answer, and one thing go wrong."""
    ids = [stage.platform.open(title, description=text, priority=priority) for title, text, priority in INCIDENTS[:3]]
    until(lambda: len(stage.sandbox.tickets()) == len(ids))
    until(lambda: stage.ticket_of(ids[0]))
    stage.platform.change(ids[0], priority="critical")
    first = stage.ticket_of(ids[0])["id"]
    until(lambda: stage.sandbox.ticket(first)["priority"] == "Highest")
    stage.sandbox.edit_ticket(first, title="Lobby: power supply dead")
    until(stage.ticket_of(ids[0]).__len__)
    stage.daemon.command("reconcile", "acme-helpdesk", "--full")
    until(lambda: stage.platform.incident(ids[0])["title"] == "Lobby: power supply dead")
    refused = {"errorMessage": "The field Location is required.", "i18nErrorMessage": {}}
    stage.sandbox.add_fault(
        Fault(kind="status", method="POST", path="servicedeskapi/request$", status=400, body=refused, times=None)
    )
    stage.platform.open(INCIDENTS[3][0], priority="moderate")
    until(lambda: '"blocked"' in stage.daemon.command("links", "--json").stdout)
    stage.sandbox.clear_faults()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
