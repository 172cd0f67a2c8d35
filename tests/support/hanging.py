"""A call that hangs, for tests of threads."""

from __future__ import annotations

import threading

LET_GO_WITHIN_S = 30.0


class Hanging:
    """A call that hangs until it is let go."""

    def __init__(self):
        self.inside = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self, word="let go"):
        """Hang."""
        self.inside.release()
        assert self.let_go.wait(LET_GO_WITHIN_S)
        return word

    def is_called(self, times=1):
        """Return whether it was called, as often as that."""
        return all(self.inside.acquire(timeout=LET_GO_WITHIN_S) for _ in range(times))
