"""What strangers do with connections: thousands of them, endless headers, large bodies, a byte now and then."""

from __future__ import annotations

import gzip
import re
import resource
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import repeat
from random import Random
from time import monotonic
from urllib.parse import quote, urlsplit

import psutil
import pytest
import requests
from pydantic import SecretStr
from ruamel.yaml import YAML

from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import until
from tests.support.faults.campaign import LONG, opened_stage
from tests.support.faults.strangers_app import hook_signature

MIB = 1024 * 1024
#: Far more than any machine needs for one answer, far less than a connection that is never closed takes.
PATIENCE_S = 60
WEBHOOK = "/external/jira/webhook"
WRONG = "sha256=" + "0" * 64
CROWD = 4000 if LONG else 600
LARGE_BODIES = 200 if LONG else 24
PART = "Content-Length: 100"
MONITORED = ("healthz", "readyz", "metrics")
#: Another address of this machine.
NEIGHBOUR = "127.0.0.2"


@contextmanager
def stage_with(folder, *, descriptors=None, **limits):
    """Open a stage whose server has these limits, as a process with so many descriptors."""

    def prepare(stage):
        yaml = YAML()
        tree = yaml.load(stage.config_path.read_text())
        tree["server"]["limits"] = limits
        with stage.config_path.open("w") as file:
            yaml.dump(tree, file)
        if descriptors is not None:
            stage.daemon = _with_descriptors(descriptors, stage)

    with opened_stage(folder, prepare=prepare) as stage:
        yield stage


def _with_descriptors(number, stage):
    """Make a daemon of its own, not forked from one that is at hand, with so many descriptors."""
    limit = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({number}, {number}))"
    script = f"import os, resource, sys; {limit}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    daemon = Daemon(stage.config_path, stage.daemon.url, stage.daemon.log_path, stage.environ)
    daemon._command = [sys.executable, "-c", script, *daemon._command[1:]]
    return daemon


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """Open a stage that gives clients little time, and proxies enough."""
    folder = tmp_path_factory.mktemp("hasty")
    with stage_with(folder, headers_within="1s", request_within="2s") as stage:
        yield stage


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Open a stage with few connections, which may not rest."""
    with stage_with(tmp_path_factory.mktemp("narrow"), connections=16, idle="1s") as stage:
        yield stage


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Open a stage with the times that are usual, and room for one large body."""
    with stage_with(tmp_path_factory.mktemp("usual"), body_mib=32) as stage:
        yield stage


def connect(stage, *, ours=""):
    """Open a connection to a stage's daemon, from an address of ours if one is named."""
    parts = urlsplit(stage.daemon.url)
    return closing(socket.create_connection((parts.hostname, parts.port), PATIENCE_S, (ours, 0)))


def head_of(path, *headers, method="POST"):
    """Return a request line and headers, complete."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read_on(raw):
    """Read until the other side closes, or as much as it sent before that went wrong."""
    given = b""
    try:
        while piece := raw.recv(65536):
            given += piece
    except ConnectionError:
        pass
    return given


def read_answer(raw):
    """Read one answer to its end."""
    given = b""
    while b"\r\n\r\n" not in given:
        piece = raw.recv(65536)
        assert piece, given
        given += piece
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", given)
    whole = given.index(b"\r\n\r\n") + 4 + int(length[1] if length else 0)
    while len(given) < whole:
        given += raw.recv(65536)
    return given


def pour(raw, pieces):
    """Send pieces until there are no more or the other side takes none; return what it answered."""
    try:
        for piece in pieces:
            raw.sendall(piece)
    except ConnectionError:
        pass
    return read_on(raw)


def drip(raw, pieces):
    """Send a piece whenever nothing came back for a moment; return what was answered until the end."""
    raw.settimeout(0.2)
    for piece in pieces:
        try:
            raw.sendall(piece)
            given = raw.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
        raw.settimeout(PATIENCE_S)
        return given + read_on(raw)
    raise AssertionError("the connection was never closed")


def refused(stage, code, kind="connection"):
    """Return how many were refused for a reason."""
    text = requests.get(f"{stage.daemon.url}/metrics", timeout=PATIENCE_S).text
    found = re.search(rf'^connector_rejected_total{{code="{code}",kind="{kind}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def resident(stage):
    """Return what the daemon's process takes of the memory, in MiB."""
    return psutil.Process(stage.daemon.pid).memory_info().rss / MIB


