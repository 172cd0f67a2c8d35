"""The provider: where it says its addresses and keys are, and what it gives for a code.

Everything goes through the one HTTP session, so proxy, authorities, deadlines and sizes are those of all calls. What it
says of itself is kept for a while; while it does not answer, it is not asked by each visitor.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.http.outbound import Outbound
from connector_core.sign_on.errors import ProviderDown, ProviderUnfit, SignOnRefused
from connector_core.sign_on.settings import OidcSettings, is_safe
from connector_core.sign_on.tokens import read_keys

if TYPE_CHECKING:  # most commands call nobody
    from joserfc.jwk import KeySet
    from requests import Response

DEADLINE_S = 10.0
LARGEST_ANSWER = 512 * 1024
METADATA_FOR_S, KEYS_FOR_S = 3600.0, 3600.0
#: Keys are read anew for a signature that none of them made, at most so often.
KEYS_AGAIN_AFTER_S = 10.0
FAILURE_FOR_S = 10.0
_OK, _PROXY, _TOO_MANY, _SERVER, _REFUSED = 200, 407, 429, 500, frozenset({400, 401, 403})


@dataclass(frozen=True)
class Metadata:
    """What a provider says of itself (OpenID Connect Discovery, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    #: The secret is sent in the body: the provider does not take it in a header.
    secret_in_body: bool = False


@dataclass(frozen=True)
class Tokens:
    """What a code was given for."""

    id_token: str
    access_token: str = ""


@dataclass
class Provider:
    """Asks the provider; several threads may."""

    settings: OidcSettings
    outbound: Callable[[], Outbound]
    clock: Clock
    #: What time it was there when it last said what it says of itself; None where that was not told.
    date: datetime | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _metadata: tuple[float, Metadata] | None = field(default=None, init=False)
    _keys: tuple[float, KeySet] | None = field(default=None, init=False)
    _failed: tuple[float, ConnectorError] | None = field(default=None, init=False)

    def metadata(self) -> Metadata:
        """Return what the provider says of itself.

        Raises:
            ProviderDown: it does not answer.
            ProviderUnfit: what answers is not this provider.
        """
        with self._lock:
            now = self.clock.monotonic()
            if self._metadata is not None and now - self._metadata[0] < METADATA_FOR_S:
                return self._metadata[1]
            if self._failed is not None and now - self._failed[0] < FAILURE_FOR_S:
                raise type(self._failed[1])(self._failed[1].message, code=self._failed[1].code, fix=self._failed[1].fix)
            try:
                found = self._discover()
            except (ProviderDown, ProviderUnfit) as exc:
                self._failed = (self.clock.monotonic(), exc)
                raise
            self._metadata = (self.clock.monotonic(), found)
            return found

    def keys(self, *, anew: bool = False) -> KeySet:
        """Return the keys that the provider signs with; `anew` when one was not among them.

        Raises:
            ProviderDown: it does not answer, or not with keys.
        """
        address = self.metadata().jwks_uri
        with self._lock:
            age_s = None if self._keys is None else self.clock.monotonic() - self._keys[0]
            if self._keys is not None and age_s is not None and age_s < (KEYS_AGAIN_AFTER_S if anew else KEYS_FOR_S):
                return self._keys[1]
            try:
                found = read_keys(self._json(self._get(address)))
            except ValueError as exc:
                raise self._odd("its keys", str(exc)) from exc
            self._keys = (self.clock.monotonic(), found)
            return found

    def tokens(self, granted: str, verifier: str, redirect_uri: str) -> Tokens:
        """Return what the provider gives for a code, once.

        Raises:
            SignOnRefused: the code is used up, too old, or not ours.
            ProviderUnfit: the provider does not take our id and secret.
            ProviderDown: it does not answer.
        """
        metadata = self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": granted,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        secret = self.settings.client_secret
        if secret is None or metadata.secret_in_body:
            form["client_id"] = self.settings.client_id
        if secret is not None and metadata.secret_in_body:
            form["client_secret"] = secret.get_secret_value()
        elif secret is not None:  # RFC 6749, 2.3.1: both encoded as in a form
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret.get_secret_value())}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = self._call("POST", metadata.token_endpoint, data=form, headers=headers)
        if answer.status_code in _REFUSED:
            raise self._refusal(answer)
        found = self._json(answer)
        if not isinstance(found.get("id_token"), str):
            raise ProviderUnfit(
                f"{self.settings.host} gave no ID token.", fix="Allow the scope openid for this client there."
            )
        access = found.get("access_token")
        return Tokens(found["id_token"], access if isinstance(access, str) else "")

    def userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """Return what else the provider says of somebody; nothing where it has no such address, or refuses.

        Raises:
            ProviderDown: it does not answer.
        """
        address = self.metadata().userinfo_endpoint
        if not address or not access_token or not access_token.isascii() or not access_token.isprintable():
            return {}
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        answer = self._call("GET", address, headers=headers)
        if answer.status_code in _REFUSED or "application/json" not in answer.headers.get("Content-Type", ""):
            return {}
        found = self._json(answer)
        return found if found.get("sub") == subject else {}  # OpenID Connect Core, 5.3.2

    def _discover(self) -> Metadata:
        issuer = self.settings.issuer
        answer = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if answer.status_code != _OK and answer.status_code < _SERVER and answer.status_code != _TOO_MANY:
            raise ProviderUnfit(
                f"{self.settings.host} has no discovery document for this issuer (HTTP {answer.status_code}).",
                fix="Correct console.oidc.issuer: the address before /.well-known/openid-configuration.",
            )
        self.date = _time_of(answer)
        found = self._json(answer)
        named = found.get("issuer")
        if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
            raise ProviderUnfit(
                f"{self.settings.host} names another issuer than the configuration does.",
                detail=str(named)[:200],
                fix="Set console.oidc.issuer to what the discovery document says under issuer.",
            )
        addresses = {name: self._address(found, name) for name in _ADDRESSES}
        missing = [name for name in _NEEDED if not addresses[name]]
        if missing:
            raise ProviderUnfit(
                f"{self.settings.host} names no usable {' and no '.join(missing)}.",
                fix="Check console.oidc.issuer: the provider has to sign people in by OpenID Connect with a code.",
            )
        methods = found.get("token_endpoint_auth_methods_supported")
        in_body = isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
        return Metadata(named, **addresses, secret_in_body=in_body)

    def _address(self, found: Mapping[str, Any], name: str) -> str:
        value = found.get(name)
        is_one = isinstance(value, str) and value.isprintable() and " " not in value and _is_safe(value)
        return str(value) if is_one else ""

    def _refusal(self, answer: Response) -> ConnectorError:
        said = self._json(answer, whatever=True).get("error")
        why = said if isinstance(said, str) and said.isascii() and said.isprintable() else ""
        if why in {"invalid_client", "unauthorized_client"} or (not why and answer.status_code != 400):  # noqa: PLR2004
            return ProviderUnfit(
                f"{self.settings.host} does not accept the connector's client_id and client_secret.",
                detail=why[:100],
                fix="Correct console.oidc.client_id and client_secret.",
            )
        return SignOnRefused(
            f"{self.settings.host} does not accept this sign-in any more.",
            code="sign_on_code",
            detail=why[:100],
            fix="Sign in again.",
        )

    def _get(self, address: str) -> Response:
        return self._call("GET", address, headers={"Accept": "application/json"})

    def _call(self, method: str, address: str, **options: Any) -> Response:  # noqa: ANN401 - as the session takes them
        from connector_core.http.session import HTTPSession, connections, user_agent  # noqa: PLC0415 - slow to load

        adapter = connections(DEADLINE_S, self.outbound())
        with HTTPSession(user_agent("sign-on", "1"), deadline_s=DEADLINE_S, adapter=adapter) as session:
            try:
                answer = session.request(method, address, timeout=(5.0, DEADLINE_S), **options)
            except RetryLater as exc:
                raise ProviderDown(
                    f"{self.settings.host} does not respond.",
                    detail=f"{exc.code}: {exc.detail or exc.message}"[:300],
                    fix=exc.fix or "Try again in a minute.",
                ) from exc
            except ConfigError as exc:
                raise ProviderUnfit(exc.message, detail=exc.detail, fix=exc.fix) from exc
        if answer.status_code == _PROXY:
            raise ProviderDown(
                "The proxy does not let the call through.",
                fix="Check outbound.proxy, its user and password, and what the proxy allows.",
            )
        return answer

    def _json(self, answer: Response, *, whatever: bool = False) -> dict[str, Any]:
        """Read an object; with `whatever` nothing where there is none."""
        if answer.status_code != _OK and not whatever:
            raise self._odd("HTTP", str(answer.status_code))
        if len(answer.content) > LARGEST_ANSWER:
            raise self._odd("an answer that is too large", str(len(answer.content)))
        try:
            found = answer.json()
        except (ValueError, RecursionError) as exc:
            found = None
            if not whatever:
                raise self._odd("something that is no JSON", "") from exc
        if not isinstance(found, dict):
            if whatever:
                return {}
            raise self._odd("something that is no object", "")
        return found

    def _odd(self, what: str, detail: str) -> ProviderDown:
        return ProviderDown(
            f"{self.settings.host} does not respond as it should.",
            detail=f"{what} {detail}".strip(),
            fix="Try again in a minute.",
        )


_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ADDRESSES = (*_NEEDED, "userinfo_endpoint", "end_session_endpoint")


def _time_of(answer: Response) -> datetime | None:
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _is_safe(address: str) -> bool:
    try:
        return is_safe(address) and "#" not in address
    except ValueError:
        return False
