"""A server that is told to stop: whoever has connected by then is answered, and load balancers are told in time."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import closing, contextmanager

import pytest
import requests
import structlog
import uvicorn
import uvloop

from connector_core.config.models import LimitSettings
from connector_core.demo.stage import until
from connector_core.metrics import Metrics
from connector_core.web.connections import Connections
from connector_core.web.limits import Limits
from connector_core.web.orderly_server import OrderlyServer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """An orderly server in a thread, and an application whose loop can be held up."""

    def __init__(self, drain_s=0.0):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.asked, self.held, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self.connections = Connections(Limits.of(LimitSettings()), Metrics(), structlog.get_logger("test"))
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=self.connections.protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        self.exits = []
        self.server = OrderlyServer(
            config, self.connections, drain_s=drain_s, hang_up=print, at_exit=lambda: self.exits.append(True)
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        until(lambda: self.server.started)

    def _serve(self):
        """Do what `run` does where uvloop is there, but for the signals, which the main thread takes only."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.server._serve([self.listener]))

    async def _answer(self, scope, receive, send):
        self.asked.set()
        if scope["path"] == "/hold":
            self.held.set()
            self.go_on.wait()  # the loop itself: nothing is read and nobody taken meanwhile
        if scope["path"] == "/never":
            await asyncio.Event().wait()
        if scope["path"] == "/body":
            await receive()
        body = b"x" * 50_000_000 if scope["path"] == "/large" else b""
        length = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body})

    def connect(self):
        """Open a connection."""
        return closing(socket.create_connection(self.address, timeout=60))

    def tell(self):
        """Tell the server to stop, as the signal does."""
        self.server.handle_exit(signal.SIGTERM, None)

    def ended(self):
        """Wait until it has stopped; say whether it did."""
        self._thread.join(60)
        return not self._thread.is_alive()

    def end(self):
        """Stop, whatever still is served."""
        self.go_on.set()
        for _ in range(2):
            self.tell()
        assert self.ended()


@contextmanager
def opened(**options):
    """Serve; stop at the end."""
    served = Served(**options)
    try:
        yield served
    finally:
        served.end()


def answered(peer):
    """Read until the server closes; a reset is an error."""
    whole = b""
    while piece := peer.recv(65536):
        whole += piece
    return whole


@contextmanager
def held_up(served):
    """Hold the loop up, as work does that takes long."""
    with served.connect() as busy:
        busy.sendall(GET.replace(b"/ ", b"/hold ", 1))
        assert served.held.wait(60)
        yield
        served.go_on.set()
        assert b"200 OK" in busy.recv(65536)


def test_whoever_stands_in_line_is_answered(monkeypatch):
    """The system has taken their connections and requests when the listener is closed, and the server saw none."""
    with opened() as served:
        peers = []
        leave = served.connections.leave

        def connect():
            """Come at the last moment: from here on the loop does nothing else until the listener is closed."""
            leave()
            peers.extend(socket.create_connection(served.address, timeout=60) for _ in range(20))
            for peer in peers:
                peer.sendall(GET)

        monkeypatch.setattr(served.connections, "leave", connect)
        served.tell()
        assert served.ended()
        answers = [answered(peer) for peer in peers]
        for peer in peers:
            peer.close()

    assert len(answers) == 20
    assert all(answer.startswith(b"HTTP/1.1 200 OK") and b"connection: close" in answer for answer in answers)


@pytest.mark.parametrize("asked_before", [False, True], ids=["new", "kept"])
def test_a_request_on_its_way_is_answered(asked_before):
    """Whether its connection is new or has rested: it was sent before anybody could know of the stop."""
    with opened() as served, served.connect() as peer:
        if asked_before:
            peer.sendall(GET)
            assert b"200 OK" in peer.recv(65536)
        with held_up(served):
            served.tell()
        until(lambda: served.connections.is_leaving)
        peer.sendall(GET)
        answer = answered(peer)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer


@pytest.mark.parametrize("sent", [b"", GET[:20]], ids=["nothing", "a part"])
def test_who_sends_no_request_is_not_waited_for(sent):
    """The connection is closed, without a reset, and the server ends."""
    with opened() as served, served.connect() as peer:
        peer.sendall(sent)
        served.tell()

        assert answered(peer) == b""
        assert served.ended()


@pytest.mark.parametrize("path", [b"/never", b"/body", b"/large"], ids=["an answer", "a body", "its reader"])
def test_what_never_comes_ends_with_the_server(path):
    """It is waited for as long as configured."""
    with opened() as served, served.connect() as peer:
        peer.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert served.asked.wait(60)
        served.tell()
        assert served.ended()


def test_the_time_for_load_balancers_ends():
    """By itself."""
    with opened(drain_s=0.3) as served:
        served.tell()
        assert served.ended()
        assert served.exits == [True]


def test_all_is_served_until_load_balancers_know():
    """New connections are taken, none is kept, and a second signal ends it."""
    with opened(drain_s=3600) as served, requests.Session() as session:
        url = "http://{}:{}/".format(*served.address)
        assert "connection" not in session.get(url, timeout=60).headers
        served.tell()
        until(lambda: served.connections.is_leaving)

        for answer in (session.get(url, timeout=60), session.get(url, timeout=60)):
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        served.tell()
        assert served.ended()
    assert served.exits[:2] == [True, True]
