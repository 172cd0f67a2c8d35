"""The script that an administrator pasted, as a receiver sees it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from connector_servicenow_sandbox import RuleScheme

SECRET = "a secret with ü"


class Receiver:
    """Keeps what is posted to it."""

    def __init__(self):
        self.got = []
        self.status = 200
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.got.append((dict(self.headers), body))
                self.send_response(kept.status)
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self):
        """End it."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def events(self):
        """What was posted, read."""
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver():
    """Serve a receiver."""
    running = Receiver()
    yield running
    running.stop()


def test_each_write_is_told_signed(incidents, sandbox, receiver):
    """Made, changed by the API and by a person, deleted; signed over time and body, in ASCII."""
    sandbox.register_webhook(receiver.url, SECRET)
    row = incidents.create("Gerät aus ☎")
    incidents.patch(row["sys_id"], description="Seit Mittag")
    sandbox.write_comment(row["sys_id"], "Ja")
    sandbox.delete_ticket(row["sys_id"])
    sandbox.wait_for_deliveries()

    assert [(one["event"], one["sys_mod_count"]) for one in receiver.events] == [
        ("insert", "0"),
        ("update", "1"),
        ("update", "2"),
        ("delete", "2"),
    ]
    assert {one["sys_id"] for one in receiver.events} == {row["sys_id"]}
    for headers, body in receiver.got:
        text = headers["X-Timestamp"].encode() + b"." + body
        mac = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
        assert headers["X-Signature"] == mac
        assert body.isascii()
        assert json.loads(body)["sent_at"] == headers["X-Timestamp"]


def test_the_scheme_is_the_scripts(incidents, sandbox, receiver):
    """Header, key, time, what is signed and what is sent are its author's."""
    key = b"\x00\x01key"
    scheme = RuleScheme(
        signature_header="X-Rule",
        timestamp_header="",
        message="{sys_id}:{sys_mod_count}:{body}",
        prefix="v1=",
        secret_is_base64=True,
        more_headers={"X-Kind": "incident"},
        body=lambda change, _: {"title": change.row["short_description"]},
        operations=frozenset({"insert"}),
    )
    sandbox.register_webhook(receiver.url, base64.b64encode(key).decode(), scheme)
    row = incidents.create("Überhitzt")
    incidents.patch(row["sys_id"], description="x")
    sandbox.wait_for_deliveries()

    [(headers, body)] = receiver.got
    mac = base64.b64encode(hmac.new(key, f"{row['sys_id']}:0:".encode() + body, hashlib.sha256).digest()).decode()
    assert body == b'{"title":"\\u00dcberhitzt"}'
    assert (headers["X-Rule"], headers["X-Kind"]) == (f"v1={mac}", "incident")
    assert "X-Timestamp" not in headers


def test_nothing_is_sent_twice_after_a_failure(incidents, sandbox, receiver):
    """Neither after an error nor when nobody listens; both are remembered."""
    sandbox.register_webhook(receiver.url, SECRET)
    sandbox.register_webhook("http://127.0.0.1:9/nobody", SECRET)
    receiver.status = 500
    incidents.create()
    sandbox.wait_for_deliveries()

    assert len(receiver.got) == 1
    assert sorted(one.status for one in sandbox.deliveries) == [0, 500]


def test_requests_are_lost_doubled_and_swapped(incidents, sandbox, receiver):
    """One fault, one request."""
    sandbox.register_webhook(receiver.url, SECRET)
    for kind in ("dropped", "doubled", "reordered"):
        sandbox.rules.add_fault(kind)
    made = [incidents.create(f"No. {number}")["number"] for number in range(4)]
    sandbox.wait_for_deliveries()

    assert [one["number"] for one in receiver.events] == [made[1], made[1], made[3], made[2]]
    assert sandbox.deliveries[0].status == 0


def test_a_rule_that_was_deleted_sends_nothing(incidents, sandbox, receiver):
    """From then on."""
    sandbox.register_webhook(receiver.url, SECRET)
    sandbox.rules.remove_all()
    incidents.create()
    sandbox.wait_for_deliveries()

    assert receiver.got == []
