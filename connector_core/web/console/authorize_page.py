"""The step *Authorize access*: off to the other side and back, and the choice among several sites."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.responses import Response

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.setup.authorizing import Initiator, Sent
from connector_core.store import NEEDS_AUTHORIZATION, Authorization, Begun, IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.setup_links_in_force import in_force
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Handler, NotVisible, Visit, go
from connector_core.web.console.wizard_steps import AUTHORIZE, addresses_of_integration, way
from connector_core.web.console.words import Problem, problem_of


def initiator(visit: Visit) -> Initiator:
    """Return who begins here: this login, and nobody else."""
    return Initiator(Begun.CONSOLE, visit.login.token)


def show(visit: Visit) -> Response:
    """Say who we act as, and offer to authorize."""
    seen = visible.usable(visit, visit.named("integration"))
    return page(visit, seen)


def _told_here(act: Callable[[Visit, Usable], Response]) -> Handler:
    """Make a handler of a button, which says on the step's page what stands in the way."""

    def handle(visit: Visit) -> Response:
        seen = visible.usable(visit, visit.named("integration"))
        try:
            return act(visit, seen)
        except ConnectorError as exc:
            return page(visit, seen, problem_of(exc))

    return handle


@_told_here
def start(visit: Visit, seen: Usable) -> Response:
    """Send the person to the other side."""
    return _begin(visit, seen, other_account=False)


@_told_here
def start_with_other(visit: Visit, seen: Usable) -> Response:
    """Send the person to the other side, and take another account than the present one."""
    return _begin(visit, seen, other_account=True)


def _begin(visit: Visit, seen: Usable, *, other_account: bool) -> Response:
    answer = visit.app.authorizing.start(seen.id, initiator(visit), other_account=other_account)
    if isinstance(answer, Sent):
        return visit.page("leaving.html", address=answer.url, host=urlsplit(answer.url).netloc)
    return _done(visit, seen, "authorized")


@_told_here
def choose_site(visit: Visit, seen: Usable) -> Response:
    """Settle on one of several sites."""
    visit.app.authorizing.choose_site(seen.id, visit.form.get("site", ""))
    return _done(visit, seen, "updated")


@_told_here
def take(visit: Visit, seen: Usable) -> Response:
    """Take over what came back for another account: exactly what the page showed."""
    visit.app.authorizing.take(_held(visit, seen))
    return _done(visit, seen, "authorized")


@_told_here
def drop(visit: Visit, seen: Usable) -> Response:
    """Leave what came back for another account."""
    visit.app.authorizing.drop(_held(visit, seen))
    return go(addresses_of_integration(visit, seen.id).page(AUTHORIZE), "unchanged")


def _held(visit: Visit, seen: Usable) -> Authorization:
    held = visit.app.authorizing.held(seen.id, initiator(visit))
    if held is None or held.key != visit.form.get("held"):
        raise ConfigError(
            "This approval has expired or was already used.",
            code="held_no_more",
            fix="Click Authorize access to start again.",
        )
    return held


def _done(visit: Visit, seen: Usable, said: str) -> Response:
    visit.app.engine.nudge()
    return go(addresses_of_integration(visit, seen.id).page(AUTHORIZE), said)


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
        setup_links=in_force(visit, seen.id, steps),
        error=error,
    )
