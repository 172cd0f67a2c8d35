"""What strangers cost: large bodies that nobody signed, or wrongly, and more idle connections than there may be."""

from __future__ import annotations

import hashlib
import hmac
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

import psutil
import requests

from benchmarks.figures import Figure, Reading, require
from benchmarks.stages import open_stage
from connector_core.config.models import LimitSettings
from connector_core.demo.stage import Stage, until

MIB = 1024 * 1024
LARGE = 25 * MIB
SENT = 40
FLOODS = 3
CROWD = 1500
DELIVERIES = 200
PECKERS = 200
PECKED_S = 10.0
WRONG = "sha256=" + "0" * 64
#: Bytes are held as they came and once more as one body, and the allocator needs room for both.
PEAK_MIB = 3 * LimitSettings().body_mib
SETTLED_S = 10.0

UNSIGNED = Figure(f"{SENT} webhooks of 25 MiB at once, unsigned: memory they add, peak", "MiB", 32)
PEAK = Figure(f"{SENT} of them with a wrong signature: memory they add, peak", "MiB", PEAK_MIB)
KEPT = Figure(f"… what is left of it, the flood {FLOODS} times", "MiB", 64)
ALONE = Figure("delivery on a new connection, median", "ms")
CROWDED = Figure(f"… beside {CROWD:,} connections that send nothing", "ms")
GROWTH = Figure("… multiple", "times", 3)
DELAY = Figure(
    f"longest delivery beside {PECKERS} connections that send bodies in one-byte chunks, again and again", "ms"
)
EACH = Figure("… memory of each connection that stays", "KiB", 64)
FIGURES = (UNSIGNED, PEAK, KEPT, ALONE, CROWDED, GROWTH, EACH, DELAY)


def measure() -> Iterator[Reading]:
    """Flood a daemon with large bodies, then surround it with connections, and deliver something all the while."""
    with open_stage() as stage:
        process, secret = psutil.Process(stage.daemon.pid), stage.environ["DEMO_WEBHOOK_SECRET"].encode()
        before = _settled(process)
        yield UNSIGNED, _peak(process, lambda: _flood(stage, "", {403})) - before
        yield PEAK, _peak(process, lambda: _flood(stage, WRONG, {403, 429, 503})) - before
        for _ in range(FLOODS - 1):
            _flood(stage, WRONG, {403, 429, 503})
        yield KEPT, _settled(process) - before
        yield from _beside_a_crowd(stage, process, secret)
        yield DELAY, _longest_beside_tiny_pieces(stage, secret) * 1000


def _beside_a_crowd(stage: Stage, process: psutil.Process, secret: bytes) -> Iterator[Reading]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, CROWD + 500), hard), hard))
    numbers = count()

    def deliver() -> float:
        body = b'{"number": %d}' % next(numbers)
        started = perf_counter()
        status = _send(stage, "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(), body)
        require(status == 200, f"a good delivery was answered {status}")
        return perf_counter() - started

    alone, before = median(deliver() for _ in range(DELIVERIES)), _settled(process)
    parts = urlsplit(stage.daemon.url)
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=30))
        crowded = median(deliver() for _ in range(DELIVERIES))
        added = _resident(process) - before
    yield ALONE, alone * 1000
    yield CROWDED, crowded * 1000
    yield GROWTH, crowded / alone
    yield EACH, max(added, 0) * 1024 / LimitSettings().connections


def _longest_beside_tiny_pieces(stage: Stage, secret: bytes) -> float:
    """Return the longest that a good delivery took while bodies came in pieces of a byte."""
    parts, done, longest = urlsplit(stage.daemon.url), threading.Event(), 0.0
    head = f"POST /external/jira/webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature: {WRONG}\r\n"
    sent = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"1\r\nx\r\n" * 40_000

    def peck() -> None:
        while not done.is_set():
            with suppress(OSError), socket.create_connection((parts.hostname, parts.port), timeout=5) as one:
                one.sendall(sent)
                one.recv(4096)

    with ThreadPoolExecutor(PECKERS) as pool:
        for _ in range(PECKERS):
            pool.submit(peck)
        try:
            ends = perf_counter() + PECKED_S
            for number in count():
                started = perf_counter()
                if started > ends:
                    break
                body = b'{"pecked": %d}' % number
                status = _send(stage, "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(), body)
                require(status == 200, f"a good delivery was answered {status}")
                longest = max(longest, perf_counter() - started)
        finally:
            done.set()
    return longest


def _flood(stage: Stage, signature: str, expected: set[int]) -> None:
    body = b"{}" + b" " * (LARGE - 2)
    with ThreadPoolExecutor(SENT) as pool:
        statuses = set(pool.map(lambda _: _send(stage, signature, body), range(SENT)))
    require(403 in statuses and statuses <= expected, f"a flood was answered {sorted(statuses)}")


def _send(stage: Stage, signature: str, body: bytes) -> int:
    headers = {"X-Hub-Signature": signature} if signature else {}
    address = f"{stage.daemon.url}/external/jira/webhook"
    return requests.post(address, data=body, headers=headers, timeout=60).status_code


def _peak(process: psutil.Process, work: Callable[[], None]) -> float:
    peak, done = _resident(process), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, _resident(process))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        work()
    finally:
        done.set()
        watching.join()
    return peak


def _settled(process: psutil.Process) -> float:
    """Return what a process keeps once nothing changes any more."""
    seen = [_resident(process)]

    def rests() -> bool:
        seen.append(_resident(process))
        return len(seen) > 200 and max(seen[-200:]) - min(seen[-200:]) < 0.5

    until(rests, within_s=SETTLED_S * 6)
    return seen[-1]


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss / MIB)
