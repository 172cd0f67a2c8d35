"""Signing in by a provider: off to it, and back with its answer.

The attempt is in a cookie that only we can read and write, so any node takes whoever comes back. What is wrong is said
on the sign-in page, where a password still does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector_core.app import App
from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.secrets import SecretBox
from connector_core.sign_on.flow import LASTS, Attempt, SignOn, redirect_uri
from connector_core.sign_on.provider import Provider
from connector_core.sign_on.roles import Identity
from connector_core.web.client_address import neighbourhood
from connector_core.web.console.logins import address_of
from connector_core.web.console.pages import HEADERS
from connector_core.web.console.throttle import PER_ADDRESS, Throttle
from connector_core.web.console.visits import AGAIN_AFTER_S, Calling, Console, go, safe_next
from connector_core.web.public_path import PrivateCookie

#: The share of threads that calls to the provider take.
PLACE = "sign-on"
_LONGEST_WANTED = 1000
_LONGEST_COOKIE = 4000

#: Shows the sign-in page: where to go on to, the status, what is wrong.
Show = Callable[[Console, Request, str, int, str], Response]


def sign_on_of(app: App) -> SignOn | None:
    """Return what signs people in by the provider of the configuration; None where there is none."""
    settings = app.config.console.oidc
    if settings is None:
        return None
    provider = Provider(settings, app.config.calls, app.clock)
    return SignOn(provider, redirect_uri(app.config.server.public_url), app.clock)


class SignOnPage:
    """The handlers of single sign-on."""

    def __init__(self, app: App, sign_on: SignOn, show: Show) -> None:
        self._sign_on = sign_on
        self._show = show
        self._throttle = Throttle(app.clock)
        self._box: SecretBox = app.store.database.box
        self._cookie = PrivateCookie("connector_sign_on", "connector-sign-on", app.config.server)

    def start(self, console: Console, request: Request, _: Mapping[str, str]) -> Response | Calling:
        """Send somebody to the provider; whoever is signed in already is where they wanted to go."""
        wanted = safe_next(request.query_params.get("next", "/"))
        if console.logins.current(request) is not None:
            return go(wanted)
        return Calling(
            PLACE, partial(self._start, console, request, wanted), partial(self._busy, console, request, wanted)
        )

    def finish(self, console: Console, request: Request, _: Mapping[str, str]) -> Response | Calling:
        """Sign in who comes back."""
        attempt = self._attempt(request)
        wanted = "/" if attempt is None else safe_next(attempt.wanted)
        return Calling(PLACE, partial(self._finish, console, request), partial(self._busy, console, request, wanted))

    def _start(self, console: Console, request: Request, wanted: str) -> Response:
        try:
            attempt, address = self._sign_on.begin(wanted if len(wanted) <= _LONGEST_WANTED else "/")
        except ConnectorError as exc:
            return self._wrong(console, request, wanted, exc)
        response = RedirectResponse(address, status_code=303, headers=HEADERS)
        self._cookie.put(response, self._sealed(attempt), max_age_s=LASTS.total_seconds())
        return response

    def _finish(self, console: Console, request: Request) -> Response:
        attempt = self._attempt(request)
        wanted = "/" if attempt is None else safe_next(attempt.wanted)
        if attempt is None or request.query_params.get("state", "") != attempt.state:
            return self._foreign(console, request, wanted, attempt)
        keys = [(PER_ADDRESS, neighbourhood(address_of(request)))]
        wait_s = self._throttle.begin(keys)
        if wait_s > 0:
            text = f"Too many failed sign-ins. Try again in {ceil(wait_s)} seconds."
            response = self._show(console, request, wanted, 429, text)
            response.headers["Retry-After"] = str(ceil(wait_s))
            return response
        try:
            signed = self._sign_on.finish(attempt, request.query_params)
        except ConnectorError as exc:
            self._throttle.failed(keys)
            response = self._wrong(console, request, wanted, exc)
            self._cookie.remove(response)  # it is used up
            return response
        self._throttle.succeeded(keys)
        return self._begin(console, request, wanted, signed.identity, signed.id_token)

    def _foreign(self, console: Console, request: Request, wanted: str, attempt: Attempt | None) -> Response:
        """Refuse what this browser did not begin. It is no try of anybody's: any page may lead a browser here."""
        try:
            self._sign_on.finish(attempt, request.query_params)
        except ConnectorError as exc:
            return self._wrong(console, request, wanted, exc)
        raise LookupError(wanted)  # the state is compared before all else

    def _begin(self, console: Console, request: Request, wanted: str, identity: Identity, id_token: str) -> Response:
        user = console.people.named(identity)
        if user is None:  # there is a provider, or nobody would be here
            raise LookupError(identity.subject)
        console.app.log.info("login", user=user.name, address=address_of(request), by="single sign-on")
        response = go(wanted)
        console.logins.begin(user, request, response, id_token)
        self._cookie.remove(response)
        return response

    def _wrong(self, console: Console, request: Request, wanted: str, error: ConnectorError) -> Response:
        """Say what is wrong where one signs in, and in the log what does not belong on a page."""
        console.app.log.warning(
            "sign_on_failed", code=error.code, reason=error.message, detail=error.detail, address=address_of(request)
        )
        status = 503 if isinstance(error, RetryLater) else 403
        response = self._show(console, request, wanted, status, f"{error.message} {error.fix}".strip())
        if isinstance(error, RetryLater):
            response.headers["Retry-After"] = str(ceil(error.after_s or AGAIN_AFTER_S))
        return response

    def _busy(self, console: Console, request: Request, wanted: str) -> Response:
        text = f"{self._sign_on.settings.host} responds slowly. Try again in a minute."
        return self._show(console, request, wanted, 503, text)

    def _sealed(self, attempt: Attempt) -> str:
        values = {**asdict(attempt), "begun_at": attempt.begun_at.isoformat()}
        return self._box.seal(json.dumps(values, separators=(",", ":"))).decode("ascii")

    def _attempt(self, request: Request) -> Attempt | None:
        """Return what this browser began; None where it began nothing, or that is not of our making."""
        sealed = self._cookie.read(request)
        text = self._box.try_open(sealed.encode("ascii", "replace")) if 0 < len(sealed) <= _LONGEST_COOKIE else None
        if text is None:
            return None
        try:
            values = json.loads(text)
            return Attempt(**{**values, "begun_at": datetime.fromisoformat(values["begun_at"])})
        except (ValueError, TypeError, KeyError):  # something else that the same key sealed
            return None
