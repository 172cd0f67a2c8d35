"""Whether deliveries arrive: the light beside a webhook's secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector_core.setup_flow import WEBHOOK_SECRET
from connector_core.setup_steps import SetupStep
from connector_core.store import IntegrationRecord, Store
from connector_core.webhook_health import SecretUse, health


@dataclass(frozen=True)
class Light:
    """What the light shows; `state` is off, asleep, waiting, arriving or silent."""

    state: str
    last_at: datetime | None
    has_two_secrets: bool
    secrets: tuple[SecretUse, ...] = ()
    missed: int = 0
    missed_at: datetime | None = None
    ignored: int = 0


def light(store: Store, record: IntegrationRecord) -> Light:
    """Say whether anything has arrived since the secret was last changed."""
    found = health(store, record)
    return Light(
        found.state,
        found.last_at,
        has_two_secrets=len(record.webhook_secrets) > 1,
        secrets=found.secrets,
        missed=found.missed,
        missed_at=found.missed_at,
        ignored=sum((found.ignored or {}).values()),
    )


def has_webhook(step: SetupStep) -> bool:
    """Tell whether a step asks for the webhook's secret."""
    return any(asked.key == WEBHOOK_SECRET for asked in step.fields)