def deliver(stage, body, signature=None, *, packed=False):
    """Send a delivery, rightly signed if nothing else is said."""
    given = signature or hook_signature(body, stage.environ["DEMO_WEBHOOK_SECRET"])
    headers = {"X-Hub-Signature": given, **({"Content-Encoding": "gzip"} if packed else {})}
    return requests.post(f"{stage.daemon.url}{WEBHOOK}", data=body, headers=headers, timeout=PATIENCE_S)


ENDLESS = {
    "many": repeat(b"X-Some: header\r\n" * 4096),
    "one": repeat(b"x" * 65536),
    "lines": repeat(b"\r\n" * 32768),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_headers_are_refused(usual, kind):
    """However headers go on, reading ends at the limit, is answered 431, and is counted."""
    before = refused(usual, "headers_too_large")
    start = b"" if kind == "lines" else head_of("/healthz", method="GET")[:-2] + b"X-Big: "
    with connect(usual) as raw:
        answer = pour(raw, [start, *(next(ENDLESS[kind]) for _ in range(64))])

    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # what was under way may hide the answer
    assert refused(usual, "headers_too_large") == before + 1


def test_endless_trailers_are_refused(usual):
    """Headers behind a body that came in chunks have the same limit."""
    before = refused(usual, "headers_too_large")
    with connect(usual) as raw:
        head = head_of(WEBHOOK, "Transfer-Encoding: chunked", "X-Hub-Signature: sha256=00")
        pour(raw, [head, b"2\r\n{}\r\n0\r\n", *repeat(b"X-Some: trailer\r\n" * 4096, 64)])

    assert refused(usual, "headers_too_large") == before + 1


def test_headers_at_the_limit_are_answered(usual):
    """What fits is served, also in small pieces, and the next request of the same connection, too."""
    head = head_of("/healthz", *(f"X-Some-{number}: {'x' * 400}" for number in range(70)), method="GET")
    with connect(usual) as raw:
        for _ in range(2):
            for start in range(0, len(head), 1000):
                raw.sendall(head[start : start + 1000])
            assert read_answer(raw).startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_sends_nothing_is_closed(hasty):
    """Nobody keeps a connection by being silent."""
    before = refused(hasty, "silent")
    with connect(hasty) as raw:
        assert read_on(raw) == b""

    assert refused(hasty, "silent") == before + 1


def test_headers_that_drip_are_refused(hasty):
    """A byte of the headers now and then does not keep a connection."""
    before = refused(hasty, "headers_too_slow")
    with connect(hasty) as raw:
        answer = drip(raw, [b"GET / HTTP/1.1\r\nX-Slow: ", *repeat(b"x", PATIENCE_S * 5)])

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert refused(hasty, "headers_too_slow") == before + 1


@pytest.mark.parametrize("size", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_is_refused_by_name(hasty, size):
    """A byte of a body now and then is answered 408, and counted where deliveries are."""
    before = refused(hasty, "too_slow", kind="webhook")
    with connect(hasty) as raw:
        head = head_of(WEBHOOK, size, "X-Hub-Signature: sha256=00")
        answer = drip(raw, [head, *repeat(b"1\r\nx\r\n", PATIENCE_S * 5)])

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slow" in answer
    assert refused(hasty, "too_slow", kind="webhook") == before + 1


def test_a_body_that_nobody_reads_does_not_keep_a_connection(hasty):
    """A request that was answered before its body came is closed when the body takes too long."""
    before = refused(hasty, "too_slow")
    with connect(hasty) as raw:
        raw.sendall(head_of("/healthz", "Content-Length: 5000", method="GET"))
        assert read_answer(raw).startswith(b"HTTP/1.1 200 ")
        assert drip(raw, repeat(b"x", PATIENCE_S * 5)) == b""

    assert refused(hasty, "too_slow") == before + 1


def test_a_kept_connection_outlives_the_time_for_headers(hasty):
    """A proxy's connection rests longer than a client has for its headers, and is used again."""
    with connect(hasty) as raw:
        for _ in range(2):
            raw.settimeout(PATIENCE_S)
            raw.sendall(head_of("/healthz", method="GET"))
            assert read_answer(raw).startswith(b"HTTP/1.1 200 ")
            raw.settimeout(2.5)
            with pytest.raises(TimeoutError):
                raw.recv(1)


def test_a_kept_connection_is_closed_when_it_is_idle(narrow):
    """A connection without requests does not stay for ever."""
    with connect(narrow) as raw:
        raw.sendall(head_of("/healthz", method="GET"))
        assert read_answer(raw).startswith(b"HTTP/1.1 200 ")
        assert raw.recv(1) == b""


def test_a_crowd_of_idle_connections_keeps_nobody_out(narrow):
    """Far more idle connections than there may be: the longest waiting are closed, and a request is answered."""
    before = refused(narrow, "made_room")
    with ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(connect(narrow))
        answer = requests.get(f"{narrow.daemon.url}/healthz", timeout=PATIENCE_S)

        assert answer.status_code == 200
        assert refused(narrow, "made_room") > before


@pytest.mark.parametrize(
    ("start", "kind"), [(head_of(WEBHOOK, PART), "webhook"), (head_of("/healthz", PART, method="GET"), "connection")]
)
def test_requests_without_their_bodies_keep_nobody_out(narrow, start, kind):
    """Far more requests of which a part never comes: a signed delivery is taken, and monitoring is answered."""
    before = refused(narrow, "made_room", kind)
    with ExitStack() as crowd:
        for _ in range(100):
            raw = crowd.enter_context(connect(narrow))
            with suppress(ConnectionError):  # it may have given way already
                raw.sendall(start + b"a")
        delivered = deliver(narrow, b'{"small": 1}')
        seen = [requests.get(f"{narrow.daemon.url}/{name}", timeout=PATIENCE_S) for name in MONITORED]

        assert delivered.status_code == 200
        assert [answer.status_code for answer in seen] == [200] * len(MONITORED)
        until(lambda: refused(narrow, "made_room", kind) > before, within_s=PATIENCE_S)


def test_a_crowd_from_one_address_does_not_close_those_of_another(narrow):
    """Whoever connects and asks a moment later is answered, though far more came from elsewhere in between."""
    before = refused(narrow, "made_room")
    with ExitStack() as crowd, connect(narrow, ours=NEIGHBOUR) as honest:
        for _ in range(100):
            crowd.enter_context(connect(narrow))
        until(lambda: refused(narrow, "made_room") > before, within_s=PATIENCE_S)
        honest.sendall(head_of("/healthz", method="GET"))

        assert read_answer(honest).startswith(b"HTTP/1.1 200 ")


@pytest.mark.extended
def test_connections_leave_descriptors_to_the_work(tmp_path):
    """With few descriptors, a crowd of connections comes and stays: events are taken and their tickets made."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    crowd_size = min(CROWD, most - 300)
    with stage_with(tmp_path, descriptors=256) as stage, ExitStack() as crowd:
        for _ in range(crowd_size):
            crowd.enter_context(connect(stage))
        incidents = [stage.platform.open("Display offline") for _ in range(12)]
        until(lambda: all(map(stage.ticket_of, incidents)), within_s=PATIENCE_S)

        assert psutil.Process(stage.daemon.pid).num_fds() < 256
        assert "Too many open files" not in stage.daemon.log_path.read_text()
        assert stage.daemon.is_ready()


@pytest.mark.parametrize(
    "headers", [[f"Content-Length: {25 * MIB}"], ["Transfer-Encoding: chunked"], ["Content-Encoding: gzip"]]
)
@pytest.mark.parametrize("path", [WEBHOOK, f"{WEBHOOK}?token=x", f"{WEBHOOK}/acme-helpdesk", f"{WEBHOOK}/nobody"])
def test_a_large_body_without_a_signature_is_not_read(usual, headers, path):
    """What nobody signed is refused by its headers; none of the body has to come for that."""
    with connect(usual) as raw:
        raw.sendall(head_of(path, *(["Content-Length: 1000"] if "gzip" in headers[0] else []), *headers))
        answer = read_answer(raw)

    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_large_body_to_a_secret_address_is_read(usual):
    """A webhook of our own signs nothing; its address has a token, and its deliveries may be large."""
    with usual.opened_store() as store:
        store.webhooks.save_token("jira", SecretStr("the-token-of-our-own-webhook"))  # unless the daemon has one
        token = store.webhooks.token("jira").get_secret_value()
    with connect(usual) as raw:
        path = f"{WEBHOOK}?token={quote(token)}"
        raw.sendall(head_of(path, f"Content-Length: {MIB}", "Expect: 100-continue"))
        answer = read_answer(raw)

    assert answer.startswith(b"HTTP/1.1 100 ")


@pytest.mark.extended
def test_a_flood_of_large_bodies_takes_bounded_memory_and_gives_it_back(usual):
    """Of large bodies with a wrong signature few are held at once, the others come again; then all is as before."""
    body = b'{"x": "' + b"y" * (25 * MIB - 9) + b'"}'
    deliver(usual, body, WRONG)
    before = resident(usual)
    peak = before
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(deliver, usual, body, WRONG) for _ in range(LARGE_BODIES)]
        while not all(future.done() for future in sent):
            peak = max(peak, resident(usual))
            small = deliver(usual, b'{"small": 1}')
            assert small.status_code == 200
    answers = [future.result() for future in sent]

    assert {answer.status_code for answer in answers} <= {403, 429, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    assert peak < before + 8 * 32
    assert resident(usual) < before + 2 * 32
    assert deliver(usual, body).status_code == 200


def test_large_bodies_together_have_a_limit(usual):
    """While one large body is held the next is to come again, packed or not; small ones pass; then all is as before."""
    large = b'{"x": "' + b"y" * (20 * MIB) + b'"}'
    draw = Random(1)
    packed = gzip.compress(b"".join(draw.randbytes(1000) * 60 for _ in range(330)))
    with connect(usual) as raw:
        raw.sendall(head_of(WEBHOOK, f"Content-Length: {len(large)}", f"X-Hub-Signature: {WRONG}"))
        raw.sendall(large[:-1])
        until(lambda: deliver(usual, large, WRONG).status_code == 503, within_s=PATIENCE_S)
        also_packed = deliver(usual, packed, WRONG, packed=True)
        small = deliver(usual, b'{"small": 2}')
        raw.sendall(large[-1:])
        held = read_answer(raw)

    assert (also_packed.status_code, also_packed.headers.get("Retry-After")) == (503, "5")
    assert small.status_code == 200
    assert held.startswith(b"HTTP/1.1 403 ")
    assert refused(usual, "too_busy", kind="webhook") >= 2
    assert deliver(usual, packed, WRONG, packed=True).status_code == 403
    assert deliver(usual, large).status_code == 200


def test_an_honest_slow_sender_is_served(usual):
    """A large signed body over a slow line is taken, as long as it is there in time."""
    body = b'{"x": "' + b"y" * (25 * MIB - 9) + b'"}'
    signature = hook_signature(body, usual.environ["DEMO_WEBHOOK_SECRET"])
    started = monotonic()
    with connect(usual) as raw:
        raw.sendall(head_of(WEBHOOK, f"Content-Length: {len(body)}", f"X-Hub-Signature: {signature}"))
        raw.settimeout(0.1)
        for start in range(0, len(body), 2 * MIB):
            raw.settimeout(PATIENCE_S)
            raw.sendall(body[start : start + 2 * MIB])
            raw.settimeout(0.1)
            if start + 2 * MIB < len(body):
                with pytest.raises(TimeoutError):
                    raw.recv(1)
        raw.settimeout(PATIENCE_S)
        answer = read_answer(raw)

    assert monotonic() - started > 1
    assert answer.startswith(b"HTTP/1.1 200 ")
