"""A connector behind the examples of deploy/proxy/: below a path, with the path taken away, and on another host."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import expect
from ruamel.yaml import YAML

from connector_core.demo.stage import INTEGRATION, Stage, free_port, sandbox_plugin, until
from connector_core.plugins import load_plugins
from tests.support.front import load_balancer, proxy_example
from tests.support.person import Person

pytestmark = pytest.mark.extended

BASE = "/connector"
#: The program, its example, and what is changed in it: none is, or the path is taken away.
BEHIND = {
    "nginx": ("nginx", "nginx-path.conf", {}),
    "nginx that takes the path away": (
        "nginx",
        "nginx-path.conf",
        {"proxy_pass http://connector;": "proxy_pass http://connector/;"},
    ),
    "Caddy": ("caddy", "Caddyfile-path", {}),
    "Caddy that takes the path away": ("caddy", "Caddyfile-path", {"handle /connector/*": "handle_path /connector/*"}),
}


@contextmanager
def behind(folder, name, file, *, base="", changes=None, server=()):
    """Open a stage that everybody reaches through a proxy."""
    port = free_port()
    stage = Stage(
        sandbox_plugin(load_plugins(), "jira_jsm"), folder, public_url=f"http://127.0.0.1:{port}{base}", reconcile="1h"
    )
    tree = YAML().load(stage.config_path)
    daemon_port = tree["server"]["port"]
    tree["server"].update(server)
    YAML().dump(tree, stage.config_path)
    config = proxy_example(name, file, (port, daemon_port), folder, changes)
    with load_balancer(name, config, folder, port):
        try:
            stage.open()
            yield stage
        finally:
            stage.close()


class Outside(Person):
    """Somebody who comes through the proxy."""

    def open(self, path):
        """Open a page of the console."""
        self.page.goto(f"{self.stage.public_url}{path}")


def said(stage, event):
    """Return the lines of the daemon's log about an event."""
    lines = [json.loads(line) for line in stage.daemon.log_path.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("front", BEHIND)
def test_below_a_path_everything_works_in_a_browser(tmp_path, browser, front):
    """Login, pages, style and script, a page that stays live, events, webhooks and the way back from consent."""
    name, file, changes = BEHIND[front]
    with behind(tmp_path, name, file, base=BASE, changes=changes) as stage:
        context = browser.new_context()
        person, lost = Outside(context.new_page(), stage), []
        person.page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
        person.log_in("/links")
        assert person.path == f"{BASE}/links"
        assert {cookie["path"] for cookie in context.cookies()} == {BASE}
        person.sees("Nothing is linked yet")

        incident = stage.platform.open("Display is dark")  # the page is not touched: what changes in it comes by itself
        person.sees("Display is dark")
        person.click("Display is dark", "link")
        until(lambda: stage.ticket_of(incident) is not None)
        ticket = stage.ticket_of(incident)
        expect(person.page.get_by_role("link", name=ticket["key"])).to_be_visible()
        stage.sandbox.edit_ticket(ticket["id"], title="Dark since noon")  # a webhook tells: tickets are read hourly
        person.sees("Dark since noon")

        person.click("Integrations", "link")
        person.click(INTEGRATION, "link")
        expect(person.page.locator("code", has_text=f"{stage.public_url}/external/")).to_be_visible()
        assert person.page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") != "0px"

        person.open(f"/integrations/{INTEGRATION}/setup/authorize")
        person.authorize()  # on a page of the helpdesk, which sends back to an address below the path
        person.page.wait_for_url(f"{stage.public_url}/integrations/{INTEGRATION}/setup/authorize?said=authorized")
        person.page.locator("details.menu summary").click()
        person.click("Sign out")
        assert person.path == f"{BASE}/login"
        context.close()

        assert lost == []
        assert len(said(stage, "proxy_takes_path_away")) == (1 if changes else 0)


@pytest.mark.parametrize("file", ["nginx-path.conf", "nginx-host.conf", "Caddyfile", "Caddyfile-path"])
def test_an_example_is_understood(tmp_path, file):
    """By the program itself, as it stands but for the port."""
    name, port = "nginx" if file.endswith(".conf") else "caddy", free_port()
    base = BASE if "path" in file else ""
    with load_balancer(name, proxy_example(name, file, (port, 9), tmp_path), tmp_path, port):
        until(lambda: requests.get(f"http://127.0.0.1:{port}{base}/metrics", timeout=10).status_code == 403)


@pytest.mark.parametrize(
    ("name", "file", "base"),
    [
        ("nginx", "nginx-path.conf", BASE),
        ("nginx", "nginx-host.conf", ""),
        ("caddy", "Caddyfile-path", BASE),
        ("caddy", "Caddyfile", ""),
    ],
)
def test_monitoring_is_kept_from_the_public(tmp_path, name, file, base):
    """By each example, which its program understands; everything else is passed on."""
    with behind(tmp_path, name, file, base=base) as stage:

        def status(path):
            return requests.get(f"{stage.public_url}{path}", timeout=10, allow_redirects=False).status_code

        assert [status(path) for path in ("/metrics", "/healthz", "/readyz")] == [403, 403, 403]
        assert [status(path) for path in ("/login", "/", "/oauth/callback")] == [200, 303, 400]


@pytest.mark.parametrize(("trusted", "client"), [(["127.0.0.9"], "127.0.0.1"), (["10.0.0.0/8"], "127.0.0.9")])
def test_a_proxy_on_another_host_is_believed_where_it_is_named(tmp_path, trusted, client):
    """Else everybody has its address, in the log and where logins are slowed down."""
    changes = {"proxy_http_version 1.1;": "proxy_http_version 1.1; proxy_bind 127.0.0.9;"}
    server = {"trusted_proxies": trusted}
    with behind(tmp_path, "nginx", "nginx-host.conf", changes=changes, server=server) as stage:
        requests.get(f"{stage.public_url}/login", timeout=10)

        until(lambda: [one for one in said(stage, "http_request") if one["path"] == "/login"])
        (line,) = [one for one in said(stage, "http_request") if one["path"] == "/login"]
        assert line["client"] == client
