"""What the hook `authorize` gives back: by a person's consent, for a client of its own, or with a token of settings.

    def authorize(integration, request):
        site = text_given(integration, "site")
        server = OAuthServer("Helpdesk", f"{site}/oauth/authorize", f"{site}/oauth/token")
        return code_flow(integration, request, server, client_given(integration), whoami)

`whoami` is the plugin's: it asks with a grant that the core does not have yet whose it is, `of_grant` sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import SecretStr, TypeAdapter, ValidationError

from connector_core.contract.errors import AuthError, ConfigError, ConnectorError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import (
    AuthorizationRenewal,
    AuthorizationRequest,
    AuthorizationReturn,
    AuthorizationStart,
    Grant,
    Redirect,
    Site,
)
from connector_core.contract.plugin_info import Settings
from connector_core.kit.oauth import (
    HOUR_S,
    OAuthClient,
    OAuthServer,
    Tokens,
    consent_url,
    tokens_for_client,
    tokens_for_code,
    tokens_for_refresh,
)
from connector_core.kit.rest import bearer

#: The name under which a grant keeps its refresh token.
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a secret
#: What a person can do whose token is refused.
CHECK_FIX = "Check the token and the address of the site."


@dataclass(frozen=True)
class Account:
    """Whose a grant is: the account that we act as, by the other side's stable id and the name that people know."""

    id: str
    name: str
    #: The sites that the grant reaches; of several a person chooses one.
    sites: tuple[Site, ...] = ()


#: Asks with a grant whose it is.
Whoami = Callable[[Grant], Account]


def code_flow(
    integration: AnyIntegration,
    request: AuthorizationRequest,
    server: OAuthServer,
    client: OAuthClient,
    whoami: Whoami,
) -> Redirect | Grant:
    """Start, finish or renew an authorization by a person's consent (RFC 6749, 4.1); the core checks the state.

    return code_flow(integration, request, SERVER, client_given(integration), whoami)

    Raises:
        AuthError: the person said no, or has to authorize again: the consent has ended, or lost a scope.
        ConfigError: the client is refused, or gets no refresh token.
        RetryLater: the server could not be asked now.
    """
    if isinstance(request, AuthorizationStart):
        return Redirect(url=consent_url(server, client, request.callback_url, request.state))
    if isinstance(request, AuthorizationReturn):
        return _from_consent(integration, request, server, client, whoami)
    return _renewed(integration, request.grant, server, client)


def client_credentials(
    integration: AnyIntegration,
    request: AuthorizationRequest,
    server: OAuthServer,
    client: OAuthClient,
    whoami: Whoami,
) -> Grant:
    """Authorize a client that acts for itself (RFC 6749, 4.4); renewing is doing it again, and needs nobody.

    return client_credentials(integration, request, SERVER, client_given(integration), whoami)

    Raises:
        ConfigError: the client is refused.
        RetryLater: the server could not be asked now.
    """
    tokens = tokens_for_client(integration, server, client)
    if isinstance(request, AuthorizationRenewal):
        return _with_tokens(integration, request.grant, tokens, server)
    grant = _with_tokens(integration, Grant(headers={}), tokens, server)
    return _of_account(grant, whoami(grant))


def header_grant(  # noqa: PLR0913 - what differs, by keyword
    integration: AnyIntegration,
    headers: Mapping[str, SecretStr],
    whoami: Whoami,
    *,
    vendor: str,
    base_url: str,
    what: str = "token",
    ends: datetime | None = None,
    fix: str = CHECK_FIX,
    code: str = "token_refused",
) -> Grant:
    """Make a grant of headers that settings hold, such as `basic(...)` or `bearer(...)`, and prove that it works.

    `base_url` is the one address where they are good. The same is done to renew it: it shows whether they still work.

    return header_grant(integration, bearer(token), whoami, vendor="Helpdesk", base_url=site)

    Raises:
        AuthError: the headers are not accepted; `what` they are, and that they have ended, is said.
        ConfigError: they cannot be sent.
        RetryLater: the other side could not be asked now.
    """
    grant = Grant(headers=dict(headers), base_url=base_url, renewable_until=ends)
    try:
        account = whoami(grant)
    except AuthError as exc:
        if exc.code != AuthError.default_code:  # `whoami` knows better what is wrong
            raise
        is_over = ends is not None and ends < integration.clock.now()
        raise AuthError(
            f"The {what} ended on {ends:%Y-%m-%d}." if is_over else f"{vendor} does not accept the {what}.",
            code=code,
            detail=exc.detail,
            fix=fix,
        ) from exc
    return _of_account(grant, account)


