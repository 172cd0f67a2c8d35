"""`make soak`: half an hour of mixed load, after which memory, descriptors and threads are what they were before.

Incidents open, change and end at three sites, one of which answers slowly now and then; signed, forged and broken
deliveries come in, people look at pages, Prometheus scrapes, and connections are opened and left alone. Ends with 1
when something grew, or was lost.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import random
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

import psutil
import requests

from benchmarks.events import signed_event
from benchmarks.figures import PartFailed, require
from benchmarks.sites import Site, Sites, open_sites
from connector_core.demo.stage import until
from connector_core.http_source.signatures import sign

SECRET = "signed with this"
NAMES = ("a", "b", "slow")
SAMPLE_S = 5.0
SLOW_S = 5.0
LEFT_ALONE = 40


@dataclass(frozen=True)
class Sample:
    """What the daemon takes at one moment."""

    memory_mib: float
    descriptors: int
    threads: int


TAKEN: dict[str, Callable[[Sample], float]] = {
    "memory, MiB": lambda one: one.memory_mib,
    "descriptors": lambda one: one.descriptors,
    "threads": lambda one: one.threads,
}
#: What the last third may have more than the middle one, by what that has.
MORE: dict[str, Callable[[float], float]] = {
    "memory, MiB": lambda before: before / 10,
    "descriptors": lambda _: 8,
    "threads": lambda _: 4,
}


@dataclass
class Tally:
    """What was sent, and what came of it."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Count one."""
        self.counts[what] = self.counts.get(what, 0) + 1


def run(minutes: float) -> tuple[list[Sample], Tally]:
    """Load a daemon; return what it took all the while.

    Raises:
        PartFailed: something was not answered as it should be, or an incident has no request in the end.
    """
    tally = Tally()
    with open_sites(*NAMES, webhook_secret=SECRET) as sites, _loading(sites, tally):
        samples = list(_samples(sites, minutes * 60))
    return samples, tally


