"""The integrations that a webhook route may be for, found by their secrets and by their sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector_core.registry.entry import Entry
from connector_core.store import SECRETS_UNREADABLE, IntegrationRecord, IntegrationState

Ids = Sequence[str]


class Places:
    """Where each integration is in the order in which they were made; counted when it is first asked for."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = ids

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self._ids)}

    def ordered(self, ids: Iterable[str]) -> Ids:
        """Return ids in that order."""
        found = tuple(ids)
        return found if len(found) < 2 else tuple(sorted(found, key=self._numbers.__getitem__))  # noqa: PLR2004 - one


class Index:
    """The active integrations of one route by their ids, in the order in which they were made; never changed.

    It is good for as long as nothing changed that it is made of: see `is_alike`. One of ten thousand that differ in a
    few is made of the former one.
    """

    ids: Ids
    #: Those that have a secret, by its text.
    by_secret: Mapping[str, Ids]
    #: Those whose site has an address.
    by_host: Mapping[str, Ids]
    by_organization: Mapping[str, Ids]
    #: Those that have secrets which no key opens, by nothing.
    unreadable: Mapping[str, Ids]

    def __init__(self, records: Iterable[IntegrationRecord] = ()) -> None:
        given = tuple(records)
        self.ids = tuple(record.id for record in given)
        for name, keys in _KEYS.items():
            setattr(self, name, regrouped({}, (), _pairs(keys, given), Places(self.ids)))

    @cached_property
    def members(self) -> frozenset[str]:
        """The same ids, to be looked up."""
        return frozenset(self.ids)

    @property
    def locked(self) -> str:
        """The first one that has secrets which no key opens; empty when there is none."""
        return next(iter(self.unreadable.get("", ())), "")

    def changed(
        self, without: Sequence[IntegrationRecord], added: Sequence[IntegrationRecord], places: Places
    ) -> Index:
        """Return one without some integrations as they were, and with others."""
        gone, new = {one.id for one in without}, {one.id for one in added}
        index = Index()
        index.ids = self.ids if gone == new else places.ordered((self.members - gone) | new)
        for name, keys in _KEYS.items():
            former: Mapping[str, Ids] = getattr(self, name)
            setattr(index, name, regrouped(former, _pairs(keys, without), _pairs(keys, added), places))
        return index


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

    def site_names(self, address: str) -> frozenset[str]:
        """Return the names of the sites that are known to have an address, see `Site.names`."""
        return frozenset[str]().union(*(site_names_of(entry) for entry in self.at(address)))

    def _named(self, ids: Ids) -> Sequence[Entry]:
        return [self.entries[name] for name in ids]


def site_names_of(entry: Entry) -> frozenset[str]:
    """Return the names of an integration's site; none while it is not known."""
    site = entry.record.site
    return frozenset() if site is None else site.names(entry.record.organization)


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


def _hosts(record: IntegrationRecord) -> Iterable[str]:
    return () if record.site is None else (host(record.site.url),)


def _organizations(record: IntegrationRecord) -> Iterable[str]:
    return (record.organization,)


def _unreadable(record: IntegrationRecord) -> Iterable[str]:
    return ("",) if is_locked(record) else ()


_KEYS: Mapping[str, Callable[[IntegrationRecord], Iterable[str]]] = {
    "by_secret": _texts,
    "by_host": _hosts,
    "by_organization": _organizations,
    "unreadable": _unreadable,
}


def _pairs(
    keys: Callable[[IntegrationRecord], Iterable[str]], records: Iterable[IntegrationRecord]
) -> Sequence[tuple[str, str]]:
    return [(key, record.id) for record in records for key in keys(record)]


def regrouped(
    known: Mapping[str, Ids], without: Sequence[tuple[str, str]], added: Sequence[tuple[str, str]], places: Places
) -> Mapping[str, Ids]:
    """Return ids by what they have in common, as they were known, without some pairs and with others."""
    found = dict(known)
    for key, name in without:
        left = tuple(one for one in found[key] if one != name)
        if left:
            found[key] = left
        else:
            del found[key]
    news: dict[str, list[str]] = {}
    for key, name in added:
        news.setdefault(key, []).append(name)
    for key, names in news.items():
        found[key] = places.ordered((*found.get(key, ()), *names))
    return found


NOBODY = Index()
