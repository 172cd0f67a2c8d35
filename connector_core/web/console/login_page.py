"""Logging in and out."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from connector_core.clock import Clock
from connector_core.web.console.people import SINGLE
from connector_core.web.console.throttle import Throttle
from connector_core.web.console.visits import Console, Visit, go, safe_next


class LoginPage:
    """Logging in and out."""

    def __init__(self, clock: Clock) -> None:
        self._by_address = Throttle(clock)
        # Gentle: nobody may lock somebody else out by typing their name.
        self._by_name = Throttle(clock, free_tries=20, longest_wait_s=30)

    def show(self, console: Console, request: Request, _: Mapping[str, str]) -> Response:
        """Ask for the password, unless somebody is logged in already."""
        wanted = safe_next(request.query_params.get("next", "/"))
        if console.logins.current(request) is not None:
            return go(wanted)
        return self._page(console, request, wanted)

    def enter(self, console: Console, request: Request, form: Mapping[str, str]) -> Response:
        """Check the password and begin a login."""
        wanted, name = safe_next(form.get("next", "/")), form.get("name", SINGLE)
        address = request.client.host if request.client else ""
        wait = max(self._by_address.wait_s(address), self._by_name.wait_s(name))
        if wait > 0:
            text = f"Too many wrong passwords. Try again in {wait:.0f} seconds."
            return self._page(console, request, wanted, status=429, error=text, name=name)
        user = console.people.check(name, form.get("password", ""))
        if user is None:
            self._by_address.failed(address)
            self._by_name.failed(name)
            console.app.log.warning("login_refused", user=name, address=address)
            wrong = "The password is not right." if console.people.is_single else "Name or password is not right."
            return self._page(console, request, wanted, status=401, error=wrong, name=name)
        self._by_address.succeeded(address)
        self._by_name.succeeded(name)
        console.app.log.info("login", user=user.name)
        response = go(wanted)
        console.logins.begin(user, response)
        return response

    def _page(  # noqa: PLR0913 - by keyword, what the page shows
        self, console: Console, request: Request, wanted: str, *, status: int = 200, error: str = "", name: str = ""
    ) -> Response:
        return console.pages.html(
            "login.html",
            status,
            wanted=wanted,
            error=error,
            name=name,
            is_single=console.people.is_single,
            is_empty=console.people.is_empty,
            said_code=request.query_params.get("said", ""),
        )


def leave(visit: Visit) -> Response:
    """Log out."""
    response = go("/login", "logged_out")
    visit.console.logins.end(visit.request, response)
    return response
