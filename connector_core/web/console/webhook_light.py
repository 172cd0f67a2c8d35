"""Whether deliveries arrive: the light beside a webhook's secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector_core.contract.setup_steps import WEBHOOK_SECRET, SetupStep
from connector_core.health.refusals import Refused
from connector_core.health.webhook_health import SecretUse, health, is_managed, refused
from connector_core.store import IntegrationRecord, IntegrationState, Store


@dataclass(frozen=True)
class Light:
    """What the light shows; `state` is off, asleep, registering, waiting, arriving, silent or refused.

    `is_managed` tells that a plugin is to register the webhook, `problem` why it could not.
    """

    state: str
    last_at: datetime | None
    has_two_secrets: bool
    secrets: tuple[SecretUse, ...] = ()
    missed: int = 0
    missed_at: datetime | None = None
    ignored: int = 0
    refused: tuple[Refused, ...] = ()
    is_managed: bool = False
    problem: str = ""
    fix: str = ""


def light(store: Store, record: IntegrationRecord, route: str | None, now: datetime) -> Light:
    """Say whether anything has arrived since the secret was last changed, and what was turned away."""
    found, own, managed = health(store, record), store.webhooks.managed(record.id), is_managed(record)
    is_active = record.state is IntegrationState.ACTIVE
    turned_away = tuple(refused(store, record, route, now))
    state = _expected(is_active=is_active) if managed and found.state == "off" else found.state
    return Light(
        "refused" if turned_away and state != "off" else state,
        found.last_at,
        has_two_secrets=len(record.webhook_secrets) > 1,
        secrets=found.secrets,
        missed=found.missed,
        missed_at=found.missed_at,
        ignored=sum((found.ignored or {}).values()),
        refused=turned_away,
        is_managed=managed,
        problem=own.problem if managed and own is not None else "",
        fix=own.fix if own is not None else "",
    )


def _expected(*, is_active: bool) -> str:
    """Say how a webhook stands that is to be registered and is not yet."""
    return "registering" if is_active else "asleep"


def has_webhook(step: SetupStep) -> bool:
    """Return whether a step asks for the webhook's secret."""
    return any(asked.key == WEBHOOK_SECRET for asked in step.fields)
