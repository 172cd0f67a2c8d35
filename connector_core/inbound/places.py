"""Whether a delivery is about the site of an integration: ids of tickets are the same on many sites."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum, auto

from connector_core.contract.models import Site
from connector_core.registry.entry import Entry
from connector_core.registry.listeners import Listeners, host


class Place(Enum):
    """Whether a delivery is about the site of an integration."""

    SAME = auto()
    OTHER = auto()
    UNKNOWN = auto()


def places_of(entries: Sequence[Entry], listeners: Listeners, address: str) -> dict[str, Place]:
    """Say for each integration whether the address that a delivery names is that of its site.

    A site is its id. Addresses change, so one that nobody has may be a new name, or that of a site which only looks
    alike: a copy of it has the same tickets.
    """
    sites = {entry.record.id: entry.record.site for entry in entries}
    told = host(address)
    if not told:
        is_one = len({site.id if site is not None else name for name, site in sites.items()}) == 1
        return dict.fromkeys(sites, Place.SAME if is_one else Place.UNKNOWN)
    if all(site is not None and host(site.url) == told for site in sites.values()):
        return dict.fromkeys(sites, Place.SAME)  # nearly always: nobody else has to be looked at
    known = listeners.site_ids(address)
    return {name: _place_of(site, told, known, is_alone=len(sites) == 1) for name, site in sites.items()}


def _place_of(site: Site | None, told: str, known: Collection[str], *, is_alone: bool) -> Place:
    """Compare a site with an address, and with the ids of the sites that are known to have it."""
    if site is None:
        return Place.SAME if is_alone and not known else Place.UNKNOWN
    if host(site.url) == told:
        return Place.SAME
    return Place.OTHER if known and site.id not in known else Place.UNKNOWN
