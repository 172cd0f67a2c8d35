"""Notifiers whose messages do not arrive, said to those who look for what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from connector_core.contract.models import Finding, Severity
from connector_core.registry.notifiers import NotifierStatus


def notifier_findings(statuses: Iterable[NotifierStatus], organization: str) -> list[Finding]:
    """Return a warning for each notifier of an organization that does not work: nothing is synced by it."""
    return [
        Finding(
            code="notifier_failing",
            severity=Severity.WARNING,
            title=f"Notifications by {one.notifier.name} ({one.notifier.channel}) do not arrive",
            detail=one.sentence,
            fix=one.fix,
        )
        for one in statuses
        if one.notifier.organization == organization and one.word == "problem"
    ]
