"""The step *Authorize access*: off to the other side and back, and the choice among several sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Redirect
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Visit, go
from connector_core.web.console.wizard_steps import AUTHORIZE, is_settled, way
from connector_core.web.console.words import Problem, problem_of


def show(visit: Visit) -> Response:
    """Say who we act as, and offer to authorize."""
    seen = visible.usable(visit, visit.named("integration"))
    return page(visit, seen)


def start(visit: Visit) -> Response:
    """Send the person to the other side, or settle on one of several sites."""
    seen = visible.usable(visit, visit.named("integration"))
    address = f"/integrations/{seen.id}/setup/{AUTHORIZE}"
    try:
        if "site" in visit.form:
            visit.app.authorizing.choose_site(seen.id, visit.form["site"])
            visit.app.engine.nudge()
            return go(address, "updated")
        answer = visit.app.authorizing.start(seen.id, other_account="other_account" in visit.form)
    except ConnectorError as exc:
        return page(visit, seen, problem_of(exc))
    if isinstance(answer, Redirect):
        return visit.page("leaving.html", address=answer.url, host=urlsplit(answer.url).netloc)
    visit.app.engine.nudge()
    return go(address, "authorized")


def page(visit: Visit, seen: Usable, error: Problem | None = None) -> Response:
    """Render the step, also for somebody who came back without having been authorized."""
    grant = visit.app.store.grants.get(seen.id)
    steps = way(visit, seen.entry)
    may_choose = seen.record.state is IntegrationState.DRAFT or (grant is not None and grant.site is None)
    return visit.page(
        "authorize.html",
        400 if error else 200,
        seen=seen,
        way=steps,
        current=AUTHORIZE,
        grant=grant,
        is_settled=is_settled(grant),
        sites=grant.sites if grant is not None and len(grant.sites) > 1 and may_choose else (),
        error=error,
    )
