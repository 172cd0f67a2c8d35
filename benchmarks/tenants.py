"""Many tenants: how soon a daemon with many organizations or integrations is ready, what it weighs, what each costs.

What one delivery on the shared address costs is measured with one, a hundred, a thousand and ten thousand integrations,
for the first, the middle and the last of them and for a delivery that nobody signed; each worst figure is told.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from threading import Event
from time import perf_counter
from typing import Any

import psutil
import requests
from pydantic import SecretStr
from ruamel.yaml import YAML

from benchmarks.figures import Figure, Reading, require
from connector_core.contract.models import Grant, Site
from connector_core.demo.daemon import Daemon
from connector_core.demo.stage import free_port
from connector_core.secrets import SecretBox
from connector_core.store import IntegrationRecord, IntegrationState, Origin, Store, grants, integrations
from connector_core.store.opening import open_store
from connector_jira_jsm_sandbox import JiraSandbox

WRITTEN = 1_000
MADE = 10_000
ORGANIZATIONS = 1_000
SIZES = (1, 100, 1_000, 10_000)
DELIVERIES = 200
RUNS = 3
TIMES = 5
SETTLED_S = 5.0
KEY = "a passphrase that is long enough"
PASSWORD = "a password of the console"
MIB = 1024 * 1024

FIRST = Figure(f"{WRITTEN:,} organizations in YAML, first start until /readyz", "s", 4)
AGAIN = Figure("… started again", "s", 4)
READY = Figure(f"{MADE:,} integrations made in set-up, start until /readyz", "s", 3)
IDLE = Figure("… the daemon, resident", "MiB", 250)
USED = Figure("… after each has had a delivery", "MiB", 250)
METRICS = Figure("… /metrics", "ms", 1000)
FRONT = Figure("… the console's first page", "ms", 1000)
STATUS = Figure("… connector status", "ms", 1000)
CHANGED = Figure("… first delivery after one of them was changed", "ms", 20)
CPU = {
    size: Figure(f"delivery on the shared address, integrations: {size:,}; processor time", "ms", 2) for size in SIZES
}
LOOP = {size: Figure(f"… of that the event loop, of {size:,}", "ms", 0.5) for size in SIZES}
NOBODY_CPU = {size: Figure(f"… one that nobody signed, of {size:,}; processor time", "ms") for size in SIZES}
NOBODY_LOOP = {size: Figure(f"… of that the event loop, nobody signed, of {size:,}", "ms") for size in SIZES}
OF_SIZES = tuple(each[size] for size in SIZES for each in (CPU, LOOP, NOBODY_CPU, NOBODY_LOOP))
FIGURES = (FIRST, AGAIN, READY, IDLE, USED, METRICS, FRONT, STATUS, CHANGED, *OF_SIZES)


@dataclass(frozen=True)
class Scale:
    """How large a measurement is; its figures have the names of the full one."""

    written: int = WRITTEN
    made: int = MADE
    sizes: Mapping[int, int] | None = None
    deliveries: int = DELIVERIES
    times: int = TIMES
    settled_s: float = SETTLED_S


FULL = Scale()


def measure(scale: Scale = FULL) -> Iterator[Reading]:
    """Start with organizations in the file, then with integrations in the database; then let deliveries come in."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _written(Path(folder), scale)
    with tempfile.TemporaryDirectory() as folder:
        yield from _made(Path(folder), scale)
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            many = size if scale.sizes is None else scale.sizes[size]
            yield from _deliveries(Path(folder), size, many, scale)


# In the file


def _written(folder: Path, scale: Scale) -> Iterator[Reading]:
    desk = JiraSandbox()
    desk.start()
    try:
        daemon = written(folder, scale.written, desk)
        for figure in (FIRST, AGAIN):
            yield figure, daemon.start()
            require(_integrations(daemon) == scale.written, "not all integrations of the file were taken over")
            daemon.stop()
    finally:
        desk.stop()


def written(folder: Path, many: int, desk: JiraSandbox) -> Daemon:
    """Write a configuration of many organizations, each with its platform and its helpdesk; return its daemon."""
    environ = {name: text for number in range(many) for name, text in _secrets(number, desk).items()}
    tree = {f"org-{number}": _organization(number, desk) for number in range(many)}
    return Daemon(*_configured(folder, tree), folder / "daemon.log", environ)


def _secrets(number: int, desk: JiraSandbox) -> dict[str, str]:
    return {
        f"XYTE_KEY_{number}": f"key-of-{number}-0123456789abcdef",
        f"WEBHOOK_{number}": secret_of(number),
        f"JIRA_TOKEN_{number}": desk.api_token,
    }


