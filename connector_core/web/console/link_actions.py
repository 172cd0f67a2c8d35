"""What a person can do about a link; each is one function of the core's, called from one place."""

from __future__ import annotations

from collections.abc import Iterable

from connector_core.app import App
from connector_core.errors import ConfigError
from connector_core.store import Link

# The pages offer these.
AVAILABLE = frozenset({"retry"})


def retry(app: App, link: Link) -> None:
    """Try a link again at once."""
    app.store.wake_lane(link.id, app.clock.now())
    app.engine.nudge()


def retry_all(app: App, integration_ids: Iterable[str]) -> int:
    """Try everything again that is not in sync; return how many links that are."""
    now = app.clock.now()
    count = sum(app.store.wake_lanes(integration_id, now) for integration_id in integration_ids)
    app.engine.nudge()
    return count


def discard(app: App, link: Link) -> None:  # noqa: ARG001 - the signature that the pages call
    """Give up what waits on a link and go on from what both sides show now."""
    raise ConfigError("Discarding is not available yet.", code="not_available")


def unlink(app: App, link: Link) -> None:  # noqa: ARG001 - as above
    """Forget a link; ticket and incident stay as they are."""
    raise ConfigError("Unlinking is not available yet.", code="not_available")
