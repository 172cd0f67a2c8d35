"""Which breakers a call depends on: a `Circuit` names them, by what each guards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Guarded(StrEnum):
    """What a breaker guards: the first part of its key."""

    SITE = "site"
    GRANT = "grant"
    APP = "app"
    SETTINGS = "settings"
    SOURCE = "source"
    POLL = "poll"

    def key(self, *names: str) -> str:
        """Return the key of a breaker."""
        return ":".join((self, *names))

    def guards(self, key: str) -> bool:
        """Return whether a key is of a breaker of this kind."""
        return key.startswith(f"{self}:")


@dataclass(frozen=True)
class Circuit:
    """The breakers that a call depends on: a site, perhaps the whole app, an authorization, certain settings."""

    site: str
    app: str | None = None
    settings: str | None = None
    link_id: int | None = None
    """The link that the call is for."""
    strict: bool = False
    """Any refusal may be the settings' fault, not only one that says so."""
    pauses_on_auth: bool = False
    """Nobody else pauses a place that no longer accepts our authorization."""
    pauses_on_any_wait: bool = False
    """The call is about no link: whoever is asked to wait, the place has to."""
    grant: str | None = None
    """The authorization that the call is made with."""

    @classmethod
    def of_site(cls, plugin: str, site: str, integration_id: str | None = None, *, of: str = "") -> Circuit:
        """Return what reading at a site depends on, with the grant of an integration.

        What a site says in the name of the app, whose it may not be, pauses the sites `of` one organization only.
        """
        grant = None if integration_id is None else Guarded.GRANT.key(integration_id)
        app = Guarded.APP.key(plugin, of) if of else Guarded.APP.key(plugin)
        return cls(Guarded.SITE.key(plugin, site), app, grant=grant)

    @classmethod
    def of_grant(cls, integration_id: str) -> Circuit:
        """Return what renewing the grant of an integration depends on."""
        key = Guarded.GRANT.key(integration_id)
        return cls(key, grant=key)

    @classmethod
    def of_source(cls, organization: str) -> Circuit:
        """Return what writing to an organization's source depends on."""
        return cls(Guarded.SOURCE.key(organization), pauses_on_auth=True)

    @classmethod
    def of_poll(cls, organization: str) -> Circuit:
        """Return what polling an organization's source depends on."""
        return cls(Guarded.POLL.key(organization), pauses_on_auth=True, pauses_on_any_wait=True)

    def with_settings(self, integration_id: str, digest: str, *, link_id: int, strict: bool = False) -> Circuit:
        """Return what a write for a link depends on beside the site; the digest tells settings apart."""
        key = Guarded.SETTINGS.key(integration_id, digest)
        return replace(self, settings=key, link_id=link_id, strict=strict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its breakers."""
        return tuple(dict.fromkeys(filter(None, (self.site, self.app, self.grant, self.settings))))


def is_of_settings(key: str, integration_id: str) -> bool:
    """Return whether a key is of a breaker of an integration's settings."""
    return key.startswith(Guarded.SETTINGS.key(integration_id, ""))