def _organization(number: int, desk: JiraSandbox) -> dict[str, Any]:
    """Return an organization as it is written: its platform answers nobody, its helpdesk does."""
    return {
        "name": f"Organization {number}",
        "source": {
            "plugin": "xyte",
            "organization_key": f"${{env:XYTE_KEY_{number}}}",
            "base_url": "http://127.0.0.1:9",
        },
        "integrations": {
            f"org-{number}-desk": {
                "plugin": "jira_jsm",
                **desk.integration_settings(),
                "webhook_secret": f"${{env:WEBHOOK_{number}}}",
                "site": desk.url,
                "email": desk.email,
                "api_token": f"${{env:JIRA_TOKEN_{number}}}",
            }
        },
    }


def _integrations(daemon: Daemon) -> int:
    """Count those that the daemon has."""
    rows = requests.get(f"{daemon.url}/metrics", timeout=60).text.splitlines()
    return sum(row.startswith("connector_webhook_missed{") for row in rows)


# In the database


def _made(folder: Path, scale: Scale) -> Iterator[Reading]:
    with _daemon(folder, scale.made, is_resting=False) as daemon:
        yield READY, daemon.start()
        Event().wait(scale.settled_s)
        yield IDLE, _resident(daemon)
        yield METRICS, median(_seconds(f"{daemon.url}/metrics", scale)) * 1000
        with requests.Session() as person:
            person.trust_env = False
            form = {"name": "admin", "password": PASSWORD}
            person.post(f"{daemon.url}/login", data=form, timeout=60).raise_for_status()
            yield FRONT, median(_seconds(f"{daemon.url}/", scale, person)) * 1000
        yield STATUS, median(_status_seconds(daemon) for _ in range(scale.times)) * 1000


def _seconds(url: str, scale: Scale, session: requests.Session | None = None) -> Iterator[float]:
    for _ in range(scale.times):
        began = perf_counter()
        answer = (session or requests).get(url, timeout=60)
        yield perf_counter() - began
        require(answer.ok, f"{url} answered {answer.status_code}")


def _status_seconds(daemon: Daemon) -> float:
    began = perf_counter()
    done = daemon.command("status")
    took_s = perf_counter() - began
    require(done.returncode == 0, f"connector status ended with {done.returncode}: {done.stderr[-300:]}")
    return took_s


