"""Signing in with a password, and the page on which one does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from connector_core.app import App
from connector_core.web.client_address import neighbourhood
from connector_core.web.console.devices import Devices
from connector_core.web.console.logins import address_of
from connector_core.web.console.password_checks import AGAIN_AFTER_S, PasswordChecks, TooManyLogins
from connector_core.web.console.people import SINGLE, People, User
from connector_core.web.console.throttle import PER_ADDRESS, PER_DEVICE, PER_NAME, PER_NAME_THERE, Key, Throttle
from connector_core.web.console.visits import Console, go, safe_next

DOWN = 503  # the provider does not answer, and a password still does
_LONGEST_NAME = 128  # longer ones are nobody's


class LoginPage:
    """Signing in with a password."""

    def __init__(self, app: App, people: People) -> None:
        self._throttle = Throttle(app.clock)
        self._checks = PasswordChecks()
        self._devices = Devices(people, app.config, app.clock)

    def show(self, console: Console, request: Request, _: Mapping[str, str]) -> Response:
        """Ask for the password, unless somebody is logged in already."""
        wanted = safe_next(request.query_params.get("next", "/"))
        if console.logins.current(request) is not None:
            return go(wanted)
        return self._page(console, request, wanted)

    async def enter(self, console: Console, request: Request, form: Mapping[str, str]) -> Response:
        """Check the password and begin a login. No thread is held by those who wait for their turn."""
        wanted, name = safe_next(form.get("next", "/")), form.get("name", SINGLE)
        device = self._devices.known(request, name)
        keys = _keys(request, name, device)
        wait_s = self._throttle.begin(keys)
        if wait_s > 0:
            text = f"Too many wrong passwords. Try again in {ceil(wait_s)} seconds."
            return self._later(console, request, wanted, text, wait_s, status=429, name=name)
        check = partial(console.people.check, name, form.get("password", ""))
        try:
            user = await self._checks.run(check, is_known=device is not None)
        except TooManyLogins as exc:
            self._throttle.take_back(keys)
            text = f"{exc.message} Try again in a few seconds."
            return self._later(console, request, wanted, text, exc.after_s or AGAIN_AFTER_S, status=503, name=name)
        if user is None:
            self._throttle.failed(keys)
            console.app.log.warning("login_refused", user=name, address=address_of(request))
            wrong = "Wrong password." if console.people.is_single else "Wrong name or password."
            return self._page(console, request, wanted, status=401, error=wrong, name=name)
        self._throttle.succeeded(keys)
        return await run_in_threadpool(self._begin, console, request, user, wanted)

    def _begin(self, console: Console, request: Request, user: User, wanted: str) -> Response:
        console.app.log.info("login", user=user.name, address=address_of(request))
        response = go(wanted)
        console.logins.begin(user, request, response)
        self._devices.mark(request, user, response)
        return response

    def _later(  # noqa: PLR0913 - by keyword, what the page shows
        self, console: Console, request: Request, wanted: str, text: str, wait_s: float, *, status: int, name: str
    ) -> Response:
        response = self._page(console, request, wanted, status=status, error=text, name=name)
        response.headers["Retry-After"] = str(ceil(wait_s))
        return response

    def _page(  # noqa: PLR0913 - by keyword, what the page shows
        self,
        console: Console,
        request: Request,
        wanted: str,
        *,
        status: int = 200,
        error: str = "",
        name: str = "",
        by_sign_on: bool = False,
    ) -> Response:
        return console.pages.html(
            "login.html",
            status,
            wanted=wanted,
            error=error,
            name=name,
            is_password_wrong=bool(error) and not by_sign_on,
            goes_on_by_password=bool(error) and (not by_sign_on or status == DOWN),
            is_single=console.people.is_single,
            is_empty=console.people.is_empty,
            label="" if console.sign_on is None else console.sign_on.settings.label,
            said_code=request.query_params.get("said", ""),
        )

    def after_sign_on(self, console: Console, request: Request, wanted: str, status: int, error: str) -> Response:
        """Show the page to somebody whom single sign-on did not sign in."""
        return self._page(console, request, wanted, status=status, error=error, by_sign_on=True)


def _keys(request: Request, name: str, device: str | None) -> list[Key]:
    """Say what a try is counted under: a browser that is known by itself, so that strangers' tries do not touch it."""
    if device is not None:
        return [(PER_DEVICE, device)]
    name, place = name[:_LONGEST_NAME], neighbourhood(address_of(request))
    return [(PER_NAME_THERE, f"{place} {name}"), (PER_ADDRESS, place), (PER_NAME, name)]