def site_at(url: str) -> Site:
    """Return the site of an address of settings, which is its id too: who has none better.

    Account(id=user_id, name=user_name, sites=(site_at(settings.url),))
    """
    return Site(id=url, name=urlsplit(url).netloc or url, url=url)


def pick(sites: Iterable[Site], wanted: str, *, missing: str, fix: str) -> Site:
    """Find the site that was asked for by its id or address, in any case of letters.

    pick(found, request.site, missing="The authorization does not reach this site.", fix="Choose another one.")

    Raises:
        AuthError: it is not among them.
    """
    for site in sites:
        if wanted.rstrip("/").casefold() in {site.id.casefold(), site.url.casefold()}:
            return site
    raise AuthError(missing, code="site_not_granted", detail=wanted, fix=fix)


def end_of(day: str | None) -> datetime | None:
    """Return the moment at which a token that ends on a day, like `2027-01-31`, is surely over.

    header_grant(integration, headers, whoami, vendor="Helpdesk", base_url=site, ends=end_of(settings.token_ends))
    """
    return None if day is None else datetime.combine(date.fromisoformat(day), time.max, UTC)


def text_given(integration: AnyIntegration, name: str) -> str:
    """Return an answer given so far, else what is active, as a text; nothing where there is neither.

    site = text_given(integration, "site")
    """
    given = integration.answers.get(name)
    return str(given if given is not None else getattr(integration.settings, name, None) or "")


def setting_given(integration: AnyIntegration, settings: type[Settings], name: str) -> Any:  # noqa: ANN401 - of the setting's type
    """Return an answer given so far, else what is active, as the setting is read: an address in its full form, say.

    site = setting_given(integration, DeskSettings, "address")

    Raises:
        ConfigError: it is missing, or not of that form; its code is the name with `_missing`.
    """
    try:
        return one_setting(settings, name).validate_python(text_given(integration, name))
    except ValidationError as exc:
        said = exc.errors()[0]["msg"].removeprefix("Value error, ")
        what = settings.model_fields[name].title or name.replace("_", " ")
        fix = "Enter it in set-up."
        raise ConfigError(f"There is no {what} yet.", code=f"{name}_missing", detail=said, fix=fix) from exc


@cache
def one_setting(settings: type[Settings], name: str) -> TypeAdapter[Any]:
    """Return what reads one setting by itself.

    one_setting(DeskSettings, "address").validate_python("https://desk.test/")
    """
    declared = settings.model_fields[name]
    return TypeAdapter(Annotated[declared.annotation, None, *declared.metadata])  # type: ignore[arg-type]  # known when run


def secret_given(integration: AnyIntegration, name: str) -> SecretStr | None:
    """Return a secret given so far, else the one that is active; None where there is neither.

    token = secret_given(integration, "token")
    """
    given = integration.secret_answers.get(name) or integration.answers.get(name)
    given = given if given is not None else getattr(integration.settings, name, None)
    return given if given is None or isinstance(given, SecretStr) else SecretStr(str(given))


def secret_needed(integration: AnyIntegration, name: str, what: str) -> SecretStr:
    """Return a secret given so far, else the one that is active; `what` people call it.

    header_grant(integration, bearer(secret_needed(integration, "token", "token")), whoami, vendor="Helpdesk", ...)

    Raises:
        ConfigError: there is neither; its code is the name with `_missing`.
    """
    if (given := secret_given(integration, name)) is None:
        raise ConfigError(f"There is no {what} to authorize with.", code=f"{name}_missing", fix="Enter it in set-up.")
    return given


def client_given(integration: AnyIntegration, keys: tuple[str, str] = ("client_id", "client_secret")) -> OAuthClient:
    """Return the OAuth client of the integration's own, from the answers under these keys.

    code_flow(integration, request, SERVER, client_given(integration), whoami)

    Raises:
        ConfigError: it was not given.
    """
    name, secret = text_given(integration, keys[0]), secret_given(integration, keys[1])
    if not name or secret is None or not secret.get_secret_value():
        raise ConfigError(
            "There is no OAuth client to authorize with.",
            code="oauth_client_missing",
            fix="Enter client ID and secret as they stand where the client is registered.",
        )
    return OAuthClient(name, secret)


