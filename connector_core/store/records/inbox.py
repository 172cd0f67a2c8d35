"""What became of what came in, and what is known of webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector_core.contract.models import HookRegistration

SIGNED = "signed:"
IGNORED = "ignored:"
REFUSED = "refused:"
MISSED = "missed"


class SettingsMoved(Exception):
    """Integrations of the organization were changed since those were read that a write is for; nothing was written.

    Whoever meant to write reads them again, and does it then.
    """


@dataclass(frozen=True)
class HookFact:
    """How often something was so of a webhook, and when last."""

    count: int
    last_at: datetime


@dataclass(frozen=True)
class ManagedWebhook:
    """A webhook that a plugin registered by itself, and what stands in its way, if anything does."""

    registration: HookRegistration | None = None
    problem: str = ""
    fix: str = ""


class EventOutcome(StrEnum):
    """What became of one event."""

    NEW = "new"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Accepted:
    """What became of an accepted request: how much of it was new, known already, or of no concern to us.

    `outcomes` says it for each event, in their order.
    """

    new: int = 0
    duplicate: int = 0
    ignored: int = 0
    outcomes: tuple[EventOutcome, ...] = field(default=(), compare=False)
