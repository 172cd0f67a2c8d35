"""Serves a site in a process of its own: `python -m connector_request_tracker_sandbox --port 8097`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from connector_request_tracker_sandbox.installed import NotInstalledError
from connector_request_tracker_sandbox.site import RequestTrackerSandbox


def main() -> None:
    """Print the address and serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m connector_request_tracker_sandbox", description="A real Request Tracker 5, on loopback."
    )
    parser.add_argument("--port", type=int, default=8097, help="default: %(default)s; 0 takes a free one")
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        sandbox = RequestTrackerSandbox(port=asked.port)
    except NotInstalledError as exc:
        sys.exit(str(exc))
    with sandbox:
        told = (
            sandbox.url,
            f"  the connector's token  {sandbox.token}",
            "  a person               agent, password agent-of-the-desk",
            "  the administrator      root, password password",
            "Ctrl-C ends it; nothing is kept.",
        )
        print("\n".join(told), flush=True)  # noqa: T201 - the address is this command's output
        ended.wait()


if __name__ == "__main__":
    main()
