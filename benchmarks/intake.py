"""How many signed webhooks of 10 KB are stored durably, sixty-four connections at a time, beside two yardsticks.

One is the same server with an intake that stores nothing, the other what one would write in an hour. All three run
side by side and are loaded in turn, so that what else the machine does meets them alike.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import wrk
from benchmarks.figures import line
from benchmarks.processes import serving
from benchmarks.stages import open_stage
from connector_core.demo.stage import Stage

CONNECTIONS = 64
SECONDS = 4
ROUNDS = 5
BODY_BYTES = 10_000


def measure() -> Iterator[str]:
    """Load the three in turn; check that what was acknowledged is stored."""
    if not wrk.is_there():
        yield wrk.HOW_TO_GET
        return
    with open_stage() as stage, ExitStack() as stack:
        folder = stage.config_path.parent
        secret = stage.environ["DEMO_WEBHOOK_SECRET"]
        nothing = serving(
            "benchmarks.stores_nothing", str(_copy(stage)), log=folder / "nothing.log", environ=_all(stage)
        )
        plain_file = folder / "plain.db"
        plain = serving(
            "benchmarks.plain_receiver",
            str(plain_file),
            log=folder / "plain.log",
            environ={**os.environ, "SECRET": secret},
        )
        places = {
            "durable": stage.daemon.url,
            "nothing": stack.enter_context(nothing),
            "plain": stack.enter_context(plain),
        }
        loads = _load_in_turn(places, _write_body(folder), secret)
        stored = {"durable": _rows(folder / "connector.db"), "plain": _rows(plain_file)}
    yield from _figures(loads, stored)


def _figures(loads: dict[str, list[wrk.Load]], stored: dict[str, int]) -> Iterator[str]:
    rates = {name: median(load.per_second for load in each) for name, each in loads.items()}
    yield line("signed 10 KB webhooks stored durably, 64 connections", rates["durable"], "/s")
    yield line("  answered within, 99 %", median(load.p99_ms for load in loads["durable"]), "ms")
    yield line("the same server, verified and not stored", rates["nothing"], "/s")
    yield line("Flask on waitress, a commit each", rates["plain"], "/s")
    pairs = list(zip(loads["durable"], loads["nothing"], loads["plain"], strict=True))
    to_nothing = median(a.per_second / b.per_second for a, b, _ in pairs)
    to_plain = median(a.per_second / c.per_second for a, _, c in pairs)
    yield line("durable, share of not stored", to_nothing * 100, "%", 45, at_least=True)
    yield line("durable, multiple of Flask on waitress", to_plain, "times", 4, at_least=True)
    yield line("errors under this load", sum(load.errors for each in loads.values() for load in each), "", 0)
    missing = sum(max(0, sum(load.answered for load in loads[name]) - rows) for name, rows in stored.items())
    yield line("acknowledged and not found stored", missing, "rows", 0)


def _load_in_turn(places: dict[str, str], body: Path, secret: str) -> dict[str, list[wrk.Load]]:
    digest = hmac.new(secret.encode(), body.read_bytes(), hashlib.sha256).hexdigest()
    loads: dict[str, list[wrk.Load]] = {name: [] for name in places}
    for number in range(ROUNDS):
        for name, address in places.items():
            url = f"{address}/external/jira/webhook"
            arguments = (str(body), f"sha256={digest}", f"{name}-{number}")
            loads[name].append(wrk.send(url, "webhook.lua", *arguments, connections=CONNECTIONS, seconds=SECONDS))
    return loads


def _write_body(folder: Path) -> Path:
    """Write a delivery as Jira sends it: mostly custom fields without a value, and a long description."""
    fields: dict[str, object] = {f"customfield_{number}": None for number in range(10_000, 10_120)}
    fields |= {
        "summary": "Lobby display is offline",
        "priority": {"id": "2", "name": "High", "self": "https://acme.example.test/rest/api/2/priority/2"},
        "status": {"id": "3", "name": "In Progress", "statusCategory": {"id": 4, "key": "indeterminate"}},
        "updated": "2026-11-23T16:38:03.790+0800",
    }
    issue = {"id": "1", "key": "SUP-1", "self": "https://acme.example.test/rest/api/2/1", "fields": fields}
    delivery = {"timestamp": 1_790_000_000_000, "webhookEvent": "jira:issue_updated", "issue": issue}
    fields["description"] = "No heartbeat. " * ((BODY_BYTES - len(json.dumps(delivery)) - 20) // 14)
    path = folder / "delivery.json"
    path.write_text(json.dumps(delivery))
    return path


def _copy(stage: Stage) -> Path:
    """Write a configuration for a second daemon, on a copy of the first one's database and any free port."""
    folder = stage.config_path.parent
    stage.daemon.command("db", "backup", str(folder / "nothing.db")).check_returncode()
    text = stage.config_path.read_text().replace("connector.db", "nothing.db")
    port = stage.daemon.url.rpartition(":")[2]
    path = folder / "nothing.yaml"
    path.write_text(text.replace(f"port: {port}", "port: 0"))
    return path


def _all(stage: Stage) -> dict[str, str]:
    return {**os.environ, **stage.environ}


def _rows(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        count: int = db.execute("SELECT COUNT(*) FROM delivery").fetchone()[0]
    finally:
        db.close()
    return count
