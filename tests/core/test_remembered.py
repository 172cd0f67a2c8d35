"""What a process remembers of what comes and goes: bounded by what is in use."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from connector_core.contract.errors import ConfigError, RetryLater, Scope
from connector_core.engine.backoff import HORIZON_S
from connector_core.engine.circuits import Circuit
from connector_core.remembered import A_DAY_S, FEW, Remembered
from connector_core.sync.asked_waits import AskedWaits
from connector_core.testing import FrozenClock
from tests.support.activation import active_record
from tests.support.sync_lab import happen, make_lab, tell


def test_what_nobody_asks_for_is_forgotten_and_the_rest_stays():
    """However many come and go; what is read or set within the time is in use."""
    clock = FrozenClock()
    known = Remembered(clock.monotonic, kept_for_s=10, few=4)
    known["read"], known["set"] = 1, 1

    for number in range(1000):
        clock.forward(1)
        known[f"once {number}"] = number
        known["set"] = number
        assert known["read"] == 1

    assert len(known) <= 2 * (10 + 3)
    assert known["set"] == known["once 999"] == 999
    assert "once 900" not in known


def test_it_is_a_mapping():
    """Reading what is not there makes no entry; what is taken out is gone."""
    known = Remembered(FrozenClock().monotonic)

    assert (known.get("a"), known.pop("a"), known.pop("a", 3), len(known)) == (None, None, 3, 0)
    assert (known.setdefault("a", 1), known.setdefault("a", 2), list(known)) == (1, 1, ["a"])
    assert (known.pop("a"), "a" in known) == (1, False)
    known["b"] = 1
    del known["b"]
    known["c"] = 1
    known.clear()
    assert dict(known) == {}


def test_markers_of_attempts_that_were_given_up_are_forgotten(store, clock):
    """A write whose answer was lost and that nobody asks about again; one that is asked about is known."""
    lab = make_lab(store, clock)
    attempts = lab.sync._tools.attempts
    lab.desk.lose_answer = True
    happen(lab)
    (marker,) = attempts
    for number in range(4 * FEW):
        attempts[f"given up {number}", None] = clock.monotonic()
    clock.forward(A_DAY_S - 60)
    assert attempts[marker]
    clock.forward(120)
    for number in range(8 * FEW):
        attempts[f"new {number}", None] = clock.monotonic()

    assert marker in attempts
    assert not any(name.startswith("given up") for name, _ in attempts)


def test_waits_of_links_that_are_gone_are_forgotten():
    """Each link that was asked to wait once had an entry for ever, unless it was tried again."""
    clock = FrozenClock()
    waits = AskedWaits(clock)
    for number in range(8 * FEW):
        waits.note(number, "site")
        waits.keep(number, clock.now() + timedelta(seconds=5), clock.now())
        clock.forward(A_DAY_S / FEW)

    assert len(waits._waits) <= 2 * FEW + 2


@pytest.mark.extended
@pytest.mark.lengthy_on_postgresql
def test_places_that_are_not_called_any_more_are_forgotten(store, clock):
    """Sites, settings and grants of integrations that are gone; the breaker of one that is called trips as ever."""
    breakers = make_lab(store, clock).breakers
    for number in range(4 * FEW):
        circuit = Circuit.of_site("desk", f"site-{number}", f"desk-{number}")
        breakers.near_limit(circuit, clock.now() + timedelta(seconds=HORIZON_S / 2))
        for _ in range(3):
            with suppress(RetryLater), breakers.guard(circuit):
                raise RetryLater("It is down.", scope=Scope.SITE)
            clock.forward(1)
        clock.forward(A_DAY_S / FEW)

    for remembered in (breakers._failures, breakers._pauses, breakers._slow_until):
        assert 0 < len(remembered) <= 2 * FEW + 2


def test_a_site_whose_settings_are_refused_again_and_again_remembers_three_links(store, clock):
    """Every link that tries is refused; who they all were is of no use."""
    breakers = make_lab(store, clock).breakers
    for link_id in range(20):
        circuit = Circuit.of_site("desk", "1").with_settings("desk", "d", link_id=link_id)
        with suppress(ConfigError, RetryLater), breakers.guard(circuit):
            raise ConfigError("No such project.")
        clock.forward(HORIZON_S)

    (refusals,) = breakers._refusals.values()
    assert len(refusals.links) == 3


def test_what_is_held_for_an_integration_is_let_go_with_it(store, clock):
    """Its grant, its open connections and its plugin's cache; a new one of that name begins with nothing."""
    lab = make_lab(store, clock)
    handles = lab.registry._handles
    lab.entry.handle.cache["learnt"] = 1
    tell(lab)
    assert (handles._made.keys(), lab.registry._keepers.keys()) == ({"desk"}, {"desk"})
    manager = handles._made["desk"].kept.connections[1].poolmanager
    manager.connection_from_url("http://127.0.0.1:1")

    store.integrations.remove("desk")
    lab.registry.entries()

    assert (dict(handles._made), lab.registry._keepers) == ({}, {})
    assert len(manager.pools) == 0
    store.integrations.put(active_record("desk", "acme", clock.now()))
    assert lab.entry.handle.cache == {}
