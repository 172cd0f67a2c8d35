"""A node of several over one database.

`ClusterNode` beats every second; one that could not for `LEASE_S` claims nothing and starts no call, since the others
may bury it after `SILENT_FOR_S`. It buries others, too: those whose session has ended and who are silent for
`GONE_FOR`, and those who only are silent for longer. Of those on the same host it knows at once whose process has
ended: that is told by the kernel, and a server that was started again has no part in it (`life_sign.py`). A node that
was buried finds that out with its next beat. It goes on under another id, and what it held is lost to it: no lane that
it claimed before starts another call, and what its calls bring is refused by the fence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock, SharedClock
from connector_core.contract.errors import RetryLater
from connector_core.engine.life_sign import LifeSign, has_ended
from connector_core.http.outbound import CALL_DEADLINE_S
from connector_core.loops import Loop, Watched
from connector_core.store import LEASE_S, Node, NodeEnd, different_files
from connector_core.store.lanes import Lanes
from connector_core.store.nodes import Nodes
from connector_core.store.presence import News, Seen, Together

BEAT_EVERY_S = 1.0
#: While a beat fails, or somebody may be dead.
BEAT_AGAIN_S = 0.25
#: A node is dead when its session has ended and it is silent for so long, or when it is silent for the longer time.
GONE_FOR, SILENT_FOR_S = timedelta(seconds=2), 10.0
#: Who buries has held its own session for so long: a server that was started again has freed everybody's. Whose session
#: was there while we had ours has surely lost it by itself.
JUDGES_AFTER_S = 10.0


class ClusterNode:
    """One of several nodes of a database."""

    is_alone = False

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        together: Together,
        nodes: Nodes,
        lanes: Lanes,
        *,
        about: Node,
        clock: Clock,
        log: FilteringBoundLogger,
        at_break: Callable[[], None] = lambda: None,
        config_digest: Callable[[], str] | None = None,
    ) -> None:
        self._presence, self._signals = together.presence, together.signals
        #: To be called when we have another session than before, and before anything is done in it.
        self._at_break = at_break
        self._known_session: int | None = None
        self._nodes, self._lanes = nodes, lanes
        self._life_sign = LifeSign()
        self._about = about
        self._config_digest = config_digest or (lambda: about.config_digest)
        self._clock = clock
        self._log = log
        self._hear = self._one_ended = _nothing
        #: Which boot took what is being worked on.
        self._boot: ContextVar[str | None] = ContextVar("boot", default=None)
        #: Which nodes were said to have which file.
        self._told_files: dict[str, list[str]] = {}
        #: When the beat was sent that came through last.
        self._beaten_at = float("-inf")
        self._is_silent = False
        self._is_started = self._is_stopped = False
        #: Our session, and since when we know of it.
        self._session: tuple[int | None, float] = (None, 0.0)
        #: In which session of ours others were last seen to have theirs.
        self._met: dict[str, int | None] = {}
        #: What was seen of others last, and since when it is the same.
        self._watched: dict[str, tuple[datetime, float]] = {}
        self._loop = Loop("node-beat", self.live, first_s=BEAT_EVERY_S)

    @property
    def id(self) -> str:
        """The boot that claims are made for: another one after we were buried."""
        return self._about.id

    @property
    def loops(self) -> Sequence[Watched]:
        """The threads that beat, tell and listen."""
        return (self._loop, *self._signals.loops)

    @property
    def may_work(self) -> bool:
        """Whether others surely hold us for alive: our session is there, and we have beaten lately."""
        return not self._is_stopped and self._presence.session is not None and self.silent_s < LEASE_S

    @property
    def silent_s(self) -> float:
        """How long ago the last beat was sent that came through."""
        return self._clock.monotonic() - self._beaten_at

    def start(self, hear: Callable[[], None]) -> int:
        """Begin, and free what is left of nodes that are known to be dead; others are judged later."""
        self._hear, self._is_started = hear, True
        self._life_sign.show()
        self._about = replace(self._about, life_sign=self._life_sign.name)
        self._presence.hold(self.id)
        self._nodes.register(self._about, beats=True)
        self._beat()
        self._signals.start(self.id, self._heard)
        self._log.info("node_started", node=self.id, name=self._about.name)
        self._judge()
        freed = self._take_over()
        self._loop.start()
        return freed

    def tell(self) -> None:
        """Tell the others that lanes were woken."""
        self._signals.tell(News.LANES)

    def when_one_ends(self, call: Callable[[], None]) -> None:
        """Have something called when another node has ended or was found dead."""
        self._one_ended = call

    def prefers(self, name: str) -> bool:
        """Return whether a name is rather ours: each has one node among those that live, and changes it with them."""
        return max((self.id, *self._watched), key=lambda one: sha256(f"{one} {name}".encode()).digest()) == self.id

    def is_first(self, since: datetime) -> bool:
        """Return whether nobody was at work when we began, as far as a beat since a time shows."""
        return self._nodes.is_first(self.id, since)

    def check(self) -> None:
        """Refuse a call where others may hold us for dead, or the lane was claimed before we were buried.

        What never started is no node but a command, which holds nothing that others could take over.

        Raises:
            RetryLater: this thread may not call anybody.
        """
        if not self._is_started:
            return
        boot = self._boot.get()
        if not self.may_work:
            raise RetryLater("This node has lost touch with the database, and calls nobody.", code="node_cut_off")
        if boot not in {None, self.id}:
            raise RetryLater("Another node does this by now.", code="lane_taken_over")

    @contextmanager
    def working(self, boot: str) -> Iterator[None]:
        """Run a block in which this thread calls for a lane or a duty that was taken for a boot."""
        before = self._boot.set(boot)
        try:
            yield
        finally:
            self._boot.reset(before)

    def stopping(self) -> None:
        """Tell that no more work is taken."""
        try:
            self._nodes.say_stopping(self.id)
        except RetryLater as exc:
            self._log.warning("node_not_stopping_openly", code=exc.code, detail=exc.detail)

    def stop(self) -> None:
        """Say goodbye: what is still held is free at once, and nothing is called any more."""
        self._is_stopped = True
        self._loop.stop(BEAT_EVERY_S)
        try:
            self._nodes.say_goodbye(self.id, self._clock.now())
            self._take_over()
        except RetryLater as exc:  # the others notice by themselves
            self._log.warning("node_left_silently", code=exc.code, detail=exc.detail)
        self._signals.stop()
        self._presence.close()
        self._life_sign.end()

    def live(self) -> float:
        """Beat, then look after others; return after how many seconds to do it again."""
        try:
            self._beat()
        except RetryLater as exc:
            if not self._is_silent:
                self._log.error("node_cannot_beat", code=exc.code, detail=exc.detail)
            self._is_silent = True
            return BEAT_AGAIN_S
        self._is_silent = False
        try:
            self._tell_config()
            is_anyone_ailing = self._judge()
            self._take_over()
        except RetryLater as exc:
            self._log.warning("nodes_not_seen", code=exc.code, detail=exc.detail)
            return BEAT_AGAIN_S
        return BEAT_AGAIN_S if is_anyone_ailing else BEAT_EVERY_S

    # Private

    def _beat(self) -> None:
        sent_at = self._clock.monotonic()
        beat = self._presence.beat(self.id)
        if not beat.is_alive:
            self._begin_anew()
            beat = self._presence.beat(self.id)
        if isinstance(self._clock, SharedClock):
            self._clock.heard(beat.at, beat.asked, beat.answered)
        if self._known_session != self._presence.session:
            if self._known_session is not None:
                self._beaten_at = float("-inf")
                self._at_break()
            self._known_session = self._presence.session
        if beat.is_alive:
            self._beaten_at = sent_at

    def _begin_anew(self) -> None:
        """Go on as another node: the others hold us for dead, and may have taken over what we held."""
        former = self.id
        self._about = replace(self._about, id=uuid4().hex)
        self._log.warning("node_was_held_for_dead", node=former, now=self.id)
        self._presence.hold(self.id)
        self._nodes.register(self._about, beats=True)

    def _judge(self) -> bool:
        """Bury who is dead; return whether somebody may be so soon."""
        others, now = self._presence.others(self.id), self._clock.monotonic()
        if self._session[0] != self._presence.session:
            self._session = (self._presence.session, now)
        watched = {}
        for one in others:
            before = self._watched.get(one.node.id)
            watched[one.node.id] = before if before and before[0] == one.seen_at else (one.seen_at, now)
        has_one_ended = bool(self._watched.keys() - watched.keys())
        self._met = {one.node.id: self._session[0] if one.has_session else self._met.get(one.node.id) for one in others}
        for one in others:
            how = self._end_of(one, now - watched[one.node.id][1], judges=now - self._session[1] >= JUDGES_AFTER_S)
            if how is not None and self._nodes.bury(one.node.id, one.seen_at, how, self._clock.now()):
                self._log.warning("node_lost", node=one.node.id, name=one.node.name, how=how.value)
                del watched[one.node.id]
                has_one_ended = True
        self._watched = watched
        self._compare_files(others)
        if has_one_ended:
            self._one_ended()
        return any(not one.has_session for one in others)

    def _end_of(self, one: Seen, silent_s: float, *, judges: bool) -> NodeEnd | None:
        """Say how a node ended, None while it may live.

        A session that is not there tells nothing where the server may have cut everybody off: before we judge, what
        counts is a process that its kernel says has ended, or a session that was there during our own. How long one is
        silent that has its session is told by what passed here, whatever the database's clock says.
        """
        if not one.has_session and has_ended(one.node.life_sign):
            return NodeEnd.GONE
        is_sure = judges or self._met[one.node.id] == self._session[0]
        if is_sure and not one.has_session and self._clock.now() - one.seen_at >= GONE_FOR:
            return NodeEnd.GONE
        return NodeEnd.SILENT if judges and silent_s >= SILENT_FOR_S else None

    def _tell_config(self) -> None:
        """Note which file is in effect, if another one was taken over."""
        digest = self._config_digest()
        if digest != self._about.config_digest:
            self._nodes.say_config(self.id, digest)
            self._about = replace(self._about, config_digest=digest)

    def _compare_files(self, others: Sequence[Seen]) -> None:
        """Say once which nodes have which configuration file, where they do not have the same."""
        found = different_files([self._about, *(one.node for one in others if one.has_session)])
        if found and found != self._told_files:
            self._log.warning("nodes_have_different_files", files=found)
        elif self._told_files and not found:
            self._log.info("nodes_have_the_same_file")
        self._told_files = found

    def _take_over(self) -> int:
        """Free, one by one, what dead nodes still hold; return how many lanes that were."""
        freed = 0
        for left in self._lanes.left_behind():
            # No call is started a lease after the last beat.
            now = self._clock.now()  # a beat after it is of before the clock was set back
            calls_end = min(left.seen_at or now, now) + timedelta(seconds=LEASE_S + CALL_DEADLINE_S)
            freed += self._lanes.take_over(left, calls_end)
        if freed:
            self._log.info("lanes_recovered", lanes=freed)
            self._hear()
            self.tell()
        return freed

    def _heard(self, news: News) -> None:
        if news is News.LANES:
            self._hear()


def _nothing() -> None:
    """Do nothing."""
