"""Where a browser comes back to after somebody approved, or declined, access.

The state in the address is the only thing that is trusted, and only once. Somebody who is logged in is led back into
the wizard; somebody with a set-up link to its end; everybody else, as from the command line, is told how it went.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from connector_core.contract.errors import ConnectorError
from connector_core.contract.models import Grant
from connector_core.web.console import authorize_page, visible
from connector_core.web.console.setup_link_pages import SetupLinkPages
from connector_core.web.console.visits import Console, NotVisible, Visit, go
from connector_core.web.console.wizard_steps import AUTHORIZE, is_settled
from connector_core.web.console.words import Problem, problem_of

REFUSED = "Access was not authorized"


class Callback:
    """The handler of `/oauth/callback`."""

    def __init__(self, console: Console, setup_links: SetupLinkPages, nudge: Callable[[], None]) -> None:
        self._console = console
        self._setup_links = setup_links
        self._nudge = nudge

    def finish(self, request: Request) -> Response:
        """Finish an authorization and tell the person how it went."""
        authorizing = self._console.app.authorizing
        parameters = dict(request.query_params)
        integration = authorizing.returning_to(parameters)
        token = self._setup_links.came_back(request, integration)
        if token is None and self._is_not_theirs(request, integration):
            text = "It was started for an integration that you may not see; whoever started it has to come back."
            return self._console.pages.html("closed.html", 403, title=REFUSED, text=text, again="")
        try:
            integration, grant = authorizing.finish(parameters)
        except ConnectorError as exc:
            log = self._console.app.log
            log.warning("authorization_refused", code=exc.code, reason=exc.message, detail=exc.detail)
            return self._refused(request, integration, token, problem_of(exc))
        self._nudge()
        return self._approved(request, integration, token, grant)

    def _is_not_theirs(self, request: Request, integration: str | None) -> bool:
        """Return whether somebody who is logged in comes back for an integration that is not for their eyes."""
        visit = self._visit(request)
        if visit is None or integration is None:
            return False
        try:
            visible.integration(visit, integration)
        except NotVisible:
            self._console.app.log.warning("authorization_of_unseen_integration", user=visit.user.name)
            return True
        return False

    def _refused(self, request: Request, integration: str | None, token: str | None, error: Problem) -> Response:
        again = "" if token is None else f"/hand-over/{token}"
        visit = self._visit(request)
        if token is None and visit is not None and integration is not None:
            return authorize_page.page(visit, visible.usable(visit, integration), error)
        text = f"{error.message} {error.fix}".strip()
        return self._console.pages.html("closed.html", 400, title=REFUSED, text=text, again=again)

    def _approved(self, request: Request, integration: str, token: str | None, grant: Grant) -> Response:
        if token is not None:
            return self._setup_links.done(self._console, token) if is_settled(grant) else go(f"/hand-over/{token}")
        if self._visit(request) is not None:
            said = "authorized" if is_settled(grant) else "site_needed"
            return go(f"/integrations/{integration}/setup/{AUTHORIZE}", said)
        if is_settled(grant):
            text = f"{integration} may now act as {grant.account_name}. You can close this page."
            return self._console.pages.html("closed.html", title="Access authorized", text=text)
        names = ", ".join(f"{site.name} ({site.url})" for site in grant.sites)
        command = f"connector integrations authorize {integration} --site ..."
        text = f"This authorization reaches several sites: {names}. Run: {command}"
        return self._console.pages.html("closed.html", title="One more choice", text=text)

    def _visit(self, request: Request) -> Visit | None:
        if not self._console.app.config.console.enabled:
            return None
        login = self._console.logins.current(request)
        return None if login is None else Visit(self._console, request, login, {})
