"""A real Request Tracker 5: what its REST interface does, and what people and the administrator do to it."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from connector_core import Priority, Sandbox
from connector_request_tracker_sandbox import NotInstalledError, RequestTrackerError, RequestTrackerSandbox, installed
from connector_request_tracker_sandbox.site import HIDDEN_QUEUE, PRIORITIES, QUEUE, STAGED_QUEUE
from tests.support.alone import ended, started
from tests.support.deliveries import taking_deliveries
from tests.support.needed import require
from tests.support.owned import started_and_killed, users_of, wait_until

pytestmark = pytest.mark.request_tracker
TIMEOUT_S = 120
MARK = "https://hub.example/incidents/42"
SECRET = r"it's a \secret"


@pytest.fixture(scope="module")
def site():
    """Serve one site for this file."""
    require("request-tracker")
    with RequestTrackerSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def deliveries(site):
    """Have the administrator register a webhook, once for this file; return what comes to it."""
    with taking_deliveries() as taken:
        site.register_webhook(taken.url, SECRET)
        yield taken


@pytest.fixture
def rest(site):
    """Return a function that calls the REST interface as the connector."""

    def call(method, path, *, token=site.token, **more):
        headers = {"Authorization": f"token {token}"} | more.pop("headers", {})
        return requests.request(method, f"{site.url}/REST/2.0/{path}", headers=headers, timeout=TIMEOUT_S, **more)

    return call


@pytest.fixture
def make(rest):
    """Return a function that makes a ticket and returns its id."""

    def make(queue=QUEUE, **fields):
        told = {"Queue": queue, "Subject": "Display off", "Content": "Room 4, Ä 😀", "ContentType": "text/plain"}
        answer = rest("POST", "ticket", json=told | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    return make


@pytest.fixture
def ticket(make):
    """Make a ticket; return its id."""
    return make()


def found(rest, query):
    """Return the ids that a search finds."""
    return [one["id"] for one in rest("GET", "tickets", params={"query": query}).json()["items"]]


def test_what_a_token_opens(site, rest):
    """The connector's does, another one does not, and the refusal is JSON."""
    mine, other = rest("GET", "rt"), rest("GET", "rt", token="1-2-3")

    assert mine.json()["Version"] == installed.version()
    assert (other.status_code, other.json()) == (401, {"message": "Unauthorized"})
    assert "Login" in requests.get(site.url, timeout=TIMEOUT_S).text


def test_its_calls_are_counted_and_those_of_people_are_not(site, rest, ticket):
    """By them the demo says how many calls a story takes."""
    before = site.call_count()

    site.edit_ticket(ticket, title="Display broken")
    rest("GET", f"ticket/{ticket}")

    assert site.call_count() == before + 1
    assert site.calls[-1] == f"GET 200 /REST/2.0/ticket/{ticket}"


def test_a_life_by_rest(rest, make):
    """A ticket is made with a mark, found by it at once, changed on the ETag, commented and resolved in one call."""
    made = make(RefersTo=MARK, Priority=75)

    by_mark = found(rest, f"RefersTo = '{MARK}'")
    read = rest("GET", f"ticket/{made}")
    changed = rest("PUT", f"ticket/{made}", json={"Subject": "Two"}, headers={"If-Match": read.headers["ETag"]})
    closed = rest(
        "POST", f"ticket/{made}/comment", json={"Content": "on", "ContentType": "text/plain", "Status": "resolved"}
    )
    at_last = rest("GET", f"ticket/{made}").json()

    assert by_mark == [made]
    assert read.json()["Priority"] == "75"
    assert changed.json() == [f"Ticket {made}: Subject changed from 'Display off' to 'Two'"]
    assert closed.json() == ["Comments added", "Status changed from 'new' to 'resolved'"]
    assert (at_last["Subject"], at_last["Status"]) == ("Two", "resolved")


def test_a_stale_etag_is_refused(site, rest, ticket):
    """With quotes or without; nothing changes."""
    etag = rest("GET", f"ticket/{ticket}").headers["ETag"]
    site.edit_ticket(ticket, title="Display broken")

    answers = [
        rest("PUT", f"ticket/{ticket}", json={"Subject": "x"}, headers={"If-Match": one})
        for one in (etag, etag.strip('"'))
    ]

    assert [one.status_code for one in answers] == [412, 412]
    assert site.ticket(ticket)["title"] == "Display broken"


def test_a_refusal_is_a_sentence_with_200(rest, make):
    """A status that may not follow, a right that is missing; an unknown field is not even a sentence."""
    staged = make(STAGED_QUEUE)

    refused = rest("PUT", f"ticket/{staged}", json={"Status": "done", "Nonsense": 1})

    assert refused.status_code == 200
    assert refused.json() == [f"Ticket {staged}: You can't change status from 'received' to 'done'."]


