"""Which provider signs people in, and what each of them may do here."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from connector_core.contract.addresses import http_address

_EXAMPLE = "https://login.example.com"
_DOMAIN = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749, appendix A.4

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def is_safe(address: str) -> bool:
    """Return whether what is sent to an address stays between us and the provider: TLS, or this very machine."""
    parts = urlsplit(address)
    if parts.username is not None:  # it would be shown, in the browser too
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer(value: str) -> str:
    http_address(value, example=_EXAMPLE)
    if not is_safe(value):
        raise ValueError(f"the provider has to be reached by https, like {_EXAMPLE}")
    return value


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise ValueError("expected a domain like example.com")
    return value.casefold()


def _scopes(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_SCOPE.fullmatch(one) for one in value):
        raise ValueError("a scope is a word without spaces and quotes")
    return value if "openid" in value else ("openid", *value)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RoleEntry(_Part):
    """What those may do whose claim has this value."""

    role: Literal["admin", "viewer"] = Field("viewer", description="admin may change things, viewer only look.")
    organizations: list[Annotated[str, StringConstraints(min_length=1)]] | None = Field(
        None, min_length=1, description="The organizations that they see. Default: all."
    )


class OidcSettings(_Part):
    """Single sign-on by OpenID Connect, beside the passwords."""

    issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        description="Address of the provider, as its discovery document names it, like "
        "https://login.example.com/realms/main."
    )
    client_id: Text = Field(description="Id of the connector as a client of the provider.")
    client_secret: SecretStr | None = Field(
        None, min_length=1, description="Its secret. Default: none, for a public client; PKCE is used in either case."
    )
    scopes: Annotated[tuple[str, ...], AfterValidator(_scopes)] = Field(
        ("openid", "profile", "email"), description="What the provider is asked for."
    )
    label: Text = Field("single sign-on", description='What the button says behind "Sign in with".')
    name_claim: Text = Field(
        "preferred_username",
        description="Claim with the name that pages and the audit log show. Where it is missing: email, then sub.",
    )
    roles_claim: Text = Field(
        "groups",
        description="Claim that says what someone may do: a text or a list of texts. A path with dots leads into "
        "objects, like realm_access.roles.",
    )
    roles: dict[Text, RoleEntry] = Field(
        min_length=1,
        description="What someone may do, by the value of that claim. Of several the entries with role admin count "
        "before those with viewer. Whoever has none of them is refused.",
    )
    allowed_domains: tuple[Annotated[str, AfterValidator(_domain)], ...] | None = Field(
        None,
        min_length=1,
        description="Domains of the verified e-mail addresses that may sign in, like example.com. Default: all.",
    )

    @property
    def host(self) -> str:
        """The provider's host, which is what people know it by."""
        return urlsplit(self.issuer).netloc
