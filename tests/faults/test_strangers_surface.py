"""Hostile requests over real HTTP against the whole connector: answered with 200 or 4xx, whatever they hold."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier, Event, Semaphore
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.faults.hostile import bodies, each_spoiled, spoiled, thoroughly, written
from tests.support.faults.strangers_app import EVENT, HOOK, HOOK_SECRETS, ISSUE, link_ticket, open_app

SENDERS = 32
POURING = 8
_numbers = count()


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    """Serve an app whose one ticket is the sample delivery's, for the whole module."""
    with open_app(tmp_path_factory.mktemp("surface")) as opened:
        link_ticket(opened.app)
        yield opened


def assert_answer(answer):
    """Hold an answer against what is documented."""
    assert answer.status_code in {200, 400, 422}, answer.text
    if answer.ok:
        told = answer.json()
        assert told["accepted"] + told["duplicate"] + told["ignored"] > 0
    else:
        assert answer.json()["error"].isprintable()


@thoroughly
@given(body=spoiled(EVENT) | spoiled([EVENT, EVENT]) | bodies)
def test_signed_events_are_stored_or_refused(surface, body):
    """An authentic event with anything in it is on disk or refused, never an error of ours."""
    assert_answer(surface.push(body))


@thoroughly
@given(body=spoiled(HOOK) | bodies)
def test_signed_deliveries_are_stored_or_refused(surface, body):
    """An authentic delivery with anything in it, about a linked ticket, is on disk or refused."""
    assert_answer(surface.hook(body))


@pytest.mark.extended
def test_each_way_to_spoil_what_is_signed(surface):
    """The same for each place of an event and of a linked ticket's delivery, and each of the worst values in it."""
    for body in each_spoiled(EVENT):
        assert_answer(surface.push(body))
    for body in each_spoiled(HOOK):
        assert_answer(surface.hook(body))


@thoroughly
@given(
    path=st.sampled_from(
        ["/v1/sources/acme/events", "/external/jira/webhook", "/external/%2e%2e/webhook", "/%00", "/"]
    ),
    host=st.sampled_from(["x", "[", "]", "a:b:c", "\u2100.test", "", "x" * 9000, "[::1", "%zz", "a@b", "\x7f"]),
    method=st.sampled_from(["POST", "GET", "HEAD", "PUT", "OPTIONS", "BREW", "post"]),
    extra=st.sampled_from(
        [
            "X-Hub-Signature: \xff\xfe",
            "X-Hub-Signature: a\r\nX-Hub-Signature: b",
            "webhook-id: \x01",
            "Content-Type: \xff",
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
            "Content-Length: -1",
            "Content-Length: 9" + "9" * 30,
            "Content-Length: 1\r\nContent-Length: 2",
            "Upgrade: websocket\r\nConnection: Upgrade",
            ": no name",
            "X" * 9000 + ": y",
        ]
    ),
)
def test_odd_requests_are_refused_by_the_edge(surface, path, host, method, extra):
    """Whatever the request line and the headers are, it is a client's fault, sent to log in, or hung up on."""
    parts = urlsplit(surface.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\nConnection: close\r\n\r\n".encode(
                "latin-1", "replace"
            )
        )
        raw.shutdown(socket.SHUT_WR)
        head = raw.recv(64)

    assert head == b"" or head.split(b" ")[1][:1] in {b"1", b"3", b"4"}


def together(send, arguments):
    """Send requests from as many threads at the same moment; return the answers."""
    gate = Barrier(len(arguments))

    def one(argument):
        gate.wait()
        return send(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(one, arguments))


def effects(surface):
    """Count what has been seen of the linked ticket."""
    (link,) = surface.app.store.links.find()
    return len([entry for entry in surface.app.store.timelines.read(link.id) if entry.kind == "ticket_changed"])


def title_of(surface):
    """Return the title of the linked ticket as stored."""
    (link,) = surface.app.store.links.find()
    return link.ticket.title


def delivery(title):
    """Make a delivery that gives the linked ticket a title, later than all before it."""
    moment = f"{datetime.now(UTC) + timedelta(seconds=next(_numbers)):%Y-%m-%dT%H:%M:%S}.000+0000"
    fields = {**ISSUE["fields"], "summary": title, "updated": moment}
    return written({**HOOK, "issue": {**ISSUE, "fields": fields}})


def test_one_delivery_sent_by_many_at_once_has_one_effect(surface):
    """Thirty-two requests under one identifier: all are answered 200, one is new, the ticket changed once."""
    body, before = delivery("told under one name"), effects(surface)

    given = together(lambda _: surface.hook(body, "the-same"), range(SENDERS))

    assert {answer.status_code for answer in given} == {200}
    assert sum(answer.json()["accepted"] for answer in given) == 1
    assert (effects(surface) - before, title_of(surface)) == (1, "told under one name")


def test_one_body_under_many_names_has_one_effect(surface):
    """The identifier is not signed, so a body may come again under any name: the ticket changed once all the same."""
    body, before = delivery("told under many names"), effects(surface)

    given = together(lambda number: surface.hook(body, f"name-{number}"), range(SENDERS))

    assert {answer.status_code for answer in given} == {200}
    assert (effects(surface) - before, title_of(surface)) == (1, "told under many names")


def test_one_event_sent_by_many_at_once_is_stored_once(surface):
    """Thirty-two pushes of one event: all are answered 200, it is stored once."""
    body = json.dumps({**EVENT, "id": "evt-by-many"}).encode()

    given = together(lambda number: surface.push(body, f"msg-{number}"), range(SENDERS))

    assert {answer.status_code for answer in given} == {200}
    assert sum(answer.json()["duplicate"] for answer in given) == SENDERS - 1


def accept_hooks_of(surface, *secrets):
    """Set the secrets that the integration accepts, as a person does while it runs."""
    record = surface.app.registry.entry("desk").record
    surface.app.store.integrations.put(replace(record, webhook_secrets=tuple(map(SecretStr, secrets))))


@pytest.mark.extended
def test_rotation_under_load_refuses_nobody(surface):
    """With an overlap of both secrets, deliveries pour in all the while and none is refused; the old one then is."""
    former, present = HOOK_SECRETS
    both_accepted, done, poured = Event(), Event(), Semaphore(0)
    everyone = Barrier(POURING + 1, timeout=60)
    statuses = []

    def pour(number):
        secret = former
        with requests.Session() as session:
            mine = replace(surface, session=session)
            for nth in count():
                if secret is former and both_accepted.is_set():
                    everyone.wait()
                    secret = present
                statuses.append(mine.hook(written({**HOOK, "n": [number, nth]}), secret=secret).status_code)
                poured.release()
                if done.is_set():
                    return

    def let_pour():
        for _ in range(10 * POURING):
            assert poured.acquire(timeout=60)

    accept_hooks_of(surface, former)
    with ThreadPoolExecutor(POURING) as pool:
        pouring = [pool.submit(pour, number) for number in range(POURING)]
        let_pour()
        accept_hooks_of(surface, former, present)
        both_accepted.set()
        everyone.wait()
        accept_hooks_of(surface, present)
        let_pour()
        done.set()
    refused = surface.hook(written(HOOK), secret=former)
    accept_hooks_of(surface, former, present)

    assert [future.exception() for future in pouring] == [None] * POURING
    assert set(statuses) == {200}
    assert refused.status_code == 403
