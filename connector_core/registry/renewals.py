"""Asks again for renewals of grants whose answer was lost, whether or not anybody needs the grant at the moment.

The other side may have retired the grant that we have. It takes it for some minutes more, and after that somebody has
to authorize anew; an incident may come hours later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector_core.contract.errors import ConnectorError
from connector_core.engine.breakers import Breakers, Tripped
from connector_core.engine.circuits import Circuit
from connector_core.registry.integrations import Registry
from connector_core.store import Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class Renewals:
    """The renewals that are open in the store."""

    store: Store
    registry: Registry
    breakers: Breakers
    log: FilteringBoundLogger
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: set[str] = field(default_factory=set)

    def urgent(self) -> list[str]:
        """Return the integrations whose renewal is open, may still be made good, and is not asked for right now."""
        found = []
        for integration_id, since in self.store.grants.open_renewals().items():
            if integration_id in self._asking or not self.registry.usable(integration_id):
                continue
            entry = self.registry.entry(integration_id)
            if entry.keeper.is_urgent(since, entry.plugin.info.renewal_leeway_s):
                found.append(integration_id)
        return found

    def ask_again(self, integration_id: str) -> bool:
        """Ask for a renewal again, unless its breaker does not allow it yet; return whether it is made good."""
        with self._alone(integration_id) as is_alone:
            if not is_alone:
                return False
            try:
                core = self.registry.entry(integration_id).handle.core
                with self.breakers.guard(Circuit.of_grant(integration_id)):
                    if (grant := self.store.grants.get(integration_id)) is not None:
                        core.renew(grant)
            except Tripped:
                return False
            except ConnectorError as exc:
                self.log.warning("renewal_failed", integration=integration_id, code=exc.code, reason=exc.message)
                return False
        self.log.info("renewal_made_good", integration=integration_id)
        return True

    @contextmanager
    def _alone(self, integration_id: str) -> Iterator[bool]:
        """Note that somebody asks; tell whether nobody else does."""
        with self._lock:
            is_alone = integration_id not in self._asking
            self._asking.add(integration_id)
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._lock:
                    self._asking.discard(integration_id)
