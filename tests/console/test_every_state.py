"""One integration in every state: console, command line and metrics say the same of it at each moment.

One daemon goes through all of them, for a start of its own would take longer than most states do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass

import pytest
import requests

from connector_core.demo.stage import INTEGRATION, Stage, sandbox_plugin, until
from connector_core.plugins import load_plugins
from connector_jira_jsm_sandbox import Fault
from tests.support.jira.at_stage import sandbox_of

COMMAND = re.compile(r"\bconnector (integrations|sources|links|retry|recreate|discard|unlink|resolve|explain|doctor)\b")
PAGE = f"/integrations/{INTEGRATION}"


@pytest.fixture
def stage(tmp_path):
    """Open a stage with an active integration whose webhook is signed."""
    opened = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), tmp_path)
    opened.open()
    yield opened
    opened.daemon.kill()
    opened.close()


@dataclass(frozen=True)
class Said:
    """What one surface says of the integration."""

    word: str
    sentence: str


class Surfaces:
    """Asks every surface of the one integration."""

    def __init__(self, person):
        self.person, self.stage = person, person.stage

    def front(self):
        """Read the row on the front page."""
        return self._read("/", f"#front tr:has(a[href='{PAGE}'])", "td[data-label=State]", "td[data-label=Status]")

    def page(self):
        """Read the card on the page of the integration."""
        return self._read(PAGE, "#state", "p .badge", "p strong")

    def terminal(self):
        """Read `connector status --json`."""
        (row,) = self._status()["integrations"]
        return Said(row["status"].replace("_", " "), row["sentence"])

    def metric(self):
        """Return the word and the code that Prometheus is told."""
        found = re.findall(
            r'connector_integration_status\{code="(\w*)",integration="[\w-]+",status="(\w+)"\} 1', self._metrics()
        )
        assert len(found) == 1
        return found[0][1].replace("_", " "), found[0][0]

    def outages(self):
        """Return whether each surface tells of an outage."""
        self.person.open("/")
        banner = self.person.page.locator("#front .outage").count()
        return bool(banner), bool(self._status()["outages"]), "connector_outage_seconds{" in self._metrics()

    def webhook(self):
        """Return how each surface says the webhook fares."""
        self.person.open(PAGE)
        light = self.person.page.locator("#light").get_attribute("class").split()[-1]
        (row,) = self._status()["integrations"]
        return light, row["webhook"]

    def links(self, state):
        """Return how many links in a state each surface counts."""
        self.person.open(PAGE)
        shown = self.person.page.locator(f"#state dt:has(a[href$='state={state}']) + dd")
        found = re.search(rf'connector_links\{{integration="{INTEGRATION}",state="{state}"\}} (\d+)', self._metrics())
        listed = self.stage.daemon.command("links", "--state", state, "--json")
        return (
            int(shown.inner_text()) if shown.count() else 0,
            self._status()["links"][state],
            int(found[1]),
            len(json.loads(listed.stdout)),
        )

    def attention(self):
        """Return the number beside *Needs attention* in the navigation."""
        self.person.open("/")
        badge = self.person.page.locator("nav a[href='/unfinished'] .badge")
        return int(badge.inner_text()) if badge.count() else 0

    def agree(self, word, code):
        """Wait for a status, then hold all surfaces to it; return the sentence that all of them say."""
        until(lambda: self.metric() == (word, code))
        front, page, terminal = self.front(), self.page(), self.terminal()
        assert (page.word, terminal.word) == (front.word, front.word)
        assert front.word == word
        assert page.sentence == terminal.sentence
        assert front.sentence.startswith(page.sentence)
        return page.sentence

    def shows_no_command(self, *paths):
        """Hold that no page tells somebody in a browser to run a command."""
        for path in ("/", PAGE, "/unfinished", "/links", f"{PAGE}/setup/enable", f"{PAGE}/setup/authorize", *paths):
            self.person.open(path)
            assert not COMMAND.search(self.person.page.locator("main").inner_text()), path

    def _read(self, path, region, word, sentence):
        self.person.open(path)
        found = self.person.page.locator(region)
        return Said(found.locator(word).inner_text().strip(), found.locator(sentence).first.inner_text().strip())

    def _status(self):
        return json.loads(self.stage.daemon.command("status", "--json").stdout)

    def _metrics(self):
        return requests.get(f"{self.stage.daemon.url}/metrics", timeout=10).text


def state_of(stage, incident):
    """Return the state of an incident's link, and its number."""
    with stage.opened_store() as store:
        found = store.links.find(text=incident)
    return (found[0].status.state.value, found[0].id) if found else ("", 0)


def at(stage, incident, state):
    """Wait until the link of an incident is in a state; return the address of its page."""
    until(lambda: state_of(stage, incident)[0] == state)
    return f"/links/{state_of(stage, incident)[1]}"


def deliver(stage, secret):
    """Send a webhook that a secret signed; return the answer's status."""
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "key": "SUP-1"}}).encode()
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    address = f"{stage.daemon.url}/external/{stage.plugin.info.webhook_route}/webhook"
    headers = {"X-Hub-Signature": f"sha256={signed}", "Content-Type": "application/json"}
    return requests.post(address, data=body, headers=headers, timeout=10).status_code


def in_sync(said, visitor, stage, seen):
    """In sync."""
    seen["fan"] = stage.platform.open("Fan failed", description="Hot")
    link = at(stage, seen["fan"], "in_sync")
    assert said.agree("active", "") == "Up to date."
    assert said.links("in_sync") == (1, 1, 1, 1)
    assert said.attention() == 0
    visitor.open(link)
    visitor.sees("Incident and ticket agree.")


