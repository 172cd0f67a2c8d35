"""What the kill and fault campaigns share: a stage, random edits on both sides, and waiting for quiet.

Every incident has a number, and every title ever given to it or its ticket begins with that number.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import requests
from prometheus_client.parser import text_string_to_metric_families

from connector_core.demo.stage import Stage, sandbox_plugin, until
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.plugins import load_plugins

LONG = os.environ.get("CONNECTOR_CAMPAIGN") == "long"
PRIORITIES = {"Highest": "critical", "High": "high", "Medium": "moderate", "Low": "low", "Lowest": "planning"}
MOST_OPEN = 12
RECENT = 40
MOST_WAITING = 40  # more than that, and a slow machine would only fall behind further


@contextmanager
def opened_stage(
    folder, *, settings="engine: {changes_per_minute: 10000}", prepare=lambda _: None, authorized=True, **options
) -> Iterator[Stage]:
    """Open a stage with more settings at the end of its file, prepared before it starts; close it in any case.

    A daemon that still runs is ended as by a power cut, which is quicker than an orderly stop.
    """
    stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), folder, port=port_of_our_own(), **options)
    stage.config_path.write_text(f"{stage.config_path.read_text()}{settings}\n")
    prepare(stage)
    try:
        (stage.open if authorized else stage.open_unauthorized)()
        yield stage
    finally:
        stage.daemon.kill()
        stage.close()


@dataclass
class Subject:
    """One incident and what was done to it: by field, who changed it to what, in order.

    `too_late` holds the fields that were edited on a ticket that was finished: such an edit is synced when its webhook
    comes, but when that is lost nobody looks for it.
    """

    incident: str
    edits: dict[str, list[tuple[str, str]]]
    was_reopened: bool = False
    too_late: set[str] = field(default_factory=set)

    def last_if_one_sided(self, name: str) -> str | None:
        """Return the last value of a field that only one side changed after the opening; None otherwise."""
        sides = {side for side, _ in self.edits[name][1:]}
        return self.edits[name][-1][1] if len(sides) < 2 else None


class Traffic:
    """A platform and agents that change things at random, each in a thread of its own."""

    def __init__(self, stage, seed, *, pause_s) -> None:
        self.subjects: dict[int, Subject] = {}
        self._stage = stage
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._failures: list[BaseException] = []
        acts = {"platform": self._on_platform, "agents": self._on_tickets}
        self._threads = [
            threading.Thread(target=self._run, args=[act, random.Random(f"{seed} {name}")], name=name)
            for name, act in acts.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """End, and fail if anything unexpected happened."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    @property
    def edits(self):
        """Count what was done."""
        return sum(len(done) for subject in self.subjects.values() for done in subject.edits.values())

    def _run(self, act, chance):
        try:
            while not self._ending.wait(chance.uniform(0, 2 * self._pause_s)):
                if self._stage.platform.waiting < MOST_WAITING:
                    act(chance)
        except Exception as exc:  # noqa: BLE001 - told when the traffic is stopped
            self._failures.append(exc)

    def _on_platform(self, chance):
        platform = self._stage.platform
        recent = list(self.subjects.items())[-RECENT:]
        live = [(n, s) for n, s in recent if platform.incident(s.incident)["status"] == "active"]
        what = chance.choices(["open", "title", "priority", "resolve"], [3, 3, 3, 2])[0]
        if not live or (what == "open" and len(live) < MOST_OPEN):
            self._open(chance)
            return
        number, subject = chance.choice(live)
        if what == "title":
            self._note(subject, "title", "platform", title := _title(number, chance))
            platform.change(subject.incident, title=title)
        elif what == "priority":
            self._note(subject, "priority", "platform", priority := chance.choice([*PRIORITIES.values()]))
            platform.change(subject.incident, priority=priority)
        else:
            self._note(subject, "status", "platform", "closed")
            platform.resolve(subject.incident)

    def _open(self, chance):
        number = len(self.subjects) + 1
        title, priority = _title(number, chance), chance.choice([*PRIORITIES.values()])
        incident = self._stage.platform.open(title, priority=priority, description=f"about {number}")
        first = {"title": title, "priority": priority, "description": f"about {number}", "status": "open"}
        self.subjects[number] = Subject(incident, {name: [("platform", value)] for name, value in first.items()})

    def _on_tickets(self, chance):
        sandbox = self._stage.sandbox
        tickets = sandbox.tickets()[-RECENT:]
        what = chance.choices(["title", "priority", "description", "finish", "reopen"], [3, 3, 2, 2, 1])[0]
        fitting = [ticket for ticket in tickets if ticket["done"] == (what == "reopen")]
        if not fitting:
            return
        ticket = chance.choice(fitting)
        subject = self.subjects.get(number_of(ticket["title"]))
        if subject is None:  # the thread that opened it has not noted it yet
            return
        if what == "finish":
            self._note(subject, "status", "agents", "closed")
            sandbox.finish_ticket(ticket["id"])
        elif what == "reopen":
            subject.was_reopened = True
            sandbox.reopen_ticket(ticket["id"])
        elif what == "priority":
            name = chance.choice([*PRIORITIES])
            if sandbox.ticket(ticket["id"])["priority"] == name:  # nobody can tell that it was chosen again
                return
            self._note(subject, "priority", "agents", PRIORITIES[name])
            sandbox.edit_ticket(ticket["id"], priority=name)
        else:
            text = _title(number_of(ticket["title"]), chance)
            self._note(subject, what, "agents", text)
            sandbox.edit_ticket(ticket["id"], **{what: text})
        if what in subject.edits and sandbox.ticket(ticket["id"])["done"]:  # closed by the connector meanwhile
            subject.too_late.add(what)

    def _note(self, subject, name, side, value):
        with self._lock:
            subject.edits[name].append((side, value))


