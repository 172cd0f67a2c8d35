"""Usable for everybody: checked by axe, with the keyboard alone, on a phone, in both colour schemes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from connector_core.demo.stage import ORGANIZATION, until
from connector_jira_jsm_sandbox import DEFAULT
from tests.support.person import Person

SERIOUS = {"serious", "critical"}
TABS = 40


@pytest.fixture(scope="module")
def set_up(browser, stage):
    """Set one integration up and open an incident; return its name and the link's address."""
    context = browser.new_context()
    person = Person(context.new_page(), stage)
    person.log_in()
    person.set_up()
    stage.platform.open("Display offline", description="No heartbeat", priority="high")
    until(stage.sandbox.tickets)
    person.open("/links")
    person.page.get_by_role("link", name="Display offline").wait_for()
    link = person.page.get_by_role("link", name="Display offline").get_attribute("href")
    context.close()
    return person.name, link


def addresses(set_up):
    """List every page there is for somebody who is logged in."""
    name, link = set_up
    one = f"/integrations/{name}"
    steps = [f"{one}/setup/step/{key}" for key in ("service_desk", "request_type", "close_status", "webhook")]
    pages = [
        "/",
        "/integrations/new",
        "/links",
        "/links?q=nothing",
        "/overview",
        "/activity",
        "/deliveries",
        "/unfinished",
        link,
    ]
    about = [
        one,
        f"{one}/remove",
        f"{one}/rules",
        f"{one}/link-ticket",
        f"{one}/setup/authorize",
        f"{one}/setup/enable",
    ]
    told = ["/notifications", f"/notifications/{ORGANIZATION}/new?channel=email"]
    return [*pages, *about, *steps, *told, "/account", "/integrations/nothing"]


@pytest.mark.extended
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(browser, stage, set_up, scheme, width):
    """No page has a serious finding, in either scheme; none is wider than a phone."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    person = Person(context.new_page(), stage)
    person.open("/login")
    found = {"/login": _serious(person.page)}
    person.log_in()
    for address in addresses(set_up):
        person.open(address)
        found[address] = _serious(person.page)
        wide = person.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, address
    context.close()

    assert {address: findings for address, findings in found.items() if findings} == {}


def _serious(page):
    violations = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:3]) for one in violations if one["impact"] in SERIOUS
    ]


def test_keyboard_alone(visitor):
    """From the login to an authorized draft with its first answer: every control is reached and used by keys."""
    page = visitor.page
    visitor.open("/integrations/new")
    expect(page.locator("input[type=password]")).to_be_focused()
    page.keyboard.type(visitor.stage.environ["DEMO_CONSOLE_PASSWORD"])
    page.keyboard.press("Enter")
    visitor.is_at("New integration")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to(page, "integration-name")
    page.keyboard.type(visitor.name)
    page.keyboard.press("Enter")
    visitor.is_at("Authorize access")
    press(page, "Authorize access")
    visitor.sees("is requesting access")
    press(page, "Accept")
    visitor.sees("Access is authorized.")
    press(page, "Next")
    visitor.is_at("Select Service Desk")
    tab_until(page, "document.activeElement.name === 'service_desk'")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator(":checked")).to_be_focused()
    press(page, "Update")
    visitor.sees("Updated.")


def test_the_menu_by_keyboard(person):
    """It opens by Enter, closes by Escape, and a theme holds when it was chosen there."""
    page = person.page
    menu = page.locator("details.menu")
    person.open("/links")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("button", name="Sign out", exact=True)).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    press(page, "Dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert person.path == "/links"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    menu.locator("summary").click()
    person.click("System")
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")


def tab_until(page, condition):
    """Press Tab until something holds of what has the focus."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"not reached by Tab: {condition}")


def tab_to(page, element):
    """Press Tab until an element has the focus."""
    tab_until(page, f"document.activeElement.id === '{element}'")


def press(page, name):
    """Press Tab until a button or link of a name has the focus, then Enter."""
    tab_until(page, f"document.activeElement.textContent.trim() === '{name}'")
    page.keyboard.press("Enter")


@pytest.mark.extended
def test_lists_can_be_filtered_and_keep_what_is_chosen(person):
    """Typing narrows a long list to what fits; the chosen entry stays, and nothing fitting is said."""
    main = person.stage.sandbox.oauth.main
    desk = DEFAULT.desks[0]
    more = tuple(
        replace(desk, id=str(n), project_id=str(n), project_key=f"D{n}", name=f"Desk {n}") for n in range(50, 70)
    )
    main.profile = replace(DEFAULT, desks=(desk, *more))
    person.start()
    person.authorize()
    person.at_step("service_desk")
    page = person.page
    page.get_by_label("Desk 55 (D55)").check()
    page.get_by_label("Filter Service desk").fill("desk 6")
    expect(page.locator(".choice:visible")).to_have_count(12)
    page.get_by_label("Filter Service desk").fill("nothing like it")
    expect(page.locator(".choice:visible")).to_have_count(1)
    person.sees("No results.")
    page.get_by_label("Filter Service desk").fill("")
    person.click("Update")
    main.profile = DEFAULT

    expect(page.locator(".present")).to_contain_text("Desk 55")


def test_without_scripts_everything_is_there(browser, stage, set_up):
    """The pages say the same with scripts switched off."""
    context = browser.new_context(java_script_enabled=False)
    person = Person(context.new_page(), stage)
    person.log_in()
    person.open("/")
    person.sees("UTC")
    person.start()
    person.authorize()
    person.at_step("service_desk")
    person.choose("Support (SUP)")
    person.sees("Updated.")
    context.close()
