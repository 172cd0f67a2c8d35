"""How many signed webhooks of 10 KB are stored durably, sixty-four connections at a time."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
from collections.abc import Iterator
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.figures import line
from benchmarks.stages import open_stage

CONNECTIONS = 64
SECONDS = 5.0
PADDING = "x" * 10_000


def measure() -> Iterator[str]:
    """Send distinct deliveries about an unknown ticket as fast as they are answered."""
    with open_stage() as stage:
        issue = {"id": "1", "key": "SUP-1", "fields": {"summary": PADDING}}
        body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": issue}).encode()
        signature = hmac.new(stage.environ["DEMO_WEBHOOK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        counts = [0] * CONNECTIONS
        address = urlsplit(stage.daemon.url).netloc
        ends_at = perf_counter() + SECONDS
        threads = [
            threading.Thread(target=_send, args=(address, body, signature, counts, index, ends_at))
            for index in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield line("signed 10 KB webhooks stored, sender on the same cores", sum(counts) / SECONDS, "/s")


def _send(address: str, body: bytes, signature: str, counts: list[int], index: int, ends_at: float) -> None:  # noqa: PLR0913, PLR0917 - one thread's share
    connection = http.client.HTTPConnection(address)
    while perf_counter() < ends_at:
        headers = {
            "X-Hub-Signature": f"sha256={signature}",
            "X-Atlassian-Webhook-Identifier": f"{index}-{counts[index]}",
        }
        connection.request("POST", "/external/jira/webhook", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        counts[index] += 1
    connection.close()
