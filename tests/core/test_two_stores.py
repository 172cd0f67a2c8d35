"""Two nodes that do the same at the same time: what is there once is made once, renewed once and counted exactly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from pydantic import SecretStr

from connector_core import Grant, Incident, IncidentEvent
from connector_core.contract.merge import Direction, FieldRule
from connector_core.contract.models import EventType, FieldName
from connector_core.contract.routing import RoutingRule
from connector_core.demo.stage import until
from connector_core.plugins import load_plugins
from connector_core.registry.grants import GrantKeeper
from connector_core.secrets import SecretBox
from connector_core.setup.integrations import IntegrationExists, SetupFlow
from connector_core.setup.synced import set_synced
from connector_core.store import (
    Authorization,
    Begun,
    IntegrationState,
    LinkState,
    LinkStatus,
    Origin,
    Progress,
    Target,
    life,
    meta,
)
from connector_core.store import postgres as postgres_module
from connector_core.store.opening import open_store
from connector_core.store.sessions import hashed
from tests.core.conftest import PASSPHRASE
from tests.support.configured import config_of, registry_of
from tests.support.fake_plugins import desk_entry_point, platform_entry_point
from tests.support.lanes_at_hand import open_links
from tests.support.postgres import connected
from tests.support.rows import sql

ON_SERVER = pytest.mark.postgresql_only("it is about locks and connections of the server")
SOON_S = 30.0


@pytest.fixture
def stores(store, database_place):
    """Return the store, and another one on the same database, as another node or a command has it."""
    other = open_store(database_place, SecretBox([PASSPHRASE]))
    yield store, other
    other.close()


def at_once(*acts):
    """Do things at the same time; return what came of each."""
    ready = threading.Barrier(len(acts))

    def act(one):
        ready.wait(SOON_S)
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(SOON_S) for future in [pool.submit(act, one) for one in acts]]


# Rules


def test_of_two_nodes_that_hear_of_an_incident_one_decides(stores, clock):
    """While a third person changes the rules: whichever were in force, both nodes have the same, and one link."""
    desk = Target("desk", {}, clock.now())
    rules = (RoutingRule(to=("desk",)),), (RoutingRule(to=()),)
    for number in range(10):
        about = Incident(id=f"inc-{number}", title="Fan failed")

        def hear(store, name, about=about):
            event = IncidentEvent(id=name, type=EventType.OPENED, occurred_at=clock.now(), incident=about)
            return store.inbox.accept_events("acme", [event], [desk], clock.now()).result()

        def change(number=number):
            known = stores[0].routing.made("acme")
            assert stores[0].routing.put("acme", rules[number % 2], known, "ada", clock.now())

        if not number:
            change(1)
        at_once(lambda n=number: hear(stores[0], f"a-{n}"), lambda n=number: hear(stores[1], f"b-{n}"), change)

        decided = [one.routing.route_of("acme", about.id) for one in stores]
        linked = [[link.integration_id for link in one.links.find(text=about.id)] for one in stores]
        assert decided[0] == decided[1]
        assert linked == [list(decided[0].to)] * 2


# Set-up


def test_of_two_who_make_an_integration_of_one_name_one_does(stores, clock):
    """Even for different organizations, whose writes do not wait for each other: the other one's is not taken away."""
    known = stores[0].integrations.every()[0]
    for number in range(10):
        begun = [
            replace(known, id=f"new-{number}", organization=name, origin=Origin.SETUP, state=IntegrationState.DRAFT)
            for name in ("acme", "globex")
        ]

        made = at_once(*(lambda s=s, one=one: s.integrations.begin(one) for s, one in zip(stores, begun, strict=True)))

        assert sorted(made) == [False, True]
        kept = stores[0].integrations.opened(f"new-{number}")
        assert kept.organization == begun[made.index(True)].organization
        assert kept.answers == known.answers


def test_of_two_who_come_back_with_one_authorization_one_is_let_in(stores, clock):
    """A state is used up by whoever is first, on whichever node."""
    for number in range(10):
        state = f"state {number}"
        begun = Authorization(
            hashed(state), "desk", "https://x.test", Begun.CONSOLE, clock.now() + timedelta(minutes=5)
        )
        stores[0].authorizations.begin(begun, "mark", clock.now())

        found = at_once(
            *(lambda s=s, state=state: s.authorizations.redeem(state, "mark", clock.now()) for s in stores * 4)
        )

        assert sum(found) == 1


