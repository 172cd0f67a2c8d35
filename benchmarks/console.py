"""How quick and how light the pages of the console are: on the demo's database, and with very many links."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import requests
import structlog

from benchmarks.figures import line, quantile
from benchmarks.stages import unopened_stage
from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage
from connector_core.demo.story import tell
from connector_core.local_server import LocalServer
from connector_core.logs import configure_logging
from connector_core.models import EventType, Incident, IncidentEvent
from connector_core.registry import link_settings
from connector_core.store import Target
from connector_core.web.server import build_web

MANY = 100_000
AT_ONCE = 2_000
TIMES = 15
DEMO_GOAL_MS, MANY_GOAL_MS, GOAL_KB = 50, 150, 100


def measure() -> Iterator[str]:
    """Measure every page twice: through the daemon, and in this process where nothing works on the links."""
    configure_logging("error")
    with unopened_stage() as stage:
        stage.open()
        list(tell(stage))
        yield from _pages(stage, stage.daemon.url, "demo", DEMO_GOAL_MS)
        stage.daemon.stop()
        config, plugins = read_config(stage.config_path, environ=stage.environ)
        app = build_app(config, plugins, log=structlog.get_logger("benchmark"))
        server = LocalServer(build_web(app))
        server.start()
        try:
            _fill(app)
            yield from _pages(stage, server.url, f"{MANY:,} links", MANY_GOAL_MS)
        finally:
            server.stop()
            app.store.close()


def _pages(stage: Stage, base: str, what: str, goal_ms: float) -> Iterator[str]:
    session = requests.Session()
    session.trust_env = False
    form = {"name": "admin", "password": stage.environ["DEMO_CONSOLE_PASSWORD"]}
    session.post(f"{base}/login", data=form, timeout=30).raise_for_status()
    link = re.search(r'href="(/links/\d+)"', session.get(f"{base}/links", timeout=30).text)
    assert link is not None
    pages = ["/", "/links", "/links?q=sensor+silent", "/links?q=nowhere", "/unfinished", f"/integrations/{INTEGRATION}"]
    for page in [*pages, link[1]]:
        took, weight = _asked(session, base, page)
        name = "/links/…" if page == link[1] else page
        yield line(f"console, {what}, {name}", quantile(took, 0.5) * 1000, "ms", goal_ms)
        if goal_ms == DEMO_GOAL_MS:
            yield line(f"console, {what}, {name}, all that is loaded", weight / 1000, "KB", GOAL_KB)


def _asked(session: requests.Session, base: str, page: str) -> tuple[list[float], int]:
    """Ask for a page several times; return how long the answers took, and what the page weighs with what it loads."""
    took = []
    for _ in range(TIMES):
        started = perf_counter()
        answer = session.get(base + page, timeout=30)
        took.append(perf_counter() - started)
        answer.raise_for_status()
    loaded = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text))
    return took, len(answer.content) + sum(len(session.get(base + one, timeout=30).content) for one in loaded)


def _fill(app: App) -> None:
    """Store very many links, most of them in sync, some blocked, with tickets as they would be."""
    now = datetime.now(UTC)
    entry = app.registry.entry(INTEGRATION)
    target = Target(INTEGRATION, link_settings(entry.plugin, entry.record.answers), now - timedelta(days=9))
    for start in range(0, MANY, AT_ONCE):
        events = [_event(number, now) for number in range(start, start + AT_ONCE)]
        app.store.accept_events(ORGANIZATION, events, [target], now).result()
    database = sqlite3.connect(app.store.path)
    database.execute(
        "UPDATE link SET ticket_id = 'b' || id, ticket_key = 'BENCH-' || id, ticket = json_object('id', 'b' || id,"
        " 'key', 'BENCH-' || id, 'title', 'Display ' || id || ' is offline', 'status', 'Waiting for support'),"
        " state = CASE WHEN id % 100 = 0 THEN 'blocked' ELSE 'in_sync' END, code = '', reason = 'Refused.'"
        " WHERE ticket IS NULL"
    )
    database.commit()
    database.close()


def _event(number: int, now: datetime) -> IncidentEvent:
    text = "No heartbeat for 5 minutes. " * 8
    incident = Incident(
        id=f"bench-{number}", title=f"Display {number} is offline", description=text, opened_at=now, updated_at=now
    )
    return IncidentEvent(id=f"bench-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)
