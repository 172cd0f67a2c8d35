"""The words of where a link stands: why it waits or needs somebody, by the code that is stored.

A code that is not here is a plugin's, which stores the sentence of its own: it knows what its system said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_core.contract.models import IncidentStatus
from connector_core.store.records import DISCARDED, NO_TICKET, Link, LinkState, LinkStatus
from connector_core.words import earlier
from connector_core.words.names import Names, filled

REASONS: Mapping[str, str | tuple[str, ...]] = {
    "new": "The ticket is being created in {desk}.",
    "looking": "Looking for a ticket in {desk} that may exist already.",
    "linking": "{key} was linked; both sides are being compared.",
    "recreating": "A new ticket is being created in {desk}.",
    "retrying": "Retrying now.",
    NO_TICKET: (
        "No ticket found in {desk}, and none is created: {because}.",
        "No ticket found in {desk}, and none is created.",
    ),
    DISCARDED: ("Unlinked from {key}: nothing is synced.", "Discarded: no ticket is created."),
    "conflict": ("Both sides changed: {fields}. Choose which value to keep.", "Both sides changed."),
    "write_not_kept": ("{desk} does not keep what is written to it. {unkept}", "{desk} does not keep what is written."),
    "integration_not_active": "The integration is not active.",
    "ticket_moved": ("Moved in {desk}: the ticket is now {key}.", "Moved in {desk}."),
    "ticket_deleted": ("{key} was deleted in {desk}.", "The ticket was deleted in {desk}."),
    "ticket_gone": (
        "{key} was deleted in {desk}, or is hidden from the connector's account.",
        "The ticket was deleted in {desk}, or is hidden from the connector's account.",
    ),
    "ticket_unreadable": ("{key} is in {desk}, but cannot be read.", "The ticket is in {desk}, but cannot be read."),
    "too_many_changes": "Paused for a few minutes: too many changes within a minute.",
    "internal_error": "The connector failed on this one. The log has the details.",
}

#: What to do about it elsewhere; what can be done in the product is in `advice.py`.
FIXES: Mapping[str, str] = {
    "write_not_kept": "Check in {desk} what sets it back: a rule, an app or a proxy.",
    "ticket_gone": "If it is still there, give the connector's account access to it.",
    "internal_error": "It is retried automatically.",
    "ticket_unreadable": "It is retried automatically.",
}

#: What a state is called where links in it are counted or chosen: those that somebody unlinked are stored as paused.
OF_MANY: Mapping[str, str] = {LinkState.PAUSED: "paused or unlinked"}
UNLINKED = "unlinked"
_BECAUSE = "the incident is resolved"


def word_of(status: LinkStatus) -> str:
    """Return the state of one link in a word of ours, which each surface writes in its own way."""
    return UNLINKED if status.is_unlinked else status.state.value


def reason_of(link: Link, names: Names) -> str:
    """Return why a link is in its state, in a sentence; empty where there is nothing to say."""
    template = REASONS.get(link.status.code)
    if template is None:
        return earlier.without_advice(link.status.reason)
    return filled(template, _facts(link), names)[0]


def fix_of(link: Link, names: Names) -> str:
    """Return what to do about a link in another system; empty where there is nothing to say."""
    fix = FIXES.get(link.status.code)
    return earlier.without_advice(link.status.fix) if fix is None else filled(fix, {}, names)[0]


def _facts(link: Link) -> dict[str, Any]:
    return {
        "because": _BECAUSE if link.incident.status is IncidentStatus.CLOSED else "",
        "key": "" if link.ticket is None else link.ticket.key,
        "fields": ", ".join(link.both_changed),
        "unkept": " ".join(f"{name.value.capitalize()}: {text}" for name, text in link.unkept.items()),
    }
