"""What a lane costs the database: how often it is asked, in how many transactions, with how many statements."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from connector_core import EventType
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import Breaker, LinkState, LinkStatus, lanes
from connector_core.store.link_status import keep_status
from tests.support.lanes_at_hand import open_links
from tests.support.sync_lab import edited, happen, make_lab, tell


@dataclass
class Cost:
    """What a database was asked."""

    writes: int = 0
    reads: int = 0
    statements: list[str] = field(default_factory=list)


class Counting:
    """A connection whose statements are noted."""

    def __init__(self, db, cost):
        self._db, self._cost = db, cost

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, statement, *values):
        """Run a statement."""
        self._cost.statements.append(statement)
        return self._db.execute(statement, *values)

    def executemany(self, statement, values):
        """Run a statement for each of some rows."""
        self._cost.statements.append(statement)
        return self._db.executemany(statement, values)


@pytest.fixture
def cost(store, monkeypatch):
    """Return what counts, once it is told to begin, what the store's database is asked."""

    def begin():
        cost, database = Cost(), store.database
        read, submit = type(database).read, type(database).submit

        def counted_read(work):
            cost.reads += 1
            return read(database, lambda db: work(Counting(db, cost)))

        def counted_submit(scope, work):
            cost.writes += 1
            return submit(database, scope, lambda db: work(Counting(db, cost)))

        monkeypatch.setattr(database, "read", counted_read)
        monkeypatch.setattr(database, "submit", counted_submit)
        return cost

    return begin


def of_lane(lab, begin):
    """Run the one lane that is due, which is given back; return what that cost beside its claim."""
    (claim,) = lab.store.lanes.claim("boot", lab.clock.now(), 8, HORIZON_S)
    counted = begin()
    assert lab.sync.run(claim).is_given_back
    return counted


def test_a_change_that_is_carried_to_the_ticket(store, clock, cost):
    """That it begins, what came of it, and that all is done: a transaction each; the last gives the lane back."""
    lab = make_lab(store, clock)
    happen(lab)
    tell(lab, EventType.UPDATED, title="Dark")

    counted = of_lane(lab, cost)

    assert lab.desk.shown[0].title == "Dark"
    assert counted.writes == 3
    assert counted.reads <= 6
    assert len(counted.statements) <= 20


def test_a_change_that_is_carried_to_the_incident(store, clock, cost):
    """As much, the other way."""
    lab = make_lab(store, clock)
    happen(lab)
    lab.clock.forward(1)
    store.inbox.see_tickets("desk", [edited(lab, title="By an agent")], clock.now())

    counted = of_lane(lab, cost)

    assert [update.title for update in lab.platform.updates] == ["By an agent"]
    assert counted.writes == 3
    assert counted.reads <= 6
    assert len(counted.statements) <= 21


def test_an_echo_is_one_transaction(store, clock, cost):
    """Nothing is written to either side: only that there is nothing to do is stored."""
    lab = make_lab(store, clock)
    happen(lab)
    lab.store.lanes.wake(1, lab.clock.now())

    counted = of_lane(lab, cost)

    assert counted.writes == 1
    assert counted.reads <= 3
    assert len(counted.statements) <= 6


def test_breakers_are_looked_up_in_one_statement(store, clock, cost):
    """In the order in which they are named; of none there is none."""
    for key in ("a", "b"):
        store.breakers.trip(Breaker(key=key, code="down", reason="Down.", fix="", since=clock.now(), until=clock.now()))
    counted = cost()

    assert [one.key for one in store.breakers.tripped(("b", "none", "a"))] == ["b", "a"]
    assert store.breakers.tripped(set()) == []
    assert len(counted.statements) == 2


def four_with_lanes(store, clock, each=5):
    """Make integrations that have lanes which are due, the first by name the longest waiting."""
    for name in ("a", "b", "c", "desk"):
        store.integrations.put(replace(store.integrations.every()[0], id=name))
        open_links(store, clock, each, name)
        clock.forward(1)


def test_a_claim_takes_the_first_of_each_without_looking_further(store, clock, cost):
    """However many integrations have lanes that are due; and not of one that may have no more."""
    four_with_lanes(store, clock)
    counted = cost()

    claims = store.lanes.claim("boot", clock.now(), 2, HORIZON_S, turns=lambda: "a".__ne__)

    assert [claim.integration_id for claim in claims] == ["b", "c"]
    assert [statement.split()[0] for statement in counted.statements] == ["SELECT", "UPDATE"]


def test_a_claim_of_several_nodes_counts_what_runs_once(store, clock, cost):
    """In one statement more, and not where nothing is due."""
    four_with_lanes(store, clock)
    counted = cost()

    assert len(store.lanes.claim("boot", clock.now(), 4, HORIZON_S, per_integration=1, running=None)) == 4
    assert counted.statements.count(lanes.RUNNING) == 1
    assert len(counted.statements) == 3
    assert store.lanes.claim("boot", clock.now(), 4, HORIZON_S, per_integration=1, running=None) == []
    store.lanes.claim("boot", clock.now(), 99, HORIZON_S)
    counted.statements.clear()
    assert store.lanes.claim("boot", clock.now(), 4, HORIZON_S, running=None) == []
    assert len(counted.statements) == 1


def test_a_claim_looks_for_second_lanes_only_as_far_as_it_takes_some(store, clock, cost):
    """When it is their turn, integration by integration."""
    four_with_lanes(store, clock)
    counted = cost()

    claims = store.lanes.claim("boot", clock.now(), 6, HORIZON_S)

    assert [claim.integration_id for claim in claims] == ["a", "b", "c", "desk", "a", "b"]
    assert counted.statements.count(lanes.DUE_OF_INTEGRATION) == 2


def test_claims_of_about_as_many_are_one_statement(store, clock, cost):
    """A server makes a plan of each statement: up to a power of two it is the same."""
    four_with_lanes(store, clock)
    counted = cost()

    taken = [len(store.lanes.claim("boot", clock.now(), limit, HORIZON_S)) for limit in (3, 4, 5)]

    assert taken == [3, 4, 5]
    assert len({statement for statement in counted.statements if statement.startswith("UPDATE")}) == 2


def test_a_status_that_stays_as_it_was_writes_no_row(store, clock):
    """Nothing that follows from a change of a link is done again, such as its place in listings."""
    open_links(store, clock, 1)
    link_id = store.lanes.claim("boot", clock.now(), 1, HORIZON_S)[0].link_id

    def listed_after(status):
        def change(db):
            keep_status(db, link_id, LinkStatus(LinkState.IN_SYNC), clock.now())
            db.execute("DELETE FROM link_listed WHERE link_id = ?", (link_id,))
            keep_status(db, link_id, status, clock.now())
            return db.execute("SELECT COUNT(*) FROM link_listed WHERE link_id = ?", (link_id,)).fetchone()[0]

        return store.database.write(None, change)

    assert listed_after(LinkStatus(LinkState.IN_SYNC)) == 0
    assert listed_after(LinkStatus(LinkState.BLOCKED, code="down")) == 1
