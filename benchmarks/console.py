"""How quick and how light the pages of the console are: on the demo's database, and with very many links."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import requests
import structlog

from benchmarks.figures import Figure, Reading, quantile, require
from benchmarks.stages import unopened_stage
from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.contract.models import Device, EventType, Incident, IncidentEvent, Location, Priority
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage
from connector_core.demo.story import tell
from connector_core.local_server import LocalServer
from connector_core.logs import configure_logging
from connector_core.registry.answers import link_settings
from connector_core.store import Target
from connector_core.web.server import build_web

MANY = 100_000
ENTRIES_EACH = 9  # beside the first, of each link: a million in all
AT_ONCE = 2_000
OTHERS, DAYS = 100, 30  # integrations beside the one, each busy in every hour of so many days
TIMES = 15
PAGES = {
    "/": "/",
    "/links": "/links",
    "/links?q=sensor+silent": "/links?q=sensor+silent",
    "/links?q=nowhere": "/links?q=nowhere",
    "/links?sort=updated": "/links?sort=updated&state=in_sync&open=open",
    "/links?sort=priority": "/links?sort=priority&place=hall+7&from=500",
    "/activity": "/activity",
    "/activity?person=…": "/activity?kind=people&person=nobody",
    "/unfinished": "/unfinished",
    "/overview": "/overview",
    "/overview?period=7d": "/overview?period=7d",
    "/overview?period=30d": "/overview?period=30d",
    "/overview?integration=…": f"/overview?period=30d&integration={INTEGRATION}",
    "/integrations/…": f"/integrations/{INTEGRATION}",
    "/links/…": "",  # the first link that the list shows
}
LISTED = re.compile(r'href="(/links/\d+)"')
# Whether a page lists links, so that it is not another one that is timed, or a search that looks for nothing.
LISTS = {"/links": True, "/links?q=sensor+silent": True, "/links?q=nowhere": False}

DEMO = Figure(f"slowest of {len(PAGES)} pages, the demo's database, median", "ms", 50)
WEIGHT = Figure("heaviest page with all that it loads", "KB", 100)
SEARCH = Figure(f"slower of two searches, {MANY:,} links, median", "ms", 150)
OVERVIEW = Figure(f"slowest overview, {MANY:,} links, {OTHERS} busy integrations, median", "ms", 150)
LARGE = Figure(f"slowest of the other pages, {MANY:,} links, median", "ms", 150)
FIGURES = (DEMO, WEIGHT, SEARCH, OVERVIEW, LARGE)


def measure() -> Iterator[Reading]:
    """Measure every page twice: through the daemon, and in this process where nothing works on the links."""
    configure_logging("error")
    with unopened_stage() as stage:
        stage.open()
        list(tell(stage))
        pages = _pages(stage, stage.daemon.url)
        yield DEMO, max(took_s for took_s, _ in pages.values()) * 1000
        yield WEIGHT, max(weight for _, weight in pages.values()) / 1000
        stage.daemon.stop()
        config, plugins = read_config(stage.config_path, environ=stage.environ)
        app = build_app(config, plugins, log=structlog.get_logger("benchmark"))
        server = LocalServer(build_web(app))
        server.start()
        try:
            _fill(app)
            pages = _pages(stage, server.url)
            yield SEARCH, max(took_s for name, (took_s, _) in pages.items() if "?q=" in name) * 1000
            yield OVERVIEW, max(took_s for name, (took_s, _) in pages.items() if "/overview" in name) * 1000
            yield LARGE, max(took_s for name, (took_s, _) in pages.items() if "?q=" not in name) * 1000
        finally:
            server.stop()
            app.store.close()


def _pages(stage: Stage, base: str) -> dict[str, tuple[float, int]]:
    """Return how long each page takes in the median and what it weighs."""
    session = requests.Session()
    session.trust_env = False
    form = {"name": "admin", "password": stage.environ["DEMO_CONSOLE_PASSWORD"]}
    session.post(f"{base}/login", data=form, timeout=30).raise_for_status()
    link = LISTED.search(session.get(f"{base}/links", timeout=30).text)
    require(link, "the list of links shows none")
    return {name: _asked(session, base, page or (link[1] if link else ""), name) for name, page in PAGES.items()}


def _asked(session: requests.Session, base: str, page: str, name: str) -> tuple[float, int]:
    """Ask for a page several times; return the median, and what the page weighs with what it loads."""
    took = []
    for _ in range(TIMES):
        started = perf_counter()
        answer = session.get(base + page, timeout=30)
        took.append(perf_counter() - started)
        answer.raise_for_status()
        require(not answer.history, f"{page} led to {answer.url}")
    lists = LISTED.search(answer.text) is not None
    require(LISTS.get(name, lists) == lists, f"{page} lists {'links' if lists else 'no links'}")
    loaded = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text))
    require(loaded, f"{page} loads no style")
    return quantile(took, 0.5), len(answer.content) + sum(_weight(session, base + one) for one in loaded)


def _weight(session: requests.Session, url: str) -> int:
    answer = session.get(url, timeout=30)
    answer.raise_for_status()
    return len(answer.content)


def _fill(app: App) -> None:
    """Store very many links, most of them in sync, some blocked, with tickets as they would be."""
    now = datetime.now(UTC)
    entry = app.registry.entry(INTEGRATION)
    target = Target(INTEGRATION, link_settings(entry.plugin, entry.record.answers), now - timedelta(days=9))
    for start in range(0, MANY, AT_ONCE):
        events = [_event(number, now) for number in range(start, start + AT_ONCE)]
        app.store.inbox.accept_events(ORGANIZATION, events, [target], now).result()
    database = sqlite3.connect(app.store.database.path)
    updated = database.execute(
        "UPDATE link SET ticket_id = 'b' || id, ticket_key = 'BENCH-' || id, ticket = json_object('id', 'b' || id,"
        " 'key', 'BENCH-' || id, 'title', 'Display ' || id || ' is offline', 'status', 'Waiting for support'),"
        " state = CASE WHEN id % 100 = 0 THEN 'blocked' ELSE 'in_sync' END, code = '', reason = 'Refused.'"
        " WHERE ticket IS NULL"
    )
    database.executemany(
        "INSERT INTO timeline (link_id, at, kind, side, text, detail) SELECT link_id, ?, 'ticket_written', 'ticket',"
        ' \'The ticket was updated.\', \'{"field":"title","by":"ada"}\' FROM timeline WHERE kind = \'incident_opened\'',
        [((now + timedelta(seconds=second)).isoformat(timespec="microseconds"),) for second in range(ENTRIES_EACH)],
    )
    _fill_figures(database, now)
    database.commit()
    database.close()
    require(updated.rowcount == MANY, f"{updated.rowcount} links were made, not {MANY}")


def _fill_figures(database: sqlite3.Connection, now: datetime) -> None:
    """Store figures of many integrations, each with something in every hour and in eight buckets of time."""
    spans = (("hour", timedelta(hours=1), DAYS * 24, 13), ("day", timedelta(days=1), DAYS, 10))
    rows = [
        (f"{INTEGRATION}-{other}", span, (now - back * size).isoformat()[:letters])
        for other in range(OTHERS)
        for span, size, slots, letters in spans
        for back in range(slots)
    ]
    database.executemany("INSERT INTO figure VALUES (?, ?, ?, 9, 9, 30, 20, 2, 1, 5, 60)", rows)
    timed = [(*row, bucket) for row in rows for bucket in range(8)]
    database.executemany("INSERT INTO figure_time VALUES (?, ?, ?, ?, 1)", timed)


def _event(number: int, now: datetime) -> IncidentEvent:
    text = "No heartbeat for 5 minutes. " * 8
    incident = Incident(
        id=f"bench-{number}",
        title=f"Display {number} is offline",
        description=text,
        priority=tuple(Priority)[number % len(Priority)],
        opened_at=now,
        updated_at=now,
        device=Device(name=f"Display {number}"),
        location=Location(path=f"Campus/Hall {number % 10}"),
    )
    return IncidentEvent(id=f"bench-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)
