"""Reading tickets again: one question for what changed, whatever settings the links were made with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sync_lab import happen, make_lab

from connector_core.reconcile import CHANGED, FULL


@pytest.fixture
def lab(store, clock):
    """Put a lab together that notes what its desk is asked for."""
    made = make_lab(store, clock)
    made.queries = []
    fetch = made.desk.fetch_tickets

    def noted(query):
        made.queries.append(query)
        return fetch(query)

    made.desk.fetch_tickets = noted
    return made


def test_what_changed_is_asked_for_once(lab):
    """After a full look one question names all tickets and where they live."""
    happen(lab)
    happen(lab, id="inc-2", title="Another")
    reconciler = lab.operations.reconciler

    assert reconciler.reconcile("desk").kind == FULL
    lab.queries.clear()
    run = reconciler.reconcile("desk")

    assert (run.kind, len(lab.queries)) == (CHANGED, 1)
    assert lab.queries[0].ids == {"1", "2"}
    assert lab.queries[0].changed_since is not None


def test_a_changed_ticket_of_older_settings_is_read_as_they_see_it(lab):
    """What one question found of them is read again with the settings that the link keeps, and nothing else is."""
    happen(lab)
    reconciler = lab.operations.reconciler
    reconciler.reconcile("desk")
    lab.queries.clear()
    lab.operations.registry.with_settings = lambda *_: SimpleNamespace(id="desk", settings="older")

    reconciler.reconcile("desk")

    assert [(query.ids, query.changed_since is None) for query in lab.queries] == [({"1"}, False), ({"1"}, True)]
