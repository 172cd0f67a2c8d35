"""`make bench`: run every measurement and print one line a figure, with its goal."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import version

from benchmarks import bulkhead, burst, calls, console, intake, large, latency, reconcile, source_poll, startup


def main() -> None:
    """Print the machine, then every figure."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, uvicorn {version('uvicorn')}\n")
    chosen = sys.argv[1:]
    # An installed package brings its bytecode; here the first command writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for module in (startup, latency, calls, reconcile, intake, burst, bulkhead, large, console, source_poll):
        if not chosen or module.__name__.rpartition(".")[2] in chosen:
            for line in module.measure():
                print(line, flush=True)


if __name__ == "__main__":
    main()
