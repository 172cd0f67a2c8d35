"""What a person can do about a link; each is one function of the core's, called from one place."""

from __future__ import annotations

from collections.abc import Iterable

from connector_core.app import App
from connector_core.errors import ConfigError
from connector_core.store import Link

# The pages offer these.
AVAILABLE = frozenset({"retry"})


def retry(app: App, links: Iterable[Link]) -> int:
    """Try links again at once; return how many."""
    now = app.clock.now()
    count = 0
    for link in links:
        app.store.wake_lane(link.id, now)
        count += 1
    app.engine.nudge()
    return count


def discard(app: App, link: Link) -> None:  # noqa: ARG001 - the signature that the pages call
    """Give up what waits on a link and go on from what both sides show now."""
    raise ConfigError("Discarding is not available yet.", code="not_available")


def unlink(app: App, link: Link) -> None:  # noqa: ARG001 - as above
    """Forget a link; ticket and incident stay as they are."""
    raise ConfigError("Unlinking is not available yet.", code="not_available")
