"""Messages by HTTP, to real receivers that take them, refuse, hang, send on, and ask to wait."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.http.outbound import Outbound, Places
from connector_core.notify import posting
from connector_core.notify.posting import post
from connector_core.notify.settings import read_notifier
from tests.support.forward_proxy import ForwardProxy
from tests.support.messages_at_hand import message
from tests.support.receivers import receiver

ANYWHERE = Outbound()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def notifier(url, channel="webhook", **settings):
    """Return the settings of one."""
    secret = {"secret": SECRET} if channel == "webhook" else {}
    return read_notifier({"channel": channel, "url": f"{url}/hook", **secret, **settings})


def test_a_webhook_is_signed_so_that_any_receiver_can_verify_it():
    """An independent library takes it, and refuses it with one byte changed."""
    now = datetime.now(UTC)  # the library reads the machine's clock
    with receiver() as told:
        post(notifier(told.url), replace(message(), at=now), ANYWHERE)

    (request,) = told.got
    verifier = Webhook(SECRET)
    assert verifier.verify(request.body, request.headers)["subject"] == "Acme Inc.: action needed"
    with pytest.raises(WebhookVerificationError):
        verifier.verify(request.body.replace(b"acme", b"evil"), request.headers)
    assert request.headers["webhook-id"] == "msg_1"


def test_a_secret_without_the_prefix_signs_as_it_decodes():
    """As the http source signs, too: what merely looks like base64 is decoded."""
    with receiver() as told:
        post(notifier(told.url, secret="a plain secret"), message(), ANYWHERE)

    assert told.got[0].headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize("channel", ["slack", "teams"])
def test_chats_get_what_they_read(channel):
    """JSON, without a signature."""
    with receiver() as told:
        told.status = 202
        post(notifier(told.url, channel), message(), ANYWHERE)

    (request,) = told.got
    assert request.headers["content-type"] == "application/json"
    assert "webhook-signature" not in request.headers
    assert "The project is gone." in json.dumps(request.json)


@pytest.mark.parametrize(("status", "error", "code"), [
    (400, RemoteError, "notifier_refused"),
    (404, RemoteError, "notifier_refused"),
    (410, RemoteError, "notifier_refused"),
    (429, RetryLater, "notifier_busy"),
    (503, RetryLater, "notifier_busy"),
    (302, ConfigError, "notifier_redirected"),
])  # fmt: skip
def test_what_a_receiver_answers_says_what_comes_next(status, error, code):
    """Refused for good, to be tried later, or to be corrected; its text is not repeated."""
    with receiver() as told:
        told.status, told.body = status, b"<script>what it says</script>"
        told.headers = {"Retry-After": "120", "Location": f"{told.url}/elsewhere"}
        with pytest.raises(error) as said:
            post(notifier(told.url), message(), ANYWHERE)

    assert said.value.code == code
    assert "what it says" not in said.value.message + said.value.fix
    assert [request.path for request in told.got] == ["/hook"]
    if status == 429:
        assert said.value.after_s == 120


@pytest.mark.parametrize(
    ("header", "after_s"), [("7", 7), ("999999", 3600), ("soon", None), ("-1", None), ("9" * 50, None)]
)
def test_a_wait_that_is_asked_for_is_bounded(header, after_s):
    """Nobody can silence us for a year."""
    with receiver() as told:
        told.status, told.headers = 429, {"Retry-After": header}
        with pytest.raises(RetryLater) as said:
            post(notifier(told.url), message(), ANYWHERE)

    assert said.value.after_s == after_s


def test_a_receiver_that_hangs_is_left(monkeypatch):
    """Nobody knows then whether it has the message."""
    monkeypatch.setattr(posting, "_READ_S", 0.1)
    with receiver() as told:
        told.gate.clear()
        with pytest.raises(RetryLater) as said:
            post(notifier(told.url), message(), ANYWHERE)

    assert said.value.outcome_unknown


def test_only_addresses_that_may_be_called_are():
    """Whoever sets one up in the console reaches nothing in our own network."""
    with receiver() as told, pytest.raises(ConfigError) as refused:
        post(notifier(told.url), message(), Outbound(allowed=Places.of(["public"])))

    assert refused.value.code == "address_not_allowed"
    assert told.got == []


def test_messages_go_through_the_proxy_that_is_set():
    """Chats and webhooks; mail servers are called directly."""
    proxy = ForwardProxy()
    with receiver() as told:
        post(notifier(told.url), message(), Outbound(proxy=proxy.url))
    proxy.stop()

    assert len(told.got) == 1
    assert proxy.requests == [("POST", f"{told.url}/hook")]


def test_the_environment_has_no_say(monkeypatch):
    """HTTP_PROXY leads nowhere, and nobody minds."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with receiver() as told:
        post(notifier(told.url), message(), ANYWHERE)

    assert len(told.got) == 1


DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"


@pytest.mark.parametrize("secret", [SECRET, "a plain secret", "c2VjcmV0IG9mIG1hbnkgbGV0dGVycw=="])
def test_the_receiver_in_the_documentation_verifies_what_is_sent(secret):
    """As it is printed there; it refuses another secret, another body and an old message."""
    (code,) = re.findall(r"```python\n(.+?)```", DOCS.read_text(), re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102 - what the page says
    now = datetime.now(UTC)
    with receiver() as told:
        post(notifier(told.url, secret=secret), replace(message(), at=now), ANYWHERE)
        post(notifier(told.url, secret=secret), replace(message(), at=now - timedelta(minutes=6)), ANYWHERE)

    new, old = told.got
    assert names["verify"](secret, new.headers, new.body)
    assert not names["verify"]("another secret", new.headers, new.body)
    assert not names["verify"](secret, new.headers, new.body + b" ")
    assert not names["verify"](secret, old.headers, old.body)
