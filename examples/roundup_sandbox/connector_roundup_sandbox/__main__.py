"""Serves a tracker in a process of its own: `python -m connector_roundup_sandbox --port 8096`."""

from __future__ import annotations

import argparse
import signal
import threading

from connector_roundup_sandbox.desk import RoundupSandbox


def main() -> None:
    """Print the address and serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m connector_roundup_sandbox", description="A real Roundup tracker, on loopback."
    )
    parser.add_argument("--port", type=int, default=8096, help="default: %(default)s; 0 takes a free one")
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with RoundupSandbox(port=asked.port) as sandbox:
        people = (f"  {name:<11}password {word}" for name, word in sandbox.passwords.items())
        told = (sandbox.url, *people, "Ctrl-C ends it; nothing is kept.")
        print("\n".join(told), flush=True)  # noqa: T201 - the address is this command's output
        ended.wait()


if __name__ == "__main__":
    main()
