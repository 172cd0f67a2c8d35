"""What befalls a cluster in its campaign: daemons killed, frozen and restarted, its server crashed, its lines cut.

Which, whom and for how long follows from the seed. Each strike leaves all daemons at work, and tells how long what the
victims held stood still, by what the database says.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from connector_core.demo.stage import until
from tests.support.cluster import Cluster, freeze, thaw
from tests.support.database_line import Line
from tests.support.postgres import OwnServer, connected

KINDS = {"kill": 8, "freeze": 3, "crash": 2, "cut": 4, "restart": 2}
MOST_VICTIMS = (1, 1, 1, 1, 1, 2, 3)
LONGEST_LIFE_S = 3.0
FROZEN_S = (7.0, 30.0)
CUT_S = (0.5, 15.0)
DOWN_S = (0.0, 5.0)
#: Longer than the others need to hold a node for dead, on a machine that is busy with other things.
TAKEN_OVER_WITHIN_S = 120.0
READY_WITHIN_S = 180.0

_IDS = "SELECT id FROM node WHERE ended = ''"
_HELD = (
    "SELECT lane.link_id, lane.fence, lane.calling_until IS NOT NULL FROM lane JOIN node ON node.id = lane.boot"
    " WHERE node.id = ANY(%s)"
)
_LEFT = "SELECT 1 FROM lane WHERE boot = ANY(%s)"
_GONE_ON = "SELECT link_id, fence, boot, not_before FROM lane WHERE link_id = ANY(%s)"


@dataclass
class Still:
    """How long the lanes of victims stood still: until another node could have them, and until one had them."""

    freed: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    held_back: int = 0


@dataclass
class Tally:
    """What came of all strikes."""

    strikes: Counter[str] = field(default_factory=Counter)
    still: dict[str, Still] = field(default_factory=lambda: {"kill": Still(), "freeze": Still()})
    refused_in_restarts: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def figures(self) -> str:
        """Return the figures in a few words."""
        did = " ".join(f"{kind}={count}" for kind, count in sorted(self.strikes.items()))
        return f"{did}; " + "; ".join(f"after a {kind}: {_told(still)}" for kind, still in self.still.items())


def _told(still: Still) -> str:
    def of(times: Sequence[float]) -> str:
        return f"{median(times):.2f} s (at most {max(times):.2f}, {len(times)} lanes)" if times else "none"

    return f"free within {of(still.freed)}, running within {of(still.run)}, {still.held_back} held back"


class Campaign:
    """A cluster, what its nodes reach the server by, and the chance that decides."""

    def __init__(self, cluster: Cluster, server: OwnServer, lines: Sequence[Line], chance) -> None:
        self.cluster, self.server, self.lines, self.chance = cluster, server, lines, chance
        self.tally = Tally()
        self._began = monotonic()

    def strike(self, kind: str | None = None) -> None:
        """Let the cluster live for a while, then strike; return when all daemons are at work again."""
        kind = kind or self.chance.choices([*KINDS], [*KINDS.values()])[0]
        _pass(self.chance.uniform(0, LONGEST_LIFE_S))
        self.tally.strikes[kind] += 1
        {
            "kill": self._kill,
            "freeze": self._freeze,
            "crash": self._crash,
            "cut": self._cut,
            "restart": self._restart,
        }[kind]()
        until(self._all_ready, within_s=READY_WITHIN_S)

    def rows(self, statement: str, *values):
        """Ask the database, past all lines."""
        with connected(self.server.server.admin_url("connector")) as connection:
            return connection.execute(statement, values).fetchall()

    def say(self, text: str) -> None:
        """Add a line to the story."""
        self.tally.story.append(f"{monotonic() - self._began:7.1f}  {text}")

    def _kill(self) -> None:
        victims, is_watched = self._victims(), self.chance.random() < 0.7
        names = self._names(victims)
        self.say(f"kill {_of(victims)} {'and watch' if is_watched else 'and start at once'}")
        for victim in victims:
            self.cluster.nodes[victim].kill()
        if is_watched and len(victims) < len(self.cluster.nodes):
            self._watch("kill", names, monotonic())
        for victim in victims:
            self.cluster.nodes[victim].start()

    def _freeze(self) -> None:
        victims, seconds = self._victims(), self.chance.uniform(*FROZEN_S)
        names = self._names(victims)
        self.say(f"freeze {_of(victims)} for {seconds:.1f} s")
        for victim in victims:
            freeze(self.cluster.nodes[victim])
        began = monotonic()
        try:
            if len(victims) < len(self.cluster.nodes):
                self._watch("freeze", names, began, within_s=seconds)
            _pass(began + seconds - monotonic())
        finally:
            for victim in victims:
                thaw(self.cluster.nodes[victim])

    def _crash(self) -> None:
        seconds = self.chance.uniform(*DOWN_S)
        self.say(f"crash of the server, back after {seconds:.1f} s")
        self.server.crash()
        _pass(seconds)
        self.server.start()

    def _cut(self) -> None:
        victims, seconds = self._victims(), self.chance.uniform(*CUT_S)
        how = self.chance.choice(["cut", "silent", "silent, then forgotten", "forgotten"])
        self.say(f"line of {_of(victims)} {how} for {seconds:.1f} s")
        lines = [self.lines[victim] for victim in victims]
        for line in lines:
            {"cut": line.cut, "forgotten": line.forget}.get(how, line.go_silent)()
        _pass(seconds)
        for line in lines:
            if how == "silent, then forgotten":
                line.forget()
            line.mend()

    def _restart(self) -> None:
        self.say("restart one by one")
        before = len(self.cluster.spreader.refused)
        for daemon in self.cluster.nodes:
            assert daemon.stop() == 0, f"no orderly stop:\n{daemon.log_path.read_text()[-2000:]}"
            daemon.start()
            until(self._all_ready, within_s=READY_WITHIN_S)
        refused = [why for _, why in self.cluster.spreader.refused[before:]]
        self.tally.refused_in_restarts += refused
        self.say(f"  refused meanwhile: {refused}")

    def _watch(self, kind: str, names: Sequence[str], began: float, within_s: float = TAKEN_OVER_WITHIN_S) -> None:
        """See how long what dead nodes held stands still, until none of it does or the time is over."""
        with connected(self.server.server.admin_url("connector")) as connection:
            held = {
                link: (fence, calling) for link, fence, calling in connection.execute(_HELD, [list(names)]).fetchall()
            }
            if not held:
                return
            still, freed, run = self.tally.still[kind], {}, {}

            def is_over():
                now = monotonic() - began
                for link, fence, boot, not_before in connection.execute(_GONE_ON, [list(held)]).fetchall():
                    if boot not in names:
                        freed.setdefault(link, now)
                        if not_before is not None:
                            still.held_back += link not in run
                            run.setdefault(link, None)
                    if fence > held[link][0]:
                        run.setdefault(link, now)
                return len(run) == len(held) or now > within_s

            until(is_over, within_s=within_s + READY_WITHIN_S)
            still.freed += freed.values()
            still.run += [seconds for seconds in run.values() if seconds is not None]
            self.say(f"  held {len(held)}, free after {_times(freed)}, running after {_times(run)}")
            if kind == "kill":
                assert len(freed) == len(held), f"not taken over within {within_s:.0f} s: {held.keys() - freed.keys()}"

    def _names(self, victims: Sequence[int]) -> list[str]:
        """Return the ids of the daemons, as their logs say last."""
        return [self.cluster.id_of(self.cluster.nodes[victim]) for victim in victims]

    def _victims(self) -> list[int]:
        count = self.chance.choice(MOST_VICTIMS)
        return sorted(self.chance.sample(range(len(self.cluster.nodes)), count))

    def _all_ready(self) -> bool:
        return len(self.cluster.spreader.ready) == len(self.cluster.nodes) and all(
            daemon.is_ready() for daemon in self.cluster.nodes
        )


def _of(victims: Sequence[int]) -> str:
    return " and ".join(str(victim + 1) for victim in victims)


def _times(found: dict[int, float | None]) -> str:
    return ", ".join("held back" if one is None else f"{one:.2f} s" for one in found.values()) or "never"


def _pass(seconds: float) -> None:
    threading.Event().wait(max(0.0, seconds))
