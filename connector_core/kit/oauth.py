"""A token endpoint (RFC 6749): codes, refresh tokens and client credentials become tokens, refusals become our errors.

    SERVER = OAuthServer("Helpdesk", authorize_url=f"{site}/oauth/authorize", token_url=f"{site}/oauth/token")

Used through `connector_core.kit.grants`; what is particular to a vendor is in the fields of `OAuthServer`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from connector_core.contract.errors import AuthError, ConfigError, ConnectorError, RemoteError, RetryLater, Scope
from connector_core.contract.handles import AnyIntegration, no_grant
from connector_core.kit.answers import json_or_none
from connector_core.kit.limits import RateHeaders
from connector_core.kit.rest import basic, carrying
from connector_core.kit.values import Json, sentence

if TYPE_CHECKING:  # as in connector_core.contract.handles
    from requests import Response

#: How long an access token lives when the answer does not say, and it can be renewed.
HOUR_S = 3600.0


@dataclass(frozen=True)
class OAuthClient:
    """The client, or app, that people give access to: registered at the vendor, or at the customer's own site."""

    client_id: str
    client_secret: SecretStr


@dataclass(frozen=True)
class OAuthTexts:
    """What people are told, each a sentence that says what to do; the defaults fit any vendor."""

    #: A person has to authorize once more.
    again: str = "Authorize access again."
    #: The client's id or secret is wrong.
    client: str = "Enter the client ID and secret once more, as they stand where the client is registered."
    #: There was no refresh token.
    offline: str = "Allow the client refresh tokens where it is registered, then authorize again."
    #: A scope was taken away.
    scopes: str = "Give the client these scopes again, then authorize again."
    #: The person said no on the consent page; and what it takes to say yes.
    declined: str = "Access was denied on the consent page."
    allow: str = "Authorize again, and approve the access that is asked for."
    #: The token endpoint is not where it is said to be.
    address: str = "Check the address of the site."
    #: Why a refresh token may be dead where its age does not tell; empty for the usual reasons.
    dead: str = ""


