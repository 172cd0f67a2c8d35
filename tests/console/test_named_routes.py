"""Addresses in pages and messages: each leads to a route, for links as for forms and their buttons."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from starlette.routing import Match, Route

from connector_core.notify import messages
from connector_core.web.console.link_pages import WAYS_OUT
from connector_core.words import advice
from tests.console.test_looking_writes_nothing import GIVEN, paths
from tests.support.served import Served

STEP = "/integrations/helpdesk/setup/step/desk"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve an integration with a link."""
    made = Served(tmp_path_factory.mktemp("routes"))
    made.add("helpdesk", "acme", "Display dark")
    yield made
    made.stop()


class _Addresses(HTMLParser):
    """What a page leads to: method and path of links, forms and buttons."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self._path = path
        self._method = "GET"

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self._method = given.get("method", "get").upper()
            self.found.add((self._method, given.get("action") or self._path))
        elif tag == "a" and "href" in given:
            self.found.add(("GET", given["href"]))
        elif tag in {"button", "input"} and "formaction" in given:
            self.found.add(("POST" if given.get("form") else self._method, given["formaction"]))


def leads(web, method, address):
    """Return whether a route takes a request at an address of ours."""
    scope = {"type": "http", "method": method, "path": urlsplit(address).path}
    return any(one.matches(scope)[0] is Match.FULL for one in web.routes if isinstance(one, Route))


def test_every_address_in_every_page_is_one_of_a_route(served, admin):
    """Also those that are put together far from the routes."""
    seen = set()
    for path in paths(served):
        answer = admin.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            reader = _Addresses(urlsplit(answer.url).path)
            reader.feed(answer.text)
            seen |= reader.found

    ours = {(method, address) for method, address in seen if address.startswith("/")}
    assert ("POST", f"{STEP}/next") in ours
    assert {one for one in ours if not leads(served.web, *one)} == set()


@pytest.mark.parametrize(
    "address",
    [
        *(at for _, at in advice.PLACES.values()),
        advice._STEP,
        *messages._PAGES.values(),
        *(at for _, at in WAYS_OUT.values()),
    ],
)
def test_what_advice_and_messages_point_at_is_there(served, address):
    """They are written below the console, which makes its addresses from the names of its routes."""
    assert leads(served.web, "GET", address.format_map({**GIVEN, "target": "1"}))


@pytest.mark.parametrize("button", ["update", "next", "reload", "reveal", "generate", "wait", "forget", "discard"])
def test_what_a_button_left_in_the_window_can_be_loaded_again(admin, button):
    """The page that comes after a form has an address of its own, which the live page asks for, too."""
    page = admin.get(f"{STEP}/{button}")

    assert (page.status_code, page.history) == (200, [])
    assert 'id="step-title"' in page.text


def test_a_form_of_an_earlier_version_is_answered_in_words(served, admin):
    """It went to the step's page, with the button as a field; nothing is saved that was not meant to be."""
    answer = admin.post(STEP, desk="9", action="reload", headers=HTML)

    assert answer.status_code == 405
    assert "This form is of an earlier version." in answer.text
    assert "Log out" in answer.text or "Sign out" in answer.text
    assert served.app.registry.entry("helpdesk").record.answers["desk"] != "9"
