"""An address of IPv6, with the brackets that it has in URLs."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest
import requests

from connector_core.demo.daemon import Daemon

CONFIG = """
database: sqlite:///connector.db
secret_key: a passphrase of many letters
server: {{host: "{host}", port: {port}}}
console: {{password: the password of the test}}
organizations: {{acme: {{name: Acme}}}}
"""


def free_port_of_ipv6():
    """Return a port that is free, where the machine has IPv6."""
    try:
        with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as listener:
            return listener.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.extended
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_it_is_listened_at_and_written_with_brackets(tmp_path, host):
    """In the file with or without them; the log, and what others are told, can be clicked."""
    port = free_port_of_ipv6()
    url, path = f"http://[::1]:{port}", tmp_path / "connector.yaml"
    path.write_text(CONFIG.format(host=host, port=port))
    daemon = Daemon(path, url, tmp_path / "daemon.log", {})

    daemon.start()
    sent = requests.get(f"{url}/links", timeout=10, allow_redirects=False)
    daemon.stop()

    assert sent.headers["location"] == "/login?next=/links"
    lines = [json.loads(line) for line in (tmp_path / "daemon.log").read_text().splitlines()]
    (serving,) = [line for line in lines if line["event"] == "serving"]
    assert (serving["address"], serving["public_url"]) == (url, url)
