"""How many signed webhooks of 10 KB are stored durably, sixty-four connections at a time, beside two yardsticks.

One is the least that can be done, bare Starlette that verifies and parses and stores nothing; the other what one would
write in an hour. All three run side by side and are loaded in turn, so that what else the machine does meets them
alike. Each is tried with a good and a forged delivery first, and has to hold what it acknowledged afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests

from benchmarks import wrk
from benchmarks.figures import Figure, Reading, require
from benchmarks.processes import serving
from benchmarks.stages import open_stage

CONNECTIONS = 64
SECONDS = 4
ROUNDS = 5
BODY_BYTES = 10_000
ISSUE = "1"
CUSTOM_FIELDS = 120

DURABLE = Figure("signed 10 KB webhooks stored durably, 64 connections", "/s")
ANSWERED = Figure("… answered within, 99 %", "ms")
BARE = Figure("bare Starlette on uvicorn, verified and parsed, not stored", "/s")
PLAIN = Figure("Flask on waitress, a commit each", "/s")
SHARE = Figure("durable, share of bare Starlette", "%", 40, at_least=True)
MULTIPLE = Figure("durable, multiple of Flask on waitress", "times", 7, at_least=True)
FIGURES = (DURABLE, ANSWERED, BARE, PLAIN, SHARE, MULTIPLE)


@dataclass(frozen=True)
class Delivery:
    """The delivery that is sent again and again, and what the yardsticks must find in it."""

    file: Path
    signature: str
    fields: int


@dataclass(frozen=True)
class Receiver:
    """Who takes deliveries: where, what the answer to a good one is, and how many it holds or has read by now."""

    name: str
    url: str
    answer: Mapping[str, object]
    done: Callable[[], int]


def measure(
    *, seconds: float = SECONDS, rounds: int = ROUNDS, yardsticks: Collection[str] = ("bare", "plain")
) -> Iterator[Reading]:
    """Load each in turn; what was acknowledged must be found stored, or read."""
    with open_stage() as stage, ExitStack() as stack:
        folder = stage.config_path.parent
        secret = stage.environ["DEMO_WEBHOOK_SECRET"]
        delivery = write_delivery(folder, secret)
        environ = {**os.environ, "SECRET": secret}
        receivers = [_durable(stage.daemon.url, folder / "connector.db")]
        if "bare" in yardsticks:
            served = serving("benchmarks.bare_receiver", log=folder / "bare.log", environ=environ)
            receivers.append(bare(stack.enter_context(served), delivery))
        if "plain" in yardsticks:
            file = folder / "plain.db"
            served = serving("benchmarks.plain_receiver", str(file), log=folder / "plain.log", environ=environ)
            receivers.append(_plain(stack.enter_context(served), file))
        for receiver in receivers:
            check(receiver, delivery)
        loads: dict[str, list[wrk.Load]] = {receiver.name: [] for receiver in receivers}
        for number in range(rounds):
            for receiver in receivers:
                loads[receiver.name].append(_load(receiver, delivery, f"{receiver.name}-{number}", seconds))
    yield from _readings(loads)


def _readings(loads: dict[str, list[wrk.Load]]) -> Iterator[Reading]:
    yield DURABLE, median(load.per_second for load in loads["durable"])
    yield ANSWERED, median(load.p99_ms for load in loads["durable"])
    for name, rate, ratio, scale in (("bare", BARE, SHARE, 100), ("plain", PLAIN, MULTIPLE, 1)):
        if name in loads:
            pairs = zip(loads["durable"], loads[name], strict=True)
            yield rate, median(load.per_second for load in loads[name])
            yield ratio, median(ours.per_second / theirs.per_second for ours, theirs in pairs) * scale


def check(receiver: Receiver, delivery: Delivery) -> None:
    """Send one good and one forged delivery; see that the one is read and done and the other refused.

    Raises:
        PartFailed: it was not so; a load would measure something else than it says.
    """
    before = receiver.done()
    answer = _post(receiver, delivery.signature, delivery)
    require(answer.status_code == 200, f"{receiver.name} answered {answer.status_code} to a good delivery")
    require(answer.json() == receiver.answer, f"{receiver.name} answered {answer.text}, not {receiver.answer}")
    forged = _post(receiver, "sha256=" + "0" * 64, delivery)
    require(forged.status_code == 403, f"{receiver.name} answered {forged.status_code} to a forged delivery")
    found = receiver.done() - before
    require(found == 1, f"{receiver.name} did {found} deliveries where one was good")


def check_done(receiver: Receiver, answered: int, done: int) -> None:
    """See that as many were done as were answered; what was under way at the end may be done and not answered.

    Raises:
        PartFailed: something was acknowledged and is not there, or was never sent.
    """
    require(
        answered <= done <= answered + 2 * CONNECTIONS,
        f"{receiver.name} acknowledged {answered} deliveries and did {done}",
    )


def _post(receiver: Receiver, signature: str, delivery: Delivery) -> requests.Response:
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature": signature,
        "X-Atlassian-Webhook-Identifier": f"check-{receiver.name}",
    }
    return requests.post(receiver.url, data=delivery.file.read_bytes(), headers=headers, timeout=30)


def _load(receiver: Receiver, delivery: Delivery, prefix: str, seconds: float) -> wrk.Load:
    before = receiver.done()
    arguments = (str(delivery.file), delivery.signature, prefix)
    load = wrk.send(receiver.url, "webhook.lua", *arguments, connections=CONNECTIONS, seconds=seconds)
    check_done(receiver, load.answered, receiver.done() - before)
    return load


def _durable(address: str, file: Path) -> Receiver:
    """Return the daemon: the delivery is of a ticket that nobody follows, as most of a project's are."""
    answer = {"accepted": 0, "duplicate": 0, "ignored": 1}
    return Receiver("durable", f"{address}/external/jira/webhook", answer, lambda: _rows(file))


