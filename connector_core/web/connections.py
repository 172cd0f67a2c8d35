"""Connections of the server: how many there may be, how large their headers, and how long each thing may take.

uvicorn's fast parser bounds none of that: headers are kept however many there are, and a connection that sends nothing,
or a byte now and then, stays for ever. One timer looks at all connections once a second; a request costs no timer.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools
from structlog.typing import FilteringBoundLogger
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connector_core.metrics import Metrics
from connector_core.web.access_log import MONITORING
from connector_core.web.client_address import neighbourhood
from connector_core.web.limits import (
    ANSWER_UNREAD,
    FULL,
    LARGE_HEADERS,
    MADE_ROOM,
    NO_HOST,
    NO_MEMORY,
    NOT_HTTP,
    PIPELINED,
    SILENT,
    SLOW_BODY,
    SLOW_HEADERS,
    TINY_PIECES,
    Limits,
    Refusal,
)
from connector_core.web.request_bodies import REFUSED_FOR
from connector_core.web.waiting import Waiting

MAX_HEADERS = 100
#: Requests sent before earlier ones are answered; no browser, proxy or sender does that any more.
MAX_PIPELINED = 8
#: How many pieces a body may come in, beside one for each so many bytes: a tiny one costs as much as a large one.
FREE_PIECES, PIECE_BYTES = 500, 64
LOOK_EVERY_S = 1.0
#: How long what a refused client still sends is read and dropped: closed at once, it would not see the answer.
LINGER_S = 2.0
#: How long the application has to answer that a request came too slowly.
GRACE_S = 5.0
TELL_EVERY_S = 10.0
#: How long a server that is told to stop waits for what a client that is connected may have sent by then.
LEAVES_AFTER_S = 0.5
#: How long it waits for the rest of a request that is there in part.
LAST_BODY_S = 5.0
RETRY_AFTER_S = 5


class Phase(Enum):
    """What a connection is waiting for."""

    REQUEST = auto()
    HEADERS = auto()
    BODY = auto()
    ANSWER = auto()
    #: To be closed: it was refused, and what still comes is dropped.
    END = auto()


# By name they are found several times as fast, and each is asked for some times a request.
REQUEST, HEADERS, BODY, ANSWER, END = Phase


class Connections:
    """All connections of a server. When there are too many, one that waits gives way to the newest.

    One waits unless a request that is there as a whole is being answered, and the client takes the answer. It is one of
    whoever has the most that waits: whoever opens thousands, and sends nothing or not all, closes his own.
    """

    def __init__(self, limits: Limits, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self.limits = limits
        self._metrics = metrics
        self._log = log
        self._open: set[Connection] = set()
        self._waiting: Waiting[Connection] = Waiting()
        self._timer: asyncio.TimerHandle | None = None
        self._untold: dict[str, int] = {}
        self._told_at: dict[str, float] = {}
        self.is_leaving = False

    def leave(self) -> None:
        """Keep no connection beyond the request that comes or is being answered: the server is to be stopped."""
        self.is_leaving = True
        for connection in tuple(self._open):
            connection.shutdown()

    def protocol(self, **given: Any) -> Connection:  # noqa: ANN401 - whatever uvicorn hands over
        """Make what speaks with one client; uvicorn gives the arguments."""
        return Connection(self, **given)

    def admit(self, connection: Connection) -> bool:
        """Take a new connection, if there is room or can be made."""
        if len(self._open) >= self.limits.connections + self.limits.spare and not self._make_room():
            return False
        self._open.add(connection)
        self._waiting.add(connection, connection.sender, was_answered=False)
        if self._timer is None:
            self._timer = connection.loop.call_later(LOOK_EVERY_S, self._look, connection.loop)
        return True

    def drop(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._open.discard(connection)
        self._waiting.discard(connection)

    def may_ask(self, connection: Connection) -> bool:
        """Return whether one more can be answered, or this one is being answered already."""
        answered = len(self._open) - len(self._waiting)
        return answered < self.limits.connections or connection not in self._waiting

    def busy(self, connection: Connection) -> None:
        """Note that a whole request is being answered: it does not give way."""
        self._waiting.discard(connection)

    def rest(self, connection: Connection) -> None:
        """Note that a connection waits, for longer if it does already."""
        if connection in self._open:
            self._waiting.add(connection, connection.sender, was_answered=True)

    def begin(self, connection: Connection) -> None:
        """Note that a request begins: one that comes after others has as long as a first one."""
        self._waiting.move_back(connection)

    def note(self, code: str, client: str, now: float) -> None:
        """Count a connection that was refused or closed; the log has a line now and then, with how many."""
        self._metrics.rejected("connection", code)
        self._untold[code] = self._untold.get(code, 0) + 1
        told_at = self._told_at.get(code)
        if told_at is None or now - told_at >= TELL_EVERY_S:
            self._told_at[code] = now
            self._log.warning("connections_closed", code=code, closed=self._untold.pop(code), last=client)

    def _make_room(self) -> bool:
        oldest = self._waiting.next_to_go()
        if oldest is None:
            return False
        self.drop(oldest)
        oldest.end(MADE_ROOM)
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # First, so that nothing raised below ends the looking.
        self._timer = loop.call_later(LOOK_EVERY_S, self._look, loop) if self._open else None
        now = loop.time()
        for connection in tuple(self._open):
            connection.look(now)


class Connection(HttpToolsProtocol):
    """One connection, held to the limits; everything else about it is uvicorn's."""

    def __init__(self, connections: Connections, **given: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**given)
        self._connections = connections
        self._limits = connections.limits
        self._phase = REQUEST
        self._since = self.loop.time()
        self._was_asked = False
        #: Bytes of headers so far, or of a body beside what it says: sizes of chunks, trailers.
        self._overhead = 0
        #: By how many bytes the body so far is larger than the least that so many pieces have to be.
        self._surplus = 0
        self._why = NOT_HTTP
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        #: Who counts as one when there are too many connections.
        self.sender = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse."""
        super().connection_made(transport)  # type: ignore[arg-type]  # of TCP it is always one of both ways
        self.sender = neighbourhood(self._client_host())
        if not self._connections.admit(self):
            self._refuse(FULL)
            self.transport.close()  # at once: those who are too many may not stay
        elif self._connections.is_leaving:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._connections.drop(self)

    def data_received(self, data: bytes) -> None:
        """Have the parser read, never more headers than there may be."""
        if self._phase is END:
            return
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self._phase is REQUEST:
            self._begin_request()
        if self._phase is not HEADERS:
            self._feed(data)
            return
        room = self._limits.header_bytes - self._overhead
        self._feed(data if len(data) <= room else data[:room])
        if self._phase is HEADERS and self._overhead >= self._limits.header_bytes:
            self._refuse(LARGE_HEADERS)
        elif len(data) > room:
            self._feed(data[room:])

    def _begin_request(self) -> None:
        self._phase = HEADERS
        self._since = self.loop.time()
        self._overhead = 0
        self._connections.begin(self)

    def _feed(self, data: bytes) -> None:
        if self._phase is END:
            return
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as what it is without the upgrade
        except MemoryError:
            self._give_up(NO_MEMORY)
        except httptools.HttpParserError as exc:
            if isinstance(exc.__context__, MemoryError):  # raised below, which the parser tells as an error in the data
                self._give_up(NO_MEMORY)
            elif self._why is TINY_PIECES:
                self._give_up(TINY_PIECES)
            else:
                self._refuse(self._why)
        if self._phase is BODY and (self._overhead > self._limits.header_bytes or len(self.headers) > MAX_HEADERS):
            self._refuse(LARGE_HEADERS)  # trailers, which nothing reads

    def on_message_begin(self) -> None:
        """Begin with a request; in one piece with the one before it, it has no other beginning."""
        super().on_message_begin()
        if self._phase is not HEADERS:
            self._begin_request()

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        if len(self.headers) > MAX_HEADERS:
            self._stop_parsing(LARGE_HEADERS)
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop_parsing(PIPELINED)
        if sum(name == b"host" for name, _ in self.headers) != 1 and not self._is_of_old_http():
            self._stop_parsing(NO_HOST)
        if not self._connections.may_ask(self) and self.url.partition(b"?")[0].decode("latin-1") not in MONITORING:
            self._stop_parsing(FULL)
        self._phase = BODY
        self._was_asked = True
        self._overhead = 0
        self._surplus = FREE_PIECES * PIECE_BYTES
        super().on_headers_complete()
        if self._connections.is_leaving:
            self._close_after_answer()

    def _is_of_old_http(self) -> bool:
        """Return whether a request may name no host; one that names two is not known to be what others took it for."""
        return self.parser.get_http_version() == "1.0" and all(name != b"host" for name, _ in self.headers)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; half as much beside it is not too much, and tiny pieces may be few."""
        size = len(body)
        self._overhead -= 2 * size
        self._surplus += size - PIECE_BYTES
        if self._surplus < 0:
            self._stop_parsing(TINY_PIECES)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is there."""
        super().on_message_complete()
        self._phase = ANSWER
        self._rest_if_answered()
        self._settle()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._rest_if_answered()
        self._settle()

    def pause_writing(self) -> None:
        """Note since when the client reads nothing."""
        super().pause_writing()
        self._unread_since = self.loop.time()
        self._settle()

    def resume_writing(self) -> None:
        """Note that it reads again."""
        super().resume_writing()
        self._unread_since = None
        self._settle()

    def shutdown(self) -> None:
        """End after the request that is being answered; where none is, one may be on its way."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LEAVES_AFTER_S, self._leave)
        else:
            self._close_after_answer()

    def _close_after_answer(self) -> None:
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            # uvicorn says so by itself from 0.53 on only, and a client that is not told sends into a closed connection.
            self.cycle.default_headers = [*self.cycle.default_headers, (b"connection", b"close")]

    def _leave(self) -> None:
        """Close, unless a request has come meanwhile."""
        if self._phase in {REQUEST, HEADERS} and not self.transport.is_closing():
            self.transport.close()

    def look(self, now: float) -> None:
        """Close the connection if something takes too long."""
        if self._is_closing(now) or self._is_unread(now):
            return
        age = now - self._since
        if self._phase is REQUEST and not self._was_asked and age > self._limits.headers_s:
            self.end(SILENT)
        elif self._phase is HEADERS and age > self._limits.headers_s:
            self._refuse(SLOW_HEADERS)
        elif self._phase is BODY and self.flow.read_paused:
            self._since = now  # it is us who do not read
        elif self._phase is BODY and age > self._patience_s():
            self._hurry(age)
        elif self._phase is END and age > LINGER_S:
            self.transport.abort()

    def end(self, why: Refusal) -> None:
        """Close the connection without a word."""
        self._connections.note(why.code, self._client_host(), self.loop.time())
        self._phase = END
        if self._is_body_awaited():
            self.cycle.scope["state"].setdefault(REFUSED_FOR, why.code)
        self.transport.abort()

    def _rest_if_answered(self) -> None:
        if self._phase is ANSWER and self.cycle.response_complete:
            self._phase = REQUEST
            self._since = self.loop.time()

    def _settle(self) -> None:
        """Have the connection give way to others, or not, as it is now."""
        cycle = self.cycle
        # Where requests stand in line, the one before them is being answered, and was there as a whole.
        is_asked = bool(self.pipeline) or (cycle is not None and not cycle.more_body and not cycle.response_complete)
        if is_asked and not self.flow.write_paused and not self.transport.is_closing():
            self._connections.busy(self)
        else:
            self._connections.rest(self)

    def _is_body_awaited(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete

    def _patience_s(self) -> float:
        """Return how long a request may take to come."""
        at_most = self._limits.request_s
        return min(at_most, LAST_BODY_S) if self._connections.is_leaving else at_most

    def _hurry(self, age: float) -> None:
        """Have the application answer that the request came too slowly; close it when that does not happen."""
        if self.cycle.response_started or age > self._patience_s() + GRACE_S:
            self.end(SLOW_BODY)
        else:
            self._have_refused(SLOW_BODY)

    def _have_refused(self, why: Refusal) -> None:
        """Have the application refuse the request whose body it awaits."""
        self.cycle.scope["state"][REFUSED_FOR] = why.code  # a copy of the scope has the same state
        self.cycle.keep_alive = False
        self.cycle.message_event.set()

    def _give_up(self, why: Refusal) -> None:
        """Have the application say why the rest of the request is not read."""
        if not self._is_body_awaited() or self.cycle.response_started:
            self._refuse(why)
            return
        self._connections.note(why.code, self._client_host(), self.loop.time())
        self._phase = END
        self._since = self.loop.time()
        self._have_refused(why)

    def _is_closing(self, now: float) -> bool:
        """Return whether the connection is being closed; a client that does not read the rest cannot stop that."""
        if not self.transport.is_closing():
            return False
        self._closing_since = self._closing_since or now
        if now - self._closing_since > self._limits.request_s:
            self.end(ANSWER_UNREAD)
        return True

    def _is_unread(self, now: float) -> bool:
        is_unread = self._unread_since is not None and now - self._unread_since > self._limits.request_s
        if is_unread:
            self.end(ANSWER_UNREAD)
        return is_unread

    def _stop_parsing(self, why: Refusal) -> None:
        self._why = why
        raise ValueError(why.code)  # the parser ends, and says so by an error of its own

    def _refuse(self, why: Refusal) -> None:
        """Answer, and have the connection closed once the client had time to see it."""
        self._connections.note(why.code, self._client_host(), self.loop.time())
        was_answered = self._phase is BODY  # what is refused there came after the answer, or while it is given
        self._phase = END
        self._since = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # another answer is under way
            return
        if not was_answered:
            self._write_answer(why)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _write_answer(self, why: Refusal) -> None:
        again = f"retry-after: {RETRY_AFTER_S}\r\n" if why.status is HTTPStatus.SERVICE_UNAVAILABLE else ""
        self.transport.write(
            f"HTTP/1.1 {why.status} {why.status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n{again}"
            f"content-length: {len(why.text)}\r\nconnection: close\r\n\r\n{why.text}".encode()
        )

    def _client_host(self) -> str:
        return self.client[0] if self.client else ""
