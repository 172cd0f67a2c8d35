"""Atlassian's authorization server: the consent address, and tokens that are good once.

Every refresh gives a new refresh token and retires the old one. For ten minutes the old one is still taken (Atlassian
staff, CDAC 50348), which is what makes a lost answer curable: ask again at once, with the same token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from connector_core import AuthError, ConfigError, ConnectorError, Integration, RemoteError, RetryLater, Scope, no_grant
from connector_jira_jsm.api.limits import wait_of
from connector_jira_jsm.settings import OAuthApp, plugin_settings
from connector_jira_jsm.text import wiki

SCOPES = (
    "read:jira-work",
    "write:jira-work",
    "read:servicedesk-request",
    "write:servicedesk-request",
    "read:jira-user",
    "offline_access",
)
HOUR_S = 3600.0  # how long an access token lives when the answer does not say


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gives."""

    access: SecretStr
    refresh: SecretStr | None
    expires_in: float
    scopes: tuple[str, ...]


def consent_url(auth_url: str, app: OAuthApp, callback_url: str, state: str, more: tuple[str, ...] = ()) -> str:
    """Return where a person gives consent."""
    parameters = {
        "audience": "api.atlassian.com",
        "client_id": app.client_id,
        "scope": " ".join((*SCOPES, *more)),
        "redirect_uri": callback_url,
        "state": state,
        "response_type": "code",
        "prompt": "consent",
    }
    return f"{auth_url}/authorize?{urlencode(parameters, quote_via=quote)}"


def exchange_code(integration: Integration, app: OAuthApp, code: str, callback_url: str) -> Tokens:
    """Turn the code of a consent into tokens."""
    return _ask(integration, app, {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_url})


def refresh(integration: Integration, app: OAuthApp, refresh_token: SecretStr) -> Tokens:
    """Turn a refresh token into new tokens."""
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}
    try:
        return _ask(integration, app, body)
    except RetryLater as exc:
        if not exc.outcome_unknown:  # nothing was rotated, and asking at once is what it complains about
            raise
        integration.log.info("token_answer_lost", code=exc.code)
    # The rotation may have happened although its answer was lost: later, the same token would be taken for stolen.
    return _ask(integration, app, body)


def _ask(integration: Integration, app: OAuthApp, body: Mapping[str, str]) -> Tokens:
    full = {**body, "client_id": app.client_id, "client_secret": app.client_secret.get_secret_value()}
    url = f"{plugin_settings(integration).auth_url}/oauth/token"
    response = integration.session.request("POST", url, json=full, auth=no_grant)
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise RetryLater(
            "Atlassian's authorization server asks us to slow down.",
            after_s=wait_of(response, integration.clock.now()),
            scope=Scope.SITE,
            detail=str(response.status_code),
        )
    if not isinstance(answer, dict) or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RetryLater(
            "Atlassian's authorization server cannot answer at the moment.",
            outcome_unknown=True,
            scope=Scope.SITE,
            detail=str(response.status_code),
        )
    if response.status_code != HTTPStatus.OK:
        raise _refusal(answer, response.status_code)
    return _tokens(answer)


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    access, refresh_token, lifetime = (answer.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not _is_token(access) or not (not refresh_token or _is_token(refresh_token)):
        raise RetryLater("Atlassian's authorization server gave no token.", outcome_unknown=True, scope=Scope.SITE)
    return Tokens(
        access=SecretStr(access),
        refresh=SecretStr(refresh_token) if refresh_token else None,
        expires_in=lifetime if isinstance(lifetime, int | float) and 0 < lifetime <= 24 * HOUR_S else HOUR_S,
        scopes=tuple(wiki.clean(str(answer.get("scope") or "")).split()),
    )


def _is_token(value: object) -> TypeGuard[str]:
    """Return whether a value can be sent as a token: visible ASCII and nothing else (RFC 6749, appendix A)."""
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


def _refusal(answer: Mapping[str, Any], status: int) -> ConnectorError:
    """Go by the error's name: the status that comes with it has changed before (jira.js, tests of its OAuth errors)."""
    error = str(answer.get("error", ""))[:100]
    detail = f"{status} {error} {str(answer.get('error_description', ''))[:200]}"
    if error in {"unauthorized_client", "invalid_grant"}:
        return AuthError(
            "Atlassian no longer accepts this authorization.", detail=detail, fix="Authorize access to Jira again."
        )
    if error in {"access_denied", "invalid_client"}:
        return ConfigError(
            "Atlassian does not accept the client secret of our app.",
            code="client_secret_wrong",
            detail=detail,
            fix="Copy the secret from the developer console (Settings) into plugins: jira_jsm: oauth. Nobody has to "
            "authorize again.",
        )
    if error in {"temporarily_unavailable", "server_error"}:
        text = "Atlassian's authorization server cannot answer at the moment."
        return RetryLater(text, scope=Scope.SITE, detail=detail)
    return RemoteError("Atlassian refused the request for a token.", code="token_refused", detail=detail)
