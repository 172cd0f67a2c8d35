"""The pages for a person, and the control API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from connector_jira_jsm_sandbox import DEFAULT, JiraSandbox
from tests.support.jira.receiver import Receiver
from tests.support.jira.visitor import Client

Create = Callable[..., str]
HOOKS = "/plugins/servlet/webhooks"
NASTY = '<script>alert("1")</script>'


@pytest.fixture
def person(sandbox: JiraSandbox) -> Iterator[Client]:
    """Return a browser without a login: the sandbox's pages need none."""
    with Client(sandbox.url) as client:
        client.headers["User-Agent"] = "Mozilla/5.0"
        yield client


def test_list_and_detail_escape_everything(create: Create, sandbox: JiraSandbox, person: Client) -> None:
    """Whatever a ticket holds, it never becomes markup of the page."""
    issue = create(NASTY, description=NASTY + "\n</textarea>" + NASTY)
    sandbox.workbench.comment(issue, NASTY)
    sandbox.edit_ticket(issue, title=NASTY + "2")

    for path in ("/", "/browse/SUP-1"):
        page = person.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "SUP-1" in page.text
        assert page.text.count("</textarea>") == page.text.count("<textarea")


def test_empty_list_says_so(person: Client) -> None:
    """Without requests the page explains itself."""
    assert "No requests yet" in person.get("/").text


def test_person_edits_a_request(create: Create, sandbox: JiraSandbox, person: Client) -> None:
    """The form saves summary, description and priority, and leads back to the request."""
    issue = create()

    form = {"summary": "By hand", "description": "one\r\ntwo", "priority": "1"}
    answer = person.post("/browse/SUP-1/edit", data=form, allow_redirects=False)

    ticket = sandbox.ticket(issue)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/browse/SUP-1")
    assert (ticket["title"], ticket["description"], ticket["priority"]) == ("By hand", "one\ntwo", "Highest")


def test_person_moves_comments_and_deletes(create: Create, sandbox: JiraSandbox, person: Client) -> None:
    """Each button does what it says."""
    issue = create()

    person.post("/browse/SUP-1/transition", data={"transition": "41"})
    person.post("/browse/SUP-1/comment", data={"comment": "psst", "internal": "on"})
    page = person.get("/browse/SUP-1").text
    status = sandbox.ticket(issue)["status"]
    person.post("/browse/SUP-1/delete")

    assert status == "Closed"
    assert "(internal)" in page
    assert sandbox.tickets() == []
    assert person.get("/browse/SUP-1").status_code == 404


def test_impossible_wishes_are_told(create: Create, person: Client) -> None:
    """A mistake in a form is shown on the page."""
    create()

    assert "newline" in person.post("/browse/SUP-1/edit", data={"summary": "a\nb"}).text
    assert person.post("/browse/SUP-1/transition", data={"transition": "61"}).status_code == 400
    assert person.post("/browse/SUP-1/dance").status_code == 404
    assert person.post("/browse/SUP-9/delete").status_code == 404


def test_person_creates_a_webhook(create: Create, sandbox: JiraSandbox, person: Client) -> None:
    """Generate a secret, save, and see deliveries; after saving the secret is shown no more."""
    with Receiver() as receiver:
        form = {"name": "Callback", "url": receiver.url, "jql": "project = SUP", "events": "jira:issue_created"}
        filled = person.post(HOOKS, data={**form, "do": "generate"}).text
        found = re.search(r'name="secret"[^>]*value="([^"]{40,})"', filled)
        assert found is not None
        saved = person.post(HOOKS, data={**form, "secret": found[1], "do": "save"})
        create()
        receiver.wait_for(1)
        assert sandbox.wait_for_deliveries()
        page = person.get(HOOKS).text

    assert found[1] not in saved.text
    assert "Callback" in saved.text
    assert receiver.header("X-Hub-Signature")[0] is not None
    assert "jira:issue_created" in page
    assert "<td>200</td>" in page


def test_webhook_form_keeps_answers_on_a_mistake(person: Client) -> None:
    """A mistake is told without losing what was typed; a webhook can be removed."""
    bad_url = person.post(HOOKS, data={"name": "Mine", "url": "nonsense"})
    bad_jql = person.post(HOOKS, data={"name": "Mine", "url": "http://127.0.0.1:9/", "jql": "colour = red"})
    person.post(HOOKS, data={"name": "Mine", "url": "http://127.0.0.1:9/"})
    person.post(HOOKS + "/1/delete")

    assert bad_url.status_code == bad_jql.status_code == 400
    assert 'value="Mine"' in bad_url.text
    assert "colour" in bad_jql.text
    assert "None yet." in person.get(HOOKS).text


def test_pages_have_a_title_a_language_and_no_script(person: Client) -> None:
    """Pages are plain and fit a phone."""
    for path in ("/", HOOKS):
        page = person.get(path).text
        assert '<html lang="en">' in page
        assert 'name="viewport"' in page
        assert "<script" not in page


