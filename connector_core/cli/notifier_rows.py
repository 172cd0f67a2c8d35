"""How one notifier is shown in a listing."""

from __future__ import annotations

from typing import Any

from connector_core.registry.notifiers import NotifierStatus


def notifier_row(status: NotifierStatus) -> dict[str, Any]:
    """Return a notifier as a row; of what is secret nothing is shown."""
    notifier, sending = status.notifier, status.sending
    settings = notifier.settings
    return {
        "organization": notifier.organization,
        "notifier": notifier.name,
        "channel": notifier.channel,
        "state": status.word,
        "problem": status.sentence,
        "fix": status.fix,
        "to": settings.target if settings is not None else "",
        "conditions": ", ".join(settings.conditions) if settings is not None else "",
        "last_sent": sending.worked_at if sending else None,
        "last_tried": sending.tried_at if sending else None,
        "failing_since": sending.failing_since if sending else None,
        "next_try": sending.next_try if sending else None,
        "from": notifier.place or "the database, by set-up",
    }
