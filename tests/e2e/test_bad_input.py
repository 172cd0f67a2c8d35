"""What a stranger, or a confused friend, may send to the running daemon."""

from __future__ import annotations

import gzip
import json
import socket
import urllib.error
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
import requests
from standardwebhooks import Webhook

from connector_core.demo.stage import until
from tests.support.documented import DOCS, blocks

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
INCIDENT = {"id": "inc-1", "title": "Display offline"}
EVENT = {
    "id": "evt_01",
    "type": "incident.opened",
    "occurred_at": "2026-11-23T10:00:00Z",
    "incident": INCIDENT,
}


@pytest.fixture
def stage(shared_stage):
    """Work on one stage: nothing here may change it."""
    return shared_stage


def push(stage, body, *, secret=None, message="msg_1", at=None, headers=None):
    """Send a body to the events address, signed by an independent implementation."""
    signer = Webhook(secret or stage.environ["DEMO_EVENTS_SECRET"])
    moment = at or datetime.now(UTC)
    signature = signer.sign(message, moment, body.decode("utf-8", "replace")) if isinstance(body, bytes) else ""
    sent = {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
        **(headers or {}),
    }
    return requests.post(stage.platform.events_url, data=body, headers=sent, timeout=20)


def stored(stage):
    """Return how many links the daemon knows, but for those that the good events make, in whatever order tests run."""
    links = json.loads(stage.daemon.command("links", "--json").stdout)
    return len([link for link in links if link["incident"] not in {"inc-good", "inc-beside", "inc-of-the-page"}])


def changed(**fields):
    """Return the sample event as JSON with fields of the incident replaced."""
    return json.dumps({**EVENT, "incident": {**INCIDENT, **fields}}).encode()


@pytest.mark.cases_in_test(6)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        json.dumps({**EVENT, "type": "incident.exploded"}).encode(),
        json.dumps({**EVENT, "occurred_at": "yesterday"}).encode(),
        json.dumps({**EVENT, "occurred_at": 1}).encode(),
        changed(title=None),
        changed(title=""),
        changed(title=7),
        changed(id=""),
        changed(id="x" * 300),
        changed(status="exploded"),
        b'{"id": "evt", "n": ' + b"9" * 10_000 + b"}",
    ],
)
def test_signed_nonsense_is_refused_with_one_line(stage, body):
    """A body that is authentic but not an event is 400 or 422, says where in one line, and stores nothing."""
    answer = push(stage, body)

    assert answer.status_code in {400, 422}, answer.text
    assert "\n" not in answer.json()["error"]
    assert stored(stage) == 0


