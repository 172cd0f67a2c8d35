"""What the product page says of activating, changing, disabling and removing."""

from __future__ import annotations

import pytest

from connector_core.demo.stage import until


def test_changed_settings_are_for_new_incidents_and_the_page_counts_the_others(person):
    """A changed close status says how many open incidents keep the one they were opened with."""
    person.set_up()
    before = len(person.stage.sandbox.tickets())
    person.stage.platform.open("Opened before the change")
    until(lambda: len(person.stage.sandbox.tickets()) > before)

    person.at_step("close_status")
    person.sees("A change takes effect for new incidents only.")
    assert int(person.page.locator("[data-keeps]").get_attribute("data-keeps")) == 0
    person.choose("Do not auto-close")

    assert int(person.page.locator("[data-keeps]").get_attribute("data-keeps")) == 1
    person.sees("1 open incident keeps")


@pytest.mark.extended
def test_activation_lists_what_is_missing_and_leads_there(person):
    """Activating too early changes nothing, names every open step and links to it."""
    person.start()
    person.authorize()
    person.open(f"/integrations/{person.name}/setup/enable")

    person.click("Activate")

    person.sees("Not activated yet. This is missing:")
    for title in ("Select Service Desk", "Request Types", "Close Status"):
        person.sees(f"{title} is not answered")
    person.click("Go to Close Status", "link")
    person.is_at("Close Status")
    person.sees("First answer")


def test_disabling_enabling_and_removing(person):
    """An integration can rest, go on, and be removed once its name is typed."""
    person.set_up()
    person.open(f"/integrations/{person.name}")
    person.click("Disable…", "link")
    person.sees("While disabled, nothing is synced")
    person.click("Disable")
    person.sees("Nothing is synced until it is activated again.")
    person.click("Activate again", "link")
    person.click("Activate")
    person.sees("The integration is active.")

    person.click("Remove…", "link")
    person.page.get_by_label("to confirm").fill("something else")
    person.click("Remove")
    person.sees(f"Type {person.name} to confirm.")
    person.page.get_by_label("to confirm").fill(person.name)
    person.click("Remove")

    person.sees("The integration was removed.")
    assert person.page.get_by_role("link", name=person.name, exact=True).count() == 0


@pytest.mark.extended
def test_close_step_shows_from_where_the_close_is_reached(person):
    """What the chosen status leads to is shown as present tickets tell it."""
    person.set_up()
    before = len(person.stage.sandbox.tickets())
    person.stage.platform.open("A sample")
    until(lambda: len(person.stage.sandbox.tickets()) > before)

    def shown():
        person.at_step("close_status")
        return "Resolve this issue" in person.page.locator(".remarks").inner_text()

    until(shown)


def test_comments_are_switched_on_with_two_selections(person):
    """The page says what is synced; from then on a comment on the incident is an internal one on the ticket."""
    person.set_up()
    person.open(f"/integrations/{person.name}")
    person.click("Edit", "link")

    person.page.get_by_label("Comments on the incident").select_option("to the ticket, as internal ones")
    person.click("Update")

    person.sees("Updated.")
    person.click("Back", "link")
    person.sees("to the ticket, as internal ones")
    stage = person.stage
    incident = stage.platform.open("Somebody comments")
    until(lambda: stage.ticket_of(incident, integration=person.name))
    stage.platform.comment(incident, "Ada", "Is it plugged in?")
    issue = stage.sandbox.workbench.issue(stage.ticket_of(incident, integration=person.name)["id"])
    until(lambda: [(one.public, "Is it plugged in?" in one.body) for one in issue.fields.comments] == [(False, True)])


@pytest.mark.extended
def test_another_desk_is_held_as_a_draft_and_the_page_says_so_before(person):
    """Before Update: what stays and what is asked again. After: what is in effect, and the way on."""
    person.set_up()
    person.at_step("service_desk")
    assert "the change is saved as a draft" in person.page.locator("#before-change").inner_text()

    person.choose("People (HR)")

    person.sees("Your change is saved as a draft.")
    person.sees("Draft, not in effect yet:")
    person.open(f"/integrations/{person.name}")
    person.sees("Support (SUP, 10)")
    person.click("Finish the change", "link")
    person.is_at("Request Types")
    person.choose("Ask the people team")
    person.at_step("close_status")
    assert person.page.get_by_label("Resolved").count() == 0
    person.page.get_by_role("radio", name="Closed Done").check()
    person.click("Update")
    person.sees("Updated.")

    assert person.page.locator("#held").count() == 0
    person.open(f"/integrations/{person.name}")
    person.sees("People (HR, 12)")


@pytest.mark.extended
def test_a_draft_is_discarded_with_one_click(person):
    """The step shows the settings in effect again."""
    person.set_up()
    person.at_step("service_desk")
    person.choose("Facilities (FAC)")
    person.sees("Your change is saved as a draft.")

    person.click("Discard draft")

    person.sees("Draft discarded. The settings in effect are unchanged.")
    assert person.page.get_by_label("Support (SUP)").is_checked()


@pytest.mark.extended
def test_another_request_type_keeps_the_close_status(person):
    """Its list still has the status: nothing is asked again, and the change is in effect at once."""
    person.set_up()
    person.at_step("request_type")
    person.choose("Ask a question")

    person.sees("Updated.")
    assert person.page.locator("#held").count() == 0
    person.at_step("close_status")
    assert person.page.get_by_label("Resolved", exact=False).first.is_checked()
