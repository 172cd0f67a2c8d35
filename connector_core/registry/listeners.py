"""The integrations that a webhook route may be for, found by their secrets and by their sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector_core.registry.entry import Entry
from connector_core.store import SECRETS_UNREADABLE, IntegrationRecord, IntegrationState

Ids = Sequence[str]


class Index:
    """The active integrations of one route by their ids, in the order in which they were made; never changed.

    It is good for as long as nothing changed that it is made of: see `is_alike`.
    """

    def __init__(self, records: Iterable[IntegrationRecord]) -> None:
        self._records = tuple(records)
        self.ids: Ids = tuple(record.id for record in self._records)
        self.members = frozenset(self.ids)

    @cached_property
    def locked(self) -> str:
        """The first one that has secrets which no key opens; empty when there is none."""
        return next((record.id for record in self._records if is_locked(record)), "")

    @cached_property
    def by_secret(self) -> Mapping[str, Ids]:
        """Those that have a secret, by its text."""
        return grouped((text, record.id) for record in self._records for text in _texts(record))

    @cached_property
    def by_host(self) -> Mapping[str, Ids]:
        """Those whose site has an address."""
        return grouped((host(one.site.url), one.id) for one in self._records if one.site is not None)

    @cached_property
    def by_organization(self) -> Mapping[str, Ids]:
        """Those of an organization."""
        return grouped((record.organization, record.id) for record in self._records)


def is_alike(one: IntegrationRecord, other: IntegrationRecord) -> bool:
    """Return whether two states of an integration have the same place in an index."""
    return is_locked(one) == is_locked(other) and all(
        getattr(one, name) == getattr(other, name)
        for name in ("organization", "plugin", "state", "webhook_secrets", "site")
    )


def is_locked(record: IntegrationRecord) -> bool:
    """Return whether an integration has secrets that no key opens now."""
    return record.has_unreadable or record.problem_code == SECRETS_UNREADABLE


def is_listening(record: IntegrationRecord) -> bool:
    """Return whether an integration takes deliveries."""
    return record.state is IntegrationState.ACTIVE


@dataclass(frozen=True)
class Listeners:
    """The active integrations of one route, as they are now."""

    entries: Mapping[str, Entry]
    index: Index

    def every(self) -> Sequence[Entry]:
        """Return them in their order."""
        return self._named(self.index.ids)

    def first(self) -> Entry | None:
        """Return the one that was made first."""
        return self.entries[self.index.ids[0]] if self.index.ids else None

    def only(self, integration_id: str) -> Listeners:
        """Return the one of that id, or nobody."""
        named = [self.entries[integration_id].record] if integration_id in self.index.members else []
        return Listeners(self.entries, Index(named))

    def of(self, organization: str) -> Sequence[Entry]:
        """Return those of an organization, in their order."""
        return self._named(self.index.by_organization.get(organization, ()))

    def holders(self, secret: SecretStr) -> Sequence[Entry]:
        """Return those that have a secret, in their order: who signs with it may be any of them."""
        return self._named(self.ids_of(secret))

    def have(self, secret: SecretStr) -> bool:
        """Return whether one of them has a secret."""
        return text_of(secret) in self.index.by_secret

    def ids_of(self, secret: SecretStr) -> Ids:
        """Return the ids of those that have a secret."""
        return self.index.by_secret.get(text_of(secret), ())

    def secrets(self) -> Sequence[SecretStr]:
        """Return every secret once, those of the integrations that were made first at the beginning."""
        return [SecretStr(text) for text in self.index.by_secret]

    def at(self, address: str) -> Sequence[Entry]:
        """Return those whose site has an address, in their order."""
        return self._named(self.index.by_host.get(host(address), ()))

    def site_ids(self, address: str) -> frozenset[str]:
        """Return the ids of the sites that are known to have an address."""
        return frozenset(entry.record.site.id for entry in self.at(address) if entry.record.site is not None)

    def _named(self, ids: Ids) -> Sequence[Entry]:
        return [self.entries[name] for name in ids]


def text_of(secret: SecretStr) -> str:
    """Return a secret without zeros at its end: a signature's key is filled up with them, so both sign alike."""
    return secret.get_secret_value().rstrip("\0")


@lru_cache(maxsize=16_384)
def host(url: str) -> str:
    """Return where an address is, to be compared; empty when it is none."""
    try:
        return urlsplit(url).netloc.casefold()
    except ValueError:
        return ""


def _texts(record: IntegrationRecord) -> Iterable[str]:
    return (text for text in dict.fromkeys(map(text_of, record.webhook_secrets)) if text)


def grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Ids]:
    """Return ids by what they have in common, in their order."""
    found: dict[str, list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return found