def _from_consent(
    integration: AnyIntegration, request: AuthorizationReturn, server: OAuthServer, client: OAuthClient, whoami: Whoami
) -> Grant:
    code = request.parameters.get("code")
    if "error" in request.parameters or not code:
        raise _declined(request.parameters.get("error", ""), server)
    tokens = tokens_for_code(
        integration,
        server,
        client,
        code=code,
        callback_url=request.callback_url,
        state=request.parameters.get("state", ""),
    )
    if tokens.refresh is None and (tokens.expires_in is not None or server.unused_for is not None):
        raise ConfigError(
            f"{server.vendor} gave no refresh token, so access would end within the hour.",
            code="offline_access_missing",
            fix=server.texts.offline,
        )
    grant = _with_tokens(integration, Grant(headers={}, consented_at=integration.clock.now()), tokens, server)
    return _of_account(grant, whoami(grant))


def _renewed(integration: AnyIntegration, grant: Grant, server: OAuthServer, client: OAuthClient) -> Grant:
    token = grant.secrets.get(REFRESH_TOKEN)
    if token is None:
        raise AuthError("This authorization cannot be renewed.", fix=server.texts.again)
    try:
        tokens = tokens_for_refresh(integration, server, client, token)
    except AuthError as exc:
        raise _why_dead(grant, integration.clock.now(), server, exc) from exc
    if lost := _lost_scopes(grant.scopes, tokens.scopes, server.needed_scopes):
        raise AuthError(
            f"The authorization has lost scopes that are needed: {', '.join(lost)}.",
            code="scopes_lost",
            fix=server.texts.scopes,
        )
    return _with_tokens(integration, grant, tokens, server)


def _with_tokens(integration: AnyIntegration, grant: Grant, tokens: Tokens, server: OAuthServer) -> Grant:
    """Put new tokens into a grant. An answer without a refresh token leaves the old one good (RFC 6749, 6)."""
    secrets = dict(grant.secrets)
    if tokens.refresh is not None:
        secrets[REFRESH_TOKEN] = tokens.refresh
    now = integration.clock.now()
    life = tokens.expires_in
    if life is None and (REFRESH_TOKEN in secrets or grant.consented_at is None):
        life = HOUR_S
    return grant.model_copy(
        update={
            "headers": bearer(tokens.access),
            "secrets": secrets,
            "expires_at": None if life is None else now + timedelta(seconds=life),
            "renewable_until": _renewable_until(now, grant.consented_at, server),
            "scopes": tokens.scopes or grant.scopes,
        }
    )


def _of_account(grant: Grant, account: Account) -> Grant:
    """Settle on the only site; with several, leave the choice open."""
    site = account.sites[0] if len(account.sites) == 1 else None
    return grant.model_copy(
        update={"account_id": account.id, "account_name": account.name, "sites": account.sites, "site": site}
    )


def _renewable_until(now: datetime, consented_at: datetime | None, server: OAuthServer) -> datetime | None:
    """Return until when a refresh token that was given now can be used, as far as is known."""
    unused = None if server.unused_for is None else now + server.unused_for
    consent = None if server.consent_for is None or consented_at is None else consented_at + server.consent_for
    return min((end for end in (unused, consent) if end is not None), default=None)


def _why_dead(grant: Grant, now: datetime, server: OAuthServer, refused: AuthError) -> AuthError:
    """Return why a refresh token is refused, as far as its age tells: servers answer all reasons alike."""
    consented, longest, unused = grant.consented_at, server.consent_for, server.unused_for
    if consented is not None and longest is not None and now - consented >= longest:
        reason = f"The consent of {consented:%Y-%m-%d} has ended after {_span(longest)}."
    elif unused is not None and grant.renewable_until is not None and now >= grant.renewable_until:
        reason = f"The authorization was not used for {_span(unused)} and has ended."
    else:
        reason = server.texts.dead or (
            f"{server.vendor} access has expired or was revoked: by the account's owner, by a new password, or because "
            "the token was used elsewhere."
        )
    return AuthError(reason, detail=refused.detail, fix=server.texts.again)


def _span(length: timedelta) -> str:
    return "a year" if length == timedelta(days=365) else f"{length.days} days"


def _lost_scopes(before: Iterable[str], now: Iterable[str], needed: Iterable[str]) -> list[str]:
    """Return the scopes that are needed and no longer there; nothing where an answer named none."""
    present = set(now)
    return sorted((set(before) & set(needed)) - present) if present else []


def _declined(error: str, server: OAuthServer) -> ConnectorError:
    if error == "access_denied":
        return AuthError(server.texts.declined, code="consent_declined", fix=server.texts.allow)
    return AuthError(
        f"{server.vendor} sent the person back without an authorization.",
        code="consent_failed",
        detail=error[:200],
        fix="Start the authorization again.",
    )
