"""The wizard of plugins whose access is authorized with answers, and of those that need no authorization."""

from __future__ import annotations

import re

import pytest

from connector_core import Choice, ConfigError, Grant, hookimpl
from connector_core.kit.steps import close_step
from connector_core.testing import MemoryDesk
from tests.support.own_desk import OwnDesk
from tests.support.served import ADMIN, Served, Visitor

BASE = "/integrations/helpdesk/setup"
ANSWERS = {"address": "https://acme.example.test", "token": "a good token"}


def logged_in(served):
    """Log the administrator in, and begin an integration."""
    visitor = Visitor(served.url)
    assert visitor.log_in("ada", ADMIN).status_code == 303
    served.app.setup.create("helpdesk", "acme", "desk")
    return visitor


@pytest.fixture
def served(tmp_path):
    """Serve a console whose plugin is authorized with answers."""
    opened = Served(tmp_path, points=[OwnDesk().entry_point()])
    yield opened
    opened.stop()


def test_a_new_integration_begins_with_its_first_step(served):
    """Where access needs answers first, that is not the step of authorizing."""
    visitor = Visitor(served.url)
    visitor.log_in("ada", ADMIN)

    made = visitor.post("/integrations/new", name="helpdesk", organization="acme", plugin="desk")

    assert made.headers["location"] == f"{BASE}/step/site?said=created"


def test_what_access_needs_comes_before_it(served):
    """The step can be answered at once; that of authorizing waits for it, and lists wait for both."""
    visitor = logged_in(served)

    first = visitor.get(BASE)
    assert first.url.endswith("/setup/step/site")
    assert "First do the step" not in first.text
    assert 'name="address"' in first.text
    early = visitor.get(f"{BASE}/authorize").text
    assert re.search(r'First answer <a href="/integrations/helpdesk/setup/step/site">Your Site</a>', early)
    assert re.search(r'<button class="main" disabled>Authorize access', early)
    assert "First do the step" in visitor.get(f"{BASE}/step/desk").text

    saved = visitor.post(f"{BASE}/step/site/next", **ANSWERS)
    assert saved.headers["location"] == f"{BASE}/authorize"
    done = visitor.post(f"{BASE}/authorize")
    assert done.headers["location"].startswith(f"{BASE}/authorize")
    assert "Authorized as <strong>Agent</strong>" in visitor.get(f"{BASE}/authorize").text
    assert "Facilities" in visitor.get(f"{BASE}/step/desk").text


def test_a_changed_token_leads_back_to_authorizing(served):
    """The page says so before, and the wizard goes on there."""
    visitor = logged_in(served)
    served.app.setup.answer("helpdesk", ANSWERS)
    visitor.post(f"{BASE}/authorize")
    assert "After a change here, access has to be authorized again." in visitor.get(f"{BASE}/step/site").text

    visitor.post(f"{BASE}/step/site/update", address=ANSWERS["address"], token="another")

    assert visitor.get(BASE).url.endswith("/setup/authorize")


def test_a_secret_is_given_again_for_another_address(served):
    """The page says which, beside its question; the address stays what it was."""
    visitor = logged_in(served)
    served.app.setup.answer("helpdesk", ANSWERS)

    refused = visitor.post(f"{BASE}/step/site/update", address="https://evil.example.test")

    assert refused.status_code == 422
    assert "Token: give it again" in refused.text
    assert served.app.setup.answered("helpdesk").answers["address"] == ANSWERS["address"]


def test_without_authorization_there_is_no_such_step(tmp_path):
    """The first step is the plugin's own, nothing waits, and activating works."""
    served = Served(tmp_path, points=[MemoryDesk().entry_point(without={"authorize"})])
    try:
        visitor = logged_in(served)
        first = visitor.get(BASE)
        assert first.url.endswith("/setup/step/desk")
        assert "Authorize access" not in first.text
        assert visitor.get(f"{BASE}/authorize").status_code == 404
        visitor.post(f"{BASE}/step/desk/update", desk="1")

        assert "Authorize access" not in visitor.get(f"{BASE}/enable").text
        done = visitor.post(f"{BASE}/enable")

        assert done.headers["location"] == "/integrations/helpdesk?said=activated"
    finally:
        served.stop()


def test_a_secret_is_made_where_the_plugin_takes_one_of_ours(tmp_path):
    """Where the other side makes the secret itself, nothing is offered."""
    served = Served(tmp_path)
    try:
        visitor = logged_in(served)
        served.app.store.grants.save("helpdesk", Grant(headers={}))
        assert "Generate secret" in visitor.get(f"{BASE}/step/webhook").text
        assert "Generate secret" not in visitor.get(f"{BASE}/step/token").text
    finally:
        served.stop()


class ListingDesk(OwnDesk):
    """Lists its statuses, of which it knows one, as long as it may."""

    may_list = True

    @hookimpl
    def configure_steps(self, integration):
        """Ask for the status of tickets that are over."""
        return *super().configure_steps(integration)[::2], close_step(self.statuses, may_be_typed=True)

    def statuses(self):
        """List them."""
        if not self.may_list:
            raise ConfigError("The list is closed to the account.", fix="Type it.")
        return [Choice("Done", "Done")]


def test_beside_a_list_an_answer_can_be_typed_where_it_may(tmp_path):
    """Also where the list cannot be fetched; what was typed is shown, and another answer takes its place."""
    desk, step = ListingDesk(), f"{BASE}/step/close_status"
    served = Served(tmp_path, points=[desk.entry_point()])
    visitor = logged_in(served)
    served.app.setup.answer("helpdesk", ANSWERS)
    visitor.post(f"{BASE}/authorize")

    def answered():
        return served.app.registry.entry("helpdesk").record.with_draft().answers["close_status"]

    visitor.post(f"{step}/update", **{"close_status.typed": "Over"})
    typed, page = answered(), visitor.get(step).text
    visitor.post(f"{step}/update", close_status="Done", **{"close_status.typed": "Over"})
    chosen = answered()
    desk.may_list = False
    visitor.post(f"{step}/update", close_status=chosen, **{"close_status.typed": "Finished"})
    closed, finished = visitor.get(step).text, answered()
    served.stop()

    assert (typed, chosen, finished) == ("Over", "Done", "Finished")
    assert 'name="close_status.typed" type="text" value="Over"' in page
    assert "The list could not be fetched" in closed
    assert 'name="close_status.typed" type="text" value="Finished"' in closed
