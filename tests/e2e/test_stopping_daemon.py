"""A daemon that is told to stop while many send: each of them is answered, or was never let in."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests

from connector_core.demo.stage import ORGANIZATION, until
from connector_core.http_source.signatures import sign, signing_keys
from tests.support.events import event_named, send_event

SENDERS = 8


class Sender(threading.Thread):
    """Connects, and sends an event, again and again until nobody listens; notes what came of each."""

    def __init__(self, stage, number):
        super().__init__(daemon=True)
        self._stage, self._number = stage, number
        self.statuses, self.lost = [], []

    def run(self):
        """Send until turned away."""
        address = urlsplit(self._stage.daemon.url)
        while True:
            name = f"incident-{self._number}-{len(self.statuses)}"
            try:
                peer = socket.create_connection((address.hostname, address.port), timeout=60)
            except ConnectionRefusedError:
                return
            with closing(peer):
                try:
                    peer.sendall(_request(self._stage, name))
                    self.statuses.append(_read(peer).split(b" ", 2)[1])
                except (OSError, IndexError) as exc:
                    self.lost.append(repr(exc))
                    return


def _request(stage, name):
    now = datetime.now(UTC)
    event = event_named(name, now)
    body = json.dumps(event).encode()
    sent = sign(signing_keys(stage.environ["DEMO_EVENTS_SECRET"]), event["id"], now, body)
    headers = "".join(f"{key}: {value}\r\n" for key, value in sent.items())
    line = f"POST /v1/sources/{ORGANIZATION}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    return f"{line}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _read(peer):
    whole = b""
    while piece := peer.recv(65536):
        whole += piece
    return whole


def test_nobody_who_was_let_in_is_lost(stage):
    """Whether their request stood in line, was on its way or was being answered."""
    senders = [Sender(stage, number) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    until(lambda: all(len(sender.statuses) > 2 for sender in senders))
    assert stage.daemon.stop() == 0
    for sender in senders:
        sender.join(60)

    assert [sender.lost for sender in senders] == [[]] * SENDERS
    assert {status for sender in senders for status in sender.statuses} <= {b"200", b"202"}


def test_a_load_balancer_is_told_before_anybody_is_turned_away(open_stage):
    """With `server.drain` the daemon serves on while `/readyz` says no; a second signal ends that."""
    stage = open_stage(authorized=False)
    stage.daemon.stop()
    text = stage.config_path.read_text()
    assert "server:\n" in text
    stage.config_path.write_text(text.replace("server:\n", "server:\n  drain: 5m\n", 1))
    stage.daemon.start()

    stage.daemon.terminate()
    until(lambda: requests.get(f"{stage.daemon.url}/readyz", timeout=60).status_code == 503)
    said = requests.get(f"{stage.daemon.url}/readyz", timeout=60).json()
    answer = send_event(stage, "sent-meanwhile")

    assert said == {"ready": False, "stopping": True}
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert stage.daemon.stop() == 0
