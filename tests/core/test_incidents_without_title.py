"""Incidents that an earlier version stored without a title, since their tickets had shown none for a while."""

from __future__ import annotations

import json

import pytest

from connector_core import EventType, FieldName
from connector_core.store import LinkState
from tests.support.rows import sql
from tests.support.sync_lab import happen, make_lab, run, see


def empty(store, *, ticket: str) -> None:
    """Leave a link as that version did: both sides had agreed on no title."""
    ((body,),) = sql(store, "SELECT body FROM incident")
    ((base, shown),) = sql(store, "SELECT base, ticket FROM link")
    agreed = json.loads(base)
    agreed["title"] |= {"incident": "", "ticket": ""}
    sql(store, "UPDATE incident SET body = ?", json.dumps({**json.loads(body), "title": ""}))
    with_title = json.dumps({**json.loads(shown), "title": ticket})
    sql(store, "UPDATE link SET base = ?, ticket = ?", json.dumps(agreed), with_title)


@pytest.mark.parametrize("ticket", ["", "Fan failed"])
def test_the_link_is_listed_and_goes_on(store, clock, ticket):
    """It is read everywhere, and nothing is written to the ticket; what comes then is synced."""
    lab = make_lab(store, clock)
    happen(lab, title="Fan failed")
    empty(store, ticket=ticket)
    writes = lab.desk.told.copy()
    (before,) = store.links.find(text="inc-1")

    lab.operations.retry(store.links.get(1))
    link = run(lab)
    (listed,) = store.links.find(text="inc-1")
    (followed,) = store.sources.followed("acme")

    assert link.status.state is LinkState.IN_SYNC
    assert before.incident.title == "(no title)"
    assert listed.incident.title == followed.title == "Fan failed"  # as the ticket has it, which was read
    assert lab.desk.told == writes
    assert happen(lab, EventType.UPDATED, title="Fan 2 failed").ticket.title == "Fan 2 failed"


def test_the_title_of_the_ticket_comes_back(store, clock):
    """An agent gives the ticket a title again: the incident has it then."""
    lab = make_lab(store, clock)
    happen(lab, title="Fan failed")
    empty(store, ticket="")

    link = see(lab, title="Fan in the lobby failed"[:20])

    assert lab.platform.incidents["inc-1"].title == link.incident.title == link.ticket.title
    assert link.base[FieldName.TITLE].incident == "Fan in the lobby fai"
