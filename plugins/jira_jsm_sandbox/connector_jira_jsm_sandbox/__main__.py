"""Serves a sandbox in a process of its own: `python -m connector_jira_jsm_sandbox --port 8099`."""

from __future__ import annotations

import argparse
import signal
import threading
from dataclasses import replace

from connector_jira_jsm_sandbox.difficult import DIFFICULT
from connector_jira_jsm_sandbox.profile import DEFAULT
from connector_jira_jsm_sandbox.server import JiraSandbox

SITES = {"simple": DEFAULT, "difficult": DIFFICULT}


def main() -> None:
    """Print the address and serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m connector_jira_jsm_sandbox",
        description="A stand-in of a site of Jira Service Management, on loopback.",
    )
    parser.add_argument("--port", type=int, default=8099, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--search-lag", type=float, default=2.0, metavar="SECONDS", help="how late its search is")
    parser.add_argument("--page-cap", type=int, default=50, help="the longest page it gives")
    parser.add_argument("--seed", type=int, default=0, help="of what it draws by lot")
    parser.add_argument(
        "--site",
        choices=sorted(SITES),
        default="simple",
        help="difficult: fields, workflow and permissions as they are",
    )
    parser.add_argument(
        "--cloud-id", metavar="ID", help="its id; two that run beside each other and are two sites need one each"
    )
    asked = parser.parse_args()
    profile = SITES[asked.site]
    if asked.cloud_id:
        profile = replace(profile, cloud_id=asked.cloud_id)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with JiraSandbox(
        profile, port=asked.port, search_lag_s=asked.search_lag, page_cap=asked.page_cap, seed=asked.seed
    ) as sandbox:
        told = (
            sandbox.url,
            f"  account  {sandbox.email}, API token {sandbox.api_token}",
            f"  app      {sandbox.app.client_id}, secret {sandbox.app.client_secret}",
            "Ctrl-C ends it; nothing is kept.",
        )
        print("\n".join(told), flush=True)  # noqa: T201 - the address is this command's output
        ended.wait()


if __name__ == "__main__":
    main()
