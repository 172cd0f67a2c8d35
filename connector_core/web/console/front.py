"""The front page: all integrations, and what needs somebody."""

from __future__ import annotations

from starlette.responses import Response

from connector_core.setup.in_force import file_in_force
from connector_core.store import NodeRow, NodeState, different_files, living
from connector_core.web.console import visible
from connector_core.web.console.charts import spoken
from connector_core.web.console.first_run import first_runs
from connector_core.web.console.notifications_page import failing
from connector_core.web.console.overview_page import FIRST, PERIODS, incidents_card, past, sides
from connector_core.web.console.source_page import TONES
from connector_core.web.console.status import outages, row, statuses
from connector_core.web.console.visits import Visit

#: How many integrations, and how many sources, a page shows: ten thousand rows would be a page that no browser likes.
AT_ONCE = 100
_DIGITS = 6
_NODE_TONES = {
    NodeState.RUNNING: "good",
    NodeState.STOPPING: "fair",
    NodeState.NOT_RESPONDING: "bad",
    NodeState.LOST: "bad",
}


def show(visit: Visit) -> Response:
    """List the integrations, and the platforms that their incidents come from."""
    asked = statuses(visit)
    can_make = visit.app.registry.sources.can_make
    integrations, organizations = visible.integrations(visit), visible.organizations(visit)
    number = _number(visit.query.get("page", ""))
    shown = slice((number - 1) * AT_ONCE, number * AT_ONCE)
    of_page = dict(list(organizations.items())[shown])
    return visit.page(
        "front.html",
        first_runs=first_runs(visit, of_page, integrations),
        rows=[row(visit, seen, asked) for seen in integrations[shown]],
        outages=outages(visit, asked),
        lately=(lately := past(visit, PERIODS[FIRST])),
        card=incidents_card(lately),
        to=sides(visit, None),
        spoken=spoken,
        organizations=organizations,
        sources=visible.sources(visit, list(organizations)[shown]),
        unsent={name: sum(counts.values()) for name, counts in visit.app.store.routing.unsent_open().items()},
        connectable={name for name in organizations if can_make(name)},
        failing=failing(visit, list(organizations)[shown]),
        number=number,
        is_more=max(len(integrations), len(organizations)) > number * AT_ONCE,
        tones=TONES,
        nodes=(nodes := _nodes(visit)),
        node_tones=_NODE_TONES,
        files=different_files(living(one for one, _ in nodes)),
        in_force=file_in_force(visit.app.store, visit.app.config) if nodes else None,
        unreadable=len(visit.app.store.secrets.still_unreadable())
        if visit.user.is_admin and visit.user.organizations is None
        else 0,
    )


def _nodes(visit: Visit) -> list[tuple[NodeRow, NodeState]]:
    """Return the daemons of this database, for whoever administers all of it; none where there can only be one."""
    if visit.app.engine.node.is_alone or not visit.user.is_admin or visit.user.organizations is not None:
        return []
    now = visit.app.clock.now()
    return [(one, one.state(now)) for one in visit.app.store.nodes.every()]


def _number(text: str) -> int:
    """Return which page is asked for; the first where that is no number."""
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 1