def differing(said, visitor, stage, seen):
    """Differing: the description is synced from the ticket only."""
    stage.platform.change(seen["fan"], description="Very hot")
    link = at(stage, seen["fan"], "differs")
    assert said.agree("active", "differs") == "Nothing waits; 1 incident differs from its ticket."
    assert said.links("differs") == (1, 1, 1, 1)
    assert said.links("in_sync") == (0, 0, 0, 0)
    visitor.open(link)
    visitor.sees("1 difference: description. Each side keeps its own description.")
    assert visitor.page.locator("#link .status .badge.good").count() == 0


def refused_deliveries(said, visitor, stage, seen):
    """Refused deliveries, until one is taken again."""
    assert deliver(stage, "another secret") == 403
    assert "no secret here made their signature" in said.agree("active", "webhook_refused")
    assert said.webhook() == ("refused", "refused")
    visitor.open(PAGE)
    visitor.sees("Refused: 1 delivery")
    assert deliver(stage, stage.environ["DEMO_WEBHOOK_SECRET"]) in {200, 202}
    said.agree("active", "differs")
    assert said.webhook() == ("arriving", "arriving")


def blocked(said, visitor, stage, seen):
    """Blocked: Jira refuses one request for good, and a click has it tried again."""
    sandbox_of(stage).add_fault(Fault("status", method="POST", path="/servicedeskapi/request$", status=400, times=None))
    seen["pump"] = stage.platform.open("Pump failed")
    link = at(stage, seen["pump"], "blocked")
    assert said.agree("action needed", "links").startswith("1 incident needs attention: ")
    assert said.links("blocked") == (1, 1, 1, 1)
    assert said.attention() == 1
    said.shows_no_command(link)
    sandbox_of(stage).clear_faults()
    visitor.open("/unfinished")
    visitor.page.get_by_role("button", name="Retry Pump failed").click()
    at(stage, seen["pump"], "in_sync")
    assert said.attention() == 0


def outage(said, visitor, stage, seen):
    """An outage: told on all surfaces while it lasts, and gone with it."""
    sandbox_of(stage).add_fault(Fault("status", path="/rest/", status=503, times=None))
    waiting = [stage.platform.open(f"Door {number} open") for number in range(3)]
    assert said.agree("waiting", "outage").startswith("Jira")
    assert said.outages() == (True, True, True)
    assert visitor.page.locator("#front .outage time").count() == 2
    assert said.attention() == 0
    said.shows_no_command()
    sandbox_of(stage).clear_faults()
    for one in waiting:
        at(stage, one, "in_sync")
    said.agree("active", "differs")
    assert said.outages() == (False, False, False)


def revoked(said, visitor, stage, seen):
    """Access is revoked: the step that repairs it says so, and has the button."""
    requests.post(f"{sandbox_of(stage).url}/_sandbox/tokens/revoke", json={}, timeout=10).raise_for_status()
    stage.platform.open("Lamp failed")
    said.agree("action needed", "authorization_needed")
    visitor.open("/")
    visitor.page.get_by_role("link", name="Authorize again").first.click()
    visitor.sees("access has expired or was revoked")
    assert visitor.page.get_by_role("button", name="Authorize again").get_attribute("class") == "main"
    assert visitor.page.locator(".notice.good").count() == 0
    said.shows_no_command()
    stage.authorize()
    said.agree("active", "differs")


def disabled(said, visitor, stage, seen):
    """Disabled and active again."""
    visitor.open(PAGE)
    visitor.click("Disable…", "link")
    visitor.click("Disable")
    assert said.agree("disabled", "disabled_by_hand").startswith("While disabled, nothing is synced.")
    said.shows_no_command()
    stage.daemon.command("integrations", "enable", INTEGRATION)
    said.agree("active", "differs")


def unlinked(said, visitor, stage, seen):
    """An unlinked pair needs nobody."""
    visitor.open(at(stage, seen["pump"], "in_sync"))
    visitor.click("Unlink…")
    visitor.click("Unlink")
    assert said.attention() == 0
    visitor.open("/unfinished")
    visitor.sees("Nothing needs attention.")


STATES = (in_sync, differing, refused_deliveries, blocked, outage, revoked, disabled, unlinked)


@pytest.mark.extended
def test_every_surface_says_the_same_in_every_state(visitor):
    """Each state is brought about for good, looked at everywhere, and ended; the next begins from there."""
    visitor.log_in()
    said, seen = Surfaces(visitor), {}

    for state in STATES:
        state(said, visitor, visitor.stage, seen)

    assert set(seen) == {"fan", "pump"}


def test_addresses_that_are_no_pages_show_the_frame_or_lead_to_one(visitor):
    """A form's address leads to the page above it, and one that nothing is at says so within the console."""
    visitor.log_in()

    visitor.open(f"{PAGE}/check")
    assert visitor.path == PAGE
    visitor.open("/nothing/here")
    visitor.sees("Page not found")
    assert visitor.page.get_by_role("link", name="Integrations").first.is_visible()


@pytest.mark.extended
def test_a_check_ends_on_a_page_that_stays_live(visitor):
    """After Check now the address is that of the integration, which shows what comes in; what was opened stays so."""
    visitor.log_in()
    visitor.open(PAGE)

    visitor.click("Check now")

    visitor.sees("Everything was checked; see Health.")
    assert visitor.path == PAGE
    visitor.page.get_by_text("checks passed").click()
    visitor.sees("Authorization works")
    visitor.stage.platform.open("Fan failed")
    visitor.sees("Fan failed")
    visitor.sees("Authorization works")