def _deliveries(folder: Path, size: int, many: int, scale: Scale) -> Iterator[Reading]:
    """Send deliveries of the first, the middle and the last integration, and such as nobody signed."""
    with _daemon(folder, many, is_resting=True) as daemon, requests.Session() as session:
        session.trust_env = False
        daemon.start()
        sent = Sender(daemon, session)
        spent = [sent.many(place, scale.deliveries) for place in sorted({0, many // 2, many - 1})]
        yield CPU[size], max(cpu for cpu, _ in spent)
        yield LOOP[size], max(loop for _, loop in spent)
        cpu, loop = sent.many(None, scale.deliveries)
        yield NOBODY_CPU[size], cpu
        yield NOBODY_LOOP[size], loop
        if size == MADE:
            yield CHANGED, median(_after_change(folder, sent, many, number) for number in range(scale.times)) * 1000
            for place in range(many):
                sent.one(place)
            yield USED, _resident(daemon)


def _after_change(folder: Path, sent: Sender, many: int, number: int) -> float:
    """Change site and secrets of one integration, as another process does; time the next delivery of another."""
    place = many // 3
    store = open_store(folder / "connector.db", _box())
    try:
        store.grants.save(f"desk-{place}", _grant(place, name=f"renamed {number}"))
        secrets = (SecretStr(f"new secret {number}"), SecretStr(secret_of(place)))
        store.integrations.put(
            replace(_record(place, min(many, ORGANIZATIONS), is_resting=True), webhook_secrets=secrets)
        )
    finally:
        store.close()
    began = perf_counter()
    sent.one(many - 1)
    return perf_counter() - began


@dataclass
class Sender:
    """Sends deliveries one after the other, and sees what of the daemon's time they take."""

    daemon: Daemon
    session: requests.Session
    number: int = 0

    def many(self, place: int | None, times: int) -> tuple[float, float]:
        """Return milliseconds of processor time and of the event loop for each delivery of an integration."""
        for _ in range(max(1, times // 4)):  # a process that has just begun fills its caches
            self.one(place)
        runs = [self._run(place, times) for _ in range(RUNS)]
        return median(cpu for cpu, _ in runs), median(loop for _, loop in runs)

    def _run(self, place: int | None, times: int) -> tuple[float, float]:
        before, loop_before = self._spent()
        for _ in range(times):
            self.one(place)
        after, loop_after = self._spent()
        return (after - before) / times * 1000, (loop_after - loop_before) / times * 1000

    def one(self, place: int | None) -> None:
        """Send one delivery and see that it is answered as it should be."""
        answer = self.send(place)
        good = {403, 429} if place is None else {200}
        require(answer.status_code in good, f"a delivery of {place} was answered {answer.status_code}: {answer.text}")

    def send(self, place: int | None) -> requests.Response:
        """Send one delivery of an integration, or one that nobody signed."""
        self.number += 1
        site = "https://nobody.example.test" if place is None else _site(place).url
        body = _body(site)
        secret = "nobody's secret" if place is None else secret_of(place)
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
            "X-Atlassian-Webhook-Identifier": f"delivery-{self.number}",
        }
        return self.session.post(f"{self.daemon.url}/external/jira/webhook", data=body, headers=headers, timeout=60)

    def _spent(self) -> tuple[float, float]:
        """Return seconds of the daemon so far, and of the thread that serves."""
        process = psutil.Process(self.daemon.pid)
        times = process.cpu_times()
        serving = next(one for one in process.threads() if one.id == self.daemon.pid)
        return times.user + times.system, serving.user_time + serving.system_time


def _body(site: str) -> bytes:
    """Return a delivery of 8.5 KB about a ticket that nobody follows."""
    fields = {f"customfield_{10_000 + number}": None for number in range(100)}
    texts = {"summary": "Lobby display is offline", "updated": "2026-11-23T16:38:03.790+0800"}
    named = {
        "priority": {"id": "2", "name": "High", "self": f"{site}/rest/api/2/priority/2"},
        "status": {"id": "3", "name": "In Progress", "statusCategory": {"id": 4, "key": "indeterminate"}},
    }
    issue = {"id": "1", "key": "SUP-1", "self": f"{site}/rest/api/2/1", "fields": {**fields, **texts, **named}}
    issue["fields"]["description"] = "No heartbeat. " * 400
    return json.dumps({"timestamp": 1_790_000_000_000, "webhookEvent": "jira:issue_updated", "issue": issue}).encode()


# The database


@contextmanager
def _daemon(folder: Path, many: int, *, is_resting: bool) -> Iterator[Daemon]:
    """Fill a database with integrations and yield a daemon for it that is stopped afterwards."""
    organizations = min(many, ORGANIZATIONS)
    store = open_store(folder / "connector.db", _box())
    fill(store, many, organizations, is_resting=is_resting)
    store.close()
    tree = {f"org-{number}": {"name": f"Organization {number}"} for number in range(organizations)}
    daemon = Daemon(*_configured(folder, tree), folder / "daemon.log", dict(os.environ))
    try:
        yield daemon
    finally:
        daemon.stop()


def _configured(folder: Path, organizations: Mapping[str, Any]) -> tuple[Path, str]:
    """Write a configuration; return its path and the daemon's address."""
    port = free_port()
    tree = {
        "database": "sqlite:///connector.db",
        "secret_key": KEY,
        "server": {"port": port},
        "console": {"password": PASSWORD},
        "reconcile": {"every": "10m"},
        "organizations": dict(organizations),
    }
    path = folder / "connector.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(tree, file)
    return path, f"http://127.0.0.1:{port}"


def fill(store: Store, many: int, organizations: int, *, is_resting: bool = False) -> None:
    """Make integrations as set-up does, in one transaction; those that rest wait for a person and call nobody."""

    def make(db: Any) -> None:  # noqa: ANN401 - a connection
        for number in range(many):
            record = _record(number, organizations, is_resting=is_resting)
            integrations.put(db, store.database.box, record)
            grants.save(db, store.database.box, record.id, _grant(number))

    store.database.write(None, make)


def _record(number: int, organizations: int, *, is_resting: bool) -> IntegrationRecord:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return IntegrationRecord(
        id=f"desk-{number}",
        organization=f"org-{number % organizations}",
        plugin="jira_jsm",
        origin=Origin.SETUP,
        state=IntegrationState.ACTIVE,
        answers={"service_desk": "10", "request_type": "25", "close_status": "10002", "email": f"bot@{number}.example"},
        secret_answers={"api_token": SecretStr(f"token-of-{number}-0123456789")},
        webhook_secrets=(SecretStr(secret_of(number)),),
        created_at=at,
        activated_at=at,
        active_since=at,
        problem_code="authorization_needed" if is_resting else "",
        problem="Access has to be authorized." if is_resting else "",
    )


def _grant(number: int, name: str = "") -> Grant:
    site = _site(number).model_copy(update={"name": name} if name else {})
    token = SecretStr(f"Basic token-of-{number}")
    return Grant(headers={"Authorization": token}, account_name="Connector", sites=(site,), site=site)


def _site(number: int) -> Site:
    """Return a site of its own for each integration; nobody listens there."""
    return Site(id=f"site-{number}", url=f"http://127.1.{number // 256}.{number % 256}:9", name=f"Site {number}")


def secret_of(number: int) -> str:
    """Return the secret that the webhook of an integration signs with."""
    return f"webhook-secret-of-{number}-0123456789"


def _box() -> SecretBox:
    return SecretBox([SecretStr(KEY)])


def _resident(daemon: Daemon) -> float:
    resident: int = psutil.Process(daemon.pid).memory_info().rss
    return resident / MIB