def report(capsys, line: str) -> None:
    """Print a campaign's one line past the capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


def push(stage, event: str, kind: str = "incident.opened", **incident) -> requests.Response:
    """Send one signed event to the daemon, past the sample platform."""
    now = datetime.now(UTC)
    whole = {"opened_at": now.isoformat(), "status": "active", "priority": "low", **incident}
    body = json.dumps({"id": event, "type": kind, "occurred_at": now.isoformat(), "incident": whole}).encode()
    headers = sign(signing_keys(stage.environ["DEMO_EVENTS_SECRET"]), event, now, body)
    return requests.post(stage.platform.events_url, data=body, headers=headers, timeout=20)


def number_of(title: str) -> int:
    """Read an incident's number from any title that it ever had."""
    return int(title.split(maxsplit=1)[0].removeprefix("N"))


def wait_until_quiet(stage, *, within_s) -> float:
    """Wait until nothing moves any more on either side; return after how many seconds."""
    calls = [-1]

    def quiet():
        if stage.platform.waiting or not stage.sandbox.wait_for_deliveries(0) or busy_lanes(stage):
            return False
        before, calls[0] = calls[0], stage.sandbox.call_count() + len(stage.platform.changes)
        return before == calls[0]

    try:
        return until(quiet, within_s=within_s)
    except TimeoutError:
        links = failed_links(stage)
        raise TimeoutError(
            f"not quiet: {stage.platform.waiting} events waiting, lanes {figures(stage, 'connector_lanes')}, {links}"
        ) from None


def busy_lanes(stage) -> float:
    """Return how many lanes are due, worked on or parked."""
    return sum(figures(stage, "connector_lanes").values())


def figures(stage, name: str) -> Counter[tuple[str, ...]]:
    """Read one gauge of the daemon, by its labels' values; those it has not shown yet are 0."""
    text = requests.get(f"{stage.daemon.url}/metrics", timeout=10).text
    return Counter(
        {
            tuple(sample.labels.values()): int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }
    )


def failed_links(stage) -> list[dict]:
    """List the links that do not go on by themselves."""
    return json.loads(stage.daemon.command("links", "--failed", "--json").stdout)


def _title(number: int, chance) -> str:
    return f"N{number} {chance.randrange(16**6):06x}"


def port_of_our_own() -> int:
    """Choose a port that nobody gets by asking for any: it must be free again after every kill."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
