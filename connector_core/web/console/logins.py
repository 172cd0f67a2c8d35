"""Sessions: a random token in a cookie, everything else in the store, so that each of them can be ended."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.secrets import SecretBox
from connector_core.store import Actor, Preferences, SessionRecord, SignedOnAs, Via
from connector_core.store.acting import acting
from connector_core.store.sessions import Sessions
from connector_core.web.console.people import People, User
from connector_core.web.public_path import PrivateCookie

NOTED_EVERY = timedelta(minutes=5)
LIVE_HEADER = "x-live"


@dataclass(frozen=True)
class Login:
    """Somebody who is signed in; `token` is what only their browser has."""

    user: User
    form_token: str
    token: str = field(repr=False)
    preferences: Preferences


@dataclass(frozen=True)
class Logins:
    """Begins, recognizes and ends logins."""

    sessions: Sessions
    people: People
    config: Config
    clock: Clock
    #: Seals with the first key, whatever the database is sealed with: nobody is kept out by a lost one.
    box: SecretBox

    @property
    def _cookie(self) -> PrivateCookie:
        return PrivateCookie("connector_session", "connector", self.config.server)

    def was_begun(self, request: Request) -> bool:
        """Return whether somebody logged in with this browser, however that ended."""
        return bool(self._cookie.read(request))

    def begin(self, user: User, request: Request, response: Response, id_token: str = "") -> None:
        """Sign somebody in; the ID token is what a provider named them by."""
        now = self.clock.now()
        token = secrets.token_urlsafe(32)
        lasts = self.config.console.session
        allowed = None if user.organizations is None else tuple(sorted(user.organizations))
        record = SessionRecord(
            user=user.name,
            proof=user.proof,
            form_token=secrets.token_urlsafe(32),
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            person=user.person,
            address=address_of(request),
            signed_on=SignedOnAs(user.is_admin, allowed) if user.via is Via.SIGN_ON else None,
        )
        with acting(Actor(user.name, user.via, now)):
            self.sessions.begin(token, record, self.box.seal(id_token) if id_token else None)
        self._cookie.put(response, token, max_age_s=lasts.total_seconds())

    def current(self, request: Request) -> Login | None:
        """Return who is asking; None when nobody is logged in or the login has ended."""
        token = self._cookie.read(request)
        session = self.sessions.get(token) if token else None
        if session is None:
            return None
        now = self.clock.now()
        user = self.people.of_session(session)
        ended = now >= session.expires_at or now - session.seen_at >= self.config.console.idle
        if ended or user is None or not compare_digest(user.proof, session.proof):
            self.sessions.end(token)
            return None
        # A page that looks again by itself is no sign of a person.
        if now - session.seen_at >= NOTED_EVERY and LIVE_HEADER not in request.headers:
            self.sessions.touch(token, now, address_of(request))
        return Login(user, session.form_token, token, session.preferences)

    def end(self, request: Request, response: Response) -> None:
        """Sign somebody out."""
        token = self._cookie.read(request)
        if token:
            self.sessions.end(token)
        self._cookie.remove(response)

    def end_everywhere(self, user: User, response: Response) -> int:
        """End every session of somebody, in all browsers and at all nodes; return how many."""
        count = self.sessions.end_person(user.person)
        self._cookie.remove(response)
        return count


def address_of(request: Request) -> str:
    """Return where a request came from."""
    return request.client.host if request.client else ""
