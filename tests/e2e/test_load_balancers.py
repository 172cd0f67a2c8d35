"""Two connectors behind the examples of deploy/: restarted one by one, and nobody who sends is turned away."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from connector_core.demo.stage import ORGANIZATION, free_port, until
from tests.support.cluster import opened_cluster
from tests.support.events import send_event
from tests.support.front import load_balancer, nginx_at_hand, without_tls

pytestmark = pytest.mark.extended

DEPLOY = Path(__file__).parents[2] / "deploy" / "proxy"
EXAMPLES = {"haproxy": DEPLOY / "haproxy-cluster.cfg", "nginx": DEPLOY / "nginx-cluster.conf"}
AT_LEAST = 20


def example(name, port, nodes, folder):
    """Return an example, listening at a port without TLS, before connectors on this host."""
    text = without_tls(EXAMPLES[name].read_text(), port)
    for number, address in enumerate(nodes):
        text = text.replace(f"10.0.0.1{number + 1}:8080", address)
    return nginx_at_hand(text, folder) if name == "nginx" else text


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_example_is_understood(tmp_path, name):
    """By the program itself."""
    port = free_port()
    with load_balancer(name, example(name, port, ["127.0.0.1:9", "127.0.0.1:10"], tmp_path), tmp_path, port):
        until(lambda: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).status_code == 403)


class Sender(threading.Thread):
    """Sends events one after the other, and notes what is answered."""

    def __init__(self, stage, url) -> None:
        super().__init__(daemon=True)
        self._stage, self._url = stage, url
        self._ends = threading.Event()
        self.answers = []

    def run(self):
        """Send until told to end."""
        while not self._ends.wait(0.05):
            answer = send_event(self._stage, f"incident-{len(self.answers)}", url=self._url)
            self.answers.append(answer.status_code)

    def sends(self, number):
        """Wait until it has sent so many more."""
        enough = len(self.answers) + number
        until(lambda: len(self.answers) >= enough)

    def end(self):
        """End; return the answers."""
        self._ends.set()
        self.join(60)
        return self.answers


def wait_for_its_share(daemon):
    """Wait until a daemon is sent events again: nginx leaves one out for a while that did not answer."""
    taken = re.compile(r'^connector_received_total\{.*kind="events".*\} [1-9]', re.MULTILINE)
    until(lambda: taken.search(requests.get(f"{daemon.url}/metrics", timeout=60).text))


@pytest.mark.parametrize("name", EXAMPLES)
def test_restarting_one_by_one_turns_nobody_away(tmp_path, bare_postgresql_url, name):
    """Each event is taken at the first try, and has one ticket in the end."""
    port = free_port()
    with opened_cluster(tmp_path, bare_postgresql_url, nodes=2) as cluster:
        addresses = [urlsplit(daemon.url).netloc for daemon in cluster.nodes]
        url = f"http://127.0.0.1:{port}/v1/sources/{ORGANIZATION}/events"
        with load_balancer(name, example(name, port, addresses, tmp_path), tmp_path, port):
            until(lambda: requests.get(f"http://127.0.0.1:{port}/", timeout=10).ok)
            sender = Sender(cluster.stage, url)
            sender.start()
            for daemon in cluster.nodes:
                sender.sends(AT_LEAST)
                assert daemon.stop() == 0
                daemon.start()
                wait_for_its_share(daemon)
            answers = sender.end()

        assert set(answers) <= {200, 202}
        until(lambda: len(cluster.stage.sandbox.tickets()) >= len(answers))
        assert sorted(ticket["title"] for ticket in cluster.stage.sandbox.tickets()) == sorted(
            f"incident-{number}" for number in range(len(answers))
        )