def test_unsigned_wrongly_signed_and_stale_requests_are_refused_alike(stage):
    """The sender learns nothing about what was wrong; our log does."""
    body = json.dumps(EVENT).encode()
    refused = [
        requests.post(stage.platform.events_url, data=body, timeout=10),
        push(stage, body, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        push(stage, body, at=datetime.now(UTC) - timedelta(minutes=6)),
        push(stage, body, at=datetime.now(UTC) + timedelta(minutes=6)),
        push(stage, body, headers={"webhook-signature": "v1,"}),
        push(stage, body, headers={"webhook-timestamp": "1e99"}),
        push(stage, body, headers={"webhook-signature": b"v1,\xff\xfe"}),
    ]

    assert {answer.status_code for answer in refused} == {401}
    assert len({answer.text for answer in refused}) == 1
    assert stored(stage) == 0
    assert "request_rejected" in stage.daemon.log_path.read_text()


def test_unknown_source_and_route_are_not_found(stage):
    """Addresses that nobody configured are 404 and 405."""
    assert requests.post(f"{stage.daemon.url}/v1/sources/nobody/events", data=b"{}", timeout=10).status_code == 404
    assert requests.post(f"{stage.daemon.url}/external/nothing/webhook", data=b"{}", timeout=10).status_code == 404
    assert requests.get(stage.platform.events_url, timeout=10).status_code == 405


def test_too_large_bodies_are_refused_before_they_are_read(stage):
    """A declared length over the limit is answered before a single byte of the body was sent."""
    for path, declared in (("/v1/sources/acme/events", 1024**2 + 1), ("/external/jira/webhook", 25 * 1024**2 + 1)):
        parts = urlsplit(stage.daemon.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
            raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {declared}\r\n\r\n".encode())
            assert raw.recv(64).startswith(b"HTTP/1.1 413 ")


def test_undeclared_length_is_counted_while_reading(stage):
    """A chunked body is cut off at the limit."""

    def pieces():
        for _ in range(40):
            yield b"x" * 64 * 1024

    try:
        status = requests.post(stage.platform.events_url, data=pieces(), timeout=20).status_code
    except requests.ConnectionError:
        status = 413  # the answer came and the connection was closed while we still sent

    assert status == 413


@pytest.mark.parametrize("body", [b"\xff\xfe", gzip.compress(b"{}", mtime=0), b"\x00" * 100])
def test_bytes_that_are_no_text_are_refused(stage, body):
    """Neither encoding nor compression is guessed, on either address."""
    assert 400 <= push(stage, body).status_code < 500
    assert requests.post(f"{stage.daemon.url}/external/jira/webhook", data=body, timeout=10).status_code == 403


def test_good_traffic_passes_afterwards(stage):
    """After all that the daemon is ready and takes an event."""
    assert stage.daemon.is_ready()
    body = json.dumps({**EVENT, "id": "evt_good", "incident": {"id": "inc-good", "title": "Good"}}).encode()

    first = push(stage, body)
    again = push(stage, body)

    assert first.json() == {"accepted": 1, "duplicate": 0, "ignored": 0} or first.json()["duplicate"] == 1
    assert again.json() == {"accepted": 0, "duplicate": 1, "ignored": 0}
    until(lambda: any(ticket["title"] == "Good" for ticket in stage.sandbox.tickets()))


def test_one_bad_event_of_a_list_keeps_no_good_ones_out(stage):
    """What was taken is on disk, and said; the list as a whole is refused, so that nobody takes it for stored."""
    good = {**EVENT, "id": "evt_beside", "incident": {"id": "inc-beside", "title": "Beside a bad one", "surprise": 1}}
    body = json.dumps([good, {**EVENT, "id": "evt_bad", "type": "incident.exploded"}]).encode()

    answer = push(stage, body)
    again = push(stage, body).json()
    alone = push(stage, json.dumps([good]).encode())
    metrics = requests.get(f"{stage.daemon.url}/metrics", timeout=10).text

    told = answer.json()
    assert answer.status_code == 422
    assert (told["accepted"], told["unknown_fields"]) == (1, 1)
    assert told["error"].startswith("event 1: type: ")
    assert [(one["id"], one["outcome"]) for one in told["events"]] == [
        ("evt_beside", "accepted"),
        ("evt_bad", "refused"),
    ]
    assert told["events"][1]["error"] == told["error"]
    assert [one["outcome"] for one in again["events"]] == ["duplicate", "refused"]
    assert (alone.status_code, alone.json()["events"]) == (200, [{"id": "evt_beside", "outcome": "duplicate"}])
    assert 'connector_event_unknown_fields_total{organization="acme"} 3.0' in metrics
    assert 'connector_rejected_total{code="event_unreadable",kind="events"} ' in metrics
    until(lambda: any(ticket["title"] == "Beside a bad one" for ticket in stage.sandbox.tickets()))


@pytest.mark.parametrize(
    ("parameters", "status"),
    [("", 400), ("?state=forged&code=x", 400), ("?error=access_denied&state=unknown", 400)],
)
def test_forged_return_from_consent_is_refused(stage, parameters, status):
    """A return that nobody was sent on changes nothing, and its code is not logged."""
    answer = requests.get(f"{stage.daemon.url}/oauth/callback{parameters}", timeout=10)

    assert answer.status_code == status
    assert "not started here" in answer.text
    assert "code=x" not in stage.daemon.log_path.read_text()


def test_the_sender_on_the_page_about_platforms_is_accepted(stage):
    """What docs/http-platform.md shows, run as it stands, sends an event that is stored; with another secret, none."""
    (shown,) = [block.text for block in blocks(DOCS / "http-platform.md") if block.language == "python"]
    page: dict = {}
    exec(compile(shown, "http-platform.md", "exec"), page)  # noqa: S102 - our own page
    url, secret = stage.platform.events_url, stage.environ["DEMO_EVENTS_SECRET"]
    event = page["opened"] | {
        "id": "evt-of-the-page",
        "incident": page["opened"]["incident"] | {"id": "inc-of-the-page"},
    }

    assert page["push"](url, secret, event) == HTTPStatus.OK
    with pytest.raises(urllib.error.HTTPError) as caught:
        page["push"](url, "another secret of many letters", event)
    assert caught.value.code == HTTPStatus.UNAUTHORIZED
    caught.value.close()
