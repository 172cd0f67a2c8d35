"""The console under a path of its host, before a proxy that passes the path on and before one that takes it away."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests
from starlette.routing import Route
from structlog.testing import capture_logs

from connector_core.config.values import OWN_PATHS
from connector_core.web.console import pages
from tests.support.served import ADMIN, ServedLink, Visitor

BASE = "/desk/connector"
# Forms that are sent there; nobody looks at them.
ACTIONS = "/(logout|everywhere|disable|check|retry|revoke|hand-over)$"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a console that people reach at a path."""
    opened = ServedLink(tmp_path_factory.mktemp("path"), public_url=f"http://127.0.0.1{BASE}/")
    yield opened
    opened.stop()


class _Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if value is not None and (
                name in {"href", "src", "action", "formaction"} or (tag, name) == ("meta", "content")
            ):
                self.found.append(value)


def addresses(page):
    """Return every address in a page."""
    reader = _Addresses()
    reader.feed(page)
    return [one for one in reader.found if "/" in one]


def opened_from(visitor, below):
    """Open every page that can be clicked to from the front page; return what leads out of the path."""
    seen, waiting, lost = set(), [f"{below}/"], []
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = visitor.get(path.removeprefix(BASE) if not below else path)
        assert answer.status_code == 200, path
        if "text/html" not in answer.headers["content-type"]:
            continue
        for address in addresses(answer.text):
            if address.startswith("/") and not address.startswith(f"{BASE}/"):
                lost.append((path, address))
            elif address.startswith(f"{BASE}/") and not re.search(ACTIONS, address):
                waiting.append(address.partition("#")[0])
    return seen, lost


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("below", [BASE, ""], ids=["passed on", "taken away"])
def test_every_page_leads_to_pages_below_the_path(served, below):
    """Whatever is clicked, from the front page on, lies below the path and is there."""
    visitor = Visitor(served.url + below)
    assert visitor.log_in("ada", ADMIN).headers["location"] == f"{BASE}/"
    visitor.session.cookies.set("connector_session", visitor.session.cookies["connector_session"])  # any path
    walker = Visitor(served.url)
    walker.session = visitor.session

    seen, lost = opened_from(walker, below)

    assert lost == []
    assert len(seen) > 12


def test_nothing_in_scripts_and_templates_is_written_in_another_way():
    """Addresses of ours are found by how they stand in a page: in double quotes, or not at all."""
    folder = Path(pages.__file__).parent
    other = re.compile(r"""(href|action|src|formaction)=(?!["{])|url=/|url\(["']?/|["'`]/[a-z]""")

    found = [
        (path.name, line)
        for path in (*(folder / "templates").glob("*.html"), *(folder / "static").glob("app.*"))
        for line in path.read_text().splitlines()
        if other.search(re.sub(r'\s(href|action|src|formaction)="/|{%.*?%}', " ", line))
    ]

    assert found == []


def test_a_login_keeps_its_cookies_below_the_path(served):
    """Other applications of the host are not sent them."""
    answer = Visitor(served.url + BASE).log_in("ada", ADMIN)

    cookies = {one.name: one.path for one in answer.cookies}
    assert cookies == {"connector_session": BASE, "connector_device": BASE}


def test_with_tls_cookies_are_those_of_a_path(tmp_path):
    """Browsers refuse `__Host-` with a path."""
    served = ServedLink(tmp_path, public_url=f"https://c.example.com{BASE}")
    answer = Visitor(served.url + BASE).log_in("ada", ADMIN)
    served.stop()

    names = re.findall(r"(__[^=]+)=[^;]+;[^,]*?Path=([^;,]+)", answer.headers["set-cookie"])
    assert names == [("__Secure-connector", BASE), ("__Secure-connector-device", BASE)]


def test_who_is_not_logged_in_comes_to_the_page_in_the_end(served):
    """The way there leads over the login, and names the path once."""
    visitor = Visitor(served.url + BASE)
    sent = visitor.get("/links?state=blocked", allow_redirects=False).headers["location"]
    assert sent == f"{BASE}/login?next=/links%3Fstate%3Dblocked"

    answer = visitor.log_in("ada", ADMIN, wanted="/links?state=blocked")

    assert answer.headers["location"] == f"{BASE}/links?state=blocked"


