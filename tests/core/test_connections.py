"""Connections of the server on a clock that the test sets: which gives way, and which is closed when."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event, Semaphore
from urllib.parse import urlsplit

import pytest
import requests
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from connector_core.config.models import LimitSettings
from connector_core.local_server import LocalServer
from connector_core.metrics import Metrics
from connector_core.web.connections import FREE_PIECES, MAX_HEADERS, MAX_PIPELINED, Connections
from connector_core.web.limits import RESERVED_DESCRIPTORS, Limits, spare_descriptors
from connector_core.web.request_bodies import REFUSED_FOR, TOO_SLOW
from connector_core.web.waiting import Waiting
from tests.support.faults.strangers_app import HOOK_SECRETS, hook_signature, open_app

LIMITS = Limits(connections=3, header_bytes=8192, headers_s=10, request_s=30, idle_s=75, spare=0)
UNSIGNED = {"X-Hub-Signature": "sha256=" + "0" * 64}
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Task:
    """Work that never ends."""

    def add_done_callback(self, _call):
        """Take note of nothing."""


class Loop:
    """The part of an event loop that a connection asks for; nothing runs by itself."""

    def __init__(self):
        self.now = 1000.0
        self.due = []

    def time(self):
        """Return the set time."""
        return self.now

    def call_later(self, delay, call, *arguments):
        """Keep what is to be called."""
        handle = asyncio.TimerHandle(self.now + delay, call, arguments, self)
        self.due.append(handle)
        return handle

    def pass_time(self, seconds):
        """Call what is due by then."""
        self.now += seconds
        due = [handle for handle in self.due if handle.when() <= self.now]
        self.due = [handle for handle in self.due if handle not in due and not handle.cancelled()]
        for handle in due:
            if not handle.cancelled():
                handle._run()

    def create_task(self, work, **_more):
        """Leave the application undone."""
        work.close()
        return Task()

    def get_debug(self):
        """Say no."""
        return False

    def _timer_handle_cancelled(self, _handle):
        """Take note of nothing."""


class Transport(asyncio.Transport):
    """Keeps what is written, and whether and how it was closed."""

    def __init__(self, host="192.0.2.1"):
        super().__init__({"peername": (host, 40000)})
        self.written = b""
        self.is_closed = self.is_aborted = False

    def write(self, data):
        """Keep it."""
        self.written += bytes(data)

    def is_closing(self):
        """Return whether either was asked for."""
        return self.is_closed or self.is_aborted

    def close(self):
        """Note it."""
        self.is_closed = True

    def abort(self):
        """Note it."""
        self.is_aborted = True

    def can_write_eof(self):
        """Say no."""
        return False

    def pause_reading(self):
        """Take note of nothing."""

    def resume_reading(self):
        """Take note of nothing."""


class Server:
    """Connections without sockets."""

    def __init__(self, limits=LIMITS):
        self.loop, self.metrics = Loop(), Metrics()
        self._config = uvicorn.Config(self._answer, lifespan="off", ws="none", log_config=None)
        self._config.load()
        self._state = ServerState()
        self.connections = Connections(limits, self.metrics, structlog.get_logger("test"))

    async def _answer(self, scope, receive, send):
        raise AssertionError("the application does not run here")

    def connect(self, host="192.0.2.1"):
        """Open a connection."""
        one = self.connections.protocol(config=self._config, server_state=self._state, app_state={}, _loop=self.loop)
        one.connection_made(Transport(host))
        return one

    def pass_time(self, seconds):
        """Let time pass, and have all connections looked at."""
        self.loop.pass_time(seconds)

    def closed(self, code):
        """Return how many were closed for a reason."""
        return self.metrics.registry.get_sample_value("connector_rejected_total", {"kind": "connection", "code": code})


def answer(connection):
    """Do what uvicorn does when the application has answered."""
    connection.cycle.response_started = connection.cycle.response_complete = True
    connection.on_response_complete()


def without_memory(*_given):
    """Have none left."""
    raise MemoryError


@pytest.fixture
def server():
    """Make a server for three connections."""
    return Server()


def test_one_that_was_never_asked_gives_way_first(server):
    """A connection with a request behind it stays, and the longest silent one goes."""
    served, silent, newer = server.connect(), server.connect(), server.connect()
    served.data_received(GET)
    answer(served)

    server.connect()

    assert [one.transport.is_aborted for one in (served, silent, newer)] == [False, True, False]
    assert server.closed("made_room") == 1


def test_one_that_dribbles_headers_gives_way(server):
    """Beginning with a request does not keep a connection."""
    dribbling = server.connect()
    others = [server.connect(), server.connect()]
    for one in others:
        one.data_received(GET)
    dribbling.data_received(GET[:9])

    server.connect()

    assert dribbling.transport.is_aborted
    assert not any(one.transport.is_closing() for one in others)


def test_where_all_are_being_answered_the_newest_is_refused(server):
    """Nothing that is under way is closed for another, and once answered it gives way."""
    busy = [server.connect() for _ in range(3)]
    for one in busy:
        one.data_received(GET)

    refused = server.connect()
    answer(busy[1])
    taken = server.connect()

    assert refused.transport.written.startswith(b"HTTP/1.1 503 ")
    assert refused.transport.is_closed
    assert [one.transport.is_aborted for one in busy] == [False, True, False]
    assert not taken.transport.is_closing()


@pytest.mark.parametrize("part", [POST + b"x", HEALTH[:-2] + b"Content-Length: 9\r\n\r\nx"])
def test_one_whose_body_is_missing_gives_way(server, part):
    """Headers alone do not keep a connection, whatever they ask for; the whole request does."""
    partial, whole, newer = server.connect(), server.connect(), server.connect()
    partial.data_received(part)
    whole.data_received(POST + b"123456789")

    server.connect()

    assert [one.transport.is_aborted for one in (partial, whole, newer)] == [True, False, False]


@pytest.mark.parametrize("sent", [GET[:9], POST, POST + b"x"])
def test_a_request_behind_an_answered_one_keeps_nothing(server, sent):
    """What was answered and has begun with the next request gives way, and not before that answer."""
    one, others = server.connect(), [server.connect(), server.connect()]
    for other in others:
        other.data_received(GET)
    one.data_received(GET)
    first = one.cycle
    one.data_received(sent)
    refused = server.connect()
    first.response_started = first.response_complete = True
    one.on_response_complete()

    server.connect()

    assert refused.transport.is_closed
    assert one.transport.is_aborted


def test_a_whole_request_before_one_in_part_is_answered(server):
    """Of three in a row the second is there as a whole: it is not cut off for the third."""
    one, others = server.connect(), [server.connect(), server.connect()]
    for each in (one, *others):
        each.data_received(GET)
    first = one.cycle
    one.data_received(GET + POST)
    first.response_started = first.response_complete = True
    one.on_response_complete()

    refused = server.connect()

    assert not one.transport.is_closing()
    assert refused.transport.is_closed


def test_one_that_takes_nothing_of_its_answer_gives_way(server):
    """Whoever asks and does not read keeps no connection, and whoever goes on reading does."""
    stuck, reading, asked = server.connect(), server.connect(), server.connect()
    for one in (stuck, reading, asked):
        one.data_received(GET)
    for one in (stuck, reading):
        one.pause_writing()
    reading.resume_writing()

    server.connect()

    assert [one.transport.is_aborted for one in (stuck, reading, asked)] == [True, False, False]


def test_a_kept_one_that_asks_again_waits_anew(server):
    """A request behind others has as long to come in as a first one: those that rest go before it."""
    asking, resting, newer = server.connect(), server.connect(), server.connect()
    for one in (asking, resting, newer):
        one.data_received(GET)
        answer(one)
    asking.data_received(POST)

    server.connect()

    assert [one.transport.is_aborted for one in (asking, resting, newer)] == [False, True, False]


@pytest.mark.parametrize(
    ("crowd", "honest"),
    [
        (["192.0.2.1"] * 40, "192.0.2.2"),
        ([f"2001:db8:0:1::{number:x}" for number in range(40)], "2001:db8:0:2::1"),
        (["::ffff:192.0.2.1", "192.0.2.1"] * 20, "::ffff:192.0.2.2"),
    ],
)
def test_a_crowd_closes_its_own(crowd, honest):
    """One that came first stays, however many come later from elsewhere; a network of IPv6 is one sender."""
    server = Server(replace(LIMITS, connections=10))
    first = server.connect(honest)
    others = [server.connect(host) for host in crowd]

    assert not first.transport.is_aborted
    assert [one.transport.is_aborted for one in others] == [True] * 31 + [False] * 9


def test_answered_ones_of_a_crowd_go_before_a_stranger():
    """Asking for something once does not put a crowd above those who have yet to ask."""
    server = Server(replace(LIMITS, connections=10))
    crowd = [server.connect() for _ in range(9)]
    for one in crowd:
        one.data_received(GET)
        answer(one)
    stranger = server.connect("192.0.2.2")

    server.connect("192.0.2.3")

    assert not stranger.transport.is_aborted
    assert [one.transport.is_aborted for one in crowd] == [True] + [False] * 8


def test_monitoring_is_answered_where_all_are_busy():
    """Beyond the limit others are told to come again; of what monitoring sends in part, nothing stays."""
    server = Server(replace(LIMITS, spare=2))
    busy = [server.connect() for _ in range(3)]
    for one in busy:
        one.data_received(GET)
    partial, refused = server.connect("192.0.2.2"), server.connect("192.0.2.2")
    partial.data_received(HEALTH[:-2] + b"Content-Length: 9\r\n\r\n")
    refused.data_received(GET)
    health = server.connect("192.0.2.3")
    health.data_received(HEALTH.replace(b"healthz", b"healthz?x"))

    assert partial.transport.is_aborted
    assert refused.transport.written.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in refused.transport.written
    assert not any(one.transport.is_closing() for one in (*busy, health))
    assert health.cycle.scope["path"] == "/healthz"
    assert refused.cycle is None
    assert server.closed("connections_full") == 1


def test_busy_ones_end_and_others_are_answered():
    """Over real connections: while all are being answered, others get 503 and health 200; afterwards all get 200."""
    arrived, go_on = Semaphore(0), Event()

    async def app(scope, _receive, send):
        if scope["path"] == "/":
            arrived.release()
            await asyncio.to_thread(go_on.wait)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    protocol = Connections(replace(LIMITS, spare=2), Metrics(), structlog.get_logger("test")).protocol
    server = LocalServer(app, protocol=protocol)
    server.start()
    with ThreadPoolExecutor(3) as pool:
        try:
            busy = [pool.submit(requests.get, f"{server.url}/", timeout=60) for _ in range(3)]
            for _ in busy:
                assert arrived.acquire(timeout=60)
            meanwhile = [requests.get(f"{server.url}/{path}", timeout=60) for path in ("other", "healthz", "other")]
        finally:
            go_on.set()
        answers = [one.result() for one in busy]
        afterwards = requests.get(f"{server.url}/other", timeout=60)
    server.stop()

    assert [one.status_code for one in meanwhile] == [503, 200, 503]
    assert {one.status_code for one in (*answers, afterwards)} == {200}


@pytest.mark.parametrize("place", ["on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body"])
def test_want_of_memory_is_not_the_senders_fault(server, monkeypatch, place):
    """Wherever there is none left, it is counted as that, and the connection ends."""
    monkeypatch.setattr(HttpToolsProtocol, place, without_memory)
    one = server.connect()

    one.data_received(POST + b"123456789")
    server.pass_time(4)

    assert server.closed("out_of_memory") == 1
    assert server.closed("not_http") is None
    assert one.transport.is_closing()
    assert b"400" not in one.transport.written


@pytest.mark.parametrize("size", [9, 100_000])
def test_a_delivery_without_memory_for_it_is_to_come_again(tmp_path, monkeypatch, size):
    """Its sender is told so, and it is counted and shown as what it was."""
    with open_app(tmp_path) as surface:
        monkeypatch.setattr(HttpToolsProtocol, "on_body", without_memory)
        body = b"x" * size
        signed = {"X-Hub-Signature": hook_signature(body, HOOK_SECRETS[0])}
        answer = requests.post(f"{surface.url}/external/jira/webhook", data=body, headers=signed, timeout=60)
        rejected = surface.app.metrics.registry.get_sample_value
        counted = [
            rejected("connector_rejected_total", {"kind": kind, "code": "out_of_memory"})
            for kind in ("connection", "webhook")
        ]

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert counted == [1, 1]


def test_a_refused_one_takes_no_place(server):
    """What was closed leaves its place to the next."""
    first = server.connect()
    server.connect()
    server.connect()
    first.connection_lost(None)

    assert not server.connect().transport.is_closing()
    assert server.closed("made_room") is None


def test_an_answer_that_is_not_read_ends(server):
    """A client that takes nothing off its line is cut off, one that goes on reading is not."""
    stuck, reading = server.connect(), server.connect()
    for one in (stuck, reading):
        one.data_received(GET)
        one.pause_writing()
    server.pass_time(20)
    reading.resume_writing()
    reading.pause_writing()

    server.pass_time(20)

    assert (stuck.transport.is_aborted, reading.transport.is_aborted) == (True, False)
    assert server.closed("answer_not_read") == 1


def test_a_close_that_the_client_holds_up_ends(server):
    """What is closed while the client reads nothing does not stay for ever."""
    one = server.connect()
    one.data_received(GET)
    answer(one)
    one.transport.close()
    server.pass_time(1)
    server.pass_time(29)
    assert not one.transport.is_aborted

    server.pass_time(2)

    assert one.transport.is_aborted


def test_work_of_ours_is_not_held_against_a_client(server):
    """An answer may take as long as it takes; a body that we do not read meanwhile is not slow."""
    asked, sending = server.connect(), server.connect()
    asked.data_received(GET)
    sending.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
    sending.flow.pause_reading()

    server.pass_time(500)

    assert not asked.transport.is_closing()
    assert not sending.transport.is_closing()
    assert "connector.refused_for" not in sending.cycle.scope["state"]


def test_a_stop_waits_for_no_slow_body(server):
    """Whoever sends it is answered, and the server need not cancel what reads it."""
    one = server.connect()
    one.data_received(POST)
    server.pass_time(4)
    server.connections.leave()

    server.pass_time(2)

    assert one.cycle.scope["state"][REFUSED_FOR] == TOO_SLOW
    assert not one.cycle.keep_alive


def test_too_many_headers_are_refused(server):
    """Their number counts beside their size, behind a body, too."""
    many = b"".join(b"A%d: b\r\n" % number for number in range(MAX_HEADERS + 1))
    before, behind = server.connect(), server.connect()

    before.data_received(GET[:-2] + many + b"\r\n")
    behind.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + many)

    assert before.transport.written.startswith(b"HTTP/1.1 431 ")
    assert behind.transport.is_closed
    assert server.closed("headers_too_large") == 2


@pytest.mark.parametrize(
    ("line", "headers", "is_taken"),
    [
        (b"GET / HTTP/1.1", b"", False),
        (b"GET / HTTP/1.1", b"Host: x\r\n", True),
        (b"GET / HTTP/1.1", b"Host: x\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1", b"Host: x\r\nA: b\r\nhOST: y\r\n", False),
        (b"GET / HTTP/1.0", b"", True),
        (b"GET / HTTP/1.0", b"Host: x\r\nHost: y\r\n", False),
    ],
)
def test_a_request_names_one_host(server, line, headers, is_taken):
    """RFC 9112, section 3.2: a proxy in front may have gone by the other of two."""
    one = server.connect()

    one.data_received(line + b"\r\n" + headers + b"\r\n")

    assert (one.cycle is not None) == is_taken
    assert one.transport.written.startswith(b"" if is_taken else b"HTTP/1.1 400 ")
    assert server.closed("not_one_host") == (None if is_taken else 1)


def test_small_chunks_of_a_body_are_no_headers(server):
    """A body in chunks of a hundred bytes is taken, whatever its size."""
    one = server.connect()
    one.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    for _ in range(1000):
        one.data_received(b"64\r\n" + b"x" * 100 + b"\r\n")

    assert not one.transport.is_closing()


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;a=b\r\nx\r\n", b"8\r\n12345678\r\n"])
@pytest.mark.parametrize("at_once", [1, 50_000])
def test_a_body_in_tiny_pieces_costs_few_of_them(server, monkeypatch, chunk, at_once):
    """However many come at once, only so many are handled as may be; the sender is refused for it."""
    handled = []
    monkeypatch.setattr(HttpToolsProtocol, "on_body", lambda *_: handled.append(1))
    one = server.connect()
    one.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    for _ in range(50_000 // at_once):
        one.data_received(chunk * at_once)

    assert 0 < len(handled) <= 2 * FREE_PIECES
    assert one.cycle.scope["state"]["connector.refused_for"] == "body_in_pieces"
    assert not one.cycle.keep_alive
    assert server.closed("body_in_pieces") == 1


@pytest.mark.parametrize("path", ["/external/jira/webhook", "/v1/sources/acme/events"])
def test_who_sends_tiny_pieces_is_told(tmp_path, path):
    """A few are taken; more are refused by name, where deliveries and events are counted."""
    with open_app(tmp_path) as surface:
        told = [
            requests.post(f"{surface.url}{path}", data=iter([b"x"] * pieces), headers=UNSIGNED, timeout=60)
            for pieces in (FREE_PIECES, FREE_PIECES + 10)
        ]
        kind = "webhook" if "webhook" in path else "events"
        counted = surface.app.metrics.registry.get_sample_value(
            "connector_rejected_total", {"kind": kind, "code": "body_in_pieces"}
        )

    assert [(answer.status_code, "pieces" in answer.text) for answer in told] == [
        (told[0].status_code, False),
        (400, True),
    ]
    assert told[0].status_code in {401, 403}
    assert counted == 1


def test_tiny_pieces_after_the_answer_get_no_second_one(tmp_path):
    """A request that is answered before its body came is answered once; then its connection ends."""
    pieces = b"1\r\nx\r\n" * 2 * FREE_PIECES
    with open_app(tmp_path) as surface, closing(connected(surface.url)) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        given = raw.recv(65536)
        raw.sendall(pieces)
        while piece := raw.recv(65536):
            given += piece

    assert given.count(b"HTTP/1.1 ") == 1
    assert given.startswith(b"HTTP/1.1 200 ")


def connected(url):
    """Open a connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), 60)


