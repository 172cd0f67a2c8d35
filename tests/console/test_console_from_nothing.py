"""The product page as a script: from an empty database to the first incident in the helpdesk and back."""

from __future__ import annotations

from playwright.sync_api import expect

from connector_core.demo.stage import until


def register_webhook(person, secret):
    """Do Steps 1 to 3 of the product page in the helpdesk, by its own form."""
    page = person.page.context.new_page()
    page.goto(f"{person.stage.sandbox.url}/plugins/servlet/webhooks")
    page.get_by_label("Name").fill("Connector Callback")
    page.get_by_label("URL").fill(f"{person.stage.daemon.url}/external/jira/webhook")
    page.get_by_label("JQL").fill("project = SUP")
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Connector Callback").wait_for()
    page.close()


def test_every_sentence_of_the_setup(visitor):
    """Each step is found under its name; the light turns green and lists change without a reload."""
    person, page, stage = visitor, visitor.page, visitor.stage
    person.log_in()
    person.sees("No integrations yet")
    person.click("Create an integration", "link")
    page.get_by_label("Name").fill(person.name)
    person.click("Next")

    # Authorizing Access
    person.is_at("Authorize access")
    person.click("Authorize access")
    person.sees("is requesting access to your account")
    person.click("Accept")
    person.sees("Access is authorized.")
    person.sees("Avery Agent")
    person.click("Next", "link")

    # Select Service Desk, Request Types, Close Status
    for title, label in (
        ("Select Service Desk", "Support (SUP)"),
        ("Request Types", "Report an incident"),
        ("Close Status", "Resolved"),
    ):
        person.is_at(title)
        person.sees("Verify that there are no limiting permissions")
        person.click("Reload")
        expect(page.get_by_role("status").filter(has_text="Reloaded")).to_contain_text("found")
        person.choose(label)
        person.sees("Updated.")
        expect(page.locator(".present").first).to_contain_text(label)
        if title == "Close Status":
            expect(page.get_by_label("Do not auto-close")).to_be_visible()
        person.click("Next")
        if title == "Request Types":
            person.leave_as_they_are()

    # Webhook
    person.is_at("Webhook")
    person.sees("Settings (cog icon) → System → WebHooks")
    expect(page.locator(".copies")).to_contain_text(f"{stage.daemon.url}/external/jira/webhook")
    person.click("Generate secret")
    secret = page.get_by_label("Webhook Secret").input_value()
    person.click("Update")
    person.sees("Updated.")
    assert secret not in page.content()
    register_webhook(person, secret)
    person.click("Next")

    # Enable
    person.is_at("Enable")
    person.click("Activate")
    person.sees("Every new incident opens a ticket from now on.")
    person.at_step("webhook")
    person.sees("Waiting for the first delivery.")

    there_and_back(person)


def there_and_back(person):
    """Open an incident, change its ticket, finish it, and watch all of it without reloading."""
    page, stage = person.page, person.stage
    incident = stage.platform.open("Display offline", priority="high")
    until(stage.sandbox.tickets)
    ticket = stage.sandbox.tickets()[0]
    stage.sandbox.edit_ticket(ticket["id"], title="Lobby: power supply dead")
    expect(page.locator(".light.arriving")).to_be_visible()
    until(lambda: stage.platform.incident(incident)["title"] == "Lobby: power supply dead")

    person.open("/links")
    person.click("Lobby: power supply dead", "link")
    expect(page.locator(".timeline")).to_contain_text("created in Jira")
    expect(page.locator(".sides")).to_contain_text("Waiting for support")
    stage.sandbox.finish_ticket(ticket["id"])
    until(lambda: stage.platform.incident(incident)["status"] == "closed")
    expect(page.locator(".sides")).to_contain_text("Resolved")
    expect(page.locator("time").first).not_to_contain_text("UTC")
