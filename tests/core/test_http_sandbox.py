"""The base for stand-ins: it answers by its routes, asks for consent, and tells of what happens until it is heard."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from connector_core.testing.conformance.catcher import Catcher
from connector_core.testing.sandbox import Answer, HttpSandbox, Refused, Route


class Shelf(HttpSandbox):
    """A desk with two calls."""

    title = "Shelf <of> tickets"
    send_again_after_s = 0.0

    def __init__(self):
        self.kept = {"1": {"id": "1", "title": "Fan failed"}}
        super().__init__()

    def routes(self):
        """Answer two calls."""
        return [Route("GET", "/tickets/{id}", self.show), Route("POST", "/tickets", self.create)]

    def show(self, asked):
        """Show a ticket."""
        if asked.parameters["id"] not in self.kept:
            raise Refused(404, {"error": "no such ticket"}, {"X-Why": "gone"})
        return self.kept[asked.parameters["id"]] | {"seen_at": self.clock.now().isoformat()}

    def create(self, asked):
        """Take a ticket."""
        self.kept["2"] = {"id": "2", "title": asked.json["title"]}
        return Answer(201, self.kept["2"], {"Location": "/tickets/2"})

    def signature(self, secret, body, at):
        """Sign with a time."""
        stamp = str(int(at.timestamp()))
        return {
            "X-Stamp": stamp,
            "X-Signed": hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest(),
        }


@pytest.fixture
def shelf():
    """Serve it."""
    with Shelf() as running:
        yield running


def test_calls_are_answered_and_kept(shelf):
    """By the route that fits, with status and headers; what is refused is counted as well."""
    made = requests.post(f"{shelf.url}/tickets", json={"title": "New"}, timeout=10)
    shown = requests.get(f"{shelf.url}/tickets/2", timeout=10)
    missing = requests.get(f"{shelf.url}/tickets/3", timeout=10)
    garbled = requests.post(f"{shelf.url}/tickets", data=b"{", timeout=10)

    assert (made.status_code, made.headers["Location"], shown.json()["title"]) == (201, "/tickets/2", "New")
    assert (missing.status_code, missing.json(), missing.headers["X-Why"]) == (404, {"error": "no such ticket"}, "gone")
    assert garbled.status_code == 400
    assert [(call.asked.method, call.status) for call in shelf.calls] == [
        ("POST", 201),
        ("GET", 200),
        ("GET", 404),
        ("POST", 400),
    ]
    assert shelf.call_count() == 4


def test_its_clock_is_moved_by_tests(shelf):
    """What it shows is later then."""
    before = requests.get(f"{shelf.url}/tickets/1", timeout=10).json()["seen_at"]
    shelf.clock.forward(86_400)

    assert requests.get(f"{shelf.url}/tickets/1", timeout=10).json()["seen_at"][:10] > before[:10]


def test_a_person_consents_once(shelf):
    """The code of the page is good once, and for the address that it was sent to only."""
    back = "http://127.0.0.1:9/callback"
    answer = shelf.approve(shelf.consent_url(redirect_uri=back, state="s t"))

    given = dict(parse_qsl(urlsplit(answer).query))
    assert given["state"] == "s t"
    shelf.redeem(given["code"], back)
    with pytest.raises(Refused):
        shelf.redeem(given["code"], back)
    page = requests.get(shelf.consent_url(redirect_uri=back, client_id="<b>"), timeout=10).text
    assert "Shelf &lt;of&gt; tickets" in page
    assert "&lt;b&gt; asks" in page


def test_what_is_not_taken_is_sent_again(shelf):
    """Signed as the desk signs; an address where nobody listens is given up after some tries."""
    catcher = Catcher()
    shelf.register_webhook("http://127.0.0.1:9/nobody", "x")
    shelf.register_webhook(catcher.url, "a secret")

    shelf.tell({"ticket": "1"})
    shelf.wait_for_deliveries()

    assert [sent.status for sent in shelf.sent] == [0] * 6 + [200]
    (caught,) = catcher.all()
    signed = hmac.new(b"a secret", caught.headers["x-stamp"].encode() + caught.body, hashlib.sha256).hexdigest()
    assert caught.headers["x-signed"] == signed
    catcher.stop()
