"""From a file without any source to the first request, by clicking only; then a new key, reading anew, removing."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from connector_core.demo.stage import ORGANIZATION, Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins
from connector_xyte_sandbox import XyteSandbox
from tests.console.test_accessibility import SERIOUS
from tests.support.person import Person

SOURCE = f"/sources/{ORGANIZATION}"
SETUP = f"{SOURCE}/setup"


@pytest.fixture
def stage(tmp_path):
    """Open a stage with a Xyte organization that the file does not know of."""
    plugins = load_plugins()
    opened = Stage(
        sandbox_plugin(plugins, "jira_jsm"),
        tmp_path,
        source=source_plugin(plugins, "xyte"),
        with_webhook=False,
        reconcile="1s",
        in_file=False,
        source_in_file=False,
    )
    opened.open_unauthorized()
    yield opened
    opened.close()


def connect(person, key, **more):
    """Fill in the step *Connect Xyte* and click *Update*."""
    person.is_at("Connect Xyte")
    person.page.get_by_label("Organization key").fill(key)
    person.page.get_by_label("Address of the hub").fill(person.stage.platform.url)
    for label, text in more.items():
        person.page.get_by_label(label).fill(text)
    person.click("Update")


@pytest.mark.extended
def test_from_nothing_to_the_first_request(person):
    """The platform comes first in the wizard, a wrong key is refused at its field, and an incident gets its request."""
    page, stage = person.page, person.stage
    person.open("/")
    person.sees("No incident source connected")
    person.open("/integrations/new")
    page.get_by_label("Name").fill(person.name)
    person.click("Next")

    person.is_at("Incident Platform")
    person.choose("Xyte", "Next")
    connect(person, "wrong")
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("does not accept the organization key")
    expect(refusal).to_contain_text("Settings > API Keys")
    expect(page.get_by_label("Organization key")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Address of the hub")).to_have_value(stage.platform.url)
    stage.platform.open("Open before anybody asked")
    connect(person, stage.platform.key)
    person.sees("Updated.")
    person.sees("Connected to Acme. 1 open incident.")
    assert stage.platform.key not in page.content()
    person.click("Test connection")
    person.sees("All 5 checks passed")
    person.click("Next")

    person.is_at("Incidents to Include")
    page.get_by_role("combobox", name="Acme/New York/Lobby", exact=True).select_option("include")
    page.get_by_label("Poll interval").fill("1s")
    person.click("Update")
    expect(page.get_by_role("alert")).to_be_hidden()
    person.sees("Updated.")
    person.click("Next")

    person.is_at("Authorize access")
    person.authorize()
    person.answer_all()
    person.activate()
    person.open(SOURCE)
    person.sees("Acme: 1 open incident.")
    incident = stage.platform.open("Display offline", priority="high")
    until(stage.sandbox.tickets)
    assert [ticket["title"] for ticket in stage.sandbox.tickets()] == ["Display offline"]
    stage.sandbox.finish_ticket(stage.sandbox.tickets()[0]["id"])
    until(lambda: stage.platform.incident(incident)["status"] == "closed")


def set_up(stage):
    """Make the source by command."""
    given = (f"--set=base_url={stage.platform.url}", f"--set=organization_key={stage.platform.key}")
    answer = stage.daemon.command("sources", "setup", ORGANIZATION, "--plugin", "xyte", *given)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.extended
def test_another_key_is_another_organization(person):
    """The page says beforehand what that means, and afterwards whose incidents they are now."""
    set_up(person.stage)
    other = XyteSandbox()
    other.organization.name = "Globex"
    other.start()
    person.open(SOURCE)
    person.click("Settings", "link")
    person.sees("With a key of another organization, incidents are read from the beginning")
    person.page.get_by_label("Address of the hub").fill(other.url)
    person.page.get_by_label("Organization key").fill(other.key)
    person.click("Test connection")
    person.sees("All 5 checks passed")
    other.stop()
    person.click("Test connection")
    expect(person.page.get_by_role("alert").or_(person.page.locator("#tested"))).to_contain_text("cannot be read")


def test_a_list_that_cannot_be_fetched_is_said_and_reloaded(person):
    """The answers stay; Reload tries again."""
    set_up(person.stage)
    person.open(f"{SETUP}/step/incidents")
    person.page.get_by_label("Delay").fill("5m")
    person.stage.platform.api.keys = set()
    person.click("Reload")
    person.sees("The list could not be fetched.")
    person.stage.platform.api.keys = {person.stage.platform.key}
    person.click("Reload")
    person.sees("5 found.")
    expect(person.page.get_by_label("Delay")).to_have_value("5m")
    person.click("Update")
    person.sees("Updated.")


@pytest.mark.extended
def test_back_and_double_clicks(person):
    """Going back shows the page again, and a double click does it once."""
    page = person.page
    person.open(SETUP)
    person.page.get_by_label("Xyte").check()
    page.get_by_role("button", name="Next").dblclick()
    person.is_at("Connect Xyte")
    page.go_back()
    person.is_at("Incident Platform")
    expect(page.get_by_label("Xyte")).to_be_checked()
    person.click("Next")
    person.is_at("Connect Xyte")


@pytest.mark.extended
def test_reading_anew_and_removing_by_clicking(person):
    """Each asks first; afterwards the front page offers to connect again."""
    set_up(person.stage)
    person.open(SOURCE)
    person.click("Reset sync position…", "link")
    person.click("Cancel", "link")
    person.click("Reset sync position…", "link")
    person.click("Reset sync position")
    person.sees("Sync position reset. Everything is read again at the next poll.")
    person.click("Remove…", "link")
    person.click("Remove the source")
    person.sees("The source was removed.")
    person.open("/")
    person.click("Connect a source", "link")
    person.is_at("Incident Platform")


@pytest.mark.extended
@pytest.mark.parametrize(("scheme", "width"), [("dark", 390)])
def test_axe_finds_nothing_serious_about_sources(browser, stage, scheme, width):
    """No page of it has a serious finding, in the dark on a phone; none is wider than that."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    person = Person(context.new_page(), stage)
    person.log_in()
    found = {"none": _serious(person, SOURCE, width), "choice": _serious(person, SETUP, width)}
    set_up(stage)
    for path in ("", "/setup", "/setup/step/connect", "/setup/step/incidents", "/reset", "/remove"):
        found[path] = _serious(person, f"{SOURCE}{path}", width)
    person.open(f"{SETUP}/step/connect")
    person.page.get_by_label("Organization key").fill("wrong")
    person.click("Update")
    person.page.get_by_role("alert").wait_for()
    found["refused"] = _serious(person, "", width)
    context.close()

    assert {page: findings for page, findings in found.items() if findings} == {}


def _serious(person, path, width):
    if path:
        person.open(path)
    assert person.page.evaluate("document.documentElement.scrollWidth") <= width, path
    violations = Axe().run(person.page).response["violations"]
    serious = [one for one in violations if one["impact"] in SERIOUS]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in serious]
