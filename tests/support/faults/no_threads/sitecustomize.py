"""Put on a daemon's path: no thread can be started while the file that `NO_THREADS` names is there."""

import os
import threading
from pathlib import Path

_REAL = threading.Thread.start
_SIGN = Path(os.environ["NO_THREADS"])


def _start(thread):
    if _SIGN.exists():
        raise RuntimeError("can't start new thread")
    _REAL(thread)


threading.Thread.start = _start
