"""What reading tickets again costs: calls and rate-limit points, counted at the sandbox, for 10,000 links."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import structlog

from benchmarks.figures import Figure, Reading, require
from benchmarks.stages import unopened_stage
from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.contract.models import EventType, Incident, IncidentEvent, TicketSnapshot
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage
from connector_core.store import Claim, Progress, Target
from connector_jira_jsm.api.client import BULKFETCH_LIMIT

LINKS = 10_000
AT_ONCE = 1_000
YESTERDAY = timedelta(days=1)
WITHIN = 1.05  # of what the price list says

IDS = (100, 1000)
FULL = {ids: Figure(f"full look at {LINKS:,} links, {ids:,} a call", "calls", LINKS / ids) for ids in IDS}
POINTS = {
    ids: Figure(f"… its rate-limit points, {ids:,} a call", "points", (LINKS + LINKS / ids) * WITHIN) for ids in IDS
}
TOOK = {ids: Figure(f"… it took, {ids:,} a call", "s") for ids in IDS}
CHANGED = Figure(f"look for changes of {LINKS:,} links, nothing changed", "calls", 1)
FIGURES = (*(kind[ids] for ids in IDS for kind in (FULL, POINTS, TOOK)), CHANGED)


def measure(*, links: int = LINKS) -> Iterator[Reading]:
    """Link tickets that nobody changed since yesterday, then reconcile in every way."""
    with unopened_stage() as stage:
        stage.open()
        stage.daemon.stop()
        config, plugins = read_config(stage.config_path, environ={**os.environ, **stage.environ})
        app = build_app(config, plugins, log=structlog.get_logger())
        try:
            _link(app, stage, links)
            yield from _full(app, stage, links, 100)
            yield from _changed(app, stage)
            site = stage.sandbox.site  # type: ignore[attr-defined]  # the first plugin's own sandbox
            site.profile = dataclasses.replace(site.profile, bulkfetch_limit=1000)
            app.registry.entry(INTEGRATION).handle.cache.pop(BULKFETCH_LIMIT, None)
            yield from _full(app, stage, links, 1000)
        finally:
            app.store.close()


def _full(app: App, stage: Stage, links: int, ids: int) -> Iterator[Reading]:
    if ids == 100:
        app.reconciler.reconcile(INTEGRATION, full=True)
    stage.sandbox.recorder.clear()  # type: ignore[attr-defined]  # as above
    started = perf_counter()
    run = app.reconciler.reconcile(INTEGRATION, full=True)
    took_s = perf_counter() - started
    require((run.outcome, run.seen) == ("ok", links), f"not everything was read: {run}")
    yield FULL[ids], stage.sandbox.call_count()
    yield POINTS[ids], stage.sandbox.points  # type: ignore[attr-defined]  # as above
    yield TOOK[ids], took_s


def _changed(app: App, stage: Stage) -> Iterator[Reading]:
    stage.sandbox.recorder.clear()  # type: ignore[attr-defined]  # as above
    run = app.reconciler.reconcile(INTEGRATION)
    require((run.outcome, run.seen) == ("ok", 0), f"something had changed: {run}")
    require(stage.sandbox.call_count() > 0, "nobody asked for changes")
    yield CHANGED, stage.sandbox.call_count()


def _link(app: App, stage: Stage, links: int) -> None:
    """Make tickets at the sandbox as of yesterday, and links that know them."""
    site = stage.sandbox.site  # type: ignore[attr-defined]  # as above
    clock, site.clock = site.clock, lambda: datetime.now(UTC) - YESTERDAY
    issues = [
        site.create(site.profile.person, project_key="SUP", issue_type_id="10010", summary=f"Fan {number} failed")
        for number in range(links)
    ]
    site.clock = clock
    now = app.clock.now()
    target = Target(INTEGRATION, app.registry.present_settings(INTEGRATION), now - YESTERDAY)
    for start in range(0, links, AT_ONCE):
        events = [_opened(number, now) for number in range(start, min(start + AT_ONCE, links))]
        app.store.inbox.accept_events(ORGANIZATION, events, [target], now).result()
        for claim in _claims(app, now):
            issue = issues[claim.link_id - 1]
            app.store.links.record(claim, Progress(ticket=_ticket(issue.id, issue.key, issue.fields.updated)), now)


def _claims(app: App, now: datetime) -> Iterator[Claim]:
    while claims := app.store.lanes.claim("bench", now, AT_ONCE, 0.0):
        yield from claims


def _opened(number: int, now: datetime) -> IncidentEvent:
    incident = Incident(id=f"inc-{number}", title=f"Fan {number} failed")
    return IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)


def _ticket(ticket_id: str, key: str, updated: datetime) -> TicketSnapshot:
    return TicketSnapshot(id=ticket_id, key=key, title="as of yesterday", updated=updated, place="SUP")
