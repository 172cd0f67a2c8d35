"""A real Roundup tracker: what its REST interface does, and what people do to it."""

from __future__ import annotations

import signal

import pytest
import requests

from connector_core import Priority, Sandbox
from connector_roundup_sandbox import RoundupError, RoundupSandbox
from connector_roundup_sandbox.desk import PRIORITIES
from tests.support.alone import ended, started
from tests.support.owned import started_and_killed, users_of, wait_until

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def desk():
    """Serve one tracker for this file."""
    with RoundupSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def rest(desk):
    """Return a function that calls the REST interface as the connector."""
    headers = {"X-Requested-With": "rest", "Origin": desk.url}

    def call(method, path, *, headers=headers, **more):
        more.setdefault("auth", ("connector", desk.passwords["connector"]))
        url = path if path.startswith("http") else f"{desk.url}/rest/data/{path}"
        return requests.request(method, url, headers=headers | more.pop("also", {}), timeout=TIMEOUT_S, **more)

    return call


@pytest.fixture
def issue(rest):
    """Make an issue; return its id."""
    fields = {"title": "Display off", "priority": "urgent", "status": "unread"}
    return rest("POST", "issue", json=fields).json()["data"]["id"]


def test_its_calls_are_counted_and_those_of_people_are_not(desk, rest, issue):
    """By them the demo says how many calls a story takes."""
    before = desk.call_count()

    desk.edit_ticket(issue, title="Display broken")
    rest("GET", f"issue/{issue}")

    assert desk.call_count() == before + 1
    assert desk.calls[-1] == f"GET 200 /rest/data/issue/{issue}"


def test_a_one_time_address_creates_once(rest):
    """The second use is refused, whatever it says: what lost its answer can be asked again without harm."""
    address = rest("POST", "issue/@poe", json={}).json()["data"]["link"]

    first = rest("POST", address, json={"title": "Display off"})
    second = rest("POST", address, json={"title": "Display off"})

    assert (first.status_code, second.status_code) == (201, 400)
    assert second.json()["error"]["msg"].startswith("POE token ")


@pytest.mark.extended
def test_a_change_names_what_it_is_based_on(desk, rest, issue):
    """Without an ETag, or with an old one, it is refused and nothing changes."""
    etag = rest("GET", f"issue/{issue}").headers["ETag"]
    desk.edit_ticket(issue, priority="critical")

    refused = [rest("PATCH", f"issue/{issue}", json={"title": "x"}, also=also) for also in ({}, {"If-Match": etag})]
    fresh = rest("GET", f"issue/{issue}").headers["ETag"]
    taken = rest("PATCH", f"issue/{issue}", json={"title": "Display on"}, also={"If-Match": fresh})

    assert [one.status_code for one in (*refused, taken)] == [412, 412, 200]
    assert desk.ticket(issue)["title"] == "Display on"


def test_a_change_says_where_it_comes_from(desk, rest):
    """A call without one of two headers is refused: it could come from another site's page. None asks for a referer."""
    whole = {"X-Requested-With": "rest", "Origin": desk.url}

    answers = [
        rest("POST", "issue", json={"title": "x"}, headers={name: whole[name] for name in names})
        for names in (["Origin"], ["X-Requested-With"], list(whole))
    ]

    assert [one.status_code for one in answers] == [400, 400, 201]


def test_a_wrong_password_opens_nothing(rest):
    """In plain text, not in JSON; without any it is another status."""
    wrong, none = rest("GET", "issue", auth=("connector", "wrong")), rest("GET", "issue", auth=None)

    assert (wrong.status_code, wrong.headers["Content-Type"]) == (401, "text/plain")
    assert none.status_code == 403


def test_people_work_with_a_ticket(desk, issue):
    """They edit, comment, finish and take it up again."""
    desk.edit_ticket(issue, title="Display broken", priority="planning")
    desk.write_comment(issue, "The first message is what it is about, Ä 😀")
    desk.write_comment(issue, "Back on")
    desk.finish_ticket(issue)
    finished = desk.ticket(issue)
    desk.reopen_ticket(issue)

    assert (finished["title"], finished["priority"], finished["status"]) == ("Display broken", "planning", "resolved")
    assert finished["description"] == "The first message is what it is about, Ä 😀"
    assert [(one["text"], one["author"]) for one in desk.comments(issue)] == [("Back on", "agent")]
    assert (finished["done"], desk.ticket(issue)["done"]) == (True, False)
    assert issue in {one["id"] for one in desk.tickets()}


def test_what_was_retired_is_read_as_before_and_not_listed(desk, rest, issue):
    """Whoever asks for one alone does not see that it is gone; a change of it is refused with a status of its own."""
    desk.delete_ticket(issue)

    read, listed = rest("GET", f"issue/{issue}"), rest("GET", "issue", params={"id": issue})
    changed = rest("PATCH", f"issue/{issue}", json={"title": "x"}, also={"If-Match": read.headers["ETag"]})
    with pytest.raises(KeyError):
        desk.ticket(issue)
    desk.restore_ticket(issue)

    assert (read.status_code, listed.json()["data"]["@total_size"], changed.status_code) == (200, 0, 409)
    assert desk.ticket(issue)["title"] == "Display off"


def test_what_it_cannot_do_it_says(desk, issue):
    """No webhook, no page of consent, no internal message, no other description; `abilities` names none of them."""
    with pytest.raises(NotImplementedError):
        desk.register_webhook("http://127.0.0.1:9/webhook", "secret")
    with pytest.raises(NotImplementedError):
        desk.approve(desk.url)
    with pytest.raises(NotImplementedError):
        desk.write_comment(issue, "x", internal=True)
    with pytest.raises(NotImplementedError):
        desk.edit_ticket(issue, description="x")
    with pytest.raises(RoundupError, match="is not a status"):
        desk.move_ticket(issue, "nonsense")
    with pytest.raises(KeyError):
        desk.edit_ticket("9999", title="x")

    assert desk.abilities == {"comments", "deletes"}


def test_it_keeps_the_demos_agreement(desk):
    """It knows no class of the core's; the types are held against each other here."""
    agreed: Sandbox = desk

    settings = agreed.integration_settings()

    assert settings["password"].get_secret_value() not in repr(settings)
    assert set(PRIORITIES) == set(Priority)


@pytest.mark.extended
def test_what_was_stopped_leaves_nothing():
    """No process and no folder; its port is free."""
    sandbox = RoundupSandbox()
    sandbox.start()
    sandbox.stop()

    assert not sandbox.folder.exists()
    assert users_of(sandbox.folder) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=TIMEOUT_S)


@pytest.mark.extended
def test_what_a_killed_owner_leaves_is_gone():
    """The tracker sees that its owner is gone, and ends and removes its folder itself."""
    code = "from connector_roundup_sandbox import open_sandbox\nprint(open_sandbox(port=0).folder, flush=True)\ninput()"

    folder = started_and_killed(code)

    assert wait_until(lambda: not folder.exists() and not users_of(folder))


@pytest.mark.extended
def test_it_says_where_it_is_and_how_it_ends():
    """Alone in a process: the address comes first, then who may come in; SIGTERM stops it in good order."""
    with started("connector_roundup_sandbox") as (process, told):
        name, _, password = told[2].split()
        answer = requests.get(f"{told[0]}/rest", auth=(name, password), timeout=TIMEOUT_S)
        code = ended(process, signal.SIGTERM)

    assert name == "connector"
    assert answer.status_code == 200
    assert code == 0
