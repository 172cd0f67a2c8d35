"""Whether deliveries arrive: the light beside a webhook's secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector_core.setup_flow import WEBHOOK_SECRET
from connector_core.setup_steps import SetupStep
from connector_core.store import IntegrationRecord, IntegrationState, Store


@dataclass(frozen=True)
class Light:
    """What the light shows; `state` is off, asleep, waiting or arriving."""

    state: str
    last_at: datetime | None
    has_two_secrets: bool


def light(store: Store, record: IntegrationRecord) -> Light:
    """Say whether anything has arrived since the secret was last changed."""
    two = len(record.webhook_secrets) > 1
    last_at = store.last_delivery_at(record.id)
    if not record.webhook_secrets:
        return Light("off", last_at, two)
    changed_at = store.secret_changed_at(record.id)
    if last_at is not None and (changed_at is None or last_at >= changed_at):
        return Light("arriving", last_at, two)
    return Light("waiting" if record.state is IntegrationState.ACTIVE else "asleep", last_at, two)


def has_webhook(step: SetupStep) -> bool:
    """Tell whether a step asks for the webhook's secret."""
    return any(asked.key == WEBHOOK_SECRET for asked in step.fields)