RULE = FieldRule(direction=Direction.TO_TICKET)
CONFIG = """
secret_key: a passphrase that is long enough
organizations: {acme: {}, globex: {}}
"""


@pytest.fixture
def wizards(stores, clock, monkeypatch):
    """Return set-up on two nodes of which neither hears what the other one changes for an hour."""
    monkeypatch.setattr(type(stores[0].database), "look_again_s", 3600.0)
    entry_points = [desk_entry_point(), platform_entry_point()]
    made = []
    for store in stores:
        registry, _ = registry_of(store, clock, entry_points, CONFIG)
        plugins = load_plugins(entry_points=entry_points)
        log = structlog.get_logger("test")
        flow = SetupFlow(store, registry, plugins, config_of(plugins, CONFIG), clock, log)
        flow.registry.entries()
        made.append(flow)
    return made


def test_a_wizard_does_not_take_what_another_one_has_made(wizards):
    """It has not heard of it yet, and is refused all the same."""
    first, second = wizards
    first.create("new", "acme", "desk")

    with pytest.raises(IntegrationExists):
        second.create("new", "globex", "desk")


def test_what_two_wizards_change_is_both_kept(wizards):
    """A change of what another node has changed is made of what is there, at once, although nobody has told of it."""
    first, second = wizards
    first.disable("desk")
    set_synced(second, "desk", {FieldName.TITLE: RULE})
    first.activate("desk")

    kept = second.store.integrations.opened("desk")
    assert (kept.state, kept.rules) == (IntegrationState.ACTIVE, {FieldName.TITLE: RULE})


# Renewing


def grant(number, clock):
    """Make the grant of a number, good for an hour."""
    return Grant(
        headers={"Authorization": SecretStr(f"Bearer access-{number}")},
        secrets={"refresh_token": SecretStr(f"refresh-{number}")},
        expires_at=clock.now() + timedelta(hours=1),
    )


def token_of(found):
    """Return the refresh token of a grant."""
    return found.secrets["refresh_token"].get_secret_value()


class Authority:
    """The other side: it rotates tokens, and notes which one was used; `pause` is waited for in each call."""

    leeway_s = 600.0

    def __init__(self, clock, pause=lambda: None):
        self.clock, self.pause = clock, pause
        self.used = []

    def renewed(self, old):
        """Rotate."""
        self.used.append(token_of(old))
        number = len(self.used)
        self.pause()
        return grant(number, self.clock)


def test_an_expired_grant_is_renewed_once_over_two_nodes(stores, clock):
    """However many need it at the same moment; all of them go on with the one that was stored."""
    stores[0].grants.save("desk", grant(0, clock))
    clock.forward(3590)
    authority, inside = Authority(clock), []

    def pause():
        inside.append(1)
        assert len(inside) == 1
        clock_ticks.wait(0.05)
        inside.pop()

    clock_ticks = threading.Event()
    authority.pause = pause
    keepers = [GrantKeeper(store, "desk", clock) for store in stores * 4]

    found = at_once(*(lambda keeper=keeper: keeper.grant(authority) for keeper in keepers))

    assert authority.used == ["refresh-0"]
    assert {token_of(one) for one in found} == {"refresh-1"} == {token_of(stores[1].grants.get("desk"))}


@ON_SERVER
def test_another_node_goes_on_where_one_was_killed_in_a_renewal(stores, database_place, clock):
    """Its lock is free when its connection ends; what it was answered, should it live, does not replace a later one."""
    first, second = stores
    first.grants.save("desk", grant(0, clock))
    clock.forward(3590)
    asked, may_answer = threading.Event(), threading.Event()

    def hang():
        asked.set()
        assert may_answer.wait(SOON_S)

    slow = Authority(clock, hang)
    with ThreadPoolExecutor(2) as pool:
        of_first = pool.submit(GrantKeeper(first, "desk", clock).grant, slow)
        assert asked.wait(SOON_S)
        quick = Authority(clock)
        quick.used.append("that of the other node")
        of_second = pool.submit(GrantKeeper(second, "desk", clock).grant, quick)
        waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid IN"
        holder += " (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE"
        holder += " '%%pg_advisory_lock(%%')"
        with connected(database_place.url) as watching:
            until(lambda: watching.execute(waiting).fetchone() == (1,))
            assert not of_second.done()
            ((pid,),) = watching.execute(holder).fetchall()
            watching.execute("SELECT pg_terminate_backend(%s)", [pid])
        assert token_of(of_second.result(SOON_S)) == "refresh-2"
        may_answer.set()

        assert token_of(of_first.result(SOON_S)) == "refresh-2"
    assert (slow.used, quick.used[1:]) == (["refresh-0"], ["refresh-0"])
    assert token_of(first.grants.get("desk")) == "refresh-2"
    assert first.grants.open_renewals() == {}