def test_a_form_that_is_out_of_date_leads_back_to_its_page(served):
    """The page that a browser names has the path, too."""
    visitor = Visitor(served.url + BASE)
    visitor.log_in("ada", ADMIN)
    page = f"{served.url}{BASE}/integrations/acme-desk"

    answer = visitor.session.post(
        f"{page}/check", data={"form_token": "of another login"}, headers={"Referer": page}, timeout=20
    )

    assert answer.status_code == 403
    assert f'href="{BASE}/integrations/acme-desk">Open it again' in answer.text


def test_what_others_are_told_has_the_path(served):
    """Webhook, consent and set-up links are whole addresses."""
    visitor = Visitor(served.url + BASE)
    visitor.log_in("ada", ADMIN)

    page = "/integrations/acme-desk"
    link = visitor.post(f"{page}/setup/hand-over", seen_on=f"{page}/setup/step/desk", step="desk")

    assert f"http://127.0.0.1{BASE}/external/" in visitor.get(page).text
    address = re.search(f'http://127.0.0.1({BASE}/hand-over/[^<"]+)', link.text)[1]
    shown = Visitor(served.url).get(address)
    assert shown.status_code == 200
    assert [one for one in addresses(shown.text) if one.startswith("/") and not one.startswith(f"{BASE}/")] == []


def test_a_webhook_below_the_path_is_judged_as_one(served):
    """An unsigned one is refused by intake, not by the router; also with a slash too many."""
    visitor = Visitor(served.url + BASE)
    (route,) = served.app.registry.routes()

    for path in (f"/external/{route}/webhook", f"//external/{route}//webhook/"):
        answer = visitor.session.post(served.url + BASE + path, data=b"{}", timeout=20)
        assert answer.status_code in {401, 403}, path


@pytest.mark.parametrize("path", ["/login/", "/hand-over/x/?a=1&b=%2F", "//evil.example/", "/\\evil.example/"])
def test_a_slash_too_many_leads_to_no_host_that_a_request_names(served, path):
    """Whoever chooses the host in a request does not choose where people, and what is in the address, are sent."""
    answer = requests.get(
        f"{served.url}{BASE}{path}", headers={"Host": "evil.example"}, allow_redirects=False, timeout=10
    )

    location = answer.headers["location"]
    assert answer.status_code == 307
    assert location.startswith(f"{BASE}/")
    assert not location.startswith("//")
    assert location == f"{BASE}/hand-over/x?a=1&b=%2F" or "?" not in path


def test_a_path_beside_ours_is_nothing(served):
    """What only begins like it is not below it."""
    assert Visitor(served.url).get(f"{BASE}s/login").status_code == 404
    assert Visitor(served.url).get(BASE).status_code == 200


def test_a_proxy_that_takes_the_path_away_is_named_once(tmp_path):
    """Monitoring and whoever asks on the host itself are no proxy."""
    with capture_logs() as log:
        served = ServedLink(tmp_path, public_url=f"http://127.0.0.1{BASE}")
        visitor = Visitor(served.url)
        visitor.get("/login")
        visitor.get("/healthz", headers={"X-Forwarded-For": "192.0.2.1"})
        visitor.get(f"{BASE}/login", headers={"X-Forwarded-For": "192.0.2.1"})
        assert [one for one in log if one["event"] == "proxy_takes_path_away"] == []

        for _ in range(2):
            visitor.get("/login", headers={"X-Forwarded-For": "192.0.2.1"})
        served.stop()

    (said,) = [one for one in log if one["event"] == "proxy_takes_path_away"]
    assert (said["path"], said["public_path"]) == ("/login", BASE)


def test_health_says_at_which_path_it_was_asked(served):
    """So the doctor sees what a proxy does."""
    visitor = Visitor(served.url)

    assert visitor.get(f"{BASE}/healthz").json() == {"status": "ok", "path": f"{BASE}/healthz"}
    assert visitor.get("/healthz").json() == {"status": "ok", "path": "/healthz"}


def test_paths_of_our_own_are_all_known(served):
    """With one of them in the public address nobody could tell whether a proxy took it away."""
    firsts = {route.path.split("/")[1] for route in served.web.routes if isinstance(route, Route)}

    assert firsts - {""} == OWN_PATHS


def test_an_older_browser_behind_a_proxy_that_names_itself_logs_in(served):
    """It says where a form comes from by its origin alone, and the proxy does not pass on the name it was asked for."""
    headers = {"Origin": "http://127.0.0.1", "Host": "10.0.0.4:8080"}
    form = {"name": "ada", "password": ADMIN, "next": "/"}

    answer = Visitor(served.url).session.post(
        f"{served.url}{BASE}/login", data=form, headers=headers, timeout=20, allow_redirects=False
    )

    assert answer.status_code == 303
