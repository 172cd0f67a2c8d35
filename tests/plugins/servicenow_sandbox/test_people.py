"""What people do, in the words of the agreement with the demo."""

from __future__ import annotations

import pytest
import requests
from pydantic import SecretStr

from connector_core import Sandbox
from connector_servicenow_sandbox import ServiceNowSandbox


def test_it_keeps_the_demos_agreement(sandbox: ServiceNowSandbox) -> None:
    """It knows no class of the core's; the types are held against each other here."""
    agreed: Sandbox = sandbox
    settings = agreed.integration_settings()

    assert list(agreed.tickets()) == []
    assert isinstance(settings["client_secret"], SecretStr)
    assert settings["instance"] == sandbox.url
    assert sandbox.client.client_secret not in repr(settings)
    assert agreed.plugin_settings() == {}
    assert {"webhooks", "comments", "consent", "edits_description"} <= sandbox.abilities


@pytest.mark.parametrize("kind", ["sandbox", "difficult"])
@pytest.mark.parametrize("word", ["critical", "high", "moderate", "planning"])
def test_a_person_edits_by_the_rules_of_the_instance(request, open_table, kind, word):
    """A priority is set by the pair that makes it here."""
    running = request.getfixturevalue(kind)
    made = open_table(of=running).create(u_location_code="4.01")

    running.edit_ticket(made["sys_id"], title="Display black", description="Since noon", priority=word)

    ticket = running.ticket(made["number"])
    assert (ticket["title"], ticket["description"], ticket["priority"]) == ("Display black", "Since noon", word)
    assert running.people.row(made["sys_id"])["sys_updated_by"] == "agnes.agent"


@pytest.mark.parametrize("kind", ["sandbox", "difficult"])
def test_a_person_finishes_and_reopens(request, open_table, kind):
    """With all that a resolution needs here."""
    running = request.getfixturevalue(kind)
    made = open_table(of=running).create(u_location_code="4.01")

    running.finish_ticket(made["sys_id"])
    finished = running.ticket(made["sys_id"])
    running.reopen_ticket(made["sys_id"])

    assert (finished["done"], finished["status"]) == (True, running.profile.label_of("6"))
    assert running.ticket(made["sys_id"])["done"] is False


def test_comments_are_listed_with_who_may_see_them(incidents, sandbox):
    """Those of the API and those of people, oldest first."""
    made = incidents.create(comments="From outside")
    written = sandbox.write_comment(made["sys_id"], "Among us", internal=True)

    listed = sandbox.comments(made["sys_id"])

    assert [(one["text"], one["internal"], one["author"]) for one in listed] == [
        ("From outside", False, "connector.api"),
        ("Among us", True, "agnes.agent"),
    ]
    assert listed[1]["id"] == written


def test_what_cannot_be_done_is_told(incidents, sandbox):
    """An unknown ticket is a KeyError, a wish against the rules a ValueError."""
    made = incidents.create()
    sandbox.people.cancel(made["sys_id"])

    with pytest.raises(KeyError):
        sandbox.ticket("nobody")
    with pytest.raises(ValueError, match="ACL Exception"):
        sandbox.edit_ticket(made["sys_id"], title="x")
    with pytest.raises(ValueError, match="no impact and urgency"):
        sandbox.edit_ticket(made["sys_id"], priority="huge")
    sandbox.delete_ticket(made["sys_id"])
    with pytest.raises(KeyError):
        sandbox.ticket(made["sys_id"])


def test_the_address_of_a_ticket_shows_it(incidents, sandbox):
    """With what was said, and nothing of it as markup; a hidden one comes back when it is shown again."""
    made = incidents.create("<b>bold</b>", comments="<i>hm</i>")
    sandbox.hide_ticket(made["sys_id"])
    sandbox.hide_ticket(made["sys_id"], hidden=False)

    page = requests.get(sandbox.ticket(made["sys_id"])["url"], timeout=10)
    listed = requests.get(sandbox.url, timeout=10)
    gone = requests.get(f"{sandbox.url}/nav_to.do?uri=incident.do?sys_id={'0' * 32}", timeout=10)

    assert "&lt;b&gt;bold" in page.text
    assert "&lt;i&gt;hm" in page.text
    assert made["number"] in listed.text
    assert gone.status_code == 404
    assert sandbox.call_count() == 1
    assert incidents.send("GET", made["sys_id"]).status_code == 200
