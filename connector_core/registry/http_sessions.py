"""The HTTP sessions that hooks are handed; a module of its own because loading what it needs is slow."""

from __future__ import annotations

from collections.abc import Callable

import requests
from requests.auth import AuthBase

from connector_core.contract.errors import AuthError
from connector_core.http.session import HTTPSession, user_agent
from connector_core.plugins import Plugin
from connector_core.registry.grants import GrantKeeper


def open_session(
    plugin: Plugin, observe: Callable[[str, int | None], None], keeper: GrantKeeper | None = None
) -> HTTPSession:
    """Open a session in a plugin's name; with a keeper, every request carries the present grant."""
    session = HTTPSession(user_agent(plugin.name, plugin.version), observe=observe)
    if keeper is not None:
        session.auth = GrantAuth(keeper)
    return session


class GrantAuth(AuthBase):
    """Adds the headers of the present grant to a request."""

    def __init__(self, keeper: GrantKeeper) -> None:
        self._keeper = keeper

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers; raises `AuthError` when nobody has authorized yet."""
        grant = self._keeper.grant()
        if grant is None:
            raise AuthError("Nobody has authorized access yet.", fix="Run: connector integrations authorize")
        for name, secret in grant.headers.items():
            request.headers[name] = secret.get_secret_value()
        return request