@ON_SERVER
def test_a_lock_is_not_held_for_ever_by_who_is_frozen(stores, monkeypatch):
    """The server ends the connection of a holder of which nothing is heard, and others go on."""
    monkeypatch.setattr(postgres_module, "HELD_FOR_S", 1)
    first, second = stores
    with first.database.exclusive("grant-desk"), second.database.exclusive("grant-desk"):
        pass


# Rows that every node writes


@ON_SERVER
def test_what_belongs_to_nobody_has_a_turn_over_all_nodes(stores, database_place, clock):
    """A batch has such rows in any order: two nodes would wait for each other, until the server ends one of them."""
    for store in stores:
        store.life.begin(clock.now())
        store.database.prove_writable()
    reached = [threading.Event(), threading.Event()]
    waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"

    def both(db, number, acts):
        acts[0](db)
        reached[number].set()
        with connected(database_place.url) as watching:
            until(lambda: all(one.is_set() for one in reached) or watching.execute(waiting).fetchone() != (0,))
        acts[1](db)

    acts = [lambda db: life.beat(db, clock.now()), lambda db: meta.add(db, "writability_proofs")]
    with connected(database_place.url) as watching:
        before = watching.execute(circles).fetchone()
        of_first = stores[0].database.submit(None, lambda db: both(db, 0, acts))
        assert reached[0].wait(SOON_S)
        of_second = stores[1].database.submit(None, lambda db: both(db, 1, acts[::-1]))
        of_first.result(SOON_S)
        of_second.result(SOON_S)
        found = [_meta(stores[0], name) for name in ("life_count", "writability_proofs")]
        for store in stores:
            store.close()

        assert watching.execute(circles).fetchone() == before
    assert found == ["3", "4"]


@pytest.mark.extended
@ON_SERVER
def test_rows_that_all_nodes_write_are_counted_exactly_and_nobody_waits_in_a_circle(stores, database_place, clock):
    """Signs of life, proofs, limits, settings and new tickets of two organizations from two nodes at once."""
    known = stores[0].integrations.every()[0]
    stores[0].integrations.put(replace(known, id="other", organization="globex"))
    for store in stores:
        store.life.begin(clock.now())
    for name, organization in (("desk", "acme"), ("other", "globex")):
        open_links(stores[0], clock, 8, name, organization)
    claims = stores[0].lanes.claim("boot", clock.now(), 16, 7200)
    assert len(claims) == 16
    version, removed = stores[0].integrations.version(), int(_meta(stores[0], "life_count"))
    making = Progress(
        status=LinkStatus(LinkState.WAITING),
        attempted_at=clock.now(),
        attempted_incident=Incident(id="inc-1", title="Fan failed"),
    )
    rounds = 10

    def work(number):
        store, by = stores[number % 2], 1 if number % 4 < 2 else -1
        for turn in range(rounds):
            site, claim, problem = f"site {(turn * by) % 5}", claims[(turn * by) % 16], f"{number} {turn}"
            acts = [
                lambda: store.life.beat(clock.now()),
                store.database.prove_writable,
                store.configuration.wish,
                lambda site=site: store.breakers.near_limit(site, clock.now()),
                lambda claim=claim: store.links.record(claim, making, clock.now()),
                lambda problem=problem: store.integrations.note_problem("desk" if by > 0 else "other", problem, "x"),
            ]
            for act in acts[::by]:
                act()

    circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with ThreadPoolExecutor(12) as pool, connected(database_place.url) as watching:
        before = watching.execute(circles).fetchone()
        for one in [pool.submit(work, number) for number in range(12)]:
            one.result(4 * SOON_S)
        found = [_meta(stores[0], name) for name in ("life_count", "writability_proofs", "config_apply_wishes")]
        versions = stores[0].integrations.version() - version
        for store in stores:
            store.close()  # whoever is connected tells the server's figures late

        assert watching.execute(circles).fetchone() == before
    assert [int(one) for one in found] == [removed + 2 * 12 * rounds, 12 * rounds, 12 * rounds]
    assert versions == 12 * rounds


def _meta(store, name):
    ((value,),) = sql(store, "SELECT value FROM meta WHERE key = ?", name)
    return value
