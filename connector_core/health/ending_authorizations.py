"""Says in the log, once a day, which authorizations end soon."""

from __future__ import annotations

from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.engine.duties import Duties
from connector_core.registry.authorizations import ends_soon
from connector_core.registry.integrations import Registry
from connector_core.store import Duty, Store

A_DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class EndingAuthorizations:
    """Warns of authorizations that a person has to renew."""

    store: Store
    registry: Registry
    duties: Duties
    clock: Clock
    log: FilteringBoundLogger

    def warn(self) -> None:
        """Say of each that ends soon that it does, unless that was said today."""
        now = self.clock.now()
        for name, until in self.store.grants.ends().items():
            soon = ends_soon(name, until, now) if self.registry.usable(name) else None
            if soon is None:
                continue
            today = Duty(f"warn:{name}", self.registry.entry(name).record.organization, now.date().isoformat())
            with self.duties.turn(today, every_s=A_DAY_S) as turn:
                if turn.is_ours and turn.is_new:
                    self.log.warning("authorization_ends", integration=name, reason=soon.title, fix=soon.fix)