@dataclass(frozen=True)
class OAuthServer:
    """An authorization server, of the vendor or at the customer's own address.

    OAuthServer("Helpdesk", f"{site}/oauth/authorize", f"{site}/oauth/token", scopes=("tickets",), has_pkce=True)
    """

    #: Whose it is, as people call it.
    vendor: str
    #: Where a person consents.
    authorize_url: str
    #: Where tokens are given.
    token_url: str
    #: The scopes that are asked for.
    scopes: tuple[str, ...] = ()
    #: Those of them without which nothing works: a renewal that lost one needs a person.
    needed_scopes: tuple[str, ...] = ()
    #: Further parameters of the consent page's address.
    extra: Mapping[str, str] = field(default_factory=dict)
    #: Whether the code is bound to who asked for it (RFC 7636, S256). The verifier is made of the state and the client
    #: secret: nothing has to be kept, and any node can take the way back.
    has_pkce: bool = False
    #: Whether the token endpoint is asked in JSON, not with a form as the RFC has it.
    asks_in_json: bool = False
    #: Whether the client proves itself in the header `Authorization`, not in the body.
    client_in_header: bool = False
    #: Names of errors that mean that a person has to authorize again.
    dead_names: frozenset[str] = frozenset({"invalid_grant"})
    #: Names of errors that mean that the client, not the person, is refused.
    client_names: frozenset[str] = frozenset({"invalid_client", "unauthorized_client", "access_denied"})
    #: After how long without use a refresh token ends, where that is known.
    unused_for: timedelta | None = None
    #: How long after consent it ends in any case, where that is known.
    consent_for: timedelta | None = None
    #: A longer life of an access token than this is not believed.
    longest_life: timedelta = timedelta(days=366)
    #: How it tells of rate limits.
    limits: RateHeaders = field(default_factory=RateHeaders)
    texts: OAuthTexts = field(default_factory=OAuthTexts)


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gives."""

    access: SecretStr
    #: None where no other one was given: the old one stays good.
    refresh: SecretStr | None
    #: In seconds; None where it was not told.
    expires_in: float | None
    #: Empty where none were told.
    scopes: tuple[str, ...]


def consent_url(server: OAuthServer, client: OAuthClient, callback_url: str, state: str) -> str:
    """Return where a person gives consent.

    Redirect(url=consent_url(SERVER, client, request.callback_url, request.state))
    """
    parameters = {
        **server.extra,
        "client_id": client.client_id,
        "redirect_uri": callback_url,
        "state": state,
        "response_type": "code",
    }
    if server.scopes:
        parameters["scope"] = " ".join(server.scopes)
    if server.has_pkce:
        challenge = hashlib.sha256(_verifier(client, state).encode("ascii")).digest()
        parameters |= {"code_challenge": _base64url(challenge), "code_challenge_method": "S256"}
    joint = "&" if "?" in server.authorize_url else "?"
    return f"{server.authorize_url}{joint}{urlencode(parameters, quote_via=quote)}"


def tokens_for_code(  # noqa: PLR0913 - what the exchange is made of
    integration: AnyIntegration, server: OAuthServer, client: OAuthClient, *, code: str, callback_url: str, state: str
) -> Tokens:
    """Turn the code of a consent into tokens.

    Raises:
        AuthError: the code is not accepted.
        ConfigError: the client is not.
        RetryLater: the server could not be asked now.
        RemoteError: it refuses for another reason.
    """
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_url}
    if server.has_pkce:
        asked["code_verifier"] = _verifier(client, state)
    return _ask(integration, server, client, asked)


def tokens_for_refresh(
    integration: AnyIntegration, server: OAuthServer, client: OAuthClient, refresh_token: SecretStr
) -> Tokens:
    """Turn a refresh token into new tokens; where the answer is lost, at once a second time.

    The rotation may have happened although its answer was lost. Servers that take the old token for a while longer then
    give the same again; later, it would be taken for stolen.

    Raises:
        ConnectorError: as `tokens_for_code` does.
    """
    asked = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}
    try:
        return _ask(integration, server, client, asked)
    except RetryLater as exc:
        if not exc.outcome_unknown:  # nothing was rotated, and asking at once is what it complains about
            raise
        integration.log.info("token_answer_lost", code=exc.code)
    return _ask(integration, server, client, asked)


def tokens_for_client(integration: AnyIntegration, server: OAuthServer, client: OAuthClient) -> Tokens:
    """Ask for tokens of the client itself, without a person (RFC 6749, 4.4).

    Raises:
        ConnectorError: as `tokens_for_code` does.
    """
    asked = {"grant_type": "client_credentials"}
    if server.scopes:
        asked["scope"] = " ".join(server.scopes)
    return _ask(integration, server, client, asked)


def _ask(integration: AnyIntegration, server: OAuthServer, client: OAuthClient, asked: Mapping[str, str]) -> Tokens:
    secret = client.client_secret
    if server.client_in_header:  # RFC 6749, 2.3.1: both are encoded before they are put together
        coded = SecretStr(quote(secret.get_secret_value(), safe="", errors="replace"))
        auth = carrying(basic(quote(client.client_id, safe="", errors="replace"), coded))
    else:
        asked = {**asked, "client_id": client.client_id, "client_secret": secret.get_secret_value()}
        auth = no_grant
    response = integration.session.request(
        "POST",
        server.token_url,
        json=asked if server.asks_in_json else None,
        data=None if server.asks_in_json else dict(asked),
        auth=auth,
        headers={"Accept": "application/json"},
    )
    answer = json_or_none(response)
    status = response.status_code
    whose = f"{server.vendor}'s authorization server"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RetryLater(
            f"{whose} asks us to slow down.",
            after_s=server.limits.wait_of(response.headers, integration.clock.now()),
            scope=Scope.SITE,
            detail=str(status),
        )
    if not isinstance(answer, dict) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RetryLater(
            f"{whose} cannot answer at the moment.",
            outcome_unknown=True,
            scope=Scope.SITE,
            detail=str(status),
            fix=server.texts.address if status < HTTPStatus.INTERNAL_SERVER_ERROR else "",
        )
    if status != HTTPStatus.OK:
        raise _refusal(server, answer, response)
    return _tokens(server, answer)


def _tokens(server: OAuthServer, answer: Json) -> Tokens:
    access, refresh_token, lifetime = (answer.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not _is_token(access) or not (not refresh_token or _is_token(refresh_token)):
        text = f"{server.vendor}'s authorization server gave no token."
        raise RetryLater(text, outcome_unknown=True, scope=Scope.SITE)
    return Tokens(
        access=SecretStr(access),
        refresh=SecretStr(refresh_token) if refresh_token else None,
        expires_in=_life(lifetime, server.longest_life),
        scopes=tuple(one for one in str(answer.get("scope") or "").split() if _is_token(one)),
    )


def _life(told: object, longest: timedelta) -> float | None:
    """Read how long a token lives; some write the number as a text."""
    if isinstance(told, str) and told.isascii() and told.isdecimal() and len(told) < 10:  # noqa: PLR2004 - a century
        told = int(told)
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    return float(told) if is_number and 0 < told <= longest.total_seconds() else None  # type: ignore[arg-type, operator] # a number


def _is_token(value: object) -> TypeGuard[str]:
    """Return whether a value can be sent as a token: visible ASCII and nothing else (RFC 6749, appendix A)."""
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


def _refusal(server: OAuthServer, answer: Json, response: Response) -> ConnectorError:
    """Go by the error's name: the status that comes with it differs from vendor to vendor, and from year to year."""
    error = sentence(answer.get("error"))[:100]
    detail = f"{response.status_code} {error} {sentence(answer.get('error_description'))}"
    if error in server.dead_names:
        return AuthError(
            f"{server.vendor} no longer accepts this authorization.", detail=detail, fix=server.texts.again
        )
    if error in server.client_names:
        return ConfigError(
            f"{server.vendor} does not accept the client secret of our app.",
            code="client_secret_wrong",
            detail=detail,
            fix=server.texts.client,
        )
    if error in {"temporarily_unavailable", "server_error", "slow_down"}:
        text = f"{server.vendor}'s authorization server cannot answer at the moment."
        return RetryLater(text, scope=Scope.SITE, detail=detail)
    if error == "unsupported_grant_type":
        return ConfigError(
            f"{server.vendor} does not allow this way to authorize.",
            code="grant_type_not_allowed",
            detail=detail,
            fix="Have an administrator allow it for the client, or choose another way.",
        )
    return RemoteError(f"{server.vendor} refused the request for a token.", code="token_refused", detail=detail)


def _verifier(client: OAuthClient, state: str) -> str:
    key = client.client_secret.get_secret_value().encode("utf-8", "replace")
    return _base64url(hmac.digest(key, b"pkce " + state.encode("utf-8", "replace"), "sha256"))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")
