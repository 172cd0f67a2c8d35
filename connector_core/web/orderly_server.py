"""uvicorn's server, ended by a signal in good order: no request is lost that somebody could send in good faith."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from types import FrameType

import uvicorn

from connector_core.local_server import abort_all
from connector_core.web.connections import Connections

#: How many signals it takes to end at once what is served for others' sake only.
ENOUGH_SIGNALS = 2


class OrderlyServer(uvicorn.Server):
    """A server that a signal ends without ending the process.

    uvicorn raises a caught signal again once it has shut down, and the process would die before the app was stopped.
    It also hangs up on who has connected and not been read yet: they see a reset, and cannot know what became of what
    they sent. Here whoever has connected is answered. With `drain_s` the server goes on for so long after the signal,
    until a load balancer has seen `/readyz` and sends nobody here; a second signal ends that.

    SIGHUP has the configuration file applied, and ends nothing.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        *,
        drain_s: float,
        hang_up: Callable[[], None],
        at_exit: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._connections, self._drain_s = connections, drain_s
        self._hang_up, self._at_exit = hang_up, at_exit
        self._signals = 0
        self._serves_until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let the time run in which everything has to be stopped."""
        self._at_exit()
        self._signals += 1
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop: at the signal, or once others had the time to hear of it."""
        if not await super().on_tick(counter):
            return False
        if self._serves_until is None:
            self._serves_until = monotonic() + self._drain_s
            self._connections.leave()
        return self._signals >= ENOUGH_SIGNALS or monotonic() >= self._serves_until

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections but those that the system has taken for us, let what is under way end."""
        await self._take_last(sockets or [])
        await super().shutdown(sockets)
        await abort_all(self)

    async def _take_last(self, listeners: Sequence[socket.socket]) -> None:
        """Close the listeners; what stands in line there would be reset with them, so it is taken first."""
        loop = asyncio.get_running_loop()
        taken: list[socket.socket] = []
        for listener, server in zip(listeners, self.servers, strict=True):
            taken += _in_line(listener)
            server.close()
        for one in taken:
            one.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, one)

    def _protocol(self) -> asyncio.Protocol:
        return self._connections.protocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=asyncio.get_running_loop(),
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Turn SIGTERM and SIGINT into an orderly exit, and SIGHUP into another look at the file."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._handle_hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle_hang_up(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's arguments
        # The thread that handles signals is the one that serves: it must not wait for a file or a database.
        self._hang_up()


def _in_line(listener: socket.socket) -> Iterator[socket.socket]:
    """Give the connections that the system has taken at a listener, which does not block, and nobody was told of."""
    while True:
        try:
            yield listener.accept()[0]
        except ConnectionAbortedError:
            continue
        except OSError:  # there are no more, or no descriptors for them
            return
