"""The step *Authorize access*: off to the other side and back, and the choice among several sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.setup.authorizing import Initiator, Sent
from connector_core.store import NEEDS_AUTHORIZATION, Begun, IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.wizard_steps import AUTHORIZE, way
from connector_core.web.console.words import Problem, problem_of


def initiator(visit: Visit) -> Initiator:
    """Return who begins here: this login, and nobody else."""
    return Initiator(Begun.CONSOLE, visit.login.token)


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
        if "held" in visit.form:
            return _settle(visit, seen, address)
        answer = visit.app.authorizing.start(seen.id, initiator(visit), other_account="other_account" in visit.form)
    except ConnectorError as exc:
        return page(visit, seen, problem_of(exc))
    if isinstance(answer, Sent):
        return visit.page("leaving.html", address=answer.url, host=urlsplit(answer.url).netloc)
    visit.app.engine.nudge()
    return go(address, "authorized")


def _settle(visit: Visit, seen: Usable, address: str) -> Response:
    """Take over, or leave, what came back for another account: exactly what the page showed."""
    held = visit.app.authorizing.held(seen.id, initiator(visit))
    if held is None or held.key != visit.form["held"]:
        raise ConfigError(
            "This approval has expired or was settled already.",
            code="held_no_more",
            fix="Click Authorize access to start again.",
        )
    if visit.form.get("action") != "take":
        visit.app.authorizing.drop(held)
        return go(address, "unchanged")
    visit.app.authorizing.take(held)
    visit.app.engine.nudge()
    return go(address, "authorized")


def page(visit: Visit, seen: Usable, error: Problem | None = None) -> Response:
    """Render the step, also for somebody who came back without having been authorized."""
    if not seen.entry.authorizes:
        raise NotVisible("There is no such step.")
    grant = visit.app.store.grants.get(seen.id)
    steps = way(visit, seen.entry)
    may_choose = seen.record.state is IntegrationState.DRAFT or (grant is not None and grant.site is None)
    held = visit.app.authorizing.held(seen.id, initiator(visit))
    is_lost = grant is not None and seen.record.problem_code == NEEDS_AUTHORIZATION
    return visit.page(
        "authorize.html",
        400 if error else 200,
        seen=seen,
        way=steps,
        current=AUTHORIZE,
        grant=grant,
        is_settled=seen.entry.is_authorized(grant) and not is_lost,
        is_lost=is_lost,
        needed=[steps.mark(step.key) for step in visit.app.setup.missing_before_authorization(seen.id)],
        consent=seen.entry.plugin.info.consent,
        sites=grant.sites if grant is not None and len(grant.sites) > 1 and may_choose else (),
        held=held,
        error=error,
    )
