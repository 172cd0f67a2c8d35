"""Whether a delivery is about the site of an integration: ids of tickets are the same on many sites."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from connector_core.registry.entry import Entry
from connector_core.registry.listeners import Listeners, host, site_names_of


class Place(Enum):
    """Whether a delivery is about the site of an integration."""

    SAME = auto()
    OTHER = auto()
    UNKNOWN = auto()


def places_of(entries: Sequence[Entry], listeners: Listeners, address: str) -> dict[str, Place]:
    """Say for each integration whether the address that a delivery names is that of its site.

    A site is its id, which those of other organizations may tell without being it. Addresses change, so one that nobody
    has may be a new name, or that of a site which only looks alike: a copy of it has the same tickets.
    """
    sites = {entry.record.id: entry.record.site for entry in entries}
    told = host(address)
    if not told:
        names = [site_names_of(entry) or frozenset({entry.record.id}) for entry in entries]
        is_one = bool(names and frozenset.intersection(*names))
        return dict.fromkeys(sites, Place.SAME if is_one else Place.UNKNOWN)
    if all(site is not None and host(site.url) == told for site in sites.values()):
        return dict.fromkeys(sites, Place.SAME)  # nearly always: nobody else has to be looked at
    known = listeners.site_names(address)
    return {entry.record.id: _place_of(entry, told, known, is_alone=len(sites) == 1) for entry in entries}


def _place_of(entry: Entry, told: str, known: frozenset[str], *, is_alone: bool) -> Place:
    """Compare an integration's site with an address, and with the names of the sites that are known to have it."""
    site = entry.record.site
    if site is None:
        return Place.SAME if is_alone and not known else Place.UNKNOWN
    if host(site.url) == told:
        return Place.SAME
    return Place.OTHER if known and not known & site_names_of(entry) else Place.UNKNOWN
