"""The secret of an integration's webhook: an answer that belongs to the core, whatever plugin asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import SecretStr

from connector_core.contract.secret_lists import MAKE_ONE, TOO_SHORT, is_too_short
from connector_core.contract.setup_steps import WEBHOOK_SECRET, AnswerUnfit, SetupStep
from connector_core.store import IntegrationRecord


def with_webhook_secret(record: IntegrationRecord, secret: SecretStr | None, *, was_used: bool) -> IntegrationRecord:
    """Put a new secret first; the former one stays good during the change if anything ever arrived with it."""
    if secret is None:
        return replace(record, webhook_secrets=())
    former = [known for known in record.webhook_secrets if known != secret]
    return replace(record, webhook_secrets=(secret, *(former[:1] if was_used else ())))


def refuse_short(steps: Sequence[SetupStep], record: IntegrationRecord) -> None:
    """Refuse a secret that could be guessed."""
    if not any(map(is_too_short, record.webhook_secrets[:1])):
        return
    label = next(asked.label for step in steps for asked in step.fields if asked.key == WEBHOOK_SECRET)
    raise AnswerUnfit(
        f"{label}: {TOO_SHORT}.", key=WEBHOOK_SECRET, code="secret_too_short", fix=f"{MAKE_ONE}.".capitalize()
    )
