"""Set-up links: one step of an integration or a source, for somebody with the rights on the other side and no login.

A link is good once and for a limited time; who has it sees that step and nothing else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import StepFlow
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.sources import SourceSetup
from connector_core.store import Handover, Store

GOOD_FOR = timedelta(days=3)
AUTHORIZE_STEP = "authorize"


@dataclass(frozen=True)
class Handovers:
    """Makes, opens and uses up set-up links."""

    store: Store
    setup: SetupFlow
    sources: SourceSetup
    clock: Clock
    log: FilteringBoundLogger

    def make(self, name: str, step: str, made_by: str, *, of_source: bool = False) -> str:
        """Return the address, without the host, of a new set-up link to a step of an integration or a source.

        Raises:
            ConfigError: it has no such step.
        """
        flow: StepFlow = self.sources if of_source else self.setup
        known = [*(() if of_source else (AUTHORIZE_STEP,)), *(asked.key for asked in flow.steps(name))]
        if step not in known:
            raise ConfigError(f"There is no step {step!r}; there are: {', '.join(known)}.", code="step_unknown")
        now = self.clock.now()
        token = secrets.token_urlsafe(32)
        handover = Handover(name, step, made_by, created_at=now, expires_at=now + GOOD_FOR, of_source=of_source)
        self.store.setup_links.add(token, handover)
        self.log.info("handover_made", step=step, made_by=made_by, **_whose(handover))
        return f"/hand-over/{token}"

    def flow_of(self, handover: Handover) -> SetupFlow | SourceSetup:
        """Return the set-up that a link's step belongs to."""
        return self.sources if handover.of_source else self.setup

    def opened(self, token: str) -> Handover:
        """Return what a link is for.

        Raises:
            ConfigError: it was used, has expired, or never was one; all three look the same.
        """
        handover = self.store.setup_links.get(token)
        if handover is None or handover.used_at is not None or handover.expires_at <= self.clock.now():
            raise ConfigError(
                "This link is no longer good: it was used, or its time is over.",
                code="handover_over",
                fix="Ask the person who sent it for a new one.",
            )
        return handover

    def use(self, token: str) -> None:
        """Use a link up, after its step is done."""
        handover = self.opened(token)
        self.store.setup_links.use(token, self.clock.now())
        self.log.info("handover_used", step=handover.step, **_whose(handover))


def _whose(handover: Handover) -> dict[str, str]:
    return {"organization" if handover.of_source else "integration": handover.name}
