"""Authorizing access to the other side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from connector_core.contract.addresses import web_link
from connector_core.contract.models.record import Record


class Site(Record):
    """One installation of the ticketing system that an authorization reaches."""

    #: The other side's own stable id of it, where it has one; otherwise its address.
    id: str
    #: What people call it.
    name: str
    #: Where people open it.
    url: str
    #: Its id was told by someone whom the operator trusts, such as the gateway through which the authorization is good
    #: there. What only a site itself tells is believed within its organization: another organization's may tell the
    #: same.
    is_proven: bool = False

    def known_as(self, organization: str) -> str:
        """Return by what it is told apart from those of other organizations."""
        return self.id if self.is_proven else f"{organization}/{self.id}"

    def names(self, organization: str) -> frozenset[str]:
        """Return by what it is compared: sites that have one of them in common are one site."""
        return frozenset({self.known_as(organization), f"{organization}/{self.id}"})


class Grant(Record):
    """An authorization: what to send along, until when, and for whom."""

    #: What goes with every request of the session.
    headers: Mapping[str, SecretStr]
    #: The plugin's own, such as the token to renew it with.
    secrets: Mapping[str, SecretStr] = Field(default_factory=dict)
    #: When it has to be renewed; None when it does not end.
    expires_at: AwareDatetime | None = None
    #: When a person has to authorize again at the latest; None when that is not known.
    renewable_until: AwareDatetime | None = None
    #: When a person last authorized.
    consented_at: AwareDatetime | None = None
    #: The other side's own stable id of the account, so that another one is noticed; empty when it has none.
    account_id: str = ""
    #: What people call the account.
    account_name: str = ""
    #: The site it is used at; None while a person has not chosen one of several.
    site: Site | None = None
    #: The sites that it reaches.
    sites: tuple[Site, ...] = ()
    #: What it allows, in the other side's words.
    scopes: tuple[str, ...] = ()
    #: Where it is good, for one that is good at one address only: a request that went elsewhere is not repeated with
    #: it.
    base_url: str = ""
    #: It was for other answers than today's: whose it was is known, and nothing is left of it that could be sent.
    is_outdated: bool = False

    def needs_renewal(self, now: datetime, margin_s: float = 60.0) -> bool:
        """Return whether the grant ends within the margin."""
        return self.expires_at is not None and (self.expires_at - now).total_seconds() < margin_s

    def is_same_access(self, other: Grant) -> bool:
        """Return whether another grant gives the same access, whatever its site is called by now."""
        return (self.headers, self.secrets) == (other.headers, other.secrets)

    def at_site(self, site: Site) -> Self:
        """Return the same grant for one chosen site."""
        return self.model_copy(update={"site": site})

    def outdated(self) -> Self:
        """Return what is kept of the grant when it is not good any more for where the answers lead."""
        nothing: dict[str, object] = {"headers": {}, "secrets": {}, "expires_at": None, "renewable_until": None}
        return self.model_copy(update={**nothing, "is_outdated": True})

    def sent_headers(self) -> dict[str, str]:
        """Return the headers in clear, as they are sent."""
        return {name: secret.get_secret_value() for name, secret in self.headers.items()}


class AuthorizationStart(Record):
    """A person wants to authorize: give back a `Redirect`, or a `Grant` when none is needed."""

    #: Comes back with the person and proves that this start is meant.
    state: str
    #: Where the person comes back to.
    callback_url: str


class AuthorizationReturn(Record):
    """The person came back: give back a `Grant`."""

    #: The address of the start, without parameters.
    callback_url: str
    #: What the other side put behind it.
    parameters: Mapping[str, str]
    #: The id of the site that the person chose, if any.
    site: str | None = None


class AuthorizationRenewal(Record):
    """The grant has ended or soon will: give back a new one without a person."""

    #: The one to be renewed.
    grant: Grant


AuthorizationRequest = AuthorizationStart | AuthorizationReturn | AuthorizationRenewal


def _link(url: str) -> str:
    if web_link(url) is None:
        raise ValueError("expected an http or https address")
    return url


class Redirect(Record):
    """Where to send the person's browser."""

    #: An http or https address.
    url: Annotated[str, AfterValidator(_link)]
