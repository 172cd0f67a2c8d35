"""Connections of the server on a clock that the test sets: which gives way, and which is closed when."""

from __future__ import annotations

import asyncio

import pytest
import structlog
import uvicorn
from uvicorn.server import ServerState

from connector_core.config.models import LimitSettings
from connector_core.metrics import Metrics
from connector_core.web.connections import (
    MAX_HEADERS,
    MAX_PIPELINED,
    RESERVED_DESCRIPTORS,
    Connections,
    Limits,
    spare_descriptors,
)

LIMITS = Limits(connections=3, header_bytes=8192, headers_s=10, request_s=30, idle_s=75)
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

    def __init__(self):
        super().__init__()
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

    def connect(self):
        """Open a connection."""
        one = self.connections.protocol(config=self._config, server_state=self._state, app_state={}, _loop=self.loop)
        one.connection_made(Transport())
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


def test_too_many_headers_are_refused(server):
    """Their number counts beside their size, behind a body, too."""
    many = b"".join(b"A%d: b\r\n" % number for number in range(MAX_HEADERS + 1))
    before, behind = server.connect(), server.connect()

    before.data_received(GET[:-2] + many + b"\r\n")
    behind.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + many)

    assert before.transport.written.startswith(b"HTTP/1.1 431 ")
    assert behind.transport.is_closed
    assert server.closed("headers_too_large") == 2


def test_small_chunks_of_a_body_are_no_headers(server):
    """A body in chunks of a hundred bytes is taken, whatever its size."""
    one = server.connect()
    one.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")

    for _ in range(1000):
        one.data_received(b"64\r\n" + b"x" * 100 + b"\r\n")

    assert not one.transport.is_closing()


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