@contextmanager
def _loading(sites: Sites, tally: Tally) -> Iterator[None]:
    stop = Event()
    chance = random.Random(14)  # noqa: S311 - a load that can be repeated
    left_alone = _LeftAlone(sites, tally)
    works: list[tuple[float, Callable[[], None]]] = [
        (0.2, _Incidents(sites, tally, chance)),
        (0.05, lambda: _deliver(sites, tally, SECRET, 200)),
        (0.2, lambda: _deliver(sites, tally, "nobody's", 403)),
        (1.0, lambda: _look(sites, tally, chance)),
        (5.0, left_alone),
        (30.0, _Slow(sites.sites["slow"])),
    ]
    threads = [Thread(target=_repeat, args=(every, act, stop, tally), daemon=True) for every, act in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        left_alone.close()
    sites.sites["slow"].recover()
    require(not tally.failures, f"{len(tally.failures)} failures, such as: {tally.failures[:3]}")
    until(lambda: not _waiting(sites), within_s=300)


def _repeat(every_s: float, act: Callable[[], None], stop: Event, tally: Tally) -> None:
    while not stop.wait(every_s):
        try:
            act()
        except (requests.RequestException, OSError, PartFailed) as exc:
            tally.failures.append(f"{type(exc).__name__}: {exc}")


class _Incidents:
    """Opens, changes and ends incidents."""

    def __init__(self, sites: Sites, tally: Tally, chance: random.Random) -> None:
        self._sites, self._tally, self._chance = sites, tally, chance
        self._open: list[tuple[str, str]] = []
        self._number = 0

    def __call__(self) -> None:
        self._number += 1
        if len(self._open) > 100 or (self._open and self._chance.random() < 0.5):
            chosen = self._chance.randrange(len(self._open))
            kind = self._chance.choice(["updated", "updated", "resolved"])
            self._send(*(self._open.pop(chosen) if kind == "resolved" else self._open[chosen]), kind)
            return
        site, incident = self._chance.choice(NAMES), f"soak-{self._number}"
        self._open.append((site, incident))
        self._send(site, incident, "opened")

    def _send(self, site: str, incident: str, kind: str) -> None:
        headers, body = signed_event(self._sites.keys, incident)
        if kind != "opened":
            told = json.loads(body)
            self._number += 1
            told |= {"id": f"{kind}-{incident}-{self._number}", "type": f"incident.{kind}"}
            told["incident"]["title"] = f"{incident} {kind}"
            body = json.dumps(told).encode()
            headers = dict(sign(self._sites.keys, told["id"], datetime.now(UTC), body))
        answer = requests.post(self._sites.events_url(site), data=body, headers=headers, timeout=30)
        require(answer.status_code == requests.codes.ok, f"an event was answered {answer.status_code}")
        self._tally.note(kind)


def _deliver(sites: Sites, tally: Tally, secret: str, status: int) -> None:
    """Send a delivery about a ticket that nobody follows."""
    tally.note(f"delivery {status}")
    number = tally.counts[f"delivery {status}"]
    name = NAMES[number % len(NAMES)]
    url = sites.sites[name].url
    issue = {"id": f"9{number}", "key": f"SUP-9{number}", "self": f"{url}/rest/api/2/issue/9{number}", "fields": {}}
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": issue, "pad": "x" * 5000}).encode()
    signature = hmac.new(f"{secret}-{name}".encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature": f"sha256={signature}", "X-Atlassian-Webhook-Identifier": f"{secret}-{number}"}
    answer = requests.post(f"{sites.daemon.url}/external/jira/webhook", data=body, headers=headers, timeout=30)
    require(answer.status_code in {status, 429 if status != requests.codes.ok else status}, f"{answer.status_code}")


def _look(sites: Sites, tally: Tally, chance: random.Random) -> None:
    page = chance.choice(["", "metrics", "healthz", "readyz", "links", "nothing-here"])
    answer = requests.get(f"{sites.daemon.url}/{page}", timeout=30)
    require(answer.status_code < requests.codes.server_error, f"/{page} was answered {answer.status_code}")
    tally.note("page")


class _LeftAlone:
    """Opens connections, says the beginning of something or nothing, and leaves them alone."""

    def __init__(self, sites: Sites, tally: Tally) -> None:
        self._address = (urlsplit(sites.daemon.url).hostname or "", urlsplit(sites.daemon.url).port or 0)
        self._tally = tally
        self._open: list[socket.socket] = []

    def __call__(self) -> None:
        for number in range(LEFT_ALONE // 10):
            one = socket.create_connection(self._address, timeout=10)
            if number % 2:
                one.sendall(b"POST /external/jira/webhook HTTP/1.1\r\nHost: x\r\nContent-Le")
            self._open.append(one)
            self._tally.note("connection left alone")
        self.close(LEFT_ALONE)

    def close(self, but: int = 0) -> None:
        """Close them, the oldest first, but for so many."""
        while len(self._open) > but:
            self._open.pop(0).close()


class _Slow:
    """Makes a site slow, and quick again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._is_slow = False

    def __call__(self) -> None:
        if self._is_slow:
            self._site.recover()
        else:
            self._site.slow_down(SLOW_S)
        self._is_slow = not self._is_slow


def _samples(sites: Sites, seconds: float) -> Iterator[Sample]:
    process = psutil.Process(sites.daemon.pid)
    ends_at = monotonic() + seconds
    while monotonic() < ends_at:
        Event().wait(min(SAMPLE_S, seconds / 30))
        with process.oneshot():
            memory = process.memory_info().rss / 1024 / 1024
            yield Sample(memory, process.num_fds(), process.num_threads())


def _waiting(sites: Sites) -> int:
    with closing(sqlite3.connect(sites.folder / "connector.db")) as db:
        without = "SELECT COUNT(*) FROM link WHERE ticket_id IS NULL"
        behind = "SELECT COUNT(*) FROM lane WHERE due_at IS NOT NULL OR boot IS NOT NULL"
        return int(db.execute(f"SELECT ({without}) + ({behind})").fetchone()[0])


def growth(samples: list[Sample]) -> list[str]:
    """Say what the last third has more of than the middle one, beyond what comes and goes."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    grown = []
    for name, take in TAKEN.items():
        before, after = (median(map(take, part)) for part in (middle, last))
        if after - before > MORE[name](before):
            grown.append(f"{name}: {before:.1f} → {after:.1f}")
    return grown


def _told(samples: list[Sample]) -> Iterator[str]:
    third = len(samples) // 3
    for name, take in TAKEN.items():
        parts = (samples[:third], samples[third : 2 * third], samples[2 * third :])
        figures = (f"{median(map(take, part)):.1f}" for part in parts)
        most = max(map(take, samples))
        yield f"{name}: {' → '.join(figures)} (medians of the thirds), at most {most:.1f}"


def main() -> int:
    """Run as long as was chosen, and say what it came to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    try:
        samples, tally = run(minutes)
    except (PartFailed, TimeoutError) as exc:
        print(f"failed: {exc}")
        return 1
    sent = ", ".join(f"{what} {number:,}" for what, number in sorted(tally.counts.items()))
    print(f"{minutes:g} minutes, {len(samples)} samples: {sent}")
    print("\n".join(_told(samples)))
    grown = growth(samples)
    print(f"grew: {'; '.join(grown)}" if grown else "nothing grew")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
