"""Set-up links: one step of an integration or a source, for somebody with the rights on the other side and no login.

A link is good once and for a limited time; who has it sees that step and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import StepFlow
from connector_core.setup.integrations import SetupFlow
from connector_core.setup.sources import SourceSetup
from connector_core.store import SetupLink
from connector_core.store.setup_links import SetupLinks as StoredLinks

GOOD_FOR = timedelta(days=3)
AUTHORIZE_STEP = "authorize"


class NoLongerGood(ConfigError):
    """A link that leads nowhere any more."""


@dataclass(frozen=True)
class SetupLinks:
    """Makes, opens and uses up set-up links."""

    stored: StoredLinks
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
        authorizes = not of_source and self.setup.registry.entry(name).authorizes
        known = [*((AUTHORIZE_STEP,) if authorizes else ()), *(asked.key for asked in flow.steps(name))]
        if step not in known:
            raise ConfigError(f"There is no step {step!r}; there are: {', '.join(known)}.", code="step_unknown")
        now = self.clock.now()
        token = secrets.token_urlsafe(32)
        setup_link = SetupLink(name, step, made_by, created_at=now, expires_at=now + GOOD_FOR, of_source=of_source)
        self.stored.add(token, setup_link)
        self.log.info("setup_link_made", step=step, made_by=made_by, **_whose(setup_link))
        return f"/hand-over/{token}"

    def in_force(self, name: str, *, of_source: bool = False) -> list[SetupLink]:
        """Return the links of an integration or a source that can still be used, the latest first."""
        return self.stored.in_force(name, self.clock.now(), of_source=of_source)

    def revoke(self, name: str, link_id: str, *, of_source: bool = False) -> None:
        """End a link of an integration or a source before its time, also for who has it open.

        Raises:
            ConfigError: it has no such link, or that was used or has expired.
        """
        before = self.stored.revoke(name, link_id, self.clock.now(), of_source=of_source)
        if before is None or before.used_at is not None:
            text = "There is no such setup link: it was used, revoked or has expired."
            raise ConfigError(text, code="setup_link_unknown", fix="Look at the links that can still be used.")
        self.log.info("setup_link_revoked", step=before.step, made_by=before.made_by, **_whose(before))

    def flow_of(self, setup_link: SetupLink) -> SetupFlow | SourceSetup:
        """Return the set-up that a link's step belongs to."""
        return self.sources if setup_link.of_source else self.setup

    def opened(self, token: str) -> SetupLink:
        """Return what a link is for.

        Raises:
            NoLongerGood: it was revoked; or it was used, has expired, or never was one: these three look the same.
        """
        setup_link = self.stored.get(token)
        if setup_link is not None and setup_link.revoked_at is not None:
            raise NoLongerGood(
                "This link was revoked.",
                code="handover_revoked",
                fix="Ask the person who sent it whether you need a new one.",
            )
        if setup_link is None or setup_link.used_at is not None or setup_link.expires_at <= self.clock.now():
            raise _no_longer_good()
        return setup_link

    @contextmanager
    def using(self, token: str) -> Iterator[None]:
        """Use a link up by what is done in this block; it is good again when that fails.

        Raises:
            NoLongerGood: somebody else uses it, or it is not good any more.
        """
        setup_link = self.opened(token)
        if not self.stored.use(token, self.clock.now()):
            self.opened(token)  # says why
            raise _no_longer_good()
        with ExitStack() as failed:
            failed.callback(self.stored.give_back, token)
            yield
            failed.pop_all()
        self.log.info("setup_link_used", step=setup_link.step, **_whose(setup_link))


def _no_longer_good() -> NoLongerGood:
    return NoLongerGood(
        "This link no longer works: it was used or has expired.",
        code="handover_over",
        fix="Ask the person who sent it for a new one.",
    )


def _whose(setup_link: SetupLink) -> dict[str, str]:
    return {"organization" if setup_link.of_source else "integration": setup_link.name}
