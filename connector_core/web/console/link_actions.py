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
        "Discard what waits",
        "What could not be synced is given up, and both sides go on from what each shows now. A link without a ticket"
        " gets none.",
    ),
    "recreate": Confirmation(
        "Make a new ticket",
        "A new ticket is made for the incident. The present one is let alone from now on, also if it comes back.",
    ),
    "unlink": Confirmation(
        "Unlink",
        "Nothing is synced between the two any more. Incident and ticket stay as they are. Retry takes that back.",
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
    """Make a new ticket in place of one that is not there."""
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
