"""Who may read /metrics: everybody, who has the token, or who reaches an address of its own."""

from __future__ import annotations

import pytest
import requests

from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port

CONFIG = """
database: sqlite:///connector.db
secret_key: a passphrase of many letters
server:
  port: {port}
  metrics: {metrics}
"""
TOKEN = "the token of the monitoring"


@pytest.fixture
def open_daemon(tmp_path):
    """Return a function that starts a daemon with settings of /metrics."""
    opened = []

    def start(metrics):
        port = free_port()
        path = tmp_path / "connector.yaml"
        path.write_text(CONFIG.format(port=port, metrics=metrics))
        daemon = Daemon(path, f"http://127.0.0.1:{port}", tmp_path / "daemon.log", {})
        opened.append(daemon)
        daemon.start()
        return daemon

    yield start
    for daemon in opened:
        daemon.stop()


@pytest.mark.extended
def test_it_has_an_address_of_its_own(open_daemon):
    """There it is, and nothing else is; elsewhere it is not, whatever the request says of where it goes."""
    port = free_port()
    public = open_daemon(f"{{port: {port}}}").url
    own = f"http://127.0.0.1:{port}"

    def status(url, **headers):
        return requests.get(url, headers=headers, timeout=10, allow_redirects=False).status_code

    assert "connector_lanes" in requests.get(f"{own}/metrics", timeout=10).text
    assert [status(f"{own}{path}") for path in ("/healthz", "/login", "/", "/oauth/callback")] == [404] * 4
    assert requests.post(f"{own}/external/jira/webhook", data=b"{}", timeout=10).status_code == 404
    for path in ("/metrics", "//metrics", "/metrics/", "/./metrics"):
        answer = requests.get(
            f"{public}{path}", headers={"Host": f"127.0.0.1:{port}"}, timeout=10, allow_redirects=False
        )
        assert answer.status_code in {307, 404}, path  # a slash too many is sent back to what is not there
        assert "connector_lanes" not in answer.text
    assert status(f"{public}/readyz") == 200


@pytest.mark.extended
def test_it_asks_for_a_token(open_daemon):
    """Either of two while it is replaced; without, nothing of the figures is told."""
    url = open_daemon(f'{{token: ["{TOKEN}", "the next token of it"]}}').url

    def ask(authorization):
        headers = {} if authorization is None else {"Authorization": authorization}
        return requests.get(f"{url}/metrics", headers=headers, timeout=10)

    right = [f"Bearer {TOKEN}", "bearer the next token of it"]
    assert ["connector_lanes" in ask(one).text for one in right] == [True, True]
    for wrong in (None, "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xe9"):
        answer = ask(wrong)
        assert (answer.status_code, answer.text, answer.headers["www-authenticate"]) == (401, "", "Bearer"), wrong