def test_control_api_mirrors_the_object(create: Create, sandbox: JiraSandbox, person: Client) -> None:
    """Another process can edit, move, comment, reopen and delete, and see the state."""
    issue = create()
    base = f"/_sandbox/issues/{issue}"

    edited = person.post(base + "/edit", json={"title": "Remote", "priority": "planning"})
    person.post(base + "/comment", json={"body": "hello"})
    person.post(base + "/finish")
    done = person.get(base).json()
    person.post(base + "/reopen")
    person.post(base + "/transition", json={"transition": "Start progress"})

    assert edited.status_code == 204
    assert (done["title"], done["priority"], done["done"]) == ("Remote", "Lowest", True)
    assert sandbox.ticket(issue)["status"] == "In Progress"
    assert person.get("/_sandbox/state").json()["tickets"] == sandbox.tickets()
    assert person.get("/_sandbox/calls").json()[0]["path"] == "/rest/servicedeskapi/request"
    assert person.post(base + "/edit", json={"colour": "red"}).status_code == 400
    assert person.post(base + "/dance").status_code == 404
    assert person.post(base + "/delete").status_code == 204
    assert person.get(base).status_code == person.post(base + "/finish").status_code == 404


def test_control_api_makes_trouble(sandbox: JiraSandbox, person: Client, site: Client) -> None:
    """Faults come and go over HTTP."""
    made = person.post("/_sandbox/faults", json={"kind": "status", "status": 503, "path": "/myself", "times": None})
    struck = site.get("/rest/api/3/myself").status_code
    listed = person.get("/_sandbox/faults").json()
    person.delete("/_sandbox/faults")

    assert (made.status_code, struck, listed[0]["hits"]) == (204, 503, 1)
    assert site.get("/rest/api/3/myself").status_code == 200
    for wrong in ({"kind": "explode"}, {"kind": "status", "path": "("}, {"kind": "status", "method": "*"}):
        assert person.post("/_sandbox/faults", json=wrong).status_code == 400
    assert person.delete("/_sandbox/calls").status_code == 204
    assert sandbox.call_count() == 0


def test_control_api_reaches_webhooks_and_tokens(
    create: Create, sandbox: JiraSandbox, person: Client, gateway: Client
) -> None:
    """Webhooks can be registered and doubled, and tokens made out of date."""
    with Receiver() as receiver:
        person.post("/_sandbox/webhooks", json={"url": receiver.url, "secret": "s", "jql": "project = SUP"})
        person.post("/_sandbox/faults", json={"kind": "doubled"})
        create()
        receiver.wait_for(2)
        assert sandbox.wait_for_deliveries()
    before = gateway.get("/rest/api/3/myself").status_code
    person.post("/_sandbox/tokens/expire")

    assert len(person.get("/_sandbox/deliveries").json()) == 2
    assert (before, gateway.get("/rest/api/3/myself").status_code) == (200, 401)
    assert person.post("/_sandbox/tokens/borrow").status_code == 404


def test_object_finishes_and_reopens_like_a_person(create: Create, sandbox: JiraSandbox) -> None:
    """Finishing leads to a done status from wherever the ticket stands; doing it twice changes nothing."""
    issue = create()
    sandbox.workbench.move(issue, "Respond to customer")

    sandbox.finish_ticket(issue)
    finished = sandbox.ticket(issue)
    sandbox.finish_ticket(issue)
    again = sandbox.ticket(issue)
    sandbox.reopen_ticket(issue)

    assert (finished["status"], finished["done"]) == ("Resolved", True)
    assert again == finished
    assert (sandbox.ticket(issue)["status"], sandbox.ticket(issue)["done"]) == ("Waiting for support", False)


def test_object_takes_core_words_and_names_of_priorities(create: Create, sandbox: JiraSandbox) -> None:
    """A priority may be the core's word or the site's name, and nothing else."""
    issue = create()
    shown = []
    for word in ("critical", "high", "moderate", "low", "planning", "Highest"):
        sandbox.edit_ticket(issue, priority=word)
        shown.append(sandbox.ticket(issue)["priority"])

    assert shown == ["Highest", "High", "Medium", "Low", "Lowest", "Highest"]
    with pytest.raises(ValueError, match="urgent"):
        sandbox.edit_ticket(issue, priority="urgent")
    with pytest.raises(KeyError):
        sandbox.edit_ticket("404", title="x")


def test_settings_lead_to_a_working_integration(sandbox: JiraSandbox) -> None:
    """The settings name the app, the addresses and the default desk."""
    assert sandbox.plugin_settings() == {
        "oauth": {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"},
        "auth_url": sandbox.url,
        "api_url": sandbox.url,
        "search_settle": 5.0,
    }
    assert sandbox.integration_settings() == {"service_desk": "10", "request_type": "25", "close_status": "10002"}


def test_a_site_without_desks_can_be_begun_with() -> None:
    """Nothing is chosen of it, and a webhook is for all of it."""
    with JiraSandbox(replace(DEFAULT, desks=())) as bare:
        bare.register_webhook("http://127.0.0.1:9/hook", "s")

        assert not {"service_desk", "request_type"} & bare.integration_settings().keys()
        assert [webhook.as_json(bare.site)["name"] for webhook in bare.webhooks.listed()] == ["Connector"]