def test_which_statuses_may_follow_is_told_for_each_ticket(rest, make, ticket):
    """In the links of the ticket; of a deletion for whoever may delete only."""

    def following(ticket_id):
        links = rest("GET", f"ticket/{ticket_id}").json()["_hyperlinks"]
        return {link["to"] for link in links if link["ref"] == "lifecycle"}

    staged = make(STAGED_QUEUE)

    assert following(ticket) == {"open", "resolved", "rejected"}
    assert following(staged) == {"accepted", "declined"}


def test_people_work_with_a_ticket(site, ticket):
    """They edit, comment inside and outside, finish and take it up again."""
    site.edit_ticket(ticket, title="Display broken", priority="critical")
    site.write_comment(ticket, "Looks bad", internal=True)
    written = site.write_comment(ticket, "We are on it")
    answered = site.ticket(ticket)["status"]
    site.finish_ticket(ticket)
    finished = site.ticket(ticket)
    site.reopen_ticket(ticket)

    assert (finished["title"], finished["priority"], finished["status"]) == ("Display broken", "critical", "resolved")
    assert finished["description"] == "Room 4, Ä 😀"
    assert answered == "open"  # an answer opens it by itself
    assert [(one["text"], one["internal"], one["author"]) for one in site.comments(ticket)] == [
        ("Looks bad", True, "agent"),
        ("We are on it", False, "agent"),
    ]
    assert site.comments(ticket)[-1]["id"] == written
    assert (finished["done"], site.ticket(ticket)["done"]) == (True, False)
    assert ticket in {one["id"] for one in site.tickets()}


def test_a_queue_with_statuses_of_its_own_is_gone_through(site, make):
    """Step by step, for no other way is open."""
    staged = make(STAGED_QUEUE)

    with pytest.raises(RequestTrackerError, match="can't change status"):
        site.move_ticket(staged, "done")
    site.finish_ticket(staged)

    assert site.ticket(staged)["status"] == "done"


def test_what_was_deleted_is_read_and_not_found(site, rest, ticket):
    """Reading it says so; a search is silent."""
    site.delete_ticket(ticket)

    read = rest("GET", f"ticket/{ticket}")

    assert (read.status_code, read.json()["Status"]) == (200, "deleted")
    assert found(rest, f"id = {ticket}") == []
    assert rest("GET", "ticket/9999999").status_code == 404


def test_what_was_merged_reads_as_another_one(site, rest, make):
    """Whoever asks for the one gets the other's id; a search finds the other only."""
    one, other = make(), make(Subject="The same")

    site.merge_ticket(one, into=other)

    assert str(rest("GET", f"ticket/{one}").json()["id"]) == other
    assert found(rest, f"id = {one} OR id = {other}") == [other]


def test_what_is_hidden_is_forbidden_and_comes_back(site, rest, ticket):
    """It is in a queue that the connector knows nothing of, until it is moved back."""
    site.hide_ticket(ticket)
    hidden, searched = rest("GET", f"ticket/{ticket}"), found(rest, f"id = {ticket}")
    queues = [one["Name"] for one in rest("GET", "queues/all", params={"fields": "Name"}).json()["items"]]
    site.unhide_ticket(ticket)

    assert (hidden.status_code, hidden.json()) == (403, {"message": "Forbidden"})
    assert searched == []
    assert HIDDEN_QUEUE not in queues
    assert rest("GET", f"ticket/{ticket}").status_code == 200


def test_a_right_that_is_taken_away_is_missing_at_once(site, rest, ticket):
    """Without a restart, for each worker of the server."""
    site.take_right("ModifyTicket")
    refused = [rest("PUT", f"ticket/{ticket}", json={"Subject": "x"}).json() for _ in range(8)]
    site.give_right("ModifyTicket")
    taken = rest("PUT", f"ticket/{ticket}", json={"Subject": "x"}).json()

    assert refused == [[f"Ticket {ticket}: Permission Denied"]] * 8
    assert taken == [f"Ticket {ticket}: Subject changed from 'Display off' to 'x'"]


def test_each_request_that_changes_something_is_told_with_a_true_signature(site, ticket, deliveries):
    """One delivery for two fields, signed over its body."""
    deliveries.rest()

    site.edit_ticket(ticket, title="Display broken", priority="low")
    taken = deliveries.next()
    told = json.loads(taken.body)

    assert taken.headers["X-Hub-Signature"] == f"sha256={hmac.digest(SECRET.encode(), taken.body, 'sha256').hex()}"
    assert told.keys() == {"ticket", "transaction", "type", "time"}
    assert (told["ticket"], told["type"]) == (ticket, "Set")
    assert deliveries.rest() == []


