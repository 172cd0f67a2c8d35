"""Browsers in which somebody has logged in before: a signed cookie, good for one name and one password.

It opens nothing. It only tells the person from strangers who guess the same name from anywhere, so that their guesses
do not keep the person out.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.web.console.people import People, User
from connector_core.web.public_path import PrivateCookie

KNOWN_FOR = timedelta(days=180)
_PARTS = 3
_DIGITS = 12


@dataclass(frozen=True)
class Devices:
    """Recognizes browsers, and marks those in which somebody logs in."""

    people: People
    config: Config
    clock: Clock

    @property
    def _cookie(self) -> PrivateCookie:
        return PrivateCookie("connector_device", "connector-device", self.config.server)

    def known(self, request: Request, name: str) -> str | None:
        """Return the id of the browser that asks, if somebody of this name has logged in there before."""
        parts = self._cookie.read(request).split(".")
        user = self.people.find(name)
        if user is None or len(parts) != _PARTS:
            return None
        device, seen, proof = parts
        if not hmac.compare_digest(proof.encode(), self._proof(user, device, seen).encode()):
            return None
        # Only what we signed is read as a number.
        age_s = self.clock.now().timestamp() - int(seen[:_DIGITS])
        return device if age_s < KNOWN_FOR.total_seconds() else None

    def mark(self, request: Request, user: User, response: Response) -> None:
        """Remember that somebody has logged in here."""
        device = self.known(request, user.name) or secrets.token_urlsafe(16)
        seen = str(int(self.clock.now().timestamp()))
        value = f"{device}.{seen}.{self._proof(user, device, seen)}"
        self._cookie.put(response, value, max_age_s=KNOWN_FOR.total_seconds())

    def _proof(self, user: User, device: str, seen: str) -> str:
        """Sign; a changed password makes all browsers strangers again."""
        key = self.config.secret_keys[0].get_secret_value().encode()
        return hmac.new(key, f"device\n{user.name}\n{user.proof}\n{device}\n{seen}".encode(), sha256).hexdigest()
