"""How one source is shown in a listing."""

from __future__ import annotations

from typing import Any

from connector_core.polling.sources import SourceStatus
from connector_core.words.advice import fix_in_terminal


def source_row(status: SourceStatus) -> dict[str, Any]:
    """Return a source as a row."""
    last = status.last
    return {
        "organization": status.organization,
        "source": status.title,
        "state": status.word,
        "to_know": status.sentence,
        "fix": fix_in_terminal(status),
        "not_accepted": status.not_accepted,
        "open_incidents": last.open_incidents if last else None,
        "last_asked": last.looked_at if last else None,
        "last_answer": last.worked_at if last else None,
        "since": last.since if last else None,
        "refused": sum(one.count for one in status.refused),
        "last_refused": status.refused[0].last_at if status.refused else None,
        "refused_because": status.refused[0].reason.title if status.refused else None,
    }
