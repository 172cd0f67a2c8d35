"""What a person can do about a link in the console: the core's operations, and the engine told of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from connector_core.app import App
from connector_core.contract.merge import Side
from connector_core.contract.models import FieldName
from connector_core.store import DISCARDED, REPLACEABLE, Link
from connector_core.web.console.confirm import Confirmation

ASKED_FIRST = {
    "discard": Confirmation(
        "Discard pending changes",
        "Changes that could not be synced are dropped; both sides keep their current values. A link without a ticket"
        " gets none.",
    ),
    "recreate": Confirmation(
        "Create a new ticket",
        "A new ticket is created for the incident. The former one is no longer synced, even if it comes back.",
    ),
    "unlink": Confirmation(
        "Unlink",
        "Incident and ticket are no longer synced. Both stay as they are. You can link them again later.",
    ),
}


def available(link: Link) -> frozenset[str]:
    """Return what makes sense for a link as it stands."""
    who = frozenset({"who"} if link.ticket is not None else ())
    if link.status.state.is_settled:
        return who | {"retry", "unlink"}
    if link.status.code == DISCARDED:
        return who | {"retry"}
    choices = who | {"retry", "discard", "unlink"}
    return choices | {"recreate"} if link.status.code in REPLACEABLE else choices


def retry(app: App, link: Link) -> None:
    """Try a link again at once."""
    app.operations.retry(link)
    app.engine.nudge()


def retry_all(app: App, integration_ids: Iterable[str]) -> None:
    """Try everything again that is not in sync."""
    for integration_id in integration_ids:
        app.operations.retry_all(integration_id)
    app.engine.nudge()


def discard(app: App, link: Link) -> None:
    """Give up what waits on a link and go on from what both sides show now."""
    app.operations.discard(link)
    app.engine.nudge()


def recreate(app: App, link: Link) -> None:
    """Create a new ticket in place of one that is not there."""
    app.operations.recreate(link)
    app.engine.nudge()


def ask_who(app: App, link: Link) -> None:
    """Read from the ticket's history who changed it, and add that to the timeline."""
    app.operations.ask_who(link)


def unlink(app: App, link: Link) -> None:
    """Sync nothing between incident and ticket any more; both stay as they are."""
    app.operations.unlink(link)


def resolve(app: App, link: Link, name: FieldName, winner: Side) -> None:
    """Settle a conflict in favour of the `incident` or the `ticket`."""
    app.operations.resolve(link, name, winner)
    app.engine.nudge()
