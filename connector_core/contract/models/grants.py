"""Authorizing access to the other side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from connector_core.contract.addresses import web_link
from connector_core.contract.models.record import Record


class Site(Record):
    """One installation of the ticketing system that an authorization reaches.

    `is_proven` says that its id was told by someone whom the operator trusts, such as the gateway through which the
    authorization is good there. What only a site itself tells is believed within its organization: another
    organization's may tell the same.
    """

    id: str
    name: str
    url: str
    is_proven: bool = False

    def known_as(self, organization: str) -> str:
        """Return by what it is told apart from those of other organizations."""
        return self.id if self.is_proven else f"{organization}/{self.id}"

    def names(self, organization: str) -> frozenset[str]:
        """Return by what it is compared: sites that have one of them in common are one site."""
        return frozenset({self.known_as(organization), f"{organization}/{self.id}"})


class Grant(Record):
    """An authorization: what to send along, until when, and for whom.

    `secrets` is the plugin's own (tokens); `headers` go with every request. `site` and `account_id` are the other
    side's own stable names, so that a later authorization of somebody else, or somewhere else, is noticed.
    `expires_at` is when it has to be renewed, `renewable_until` when a person has to authorize again at the latest.
    `consented_at` is when a person last did. `base_url` is where it is good, for one that is good at one address only:
    a request that went elsewhere is not repeated with it.
    """

    headers: Mapping[str, SecretStr]
    secrets: Mapping[str, SecretStr] = Field(default_factory=dict)
    expires_at: AwareDatetime | None = None
    renewable_until: AwareDatetime | None = None
    consented_at: AwareDatetime | None = None
    account_id: str = ""
    account_name: str = ""
    site: Site | None = None
    sites: tuple[Site, ...] = ()
    scopes: tuple[str, ...] = ()
    base_url: str = ""

    def needs_renewal(self, now: datetime, margin_s: float = 60.0) -> bool:
        """Return whether the grant ends within the margin."""
        return self.expires_at is not None and (self.expires_at - now).total_seconds() < margin_s

    def is_same_access(self, other: Grant) -> bool:
        """Return whether another grant gives the same access, whatever its site is called by now."""
        return (self.headers, self.secrets) == (other.headers, other.secrets)

    def at_site(self, site: Site) -> Self:
        """Return the same grant for one chosen site."""
        return self.model_copy(update={"site": site})

    def sent_headers(self) -> dict[str, str]:
        """Return the headers in clear, as they are sent."""
        return {name: secret.get_secret_value() for name, secret in self.headers.items()}


class AuthorizationStart(Record):
    """A person wants to authorize: give back a `Redirect`, or a `Grant` when none is needed."""

    state: str
    callback_url: str


class AuthorizationReturn(Record):
    """The person came back with the parameters of the callback address; `site` is the id of a chosen site, if any."""

    callback_url: str
    parameters: Mapping[str, str]
    site: str | None = None


class AuthorizationRenewal(Record):
    """The grant has ended or soon will: give back a new one without a person."""

    grant: Grant


AuthorizationRequest = AuthorizationStart | AuthorizationReturn | AuthorizationRenewal


def _link(url: str) -> str:
    if web_link(url) is None:
        raise ValueError("expected an http or https address")
    return url


class Redirect(Record):
    """Where to send the person's browser."""

    url: Annotated[str, AfterValidator(_link)]
