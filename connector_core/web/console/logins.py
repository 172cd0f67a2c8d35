"""Logins: a random token in a cookie, everything else in the store, so that each of them can be ended."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.store import SessionRecord
from connector_core.store.sessions import Sessions
from connector_core.web.console.people import People, User

NOTED_EVERY = timedelta(minutes=5)
LIVE_HEADER = "x-live"


@dataclass(frozen=True)
class Login:
    """Somebody who is logged in; `token` is what only their browser has."""

    user: User
    form_token: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Logins:
    """Begins, recognizes and ends logins."""

    sessions: Sessions
    people: People
    config: Config
    clock: Clock

    @property
    def is_secure(self) -> bool:
        """Return whether people reach us through TLS."""
        return self.config.server.public_url.startswith("https://")

    @property
    def cookie(self) -> str:
        """Name the cookie; the prefix makes browsers insist on TLS and on this host alone."""
        return "__Host-connector" if self.is_secure else "connector_session"

    def begin(self, user: User, response: Response) -> None:
        """Log somebody in."""
        now = self.clock.now()
        token = secrets.token_urlsafe(32)
        lasts = self.config.console.session
        record = SessionRecord(
            user=user.name,
            proof=user.proof,
            form_token=secrets.token_urlsafe(32),
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
        )
        self.sessions.begin(token, record)
        response.set_cookie(
            self.cookie,
            token,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="lax",  # strict would log people out on their way back from authorizing
        )

    def current(self, request: Request) -> Login | None:
        """Return who is asking; None when nobody is logged in or the login has ended."""
        token = request.cookies.get(self.cookie)
        session = None if not token else self.sessions.get(token)
        if token is None or session is None:
            return None
        now = self.clock.now()
        user = self.people.find(session.user)
        ended = now >= session.expires_at or now - session.seen_at >= self.config.console.idle
        if ended or user is None or not compare_digest(user.proof, session.proof):
            self.sessions.end(token)
            return None
        # A page that looks again by itself is no sign of a person.
        if now - session.seen_at >= NOTED_EVERY and LIVE_HEADER not in request.headers:
            self.sessions.touch(token, now)
        return Login(user, session.form_token, token)

    def end(self, request: Request, response: Response) -> None:
        """Log somebody out."""
        token = request.cookies.get(self.cookie)
        if token:
            self.sessions.end(token)
        response.delete_cookie(self.cookie, path="/", secure=self.is_secure, httponly=True, samesite="lax")
