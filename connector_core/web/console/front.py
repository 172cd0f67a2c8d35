"""The front page: all integrations, and what needs somebody."""

from __future__ import annotations

from starlette.responses import Response

from connector_core.web.console import visible
from connector_core.web.console.source_page import TONES
from connector_core.web.console.status import row, statuses
from connector_core.web.console.visits import Visit


def show(visit: Visit) -> Response:
    """List the integrations, and the platforms that their incidents come from."""
    asked = statuses(visit)
    can_make = visit.app.registry.sources.can_make
    rows = [row(visit, seen, asked) for seen in visible.integrations(visit)]
    return visit.page(
        "front.html",
        rows=rows,
        organizations=visible.organizations(visit),
        sources=visible.sources(visit),
        connectable={name for name in visible.organizations(visit) if can_make(name)},
        tones=TONES,
        unreadable=len(visit.app.store.secrets.still_unreadable())
        if visit.user.is_admin and visit.user.organizations is None
        else 0,
    )
