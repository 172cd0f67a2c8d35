"""What the Business Rule of our set-up sends: run as it is where Node.js is there, and as the stand-in plays it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connector_core import InboundRequest, WebhookRejected
from connector_servicenow import configure_steps, find_signature, on_inbound_webhook
from tests.support.servicenow import opened

#: What the instance gives to a script, as far as ours asks for it; it prints the request in place of sending it.
INSTANCE = """
const crypto = require('crypto');
const said = {headers: {}};
const gs = {error: function (text) { said.error = text; }};
function GlideCertificateEncryption() {}
GlideCertificateEncryption.prototype.generateMac = function (key, algorithm, text) {
  if (algorithm !== 'HmacSHA256') throw new Error(algorithm);
  return crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
};
const sn_ws = {RESTMessageV2: function () {}};
Object.assign(sn_ws.RESTMessageV2.prototype, {
  disableForcedVariableSubstitution: function () { said.plain = true; },
  setEndpoint: function (one) { said.url = one; },
  setHttpMethod: function (one) { said.method = one; },
  setHttpTimeout: function (one) { said.timeout = one; },
  setRequestHeader: function (name, one) { said.headers[name.toLowerCase()] = one; },
  setRequestBody: function (one) { said.body = one; },
  execute: function () { said.sent = true; }
});
const values = JSON.parse(process.argv[2]);
const previous = null;
const current = {
  operation: function () { return values.event; },
  getTableName: function () { return 'incident'; },
  getUniqueValue: function () { return values.sys_id; },
  getValue: function (name) { return values[name]; }
};
"""


def rule_of(integration):
    """Return the script as it is handed out."""
    (script,) = next(step for step in configure_steps(integration) if step.key == "webhook").values
    return script.value


def received(headers, body, at):
    """Return a request as it comes in."""
    named = {name.lower(): value for name, value in headers.items()}
    return InboundRequest(headers=named, body=body, received_at=at)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js runs the script of the Business Rule")
def test_the_script_sends_what_we_take(integration, tmp_path):
    """Run as it is: signed over what is sent, in ASCII, without forced substitution, to our address."""
    program = tmp_path / "rule.js"
    program.write_text(f"{INSTANCE}\n{rule_of(integration)};\nconsole.log(JSON.stringify(said));\n", encoding="utf-8")
    values = {"event": "update", "sys_id": "a" * 32, "number": "INC1 ü\N{PILE OF POO}\x7f", "sys_mod_count": "3"}

    ran = subprocess.run(["node", program, json.dumps(values)], capture_output=True, check=True, timeout=60)  # noqa: S607 - found above

    said = json.loads(ran.stdout)
    assert "error" not in said
    assert (said["url"], said["method"], said["plain"], said["sent"]) == (integration.webhook_url, "post", True, True)
    request = received(said["headers"], said["body"].encode("ascii"), datetime.now(UTC))
    delivery = on_inbound_webhook(integration, request)
    assert delivery.id == f"{'a' * 32}:3:update"
    assert delivery.hints == {"a" * 32}
    assert json.loads(said["body"])["number"] == values["number"]
    assert find_signature(request).is_by(SecretStr("s3cret"))


@pytest.fixture
def caught(sandbox, integration):
    """Return what the stand-in's rule sent for a life of one incident; nobody answers."""
    sandbox.register_webhook("http://127.0.0.1:1/", "s3cret")
    ticket = opened(integration)
    sandbox.edit_ticket(ticket.id, title="Seen to")
    sandbox.delete_ticket(ticket.id)
    sandbox.wait_for_deliveries()
    return ticket, sandbox.deliveries


def test_each_event_has_a_name_of_its_own(integration, clock, caught):
    """An update and the deletion after it share sys_mod_count."""
    ticket, attempts = caught

    told = [on_inbound_webhook(integration, received(one.headers, one.body, clock.now())) for one in attempts]

    assert [one.event for one in told] == ["insert", "update", "delete"]
    assert len({one.id for one in told}) == 3
    assert [one.hints for one in told] == [{ticket.id}, {ticket.id}, set()]
    assert told[2].deleted == {ticket.id}
    assert {one.signed_by for one in told} == {0}


def test_nobody_else_is_believed(integration, clock, caught):
    """Another secret, another body, no signature, a repetition an hour later, a time that was not signed."""
    attempt = caught[1][1]
    good = {name.lower(): value for name, value in attempt.headers.items()}
    spoiled = {
        "body": received(good, attempt.body + b" ", clock.now()),
        "signature": received({**good, "x-signature": good["x-signature"][:-4] + "AAA="}, attempt.body, clock.now()),
        "time": received({**good, "x-timestamp": str(int(good["x-timestamp"]) + 1)}, attempt.body, clock.now()),
    }
    for request in spoiled.values():
        assert on_inbound_webhook(integration, request) is None
    unsigned = received({"content-type": "application/json"}, attempt.body, clock.now())
    with pytest.raises(WebhookRejected):
        on_inbound_webhook(integration, unsigned)
    clock.forward(3600)
    with pytest.raises(WebhookRejected, match="too old"):
        on_inbound_webhook(integration, received(good, attempt.body, clock.now()))