def test_requests_before_their_answers_are_few(server):
    """Whoever sends request upon request without waiting is refused."""
    few, many = server.connect(), server.connect()

    few.data_received(GET * MAX_PIPELINED)
    many.data_received(GET * 1000)

    assert not few.transport.is_closing()
    assert many.transport.is_closing()
    assert len(many.pipeline) <= MAX_PIPELINED


def test_looking_ends_with_the_last_connection(server):
    """A server without connections does nothing, and looks again with the next."""
    server.connect().connection_lost(None)
    server.pass_time(1)
    assert server.loop.due == []

    silent = server.connect()
    for _ in range(12):
        server.pass_time(1)

    assert silent.transport.is_aborted


def test_the_crowded_are_brought_down_to_the_others():
    """Of a hundred senders with each its number, those with the most lose, down to as many as the others have."""
    waiting, numbers = Waiting(), range(1, 101)
    for sender in numbers:
        for number in range(sender):
            waiting.add((sender, number), str(sender), was_answered=False)
    gone = []
    while len(waiting) > 100 * 10:
        gone.append(waiting.next_to_go())
        waiting.discard(gone[-1])

    left = {sender: sum((sender, number) in waiting for number in range(sender)) for sender in numbers}
    assert gone[0] == (100, 0)
    assert max(left.values()) - min(left[sender] for sender in numbers if sender >= 11) <= 1
    assert all(left[sender] == sender for sender in range(1, 11))
    assert all(left[sender] == sender - sum(one[0] == sender for one in gone) for sender in numbers)


def test_connections_leave_descriptors_to_others():
    """There are no more than the process can have, with some left for all else."""
    settings = LimitSettings()

    assert Limits.of(settings, descriptors=20_000).connections == settings.connections
    assert Limits.of(settings, descriptors=1024).connections == 1024 - RESERVED_DESCRIPTORS
    assert spare_descriptors(256) == 128


def test_the_log_has_a_line_now_and_then(capsys):
    """A flood is counted whole, and written down with how many there were."""
    server = Server()
    for _ in range(50):
        server.connect()
    server.loop.now += 10
    server.connect()

    lines = [line for line in capsys.readouterr().out.splitlines() if "connections_closed" in line]

    assert server.closed("made_room") == 48
    assert len(lines) == 2
    assert "closed=47" in lines[1]
