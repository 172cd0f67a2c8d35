"""What a site tells of itself is believed in its organization; what is proven of it, everywhere."""

from __future__ import annotations

import pytest

from connector_core import EventType, Grant, Site
from connector_core.inbound.places import Place, places_of
from connector_core.testing import MemoryDesk
from tests.support.activation import active_record
from tests.support.sync_lab import happen, make_lab

pytestmark = pytest.mark.lengthy_on_postgresql

CLOUD = "cloud-1"
ADDRESS = "https://theirs.example.test"


def site_of(name, *, is_proven, id=CLOUD):  # noqa: A002 - a site's
    """Return a site at an address of its own."""
    return Site(id=id, name=name, url=f"https://{name}.example.test", is_proven=is_proven)


@pytest.fixture
def between(store, clock):
    """Return a function that has two integrations of any organizations at sites that have one cloud ID."""

    def make(*, mine, theirs, is_mine_proven, is_theirs_proven):
        for name, organization in (("desk", mine), ("theirs", theirs)):
            store.integrations.put(active_record(name, organization, clock.now()))
        for name, is_proven in (("desk", is_mine_proven), ("theirs", is_theirs_proven)):
            store.grants.save(name, Grant(headers={}, account_id="1", site=site_of(name, is_proven=is_proven)))
        lab = make_lab(store, clock, desk=MemoryDesk(clock))
        lab.registry.reload()
        return lab

    return make


CASES = [
    ("acme", True, True, True),
    ("acme", True, False, True),
    ("acme", False, False, True),
    ("globex", True, True, True),
    ("globex", True, False, False),
    ("globex", False, True, False),
    ("globex", False, False, False),
]


@pytest.mark.parametrize(("theirs", "is_mine_proven", "is_theirs_proven", "is_one"), CASES)
def test_a_ticket_of_another_organization_is_linked_only_at_a_proven_site(
    between, theirs, is_mine_proven, is_theirs_proven, is_one
):
    """Who tells another's cloud ID, and has a ticket of that number, does not keep the other from finding its own."""
    lab = between(mine="acme", theirs=theirs, is_mine_proven=is_mine_proven, is_theirs_proven=is_theirs_proven)
    happen(lab, EventType.OPENED)
    (link,) = lab.store.links.find(integration_id="desk")

    other = lab.registry.entry("theirs").handle.core

    assert lab.registry.entry("desk").handle.core.is_linked(link.ticket.id)
    assert other.is_linked(link.ticket.id) == is_one


@pytest.mark.parametrize(("theirs", "is_mine_proven", "is_theirs_proven", "is_one"), CASES)
def test_breakers_are_shared_at_a_proven_site(between, theirs, is_mine_proven, is_theirs_proven, is_one):
    """What one site asks for, another one that tells the same ID does not have to do; nor what it says of the app."""
    lab = between(mine="acme", theirs=theirs, is_mine_proven=is_mine_proven, is_theirs_proven=is_theirs_proven)

    mine, other = (lab.registry.circuit(lab.registry.entry(name)) for name in ("desk", "theirs"))

    is_alike = is_one and is_mine_proven == is_theirs_proven
    assert (mine.site == other.site, mine.app == other.app) == (is_alike, is_alike)


@pytest.mark.parametrize(("theirs", "is_mine_proven", "is_theirs_proven", "is_one"), CASES)
def test_a_delivery_is_about_one_site_only_where_that_is_proven(
    between, theirs, is_mine_proven, is_theirs_proven, is_one
):
    """At an address that is known to be another's, an ID that is only told makes nobody one of them."""
    lab = between(mine="acme", theirs=theirs, is_mine_proven=is_mine_proven, is_theirs_proven=is_theirs_proven)
    entries = [lab.registry.entry(name) for name in ("desk", "theirs")]
    listeners = lab.registry.listeners(entries[0].plugin.info.webhook_route)

    at_theirs = places_of(entries, listeners, ADDRESS)
    nowhere = places_of(entries, listeners, "")

    assert at_theirs == {"desk": Place.UNKNOWN if is_one else Place.OTHER, "theirs": Place.SAME}
    assert set(nowhere.values()) == {Place.SAME if is_one else Place.UNKNOWN}
