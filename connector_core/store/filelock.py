"""A lock between threads and processes, as a file; the operating system frees it when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from connector_core.store.private import open_private


class FileLock:
    """Hold an exclusive lock on a file; `try_acquire` does not wait, the context manager does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; return whether it was."""
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self._is_there(descriptor):
                self._descriptor = descriptor
                return True
            os.close(descriptor)

    def try_share(self) -> bool:
        """Take the lock as `try_acquire` does: a file has one daemon."""
        return self.try_acquire()

    def drop(self) -> bool:
        """Delete the file if nobody holds the lock; return whether it was deleted."""
        if not self.try_acquire():
            return False
        self.path.unlink(missing_ok=True)
        self.release()
        return True

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def acquire(self) -> None:
        """Wait until the lock is free and take it."""
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                is_there = self._is_there(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if is_there:
                self._descriptor = descriptor
                return
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _is_there(self, descriptor: int) -> bool:
        """Return whether what was locked still is the file: it may have been dropped while we waited for it."""
        try:
            present = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(descriptor), present)

    def _open(self) -> int:
        return open_private(self.path, for_owner=True)
