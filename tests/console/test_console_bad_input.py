"""What goes wrong in the wizard: each mistake is explained, and the same flow succeeds afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from connector_jira_jsm_sandbox import DEFAULT, Fault
from connector_jira_jsm_sandbox.site import Site

DESKS = r"/rest/servicedeskapi/servicedesk(\?|$)"


@pytest.fixture(autouse=True)
def usual_site(stage):
    """Put the helpdesk back as it was."""
    sites = dict(stage.sandbox.oauth.sites)
    yield
    stage.sandbox.clear_faults()
    stage.sandbox.oauth.main.profile = DEFAULT
    stage.sandbox.oauth.account_has_jira = True
    stage.sandbox.oauth.sites.clear()
    stage.sandbox.oauth.sites.update(sites)


def neighbour(stage, cloud_id="cloud-2", name="neighbour"):
    """Make a second site that the account reaches."""
    profile = replace(DEFAULT, cloud_id=cloud_id, name=name)
    site = Site(profile, url=f"https://{name}.example.test", clock=lambda: datetime.now(UTC))
    stage.sandbox.oauth.sites[cloud_id] = site


@pytest.mark.extended
def test_declined_consent(person):
    """A refusal is explained in the words of the product page; approving afterwards works."""
    person.start()
    person.authorize("Decline")
    expect(person.page.get_by_role("alert")).to_contain_text("both Jira and Jira Service Management")
    expect(person.page.get_by_role("alert")).to_contain_text("ask a workspace admin")

    person.authorize()

    person.sees("Access is authorized.")


@pytest.mark.extended
def test_missing_product(person):
    """An account without Jira is told who can help; with Jira the same button works."""
    person.start()
    person.stage.sandbox.oauth.account_has_jira = False
    person.authorize()
    expect(person.page.get_by_role("alert")).to_contain_text("Access was denied")

    person.stage.sandbox.oauth.account_has_jira = True
    person.authorize()

    person.sees("Access is authorized.")


@pytest.mark.extended
def test_forged_and_used_state(person):
    """A callback that nobody was sent on changes nothing, neither does a second use of the same address."""
    person.start()
    person.open("/oauth/callback?state=forged&code=stolen")
    person.sees("not started here")
    person.open(f"/integrations/{person.name}/setup/authorize")
    with person.page.expect_request(lambda request: "/oauth/callback" in request.url) as caught:
        person.authorize()
    person.sees("Access is authorized.")

    person.page.goto(caught.value.url)

    person.sees("was used already")
    person.open(f"/integrations/{person.name}/setup/authorize")
    person.sees("Avery Agent")


@pytest.mark.extended
def test_several_sites(person):
    """The site is chosen in the browser, and the list follows it."""
    neighbour(person.stage)
    person.start()
    person.authorize()
    person.sees("The authorization reaches several sites.")
    person.choose("sandbox")

    person.sees("Updated.")
    person.click("Next", "link")
    person.sees("Support (SUP)")


@pytest.mark.extended
def test_other_account_is_shown_and_taken_over_when_meant(person):
    """Somebody else's approval changes nothing until it was seen and is meant; it can be left too."""
    person.start()
    person.authorize()
    other = replace(DEFAULT.account, account_id="712020:other", display_name="Olga Other")
    person.stage.sandbox.oauth.main.profile = replace(DEFAULT, account=other)
    person.authorize()
    expect(person.page.get_by_role("alert")).to_contain_text("This integration uses Avery Agent")

    person.click("Keep Avery Agent")
    person.sees("Nothing was changed.")
    person.sees("Avery Agent")
    person.authorize()
    person.click("Switch to Olga Other")

    person.sees("Access is authorized.")
    person.sees("Olga Other")


@pytest.mark.extended
def test_other_site_is_refused_with_the_reason(person):
    """An approval that reaches only another site is refused; the right one works."""
    person.start()
    person.authorize()
    here = dict(person.stage.sandbox.oauth.sites)
    person.stage.sandbox.oauth.sites.clear()
    neighbour(person.stage)
    person.authorize()
    expect(person.page.get_by_role("alert")).to_contain_text(
        "neighbour.example.test, this integration's tickets are at"
    )

    person.stage.sandbox.oauth.sites.update(here)
    person.authorize()

    person.sees("Access is authorized.")


