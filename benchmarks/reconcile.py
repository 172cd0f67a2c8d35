"""What reading tickets again costs: calls and rate-limit points, counted at the sandbox, for 10,000 links."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import structlog

from benchmarks.figures import line
from benchmarks.stages import unopened_stage
from connector_core.app import App, build_app
from connector_core.config import read_config
from connector_core.demo.stage import INTEGRATION, ORGANIZATION, Stage
from connector_core.models import EventType, Incident, IncidentEvent, TicketSnapshot
from connector_core.store import Claim, Progress, Target
from connector_jira_jsm.client import BULKFETCH_LIMIT

LINKS = 10_000
AT_ONCE = 1_000
YESTERDAY = timedelta(days=1)
WITHIN = 1.05  # of what the price list says


def measure() -> Iterator[str]:
    """Link tickets that nobody changed since yesterday, then reconcile in every way."""
    with unopened_stage() as stage:
        stage.open()
        stage.daemon.stop()
        config, plugins = read_config(stage.config_path, environ={**os.environ, **stage.environ})
        app = build_app(config, plugins, log=structlog.get_logger())
        try:
            _link(app, stage)
            yield from _full(app, stage, 100)
            yield from _changed(app, stage)
            site = stage.sandbox.site  # type: ignore[attr-defined]  # the first plugin's own sandbox
            site.profile = dataclasses.replace(site.profile, bulkfetch_limit=1000)
            app.registry.entry(INTEGRATION).handle.cache.pop(BULKFETCH_LIMIT, None)
            yield from _full(app, stage, 1000)
        finally:
            app.store.close()


def _full(app: App, stage: Stage, ids: int) -> Iterator[str]:
    if ids == 100:
        app.reconciler.reconcile(INTEGRATION, full=True)
    stage.sandbox.recorder.clear()  # type: ignore[attr-defined]  # as above
    started = perf_counter()
    run = app.reconciler.reconcile(INTEGRATION, full=True)
    took_s = perf_counter() - started
    if (run.outcome, run.seen) != ("ok", LINKS):
        raise RuntimeError(f"not everything was read: {run}")
    price = LINKS + LINKS / ids
    points = stage.sandbox.points  # type: ignore[attr-defined]  # as above
    yield line(f"full look at 10,000 links, {ids} a call", stage.sandbox.call_count(), "calls", LINKS / ids)
    yield line("(  its rate-limit points", points, "points", price * WITHIN)
    yield line("(  it took", took_s, "s")


def _changed(app: App, stage: Stage) -> Iterator[str]:
    stage.sandbox.recorder.clear()  # type: ignore[attr-defined]  # as above
    run = app.reconciler.reconcile(INTEGRATION)
    if (run.outcome, run.seen) != ("ok", 0):
        raise RuntimeError(f"something had changed: {run}")
    yield line("look for changes of 10,000 links, nothing changed", stage.sandbox.call_count(), "calls", 1)


def _link(app: App, stage: Stage) -> None:
    """Make tickets at the sandbox as of yesterday, and links that know them."""
    site = stage.sandbox.site  # type: ignore[attr-defined]  # as above
    clock, site.clock = site.clock, lambda: datetime.now(UTC) - YESTERDAY
    issues = [
        site.create(site.profile.person, project_key="SUP", issue_type_id="10010", summary=f"Fan {number} failed")
        for number in range(LINKS)
    ]
    site.clock = clock
    now = app.clock.now()
    target = Target(INTEGRATION, app.registry.present_settings(INTEGRATION), now - YESTERDAY)
    for start in range(0, LINKS, AT_ONCE):
        events = [_opened(number, now) for number in range(start, start + AT_ONCE)]
        app.store.accept_events(ORGANIZATION, events, [target], now).result()
        for claim in _claims(app, now):
            issue = issues[claim.link_id - 1]
            app.store.record(claim, Progress(ticket=_ticket(issue.id, issue.key, issue.fields.updated)), now)


def _claims(app: App, now: datetime) -> Iterator[Claim]:
    while claims := app.store.claim_lanes("bench", now, AT_ONCE, 0.0):
        yield from claims


def _opened(number: int, now: datetime) -> IncidentEvent:
    incident = Incident(id=f"inc-{number}", title=f"Fan {number} failed")
    return IncidentEvent(id=f"evt-{number}", type=EventType.OPENED, occurred_at=now, incident=incident)


def _ticket(ticket_id: str, key: str, updated: datetime) -> TicketSnapshot:
    return TicketSnapshot(id=ticket_id, key=key, title="as of yesterday", updated=updated, place="SUP")
