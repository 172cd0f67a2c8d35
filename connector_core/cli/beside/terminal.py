"""A terminal for a command that somebody else runs: what it writes is shown on ours, what is typed here goes there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_AT_ONCE = 65536


class Terminal:
    """One end for the command (`inner`), the other for us.

    Args:
        streams: our standard streams that are a terminal, by number.
        asks: the command may ask something, so what is typed is for it.
    """

    def __init__(self, streams: Sequence[int], *, asks: bool) -> None:
        self._shown_on = 1 if 1 in streams else 2
        self._outer, self.inner = pty.openpty()
        self._asks = asks and 0 in streams and _is_in_front()
        self._resize()
        if not self._asks:  # ours goes on to end lines as it does
            modes = termios.tcgetattr(self.inner)
            modes[1] &= ~termios.OPOST
            termios.tcsetattr(self.inner, termios.TCSANOW, modes)

    def passed_on(self) -> None:
        """Leave the inner end to the command."""
        os.close(self.inner)

    def relay(self, connection: socket.socket) -> None:
        """Pass on what is written and typed until the connection has something to say."""
        with self._typing():
            watched = [connection.fileno(), self._outer, *([0] if self._asks else [])]
            while True:
                ready, _, _ = select.select(watched, [], [])
                if 0 in ready:
                    typed = os.read(0, _AT_ONCE)
                    if typed:
                        os.write(self._outer, typed)
                    else:
                        watched.remove(0)
                if self._outer in ready and not self._show():
                    watched.remove(self._outer)
                elif connection.fileno() in ready and self._outer not in ready:
                    return

    def rest(self) -> None:
        """Show what is still to be shown, and give the terminal up."""
        while select.select([self._outer], [], [], 0)[0] and self._show():
            pass
        os.close(self._outer)

    def _show(self) -> bool:
        try:
            written = os.read(self._outer, _AT_ONCE)
        except OSError:  # the other end is closed
            return False
        while written:
            written = written[os.write(self._shown_on, written) :]
        return True

    @contextmanager
    def _typing(self) -> Iterator[None]:
        """Have every key passed on as it is while a command may ask, and changes of the window's size."""
        former = signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        modes = termios.tcgetattr(0) if self._asks else None
        try:
            if modes is not None:
                tty.setraw(0, termios.TCSADRAIN)
            yield
        finally:
            if modes is not None:
                termios.tcsetattr(0, termios.TCSADRAIN, modes)
            signal.signal(signal.SIGWINCH, former)

    def _resize(self) -> None:
        with suppress(OSError):
            size = fcntl.ioctl(self._shown_on, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self._outer, termios.TIOCSWINSZ, size)


def _is_in_front() -> bool:
    """Return whether what is typed is for us: not while the shell runs us in the background."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # the terminal is not that of our shell
        return True