@pytest.mark.extended
def test_list_that_fails_to_load_keeps_the_answers(person):
    """The message, the present choice and Reload are there; a reload brings the list back."""
    person.start()
    person.authorize()
    person.at_step("service_desk")
    person.choose("Support (SUP)")
    person.stage.sandbox.add_fault(Fault(kind="status", method="GET", path=DESKS, times=None))
    person.at_step("service_desk")
    expect(person.page.get_by_role("alert")).to_contain_text("The list could not be fetched.")
    expect(person.page.locator(".present")).to_contain_text("Support (SUP)")

    person.stage.sandbox.clear_faults()
    person.click("Reload")

    expect(person.page.get_by_label("Support (SUP)")).to_be_checked()
    person.sees("3 found.")
    person.click("Next")
    person.is_at("Request Types")


@pytest.mark.extended
def test_choice_that_has_vanished(person):
    """It is said on the page and refused when sent; another choice works."""
    person.start()
    person.authorize()
    person.at_step("service_desk")
    person.choose("Facilities (FAC)")
    person.sees("Updated.")
    profile = DEFAULT
    person.stage.sandbox.oauth.main.profile = replace(profile, desks=profile.desks[:1])
    person.at_step("service_desk")
    person.sees("Facilities (FAC) is no longer in the list.")

    person.choose("Support (SUP)")

    person.sees("Updated.")


def test_two_tabs(person):
    """A list that was opened before another tab chose another desk is refused with a fresh list."""
    person.start()
    person.authorize()
    person.at_step("service_desk")
    person.choose("Support (SUP)")
    person.at_step("request_type")
    other = person.page.context.new_page()
    other.goto(f"{person.stage.daemon.url}/integrations/{person.name}/setup/step/service_desk")
    other.get_by_label("Facilities (FAC)").check()
    other.get_by_role("button", name="Update").click()
    other.get_by_text("Updated.").wait_for()

    person.choose("Report an incident")
    expect(person.page.get_by_role("alert")).to_contain_text("is not among the choices")
    person.choose("Report a fault")

    person.sees("Updated.")


@pytest.mark.extended
def test_back_button_and_double_submit(person):
    """Going back shows the page again, and a form that is sent twice makes one integration."""
    person.start()
    person.page.go_back()
    person.is_at("New integration")
    person.page.get_by_label("Name").fill(person.name)
    person.click("Next")

    person.sees("This integration exists already; go on here.")
    person.is_at("Authorize access")
    person.authorize()
    person.page.wait_for_load_state()
    person.page.go_back()
    person.open(f"/integrations/{person.name}/setup")
    person.is_at("Select Service Desk")


@pytest.mark.extended
def test_session_that_ended_in_the_middle(person):
    """What was sent is not lost on another page: after the login one is where one was."""
    person.start()
    person.authorize()
    person.at_step("service_desk")
    person.page.context.clear_cookies()
    person.choose("Support (SUP)")
    person.is_at("Sign in")
    person.page.get_by_label("Password").fill(person.stage.environ["DEMO_CONSOLE_PASSWORD"])
    person.click("Sign in")

    person.is_at("Select Service Desk")
    person.choose("Support (SUP)")

    person.sees("Updated.")


@pytest.mark.extended
def test_form_of_an_earlier_login(person):
    """A page from before the login was renewed is refused with the way back; nothing was changed."""
    person.start()
    person.authorize()
    person.at_step("service_desk")
    old = person.page
    old.context.clear_cookies()
    person.page = old.context.new_page()
    person.log_in()
    person.page = old
    person.choose("Support (SUP)")
    person.is_at("That page was out of date")
    person.click("Open it again", "link")

    person.choose("Support (SUP)")

    person.sees("Updated.")


@pytest.mark.extended
def test_names_that_cannot_be(person):
    """A name that is not allowed, and one that is taken, are explained; another works."""
    person.start()
    taken = person.name
    person.open("/integrations/new")
    person.page.get_by_label("Name").evaluate("field => field.removeAttribute('pattern')")
    person.page.get_by_label("Name").fill("Not A Name")
    person.click("Next")
    expect(person.page.get_by_role("alert")).to_contain_text("cannot be a name")
    person.page.get_by_label("Name").fill(f"{taken}-2")
    person.click("Next")

    person.is_at("Authorize access")


@pytest.mark.extended
def test_state_that_has_expired_is_unknown(person):
    """A state that is no longer good ends in the same explanation, and starting again works."""
    person.start()
    person.click("Authorize access")
    person.sees("is requesting access")
    state = parse_qs(urlsplit(person.page.url).query)["state"][0]
    person.open(f"/oauth/callback?state={state}&error=access_denied")
    person.open(f"/oauth/callback?state={state}&code=late")
    person.sees("took too long")
    person.open(f"/integrations/{person.name}/setup/authorize")

    person.authorize()

    person.sees("Access is authorized.")
