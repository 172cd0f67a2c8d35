"""Tokens as the instance gives them: one that is still good is given again, and no reason is told for a refusal."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector_servicenow_sandbox.answers import oauth_failure
from connector_servicenow_sandbox.database import Database
from connector_servicenow_sandbox.profile import Person

CODE_LASTS_S = 60


@dataclass(frozen=True, slots=True)
class Client:
    """A row of the application registry: who may ask for tokens."""

    client_id: str = "c0ffee00c0ffee00c0ffee00c0ffee00"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - made up, and meant to be read
    name: str = "Connector"
    #: Where people may be sent back to; none named is any address on this machine.
    redirect_uris: tuple[str, ...] = ()

    def accepts(self, redirect_uri: str) -> bool:
        """Say whether people may be sent to an address."""
        if self.redirect_uris:
            return redirect_uri in self.redirect_uris
        return redirect_uri.startswith(("http://127.0.0.1", "http://localhost", "https://"))


@dataclass(slots=True)
class _Token:
    text: str
    user_name: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Code:
    user_name: str
    redirect_uri: str
    challenge: str
    ends: datetime


class Tokens:
    """Gives tokens and knows whose they are. Who uses it holds the database's lock."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self.client = client
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}

    def _ends(self, seconds: int) -> datetime:
        return self._database.clock.now() + timedelta(seconds=seconds)

    def consent(self, user_name: str, redirect_uri: str, challenge: str) -> str:
        """Give the code for what somebody allowed."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(user_name, redirect_uri, challenge, self._ends(CODE_LASTS_S))
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Give tokens for a code, once."""
        found = self._codes.pop(code, None)
        if found is None or found.ends < self._database.clock.now() or found.redirect_uri != redirect_uri:
            raise oauth_failure()
        if found.challenge and _challenge_of(verifier) != found.challenge:
            raise oauth_failure()
        return self.give(found.user_name, with_refresh=not self._database.profile.public_client)

    def refresh(self, text: str) -> dict[str, Any]:
        """Give an access token for a refresh token: the present one while it is good."""
        found = self._refresh.get(text)
        if found is None or found.ends < self._database.clock.now():
            raise oauth_failure()
        if self._database.profile.refresh_rotates:
            del self._refresh[text]
        return self.give(found.user_name, with_refresh=True, prolongs=False)

    def give(self, user_name: str, *, with_refresh: bool, prolongs: bool = True) -> dict[str, Any]:
        """Return what the token endpoint answers; a new call prolongs a token that is still good."""
        profile, now = self._database.profile, self._database.clock.now()
        access = self._present(self._access, user_name)
        if access is None:
            access = _Token(secrets.token_urlsafe(48), user_name, self._ends(profile.access_token_s))
            self._access[access.text] = access
        elif prolongs:
            access.ends = self._ends(profile.access_token_s)
        answer: dict[str, Any] = {"access_token": access.text}
        if with_refresh:
            refresh = self._present(self._refresh, user_name)
            if refresh is None:
                refresh = _Token(secrets.token_urlsafe(48), user_name, self._ends(profile.refresh_token_s))
                self._refresh[refresh.text] = refresh
            answer["refresh_token"] = refresh.text
        lasts = int((access.ends - now).total_seconds())
        return answer | {"scope": "useraccount", "token_type": "Bearer", "expires_in": lasts}

    def _present(self, tokens: dict[str, _Token], user_name: str) -> _Token | None:
        now = self._database.clock.now()
        return next((one for one in tokens.values() if one.user_name == user_name and one.ends > now), None)

    def owner(self, text: str) -> Person | None:
        """Return whose access token this is."""
        found = self._access.get(text)
        if found is None or found.ends <= self._database.clock.now():
            return None
        return self._database.profile.person(found.user_name)

    def expire_access(self) -> None:
        """Make all access tokens out of date."""
        self._access.clear()

    def revoke_all(self) -> None:
        """Take all tokens back, as an administrator can."""
        self._access.clear()
        self._refresh.clear()


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
