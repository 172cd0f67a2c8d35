"""Several daemons over one PostgreSQL: lanes a second, how soon they start, shares, quotas; and intake beside SQLite's.

Lanes are run by nodes as processes that do all of the connector's own work for a write, and call nobody. Events and
webhooks are taken by whole daemons, one on each database, loaded in turn.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from threading import Event
from time import perf_counter, time

from pydantic import SecretStr

from benchmarks import intake, wrk
from benchmarks.events import signed_event
from benchmarks.figures import Figure, Reading, quantile, require
from benchmarks.processes import serving
from connector_core import EventType, Incident, IncidentEvent
from connector_core.contract.comment_rules import CommentRules
from connector_core.databases import PostgreSQL
from connector_core.demo.stage import ORGANIZATION, Stage, sandbox_plugin, until
from connector_core.http_source.signatures import signing_keys
from connector_core.plugins import load_plugins
from connector_core.secrets import SecretBox, generate_key
from connector_core.store import IntegrationRecord, IntegrationState, Origin, Store, Target
from connector_core.store.opening import open_store
from connector_core.store.presence import News
from tests.support.postgres import OwnServer, own_server
from tools.need import NEEDS

NODES = 3
WORKERS, SHARE = 16, 4
CALL_S = 0.05
QUOTA = 18  # writes a second that Atlassian allows one app at one site
APPS = 20
CONNECTIONS = 64
#: What a server does unless it is told not to, as those of tests are: it looks at tables to plan by, and cleans them.
AS_INSTALLED = "autovacuum = on\nautovacuum_naptime = 5s\n"

ONE = Figure("lanes through one node", "/s")
THREE = Figure("… three nodes", "/s")
SCALE = Figure("… multiple of one", "times")
START = Figure("wake to start, three nodes, median", "ms")
START_99 = Figure("… 99 %", "ms")
QUIET = Figure("a quiet integration's lane beside 10,000 busy ones waits, median", "ms", 250)
HOT = Figure("one lane, woken again when it has run", "/s")
AT_ONCE = Figure(f"lanes of one integration at once over three nodes, share {SHARE}", "lanes", SHARE)
WRITES = Figure(f"writes of {APPS} apps, {CALL_S * 1000:.0f} ms a call, three nodes", "/s", QUOTA * APPS, at_least=True)
EVENTS = Figure("events stored by one node", "/s")
EVENTS_SHARE = Figure("… share of SQLite's", "%")
WEBHOOKS = Figure("webhooks of 10 KB stored by one node", "/s")
WEBHOOKS_SHARE = Figure("… share of SQLite's webhooks", "%")
FIGURES = (
    *(ONE, THREE, SCALE, START, START_99, QUIET, HOT, AT_ONCE, WRITES),
    *(EVENTS, EVENTS_SHARE, WEBHOOKS, WEBHOOKS_SHARE),
)


@dataclass(frozen=True)
class Size:
    """How much is done."""

    lanes: int = 3000
    wakes: int = 600
    wakes_a_second: float = 50.0
    busy: int = 10_000
    quiet: int = 30
    hot: int = 300
    shared: int = 400
    writes_s: float = 20.0
    seconds: float = 4.0
    rounds: int = 3
    events: int = 20_000


@dataclass(frozen=True)
class Ran:
    """One run of a lane."""

    integration: str
    link: int
    began: float
    ended: float


class Lanes:
    """A database with integrations whose lanes nodes run."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self.key = url, folder, generate_key()
        self.store: Store = open_store(PostgreSQL(url), SecretBox([SecretStr(self.key)]))
        self._files = 0
        together = self.store.database.together()
        assert together is not None
        self._signals = together.signals
        self._signals.start("bench", lambda _: None)

    def add(self, integration: str, lanes: int, *, organization: str = "bench") -> None:
        """Make an integration with so many lanes at rest."""
        now = self.store.database.clock().now()
        record = IntegrationRecord(
            id=integration,
            organization=organization,
            plugin="bench",
            rules={},
            comments=CommentRules(),
            origin=Origin.SETUP,
            state=IntegrationState.ACTIVE,
            answers={},
            secret_answers={},
            webhook_secrets=(),
            created_at=now,
            activated_at=now,
        )
        self.store.integrations.put(record)
        names = [f"{integration}-{number}" for number in range(lanes)]
        for first in range(0, lanes, 500):
            events = [
                IncidentEvent(id=name, type=EventType.OPENED, occurred_at=now, incident=Incident(id=name, title="Off"))
                for name in names[first : first + 500]
            ]
            self.store.inbox.accept_events(organization, events, [Target(integration, {}, now)], now).result()
        self.sql("UPDATE lane SET due_at = NULL WHERE integration_id = ?", integration)

    def sql(self, statement: str, *values: object) -> None:
        """Change rows by hand."""
        self.store.database.write(None, lambda db: db.execute(statement, values))

    def wake_all(self, integration: str) -> None:
        """Have every lane of an integration that is at rest be due; the name may be a pattern."""
        now = self.store.database.clock().now().timestamp()
        at_rest = "boot IS NULL AND due_at IS NULL AND integration_id LIKE ?"
        self.sql(f"UPDATE lane SET due_at = ?, wakes = wakes + 1 WHERE {at_rest}", now, integration)  # noqa: S608 - as above

    def links(self, integration: str) -> list[int]:
        """Return the links of an integration."""
        rows = self.store.database.read(
            lambda db: db.execute("SELECT link_id FROM lane WHERE integration_id = ?", (integration,)).fetchall()
        )
        return [row[0] for row in rows]

    def wake(self, link: int) -> None:
        """Wake one lane, and tell all nodes as whoever takes an event does."""
        self.store.lanes.wake(link, self.store.database.clock().now())
        self._signals.tell(News.LANES)

    def close(self) -> None:
        """Let go of the database."""
        self._signals.stop()
        self.store.close()

    @contextmanager
    def nodes(self, count: int, *, call_s: float = 0.0, share: int = WORKERS) -> Iterator[Path]:
        """Run nodes, and give the file in which they note what they ran."""
        self._files += 1
        runs = self.folder / f"runs-{self._files}"
        runs.touch()
        arguments = (self.url, self.key, str(runs), str(call_s), str(WORKERS), str(share))
        with ExitStack() as stack:
            for number in range(count):
                log = self.folder / f"node-{self._files}-{number}.log"
                stack.enter_context(serving("benchmarks.cluster_node", *arguments, log=log))
            yield runs


