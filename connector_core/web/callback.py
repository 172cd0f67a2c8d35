"""Where a browser comes back to after somebody approved, or declined, access.

The state in the address is trusted only once, and only from whoever it was made for. What was begun in the console ends
in the same login, of an admin; what was begun by a set-up link in the same browser; what was begun in a terminal is
held until it was seen there. So nobody is made to authorize, or to bring back, what they did not begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Grant
from connector_core.registry.entry import is_settled
from connector_core.setup.authorizing import TERMINAL, Initiator, Returned
from connector_core.store import Actor, Authorization, Begun, Via
from connector_core.store.acting import acting
from connector_core.web.console import authorize_page, visible
from connector_core.web.console.setup_link_pages import SetupLinkPages
from connector_core.web.console.visits import Calling, Console, NotVisible, Visit, busy, go
from connector_core.web.console.words import Problem, problem_of

REFUSED = "Access was not authorized"
ELSEWHERE = {
    Begun.CONSOLE: "This authorization was started in another browser, or in a session that has ended. Go back to that "
    "browser, logged in as an administrator, or click Authorize access again.",
    Begun.SETUP_LINK: "This authorization was started from a setup link in another browser, or the link no longer "
    "works. Open the setup link again and start over.",
}


class Callback:
    """The handler of `/oauth/callback`."""

    def __init__(self, console: Console, setup_links: SetupLinkPages, nudge: Callable[[], None]) -> None:
        self._console = console
        self._setup_links = setup_links
        self._nudge = nudge

    def finish(self, _: Console, request: Request, __: Mapping[str, str]) -> Calling:
        """Finish an authorization and tell the person how it went."""
        begun = self._console.app.authorizing.begun(request.query_params.get("state", ""))
        place = "" if begun is None else self._console.app.registry.site_of(begun.integration_id)
        return Calling(place, partial(self._finish, request), partial(busy, self._console))

    def _finish(self, request: Request) -> Response:
        parameters = dict(request.query_params)
        begun = self._console.app.authorizing.begun(parameters.get("state", ""))
        initiator = TERMINAL if begun is None else self._initiator(request, begun)
        if initiator is None:
            return self._begun_elsewhere(begun)
        try:
            with acting(self._actor(request, initiator)):
                returned = self._console.app.authorizing.finish(parameters, initiator)
        except ConnectorError as exc:
            log = self._console.app.log
            log.warning("authorization_refused", code=exc.code, reason=exc.message, detail=exc.detail)
            if exc.code == "begun_elsewhere":
                return self._begun_elsewhere(begun)
            return self._refused(request, begun, problem_of(exc))
        self._nudge()
        return self._approved(request, initiator, returned)

    def _initiator(self, request: Request, begun: Authorization) -> Initiator | None:
        """Return who comes back, if that may be who began."""
        if begun.begun_by is Begun.TERMINAL:
            return TERMINAL
        if begun.begun_by is Begun.SETUP_LINK:
            return self._setup_links.came_back(request, begun.integration_id)
        visit = self._visit(request)
        if visit is None or not visit.user.is_admin:
            return None
        try:
            visible.integration(visit, begun.integration_id)
        except NotVisible:
            return None
        return authorize_page.initiator(visit)

    def _actor(self, request: Request, initiator: Initiator) -> Actor:
        """Return whose consent this is; one that began in a terminal is confirmed, and written down, there."""
        now = self._console.app.clock.now()
        if initiator.begun_by is Begun.SETUP_LINK:
            return self._setup_links.actor(self._setup_links.token(request), now)
        visit = self._visit(request) if initiator.begun_by is Begun.CONSOLE else None
        return Actor("", Via.TERMINAL, now) if visit is None else Actor(visit.user.name, visit.user.via, now)

    def _begun_elsewhere(self, begun: Authorization | None) -> Response:
        if begun is not None:
            self._console.app.log.warning("authorization_begun_elsewhere", integration=begun.integration_id)
        text = ELSEWHERE.get(begun.begun_by if begun is not None else Begun.CONSOLE, "")
        return self._console.pages.html("closed.html", 403, title=REFUSED, text=text, again="")

    def _refused(self, request: Request, begun: Authorization | None, error: Problem) -> Response:
        again = ""
        if begun is not None and begun.begun_by is Begun.CONSOLE and (visit := self._visit(request)) is not None:
            return authorize_page.page(visit, visible.usable(visit, begun.integration_id), error)
        if begun is not None and begun.begun_by is Begun.SETUP_LINK:
            again = f"/hand-over/{self._setup_links.token(request)}"
        text = f"{error.message} {error.fix}".strip()
        return self._console.pages.html("closed.html", 400, title=REFUSED, text=text, again=again)

    def _approved(self, request: Request, initiator: Initiator, returned: Returned) -> Response:
        if initiator.begun_by is Begun.TERMINAL:
            return self._to_be_confirmed(returned.integration_id, returned.grant)
        if initiator.begun_by is Begun.SETUP_LINK:
            token = self._setup_links.token(request)
            settled = is_settled(returned.grant)
            return self._setup_links.done(self._console, token) if settled else go(f"/hand-over/{token}")
        said = "" if returned.is_held else "authorized" if is_settled(returned.grant) else "site_needed"
        return go(request.app.url_path_for("setup.authorize", integration=returned.integration_id), said)

    def _to_be_confirmed(self, integration: str, grant: Grant) -> Response:
        account = grant.account_name or "An account without a name"
        text = f"{account} approved access for {integration}. Go back to the terminal and confirm it there."
        return self._console.pages.html("closed.html", title="One more step", text=text)

    def _visit(self, request: Request) -> Visit | None:
        if not self._console.app.config.console.enabled:
            return None
        login = self._console.logins.current(request)
        return None if login is None else Visit(self._console, request, login, {})
