"""Serves a stand-in in a process of its own: `python -m connector_xyte_sandbox --port 8098`."""

from __future__ import annotations

import argparse
import signal
import threading

from connector_xyte_sandbox.server import XyteSandbox


def main() -> None:
    """Print the address and serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m connector_xyte_sandbox", description="A stand-in of an organization on Xyte, on loopback."
    )
    parser.add_argument("--port", type=int, default=8098, help="default: %(default)s; 0 takes a free one")
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with XyteSandbox(port=asked.port) as sandbox:
        told = (sandbox.url, f"  organization key  {sandbox.key}", "Ctrl-C ends it; nothing is kept.")
        print("\n".join(told), flush=True)  # noqa: T201 - the address is this command's output
        ended.wait()


if __name__ == "__main__":
    main()
