"""Three nodes of one database: one of them sends, and what it leaves behind another one does, under the same id."""

from __future__ import annotations

import threading

import pytest
import structlog

from connector_core.engine.cluster_node import JUDGES_AFTER_S, SILENT_FOR_S
from connector_core.engine.duties import QUIET_AFTER, SharedDuties
from connector_core.notify.conditions import Condition, Kind
from connector_core.notify.sending import send
from connector_core.plugins import load_plugins
from connector_core.polling.notifying import LOOK_EVERY_S, Notifying
from connector_core.polling.recurring import Recurring
from connector_core.registry.notifiers import Notifiers
from connector_core.shares import SharedCrew
from connector_core.testing import MemoryPlatform
from tests.core.conftest import PASSPHRASE
from tests.support.configured import config_of
from tests.support.nodes_at_hand import Hand
from tests.support.receivers import receiver
from tests.support.telling import told

LOST = [("started", "authorization_lost", "desk")]
ON_SERVER = pytest.mark.postgresql_only("there can be several nodes there only")
CONFIG = """
secret_key: a passphrase that is long enough
organizations:
  acme: {{notifications: {{ops: {{channel: webhook, url: "{url}/hook", secret: a secret of many letters}}}}}}
"""


class Node:
    """A node that tells people when it is asked to look."""

    def __init__(self, place, host, url):
        self.hand = Hand(place, PASSPHRASE, host).start()
        config = config_of(load_plugins(entry_points=[MemoryPlatform().entry_point()]), CONFIG.format(url=url))
        store, clock, log = self.hand.store, self.hand.clock, structlog.get_logger("test")
        self.began = clock.now()
        self.crew = SharedCrew("notify", 4, most=4)
        self.notifying = Notifying(
            store, Notifiers(store, config), config, self.conditions, clock, log, send=self.hand_over
        )
        self.send = send
        self.turns = Recurring(
            "notify",
            self.notifying.intervals,
            lambda name, _: self.notifying.do_turn(name),
            is_writing=True,
            organization_of=self.notifying.organization_of,
            crew=self.crew,
            duties=SharedDuties(store.duties, self.hand.node, clock, log),
            clock=clock,
            log=log,
        )
        self.turns.follow()

    def hand_over(self, *given):
        """Send as the test wants it."""
        self.send(*given)

    def conditions(self, _):
        """Return what is so all the time."""
        return [Condition(Kind.AUTHORIZATION_LOST, self.began, "desk", {"system": "Desk"})]

    def look(self):
        """Have a turn if it is ours."""
        return self.turns.turn("acme/ops")

    def close(self):
        """Let go of everything."""
        self.crew.shutdown()
        self.hand.close()


@pytest.fixture
def hook():
    """Run a receiver."""
    with receiver() as running:
        yield running


@pytest.fixture
def nodes(store, database_place, hook):
    """Start three nodes, which know each other."""
    made = [Node(database_place, host, hook.url) for host in "abc"]
    for one in made:
        one.hand.node.live()
    yield made
    for one in made:
        one.close()


def at_once(*acts):
    """Run several at the same time."""
    threads = [threading.Thread(target=act) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def pass_time(seconds, nodes):
    """Let time pass for all; each beats."""
    for one in nodes:
        one.hand.clock.forward(seconds)
    for one in nodes:
        one.hand.node._beat()
    for one in nodes:
        one.hand.node.live()


@ON_SERVER
def test_one_of_three_nodes_sends(nodes, hook):
    """All look at the same moments, for ten minutes."""
    for _ in range(20):
        at_once(*(one.look for one in nodes))
        pass_time(LOOK_EVERY_S + 3, nodes)

    assert told(hook.got) == [LOST]


class Killed(BaseException):
    """What ends a process between two steps."""


@ON_SERVER
def test_a_node_that_dies_between_sending_and_noting_is_followed_by_another(nodes, hook):
    """The others send the same message once more, under the same id, and then never again."""

    def die(node, *given):
        send(*given)
        node.hand.be_killed()
        raise Killed

    for one in nodes:
        one.send = lambda *given, node=one: die(node, *given)
    alive = list(nodes)
    while not hook.got:
        for one in list(alive):
            try:
                one.look()
            except Killed:
                alive.remove(one)
                break
        pass_time(LOOK_EVERY_S + 3, alive)
    assert len(alive) == 2
    for one in alive:
        one.send = send

    for seconds in (JUDGES_AFTER_S, SILENT_FOR_S, QUIET_AFTER.total_seconds(), *[LOOK_EVERY_S + 3] * 10):
        pass_time(seconds, alive)
        at_once(*(one.look for one in alive))

    assert told(hook.got) == [LOST, LOST]
    assert len({request.headers["webhook-id"] for request in hook.got}) == 1
