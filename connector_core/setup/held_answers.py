"""Answers that are in effect, and answers that are held back as a draft while a change is made; values only."""

from __future__ import annotations

from dataclasses import replace

from connector_core.store import IntegrationRecord


def in_effect(present: IntegrationRecord, answered: IntegrationRecord) -> IntegrationRecord:
    """Return a record with answers in effect."""
    return replace(
        present,
        answers=answered.answers,
        secret_answers=answered.secret_answers,
        webhook_secrets=answered.webhook_secrets,
        draft=None,
    )


def held(present: IntegrationRecord, answered: IntegrationRecord) -> IntegrationRecord:
    """Return a record with answers held as a draft; secrets are in effect at once."""
    return replace(in_effect(present, answered), answers=present.answers, draft=answered.answers)


def given(record: IntegrationRecord) -> tuple[object, ...]:
    """Return what set-up asked for, without where the integration stands."""
    return record.answers, record.secret_answers, record.webhook_secrets, record.draft
