"""From a file without any source to the first request, by clicking only; then a new key, reading anew, removing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from connector_core.demo.stage import ORGANIZATION, Stage, sandbox_plugin, source_plugin, until
from connector_core.plugins import load_plugins

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


def test_from_nothing_to_the_first_request(person):
    """The platform comes first in the wizard, a wrong key is refused at its field, and an incident gets its request."""
    page, stage = person.page, person.stage
    person.open("/")
    person.sees("nothing is connected")
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
    person.sees("Incidents can be listed.")
    person.click("Next")

    person.is_at("Incidents to Include")
    page.get_by_label("Acme/New York/Lobby optional", exact=True).select_option("include")
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
    person.sees("Acme: 1 open incidents.")
    incident = stage.platform.open("Display offline", priority="high")
    until(stage.sandbox.tickets)
    assert [ticket["title"] for ticket in stage.sandbox.tickets()] == ["Display offline"]
    stage.sandbox.finish_ticket(stage.sandbox.tickets()[0]["id"])
    until(lambda: stage.platform.incident(incident)["status"] == "closed")
