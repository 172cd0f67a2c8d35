"""Who calls: basic, a bearer token, or an API key; and how often they may."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request

from connector_servicenow_sandbox.answers import failure, not_authenticated
from connector_servicenow_sandbox.database import Database, sys_id_of
from connector_servicenow_sandbox.oauth import Tokens
from connector_servicenow_sandbox.profile import ACCOUNT, ADMIN, Person

API_KEY_HEADER = "x-sn-apikey"
_COMMITTED_EVERY_S = 30


@dataclass(slots=True)
class Callers:
    """Finds out who calls. Who uses it holds the database's lock."""

    database: Database
    tokens: Tokens
    api_key: str

    def caller(self, request: Request) -> Person:
        """Return who calls, or refuse."""
        person = self._by_key(request) or self._by_header(request)
        if person is None:
            raise not_authenticated()
        role = self.database.profile.api_role
        if role and not person.roles & {role, ADMIN}:
            raise failure(403, "User Not Authorized", "Failed API level ACL Validation")
        return person

    def _by_key(self, request: Request) -> Person | None:
        key = request.headers.get(API_KEY_HEADER) or request.query_params.get(API_KEY_HEADER, "")
        is_good = self.database.profile.api_keys and hmac.compare_digest(key.encode(), self.api_key.encode())
        return self.database.profile.person(ACCOUNT.user_name) if is_good else None

    def _by_header(self, request: Request) -> Person | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.tokens.owner(text)
        if scheme.lower() == "basic" and self.database.profile.basic:
            return self._by_password(text)
        if "access_token" in request.query_params:
            return self.tokens.owner(request.query_params["access_token"])
        return None

    def _by_password(self, text: str) -> Person | None:
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        person = self.database.profile.person(name)
        return person if person and hmac.compare_digest(person.password.encode(), password.encode()) else None


@dataclass(slots=True)
class _Count:
    hour: datetime
    committed_at: datetime
    seen: int = 0
    committed: int = 0


@dataclass(slots=True)
class RateLimit:
    """Requests an hour for each account. A node's count reaches the database every 30 s, so a burst passes first."""

    database: Database
    _counts: dict[str, _Count] = field(default_factory=dict)

    def count(self, user_name: str) -> dict[str, str]:
        """Count a request and return the headers about it, or refuse it."""
        limit = self.database.profile.hourly_limit
        if limit is None:
            return {}
        now = self.database.clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        count = self._counts.get(user_name)
        if count is None or count.hour != hour:
            count = self._counts[user_name] = _Count(hour, now)
        if (now - count.committed_at).total_seconds() >= _COMMITTED_EVERY_S:
            count.committed, count.committed_at = count.seen, now
        reset = hour + timedelta(hours=1)
        headers = {
            "X_RateLimit_Limit": str(limit),
            "X_RateLimit_Reset": str(int(reset.timestamp())),
            "X_RateLimit_Rule": sys_id_of("sys_rate_limit_rules", "table"),
        }
        if count.committed >= limit:
            detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
            left = max(1, int((reset - now).total_seconds()))
            raise failure(429, "Rate limit exceeded", detail, Retry_After=str(left), **headers)
        count.seen += 1
        return {name.replace("_", "-"): value for name, value in headers.items()}