@pytest.mark.usefixtures("deliveries")
def test_a_script_that_is_given_is_the_one_that_runs(site, ticket):
    """As somebody pastes what the connector handed out."""
    with taking_deliveries() as taken:
        script = f"""
            require LWP::UserAgent;
            LWP::UserAgent->new->post('{taken.url}', 'X-Own' => 'yes', Content => $self->TicketObj->Subject);
            return 1;
        """
        site.register_webhook(taken.url, SECRET, script=script)

        site.edit_ticket(ticket, title="Display broken")

        came = taken.next()

    assert (came.headers["X-Own"], came.body) == ("yes", b"Display broken")


def test_what_it_cannot_do_it_says(site, ticket):
    """No page of consent, no other description; `abilities` names neither."""
    with pytest.raises(NotImplementedError):
        site.approve(site.url)
    with pytest.raises(NotImplementedError):
        site.edit_ticket(ticket, description="x")
    with pytest.raises(RequestTrackerError, match="isn't a valid status"):
        site.move_ticket(ticket, "nonsense")
    with pytest.raises(KeyError):
        site.ticket("9999999")

    assert site.abilities == {"webhooks", "comments", "internal_comments", "deletes", "hides", "merges"}


def test_it_keeps_the_demos_agreement(site):
    """It knows no class of the core's; the types are held against each other here."""
    agreed: Sandbox = site

    settings = agreed.integration_settings()

    assert settings["token"].get_secret_value() not in repr(settings)
    assert set(PRIORITIES) == set(Priority)


def test_what_was_stopped_leaves_nothing_and_the_next_one_starts_with_nothing(site, rest):
    """No process and no folder; a second server has a database of its own beside the first."""
    second = RequestTrackerSandbox()
    second.start()
    folder, tickets = second._server.folder, second.tickets()
    busy = users_of(folder)

    second.stop()

    assert busy != []
    assert tickets == []
    assert not folder.exists()
    assert users_of(folder) == []
    assert rest("GET", "rt").status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(second.url, timeout=TIMEOUT_S)


@pytest.mark.usefixtures("site")
def test_what_a_killed_owner_leaves_is_gone():
    """A guard sees that its owner is gone, ends the server and removes its folder."""
    code = (
        "from connector_request_tracker_sandbox import open_sandbox\n"
        "print(open_sandbox(port=0)._server.folder, flush=True)\n"
        "input()"
    )

    folder = started_and_killed(code)

    assert wait_until(lambda: not folder.exists() and not users_of(folder))


@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a child")
def test_a_server_whose_guard_is_killed_ends():
    """The system tells it; its folder goes when it is stopped."""
    sandbox = RequestTrackerSandbox()
    sandbox.start()
    folder = sandbox._server.folder

    sandbox._server._guard.kill()

    assert wait_until(lambda: not users_of(folder))
    sandbox.stop()
    assert not folder.exists()


@pytest.mark.usefixtures("site")
def test_a_server_that_does_not_start_says_why_and_leaves_nothing(monkeypatch, tmp_path):
    """With the last words of its log."""
    monkeypatch.setattr(installed, "SERVER", tmp_path / "nothing")
    monkeypatch.setattr(installed, "database_program", lambda: Path("/nowhere"))
    sandbox = RequestTrackerSandbox()

    with pytest.raises(RequestTrackerError, match=r"did not start:\n.*nothing"):
        sandbox.start()

    assert not sandbox._server.folder.exists()


@pytest.mark.usefixtures("site")
def test_it_says_where_it_is_and_how_it_ends():
    """Alone in a process: the address comes first, then who may come in; SIGTERM stops it in good order."""
    with started("connector_request_tracker_sandbox") as (process, told):
        headers = {"Authorization": f"token {told[1].split()[-1]}"}
        answer = requests.get(f"{told[0]}/REST/2.0/rt", headers=headers, timeout=TIMEOUT_S)
        code = ended(process, signal.SIGTERM)

    assert answer.status_code == 200
    assert code == 0


@pytest.mark.usefixtures("site")
def test_the_database_of_a_version_is_made_once(site):
    """What a second server gets is what the first one got: the same tokens."""
    digest = hashlib.sha256(site.token.encode()).hexdigest()
    code = (
        "import hashlib\n"
        "from connector_request_tracker_sandbox import RequestTrackerSandbox\n"
        "site = RequestTrackerSandbox()\n"
        "site.stop()\n"
        "print(hashlib.sha256(site.token.encode()).hexdigest())\n"
    )

    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert other.stdout.strip() == digest


def test_where_it_is_not_installed_it_says_what_to_type(monkeypatch, tmp_path):
    """In one line."""
    monkeypatch.setattr(installed, "SERVER", tmp_path / "nothing")

    with pytest.raises(NotInstalledError, match=r"apt-get install .* request-tracker5 "):
        RequestTrackerSandbox()
