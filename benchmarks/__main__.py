"""`make bench`: run every measurement and print one line a figure, with its goal."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import version

from benchmarks import calls, console, intake, latency, startup


def main() -> None:
    """Print the machine, then every figure."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, uvicorn {version('uvicorn')}\n")
    chosen = sys.argv[1:]
    for module in (startup, latency, calls, intake, console):
        if not chosen or module.__name__.rpartition(".")[2] in chosen:
            for line in module.measure():
                print(line, flush=True)


if __name__ == "__main__":
    main()
