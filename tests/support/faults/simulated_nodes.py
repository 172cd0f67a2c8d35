"""Two nodes over one simulated database, in one thread: whatever one does, the other may do something in the middle.

At each call and each write of a lane the other node works on, holds the first for dead and takes over what it had, or
finds it killed while its request is on its way. The first then goes on as a process does that was frozen: with what it
holds in memory.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from connector_core.contract.errors import RetryLater
from connector_core.engine.cluster_node import GONE_FOR, JUDGES_AFTER_S, SILENT_FOR_S, ClusterNode
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.store import Node, nodes
from connector_core.store.presence import Beat, Seen, Together
from connector_core.store.rows import read_time, write_time
from tests.support.faults.simulated_world import PowerCut, World

NODES = 2
#: What befalls a node in the middle of what it does: another works beside it, holds it for dead, or finds it killed.
WAYS = ("beside", "frozen", "killed")
_PROCESS = ("breakers", "engine", "reconciler", "operations", "registry", "intake", "site_names", "clock_watch")
_BEAT = "UPDATE node SET seen_at = ? WHERE id = ? AND ended = ''"
_OTHERS = "SELECT * FROM node WHERE ended = '' AND id != ?"


class SimulatedPresence:
    """The session of a node; `sessions` are those that the server has."""

    def __init__(self, world, sessions):
        self._world, self._sessions = world, sessions
        self._names = set()
        self._number = 0
        self.session = None

    def hold(self, node_id):
        """Have the session be that of a node."""
        if self.session is None:
            self._number += 1
            self.session = self._number
        self._sessions -= self._names
        self._names = {node_id}
        self._sessions |= self._names

    def beat(self, node_id):
        """Note that a node is alive."""
        self.hold(node_id)
        now, at = self._world.clock.monotonic(), self._world.clock.now()
        beaten = self._world.store.database.write(
            None, lambda db: db.execute(_BEAT, (write_time(at), node_id)).rowcount
        )
        return Beat(at, beaten == 1, now, now)

    def others(self, node_id):
        """Return the nodes that are not known to be dead."""
        found = self._world.store.database.read(lambda db: db.execute(_OTHERS, (node_id,)).fetchall())
        return [
            Seen(node, read_time(row["seen_at"]) or node.started_at, node.id in self._sessions)
            for node, row in ((nodes.read(row), row) for row in found)
        ]

    def close(self):
        """Be gone."""
        self._sessions -= self._names
        self.session = None


class Unheard:
    """What nodes tell each other, of which nothing arrives: it is a nudge only."""

    loops = ()

    def start(self, sender, hear):
        """Begin."""

    def tell(self, news):
        """Tell nobody."""

    def stop(self):
        """End."""


class TwoNodes(World):
    """A world with two nodes.

    `at` is a moment and a way: only at that one of all calls and writes something happens in the middle, and so. None
    leaves both to chance. `moments` counts them.
    """

    is_alone = False

    def __init__(self, seed, at=None):
        self.processes, self.presences, self.sessions = {}, {}, set()
        self.current, self._is_working, self._is_nested, self._doomed = 0, False, False, None
        self._at, self.moments, self.takeovers = at, 0, 0
        self._share = Random(f"nodes in {seed}").choice([0.05, 0.15, 0.4])
        super().__init__(seed)

    # The nodes

    def start(self):
        """Start both anew on what is stored."""
        for number in range(NODES):
            self._begin(number)
        with self.no_faults():
            self._live()

    def start_again(self):
        """Start the one that died; the other may have carried on meanwhile."""
        dead = self.current
        self.presences[dead].close()
        if self.random.random() < 0.5:
            self._turn_to(self._other)
            with self._in_the_middle():
                self._bury(GONE_FOR.total_seconds() + 1.0)
                self._work_on(self.random.randint(0, 4))
        self._begin(dead)

    def for_each_process(self, deed):
        """Have each of both do something; the other one that dies by it is started again."""
        here = self.current
        for number in range(NODES):
            self._turn_to(number)
            try:
                deed()
            except PowerCut:
                if number == here:
                    raise
                self.say(f"-- power cut of node {number}, started again")
                self._begin(number)
        self._turn_to(here)

    def begin_step(self):
        """Have the next step be done by either."""
        self._turn_to(self.random.randrange(NODES))

    def work(self, lanes):
        """Have one of them run lanes; both are alive."""
        self._live()
        if self.faults:
            self._work_on(lanes)
        else:
            self.for_each_process(lambda: self._work_on(lanes))

    def make_node(self, log):
        """Make the node of the process that begins."""
        presence = self.presences[self.current] = SimulatedPresence(self, self.sessions)
        name = f"{self.random.getrandbits(64):016x}"
        about = Node(name, f"host {self.current}", "1", "digest", self.clock.now())
        together = Together(presence, Unheard())
        node = ClusterNode(
            together, self.store.nodes, self.store.lanes, about=about, clock=self.clock, log=log, at_break=lambda: None
        )
        node._loop.start = lambda: None
        node._life_sign.show = lambda: None  # they are on several hosts
        return node

    @property
    def _other(self):
        return NODES - 1 - self.current

    def _begin(self, number):
        self.current, self._doomed = number, None if self._doomed == number else self._doomed
        if number in self.presences:
            self.presences[number].close()
        super().start()
        self.processes[number] = {name: getattr(self, name) for name in _PROCESS}

    def _turn_to(self, number):
        self.current = number
        vars(self).update(self.processes[number])

    def _live(self):
        """Let both beat, and then look at each other."""
        self.for_each_process(lambda: self._of_node("_beat"))
        self.for_each_process(lambda: self._of_node("live"))

    def _of_node(self, deed):
        with suppress(RetryLater):
            getattr(self.engine.node, deed)()

    def _work_on(self, lanes):
        before, self._is_working = self._is_working, True
        try:
            if self.engine.node.may_work:
                super().work(lanes)
        finally:
            self._is_working = before

    # What happens in the middle

    def before_the_effect(self, side):
        """Ask whether the node may call, as a session does; what is sent then is on its way."""
        self._end_of_the_doomed()
        self.engine.node.check()
        self._meddle(is_on_its_way=True)
        super().before_the_effect(side)

    def after_the_effect(self, side):
        """Let something happen before the answer is read."""
        self._end_of_the_doomed()
        self._meddle()
        super().after_the_effect(side)

    def _store_fault(self):
        self._end_of_the_doomed()
        self._meddle()
        return super()._store_fault()

    def _end_of_the_doomed(self):
        """End a process that was killed before its request arrived: it does nothing more."""
        if self._doomed == self.current and not self._is_nested:
            raise PowerCut

    def _meddle(self, *, is_on_its_way=False):
        if not self._is_working or self._is_nested or not self.faults or self._doomed is not None:
            return
        way = self._way(is_on_its_way)
        if way is None:
            return
        here = self.current
        self._turn_to(self._other)
        with self._in_the_middle():
            self._happen(way, here, is_on_its_way=is_on_its_way)
        self._turn_to(here)
        if way == "killed" and not is_on_its_way:
            raise PowerCut

    def _way(self, is_on_its_way):
        """Return what happens now, if anything."""
        self.moments += 1
        if self._at is not None:
            moment, way = self._at
            return way if moment == self.moments else None
        if self.weather.is_calm or self.random.random() >= self._share:
            return None
        return self.random.choice(WAYS)

    def _happen(self, way, victim, *, is_on_its_way):
        self.say(f"  meanwhile node {self.current}, beside one that is {way}")
        if way == "frozen":
            self._bury(SILENT_FOR_S + 1.0)
        elif way == "killed":
            self._doomed = victim if is_on_its_way else None
            self.presences[victim].close()
            self._bury(GONE_FOR.total_seconds() + 1.0)
        self._work_on(self.random.randint(1, 4))
        if way == "frozen":
            # A request that was about to be sent is sent within its deadline; whoever only holds on may do so for long.
            self.clock.forward(self.random.choice([0.0, CALL_DEADLINE_S / 2] if is_on_its_way else [0.0, 30.0, 1000.0]))
            self._of_node("live")
            self._work_on(self.random.randint(1, 4))

    def _bury(self, after_s):
        """Hold whoever does not beat for dead after so many seconds, and take over what it had."""
        node: Any = self.engine.node
        taken = node.id
        for seconds in (0.0, after_s):
            self.clock.forward(seconds)
            node._session = (node._session[0], self.clock.monotonic() - JUDGES_AFTER_S)  # it has been there for long
            self._of_node("live")
        self.takeovers += node.id == taken

    @contextmanager
    def _in_the_middle(self):
        """Run a block of this process, in which nothing happens to it but that it dies: then it is started again."""
        number, self._is_nested = self.current, True
        try:
            yield
        except PowerCut:
            self.say("-- power cut in the middle, started again")
            self._begin(number)
        finally:
            self._is_nested = False
