"""The authorization server's memory: codes, access tokens and rotating refresh tokens.

The rules are Atlassian's: https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/. The pages and the
token endpoint are in `oauth_routes.py`.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector_jira_jsm_sandbox.answers import Refusal, oauth_error
from connector_jira_jsm_sandbox.profile import User

CODE_LIFE = timedelta(minutes=5)
ACCESS_LIFE = timedelta(hours=1)
REUSE_LEEWAY = timedelta(minutes=10)
IDLE_LIFE = timedelta(days=90)
FAMILY_LIFE = timedelta(days=365)

KNOWN_SCOPES = frozenset(
    {
        "read:jira-work",
        "write:jira-work",
        "read:jira-user",
        "manage:jira-configuration",
        "manage:jira-project",
        "manage:jira-webhook",
        "read:servicedesk-request",
        "write:servicedesk-request",
        "manage:servicedesk-customer",
        "offline_access",
    }
)


@dataclass(slots=True)
class AppRegistration:
    """The app as it stands in the developer console; without a callback URL any address will do."""

    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - made up, and meant to be read
    name: str = "Incident connector"
    callback_url: str | None = None

    def accepts(self, redirect_uri: str) -> bool:
        """Return whether an authorization may return to this address."""
        if self.callback_url is not None:
            return redirect_uri == self.callback_url
        return redirect_uri.startswith(("http://", "https://"))


@dataclass(slots=True)
class Grant:
    """One consent, and the family of tokens that grew from it."""

    user: User
    scopes: frozenset[str]
    since: datetime
    alive: bool = True


@dataclass(slots=True)
class _Code:
    grant: Grant
    redirect_uri: str
    issued: datetime


@dataclass(slots=True)
class _Refresh:
    grant: Grant
    issued: datetime
    rotated: datetime | None = None


@dataclass(slots=True)
class AuthorizationServer:
    """Issues tokens and knows which ones are good."""

    clock: Callable[[], datetime]
    rng: random.Random
    app: AppRegistration = field(default_factory=AppRegistration)
    api_token_ended: bool = False
    _codes: dict[str, _Code] = field(default_factory=dict)
    _access: dict[str, tuple[Grant, datetime]] = field(default_factory=dict)
    _refresh: dict[str, _Refresh] = field(default_factory=dict)

    def consent(self, user: User, scopes: frozenset[str], redirect_uri: str) -> str:
        """Record a consent and return its code, good once and for a short while."""
        code = self._fresh("code")
        now = self.clock()
        self._codes[code] = _Code(Grant(user, scopes, now), redirect_uri, now)
        return code

    def exchange(self, code: str, redirect_uri: str) -> dict[str, Any]:
        """Turn a code into tokens; a second try ends what the first one began."""
        known = self._codes.pop(code, None)
        if known is None or self.clock() - known.issued > CODE_LIFE or known.redirect_uri != redirect_uri:
            raise oauth_error(403, "invalid_grant", "Invalid authorization code")
        return self._issue(known.grant)

    def refresh(self, token: str) -> dict[str, Any]:
        """Rotate a refresh token; the old one stays good for ten minutes more, then using it kills the family."""
        known = self._refresh.get(token)
        now = self.clock()
        if known is None or not known.grant.alive or self._is_stale(known, now):
            raise _dead_token()
        if known.rotated is not None and now - known.rotated > REUSE_LEEWAY:
            known.grant.alive = False
            raise _dead_token()
        known.rotated = known.rotated or now
        return self._issue(known.grant)

    def revoke(self, token: str) -> None:
        """End the family that a token belongs to; unknown tokens are no matter."""
        if known := self._refresh.get(token):
            known.grant.alive = False
        elif access := self._access.get(token):
            access[0].alive = False

    def revoke_all(self) -> None:
        """End every consent, as when the person removes the app from their account."""
        for known in self._refresh.values():
            known.grant.alive = False
        for grant, _ in self._access.values():
            grant.alive = False

    def password_changed(self) -> None:
        """End every consent of the person, as Atlassian does when a password is changed."""
        self.revoke_all()

    def stolen(self) -> None:
        """Let somebody else use refresh tokens that were rotated long ago: their families die."""
        for known in self._refresh.values():
            if known.rotated is not None:
                known.grant.alive = False

    def end_api_token(self) -> None:
        """Let the person's API token reach its last day."""
        self.api_token_ended = True

    def take_scopes(self, scopes: frozenset[str]) -> None:
        """Take scopes from the app: tokens have them no longer."""
        for known in self._refresh.values():
            known.grant.scopes -= scopes

    def grant_of(self, access_token: str) -> Grant | None:
        """Return the consent behind an access token that is good now."""
        grant, ends = self._access.get(access_token, (None, None))
        if grant is None or ends is None or not grant.alive or self.clock() >= ends:
            return None
        return grant

    def expire_access_tokens(self) -> None:
        """Make every access token out of date at once; refresh tokens stay good."""
        now = self.clock()
        self._access = {token: (grant, now) for token, (grant, _) in self._access.items()}

    def _is_stale(self, known: _Refresh, now: datetime) -> bool:
        return now - known.issued > IDLE_LIFE or now - known.grant.since > FAMILY_LIFE

    def _issue(self, grant: Grant) -> dict[str, Any]:
        now = self.clock()
        access = self._fresh("access")
        self._access[access] = (grant, now + ACCESS_LIFE)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": " ".join(sorted(grant.scopes)),
        }
        if "offline_access" in grant.scopes:
            refresh = self._fresh("refresh")
            self._refresh[refresh] = _Refresh(grant, now)
            answer["refresh_token"] = refresh
        return answer

    def _fresh(self, kind: str) -> str:
        return f"sandbox-{kind}-" + "".join(self.rng.choices(string.ascii_letters + string.digits, k=40))


def _dead_token() -> Refusal:
    return oauth_error(403, "unauthorized_client", "refresh_token is invalid")