def measure(size: Size | None = None) -> Iterator[Reading]:
    """Measure each on a server of its own that writes everything through to the disk."""
    size = size or Size()
    require(NEEDS["postgresql"].find(), NEEDS["postgresql"].advice)
    with own_server(fsync=True, settings=AS_INSTALLED) as server, tempfile.TemporaryDirectory() as folder:
        lanes = Lanes(server.url, Path(folder))
        try:
            yield from _throughput(lanes, size)
            yield from _waits(lanes, size)
            yield AT_ONCE, _at_once(lanes, size)
            yield WRITES, _writes(lanes, size)
        finally:
            lanes.close()
        yield from _intake(server, size)


def _throughput(lanes: Lanes, size: Size) -> Iterator[Reading]:
    for number in range(APPS):
        lanes.add(f"many-{number}", size.lanes // APPS, organization=f"org-{number}")
    rates: dict[int, list[float]] = defaultdict(list)
    for count in (1, NODES) * max(1, size.rounds // 2):
        with lanes.nodes(count, share=SHARE) as runs:
            lanes.wake_all("many-%")
            wanted = size.lanes // APPS * APPS
            until(lambda runs=runs, wanted=wanted: len(_ran(runs)) >= wanted, within_s=600)  # type: ignore[misc]
            ran = _ran(runs)
        rates[count].append(len(ran) / (max(one.ended for one in ran) - min(one.began for one in ran)))
    yield ONE, median(rates[1])
    yield THREE, median(rates[NODES])
    yield SCALE, median(rates[NODES]) / median(rates[1])


def _waits(lanes: Lanes, size: Size) -> Iterator[Reading]:
    lanes.add("busy", size.busy, organization="busy")
    lanes.add("quiet", 1, organization="quiet")
    links = [link for number in range(APPS) for link in lanes.links(f"many-{number}")]
    chance = Random(1)  # noqa: S311 - which lanes are woken
    with lanes.nodes(NODES) as runs:
        waits = []
        for link in chance.sample(links, min(size.wakes, len(links))):
            waits.append(_woken(lanes, runs, link))
            Event().wait(1 / size.wakes_a_second)
        yield START, median(waits) * 1000
        yield START_99, quantile(waits, 0.99) * 1000
        (hot,) = lanes.links("quiet")
        started = perf_counter()
        for _ in range(size.hot):
            _woken(lanes, runs, hot)
        rate = size.hot / (perf_counter() - started)
    with lanes.nodes(NODES, call_s=CALL_S, share=SHARE) as runs:
        lanes.wake_all("busy")
        until(lambda: _ran(runs), within_s=60)
        waits = []
        for _ in range(size.quiet):
            waits.append(_woken(lanes, runs, hot))
            Event().wait(0.1)
        done = sum(one.integration == "busy" for one in _ran(runs))
        require(0 < done < size.busy, f"{done} of {size.busy} busy lanes had run when the quiet one was measured")
    lanes.sql("UPDATE lane SET due_at = NULL WHERE integration_id = 'busy'")
    yield QUIET, median(waits) * 1000
    yield HOT, rate


def _woken(lanes: Lanes, runs: Path, link: int) -> float:
    """Wake a lane that is at rest; return after how many seconds it began to run."""
    before, at = sum(one.link == link for one in _ran(runs)), time()
    lanes.wake(link)
    found: list[Ran] = []

    def has_run() -> bool:
        found[:] = [one for one in _ran(runs) if one.link == link][before:]
        return bool(found)

    until(has_run, within_s=60)
    return found[0].began - at


def _at_once(lanes: Lanes, size: Size) -> float:
    """Return how many lanes of one integration ran at the same time at most."""
    lanes.add("shared", size.shared, organization="shared")
    with lanes.nodes(NODES, call_s=CALL_S, share=SHARE) as runs:
        lanes.wake_all("shared")
        until(lambda: len(_ran(runs)) >= size.shared, within_s=300)
        ran = _ran(runs)
    moments = sorted([(one.began, 1) for one in ran] + [(one.ended, -1) for one in ran])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    require(most >= SHARE, f"only {most} lanes ran at once, where {SHARE} may")
    return most


def _writes(lanes: Lanes, size: Size) -> float:
    """Return how many writes a second are carried while each of many apps has always something to do."""
    lanes.wake_all("many-%")
    with lanes.nodes(NODES, call_s=CALL_S, share=SHARE) as runs:
        until(lambda: _ran(runs), within_s=60)
        ends_at = perf_counter() + size.writes_s
        before, started = len(_ran(runs)), perf_counter()
        while perf_counter() < ends_at:
            Event().wait(0.5)
            lanes.wake_all("many-%")
        return (len(_ran(runs)) - before) / (perf_counter() - started)


def _intake(server: OwnServer, size: Size) -> Iterator[Reading]:
    """Load a daemon on each database in turn; what was acknowledged has to be stored."""
    for kind, rate, share in (("webhooks", WEBHOOKS, WEBHOOKS_SHARE), ("events", EVENTS, EVENTS_SHARE)):
        # An event of an integration that is not authorized is stored, and no ticket is made of it beside the others.
        url, is_open = server.server.make(kind).url, kind == "webhooks"
        rates: dict[str, list[float]] = defaultdict(list)
        with _stage(url, is_open=is_open) as shared, _stage("sqlite:///connector.db", is_open=is_open) as alone:
            stages = {"postgresql": shared, "sqlite": alone}
            for number in range(size.rounds):
                for name, stage in stages.items():
                    load = _webhooks if kind == "webhooks" else _events
                    rates[name].append(load(stage, f"{name}-{number}", size))
        yield rate, median(rates["postgresql"])
        pairs = zip(rates["postgresql"], rates["sqlite"], strict=True)
        yield share, median(one / other for one, other in pairs) * 100


def _webhooks(stage: Stage, prefix: str, size: Size) -> float:
    """Send webhooks of a ticket that nobody follows; return how many a second."""
    receiver, delivery = _receiver(prefix, stage), _delivery(stage)
    intake.check(receiver, delivery)
    before = receiver.done()
    arguments = (str(delivery.file), delivery.signature, prefix)
    load = wrk.send(receiver.url, "webhook.lua", *arguments, connections=CONNECTIONS, seconds=size.seconds)
    intake.check_done(receiver, load.answered, receiver.done() - before)
    return load.per_second


def _events(stage: Stage, prefix: str, size: Size) -> float:
    """Send events, each of an incident of its own; return how many a second."""
    file = stage.config_path.with_name(f"{prefix}.tsv")
    keys = signing_keys(stage.environ["DEMO_EVENTS_SECRET"])
    with file.open("w") as written:
        for number in range(size.events):
            headers, body = signed_event(tuple(keys), f"{prefix}-{number}")
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            written.write("\t".join((*(headers[name] for name in names), body.decode())) + "\n")
    before, url = _count(stage, "event"), f"{stage.daemon.url}/v1/sources/{ORGANIZATION}/events"
    load = wrk.send(url, "events.lua", str(file), connections=CONNECTIONS, seconds=size.seconds)
    require(load.answered < size.events, f"there were only {size.events} events to send")
    require(_count(stage, "event") - before >= load.answered, "an acknowledged event is not stored")
    return load.per_second


@contextmanager
def _stage(database: str, *, is_open: bool) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(sandbox_plugin(load_plugins(), "jira_jsm"), Path(folder), database=database)
        try:
            (stage.open if is_open else stage.open_unauthorized)()
            yield stage
        finally:
            stage.close()


def _receiver(name: str, stage: Stage) -> intake.Receiver:
    answer = {"accepted": 0, "duplicate": 0, "ignored": 1}
    url = f"{stage.daemon.url}/external/jira/webhook"
    return intake.Receiver(name, url, answer, lambda: _count(stage, "delivery"))


def _delivery(stage: Stage) -> intake.Delivery:
    return intake.write_delivery(stage.config_path.parent, stage.environ["DEMO_WEBHOOK_SECRET"])


def _count(stage: Stage, table: str) -> int:
    with stage.opened_store() as store:
        found: int = store.database.read(lambda db: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours
    return found


def _ran(runs: Path) -> Sequence[Ran]:
    """Read what nodes noted; the last line may be under way."""
    lines = (line.split() for line in runs.read_text().splitlines(keepends=True) if line.endswith("\n"))
    return [Ran(one[0], int(one[1]), float(one[2]), float(one[3])) for one in lines]
