"""A daemon behind a proxy: every call goes through it, whatever the environment says."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from connector_core.demo.stage import Stage, sandbox_plugin, source_plugin
from connector_core.plugins import load_plugins
from tests.support.forward_proxy import ForwardProxy
from tests.support.jira.at_stage import sandbox_of
from tests.support.linking import open_incident, ticket_shows


@pytest.fixture
def proxy():
    """Open a proxy that knows us by name."""
    opened = ForwardProxy(user="connector", password="the proxy's password")
    yield opened
    opened.stop()


@pytest.fixture
def stage(tmp_path, proxy):
    """Open a stage between Xyte and Jira whose calls go through the proxy, with another proxy in the environment."""
    plugins = load_plugins()
    opened = Stage(sandbox_plugin(plugins, "jira_jsm"), tmp_path, source=source_plugin(plugins, "xyte"))
    yaml = YAML()
    tree = yaml.load(opened.config_path)
    tree["outbound"] = {
        "proxy": proxy.url,
        "proxy_user": "connector",
        "proxy_password": "the proxy's password",
        "no_proxy": [],
    }
    yaml.dump(tree, opened.config_path)
    # Read when the daemon's process is made; a proxy that nobody listens on.
    opened.daemon._environ |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    opened.open()
    yield opened
    opened.close()


def test_every_call_of_daemon_and_doctor_goes_through_the_proxy(stage, proxy):
    """Authorization, polling, writing, checking: each call that a vendor saw came from the proxy."""
    incident, ticket = open_incident(stage, "Display offline")
    stage.platform.resolve(incident)
    ticket_shows(stage, ticket, done=True)
    answer = stage.daemon.command("doctor", "--json")

    vendor = sandbox_of(stage)
    by_person = "/authorize"  # the page of consent, in a browser
    seen = Counter((call.method, call.full_path) for call in vendor.calls if call.full_path != by_person)
    passed = Counter((method, urlsplit(address).path) for method, address in proxy.requests)
    assert len(seen) > 5
    assert seen - passed == Counter()
    assert any(path.endswith("/oauth/token") for _, path in passed)
    assert {urlsplit(address).netloc for _, address in proxy.requests} >= {
        urlsplit(vendor.url).netloc,
        urlsplit(stage.platform.url).netloc,
    }
    assert proxy.refused == 0
    said = {one["code"]: one["title"] for one in json.loads(answer.stdout) if one["integration"] == "outbound"}
    assert said["outbound_proxy"] == f"Calls go through the proxy {proxy.url}"
