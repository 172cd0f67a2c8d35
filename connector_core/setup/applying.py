"""The one way in which the configuration file becomes what the connector does: the daemon applies it.

That happens at its start, on SIGHUP, and when `connector config apply` wishes it by a row in the database. What the
file says of organizations and plugins is applied at once; the rest is about the process, and waits for a start.

Several daemons on one database each have a file. One at a time applies its own, and at a start only what is news: a
file that is another one than was read at the same place before. So the file that was changed last is in force, also
when a host whose file is older is started again, and no two undo each other in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Change, Config, differences, load_config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.engine.duties import Duties
from connector_core.plugins import PluginSet
from connector_core.polling.sources import SourcePoller
from connector_core.registry.integrations import Registry
from connector_core.setup.configured import ConfiguredIntegrations
from connector_core.setup.in_force import applied, file_in_force
from connector_core.store import Application, Duty, Store
from connector_core.store.fences import DutyLost
from connector_core.words.advice import for_terminal


def _learn_nothing(*_: str) -> None:
    """Mask no secrets in the log."""


#: One node at a time applies its file.
ADOPT = Duty("adopt")


@dataclass
class Applying:
    """Applies the file, and says what that changes.

    `mask` keeps new secrets out of the log, `after` is called when work may have become due.
    """

    store: Store
    registry: Registry
    configured: ConfiguredIntegrations
    poller: SourcePoller
    plugins: PluginSet
    config: Config
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]
    duties: Duties
    #: Whether no other node has a file of its own.
    is_alone: bool = True
    mask: Callable[..., None] = _learn_nothing
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answered: int = 0
    #: What has to wait until another node has applied its file.
    _waits: Callable[[], None] | None = None
    _has_begun: bool = True

    def at_start(self) -> None:
        """Apply the file as it was read when the process began, if it is news."""
        self._has_begun = False
        self._alone(self._begin, self.at_start)

    def apply(self) -> None:
        """Read the file again and apply it; a file with mistakes changes nothing."""
        self._alone(self._apply, self.apply)

    def fulfil_wishes(self) -> None:
        """Apply the file if somebody has asked for it since, or if it had to wait."""
        if self._waits is not None:
            self._waits()
        if self.store.configuration.wishes() <= self._answered:
            return
        if self._is_for_us(self.store.configuration.wished_at()):
            self.apply()
        else:
            self._follow()

    # Private

    def _alone(self, act: Callable[[], None], again: Callable[[], None]) -> None:
        """Act while no other node applies its file; else do it `again` later."""
        with self._lock:
            self._waits = again
            with suppress(DutyLost), self.duties.turn(ADOPT, every_s=0.0) as turn:
                if turn.is_ours:
                    act()
                    self._waits = None

    def _begin(self) -> None:
        self._has_begun = True
        before, ours = applied(self.store), self.config.snapshot
        wish = self.store.configuration.wishes()
        if before is not None and self._is_old_news(self.config.digest_of(before)):
            self._tell_other()
            self._answered = wish
            return
        found = [] if before is None else differences(before, ours)
        if not self.is_alone:  # the file in force may be of another host
            found = [change for change in found if not change.is_of_this_host]
        self._tell(found, "start")
        self.configured.apply()
        self._keep(Application(wish, tuple(map(str, found))), is_new=before is None)

    def _is_old_news(self, in_force: str) -> bool:
        """Return whether another file than ours is applied, and ours is what was read at its place before."""
        ours = self.config.digest
        return not self.is_alone and in_force != ours == self.store.configuration.file_of(self.config.place)

    def _apply(self) -> None:
        if not self._has_begun:
            self._begin()
        wish = self.store.configuration.wishes()
        try:
            file = load_config(self.config.path, self.plugins)
        except ConfigError as exc:
            self.log.warning("config_refused", code=exc.code, reason=exc.message)
            outcome = Application(wish, problem=exc.message)
        else:
            self.mask(*(secret.get_secret_value() for secret in file.secrets))
            outcome = self._take(file, wish)
        self._keep(outcome)

    def _is_for_us(self, place: str) -> bool:
        """Return whether a wish is about our file: it is at that place, or no daemon is and nobody has answered yet."""
        if self.is_alone or place == self.config.place:
            return True
        answered = self.store.configuration.answered()
        is_answered = answered is not None and answered.wish >= self.store.configuration.wishes()
        return not is_answered and self.store.configuration.file_of(place) is None

    def _follow(self) -> None:
        """Have what another node applied of its file, once it has, if ours says the same by now."""
        wish, answered = self.store.configuration.wishes(), self.store.configuration.answered()
        if answered is None or answered.wish < wish:
            return
        self._answered = wish
        file = load_config(self.config.path, self.plugins)
        if file_in_force(self.store, file) != file.digest:
            self._tell_other()
            return
        self.mask(*(secret.get_secret_value() for secret in file.secrets))
        self.config.apply(file)
        self.registry.reload()
        self.store.configuration.note_file(self.config.place, file.digest, self.clock.now())
        self.after()

    def _tell_other(self) -> None:
        fix = f"Bring the file of this host up to date. {for_terminal((Advice(Remedy.APPLY_CONFIG),))}"
        self.log.warning("config_of_another_node", path=str(self.config.path), fix=fix)

    def _take(self, file: Config, wish: int) -> Application:
        found = self.config.apply(file)
        live = [change for change in found if not change.needs_restart]
        later = [change for change in found if change.needs_restart]
        self._tell(live, "apply")
        if later:
            self.log.warning("config_needs_restart", changes=[str(change) for change in later])
        if live:
            self.registry.reload()
            self.configured.apply()
            # The file may have mended what stood in the way, as at a start.
            self.store.lanes.wake_blocked(self.clock.now())
            self.poller.forget_refusals()
            self.after()
        return Application(wish, tuple(map(str, live)), tuple(map(str, later)))

    def _tell(self, changes: Sequence[Change], when: str) -> None:
        if changes:
            self.log.info("config_taken_over", at=when, changes=[str(change) for change in changes])

    def _keep(self, outcome: Application, *, is_new: bool = False) -> None:
        if is_new or (outcome.changes and not outcome.problem):
            self.store.configuration.save(self.config.snapshot.dump())
        if not outcome.problem:
            self.store.configuration.note_file(self.config.place, self.config.digest, self.clock.now())
        self.store.configuration.answer(outcome)
        self._answered = outcome.wish
