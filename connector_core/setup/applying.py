"""The one way in which the configuration file becomes what the connector does: the daemon applies it.

That happens at its start, on SIGHUP, and when `connector config apply` wishes it by a row in the database. What the
file says of organizations and plugins is applied at once; the rest is about the process, and waits for a start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Change, Config, Snapshot, differences, load_config
from connector_core.contract.errors import ConfigError
from connector_core.plugins import PluginSet
from connector_core.polling.sources import SourcePoller
from connector_core.registry.integrations import Registry
from connector_core.setup.configured import ConfiguredIntegrations
from connector_core.store import Application, Store


def _learn_nothing(*_: str) -> None:
    """Mask no secrets in the log."""


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
    mask: Callable[..., None] = _learn_nothing
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answered: int = 0

    def at_start(self) -> None:
        """Apply the file as it was read when the process began."""
        with self._lock:
            text = self.store.configuration.snapshot()
            found = differences(Snapshot.load(text), self.config.snapshot) if text is not None else []
            self._tell(found, "start")
            self.configured.apply()
            self._keep(Application(self.store.configuration.wishes(), tuple(map(str, found))), is_new=text is None)

    def apply(self) -> Application:
        """Read the file again and apply it; a file with mistakes changes nothing."""
        with self._lock:
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
            return outcome

    def fulfil_wishes(self) -> None:
        """Apply the file if somebody has asked for it since."""
        if self.store.configuration.wishes() > self._answered:
            self.apply()

    # Private

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
        self.store.configuration.answer(outcome)
        self._answered = outcome.wish