def bare(address: str, delivery: Delivery) -> Receiver:
    """Return the yardstick that stores nothing: it tells what it read, and how often it has."""
    answer = {"issue": ISSUE, "fields": delivery.fields}

    def done() -> int:
        count: int = requests.get(f"{address}/done", timeout=30).json()["parsed"]
        return count

    return Receiver("bare", f"{address}/external/jira/webhook", answer, done)


def _plain(address: str, file: Path) -> Receiver:
    return Receiver("plain", f"{address}/external/jira/webhook", {"accepted": 1}, lambda: _rows(file))


def write_delivery(folder: Path, secret: str) -> Delivery:
    """Write a delivery as Jira sends it: mostly custom fields without a value, and a long description."""
    fields: dict[str, object] = {f"customfield_{10_000 + number}": None for number in range(CUSTOM_FIELDS)}
    fields |= {
        "summary": "Lobby display is offline",
        "priority": {"id": "2", "name": "High", "self": "https://acme.example.test/rest/api/2/priority/2"},
        "status": {"id": "3", "name": "In Progress", "statusCategory": {"id": 4, "key": "indeterminate"}},
        "updated": "2026-11-23T16:38:03.790+0800",
    }
    issue = {"id": ISSUE, "key": "SUP-1", "self": "https://acme.example.test/rest/api/2/1", "fields": fields}
    body = {"timestamp": 1_790_000_000_000, "webhookEvent": "jira:issue_updated", "issue": issue}
    fields["description"] = "No heartbeat. " * ((BODY_BYTES - len(json.dumps(body)) - 20) // 14)
    path = folder / "delivery.json"
    path.write_text(json.dumps(body))
    digest = hmac.new(secret.encode(), path.read_bytes(), hashlib.sha256).hexdigest()
    return Delivery(path, f"sha256={digest}", len(fields))


def _rows(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        count: int = db.execute("SELECT COUNT(*) FROM delivery").fetchone()[0]
    finally:
        db.close()
    return count
