"""Serves a sandbox in a process of its own: `python -m connector_servicenow_sandbox --port 8098`."""

from __future__ import annotations

import argparse
import signal
import threading

from connector_servicenow_sandbox.difficult import DIFFICULT
from connector_servicenow_sandbox.profile import DEFAULT
from connector_servicenow_sandbox.server import ServiceNowSandbox

INSTANCES = {one.name: one for one in (DEFAULT, DIFFICULT)}


def main() -> None:
    """Print the address and serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m connector_servicenow_sandbox",
        description="A stand-in of the incident table of a ServiceNow instance, on loopback.",
    )
    parser.add_argument("--port", type=int, default=8098, help="default: %(default)s; 0 takes a free one")
    parser.add_argument(
        "--instance",
        choices=sorted(INSTANCES),
        default="simple",
        help="difficult: lists, rules and rights as they are at customers",
    )
    asked = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ServiceNowSandbox(INSTANCES[asked.instance], port=asked.port) as sandbox:
        user_name, password = sandbox.account
        told = (
            sandbox.url,
            f"  account  {user_name}, password {password}",
            f"  client   {sandbox.client.client_id}, secret {sandbox.client.client_secret}",
            f"  API key  {sandbox.api_key}",
            "Ctrl-C ends it; nothing is kept.",
        )
        print("\n".join(told), flush=True)  # noqa: T201 - the address is this command's output
        ended.wait()


if __name__ == "__main__":
    main()
