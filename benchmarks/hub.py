"""A platform that is polled, as a process of its own: serves many open incidents, prints its address and key."""

from __future__ import annotations

import sys
import threading

from connector_xyte_sandbox import XyteSandbox


def main() -> None:
    """Serve until the process is ended."""
    sandbox = XyteSandbox()
    for number in range(int(sys.argv[1])):
        sandbox.open(f"Incident {number}", description="No heartbeat for 5 minutes. " * 4, priority="low")
    sandbox.start()
    print(f"{sandbox.url} {sandbox.key}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
