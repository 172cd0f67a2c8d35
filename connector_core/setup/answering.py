"""What a plugin asks with a record's answers, whether these are all it needs, and how they are put in effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from pydantic import SecretStr

from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.setup_steps import (
    WEBHOOK_SECRET,
    FieldKind,
    SetupField,
    SetupStep,
    answer_to,
    fetch_rows,
    unanswered_steps,
)
from connector_core.registry.answers import settings_of
from connector_core.registry.entry import Entry
from connector_core.registry.handles import silent
from connector_core.setup.asking import letting_go
from connector_core.setup.questionnaire import ChangedMeanwhile, Questionnaire
from connector_core.setup.webhook_secret import with_webhook_secret
from connector_core.store import IntegrationRecord, IntegrationState, Store

Storing = Callable[[IntegrationRecord, IntegrationRecord], bool]


def steps_of(entry: Entry) -> Sequence[SetupStep]:
    """Return the plugin's steps, in order, as they are with the answers given so far."""
    return steps_with(entry, entry.record.with_draft())


def looked_at(entry: Entry) -> Sequence[SetupStep]:
    """Return the steps as `steps_of` does, for somebody who only looks: nobody is called, and no list can be."""
    return steps_with(entry, entry.record.with_draft(), silent(entry.handle))


def steps_with(entry: Entry, record: IntegrationRecord, handle: AnyIntegration | None = None) -> Sequence[SetupStep]:
    """Return the plugin's steps as they are with a record's answers, which may not be in effect."""
    if not entry.plugin.implements("configure_steps"):
        return ()
    handle = handle or entry.handle
    if (record.answers, record.secret_answers) != (entry.record.answers, entry.record.secret_answers):
        handle = replace(handle, answers=record.answers, secret_answers=record.secret_answers, settings=None, cache={})
    steps = entry.plugin.configure_steps(handle)
    if proves_itself_otherwise(steps, entry.record, record):  # what is granted is not for where this leads
        steps = entry.plugin.configure_steps(silent(handle))
    return sorted(letting_go(steps, handle), key=lambda step: not step.before_authorization)


def questionnaire(store: Store, entry: Entry) -> Questionnaire[IntegrationRecord]:
    """Return what checks answers, question by question."""
    was_used = store.webhooks.last_delivery_at(entry.record.id) is not None

    def with_secret(record: IntegrationRecord, asked: SetupField, secret: SecretStr | None) -> IntegrationRecord:
        if asked.key == WEBHOOK_SECRET:
            return with_webhook_secret(record, secret, was_used=was_used)
        others = {key: kept for key, kept in record.secret_answers.items() if key != asked.key}
        return replace(record, secret_answers=others if secret is None else {**others, asked.key: secret})

    return Questionnaire(partial(steps_with, entry), with_secret)


def unanswered(entry: Entry, steps: Sequence[SetupStep], record: IntegrationRecord) -> list[SetupStep]:
    """Return the steps that need an answer which a record does not have."""
    return unanswered_steps(steps, record, entry.plugin.info.defaults)


def is_whole(entry: Entry, record: IntegrationRecord) -> bool:
    """Return whether the answers of a record are all that is needed."""
    if unanswered(entry, steps_with(entry, record), record):
        return False
    try:
        settings_of(entry.plugin, record.answers, record)
    except ConfigError:
        return False
    return True


def lacks_rows(steps: Iterable[SetupStep], record: IntegrationRecord) -> bool:
    """Return whether a required row of a group has no answer; the rows are fetched, as far as they can be.

    Raises:
        ConnectorError: they could not be fetched.
    """
    groups = (
        asked
        for step in steps
        if not step.needs - record.answers.keys()
        for asked in step.fields
        if asked.kind is FieldKind.GROUP
    )
    return any(
        row.required and not answer_to(record.answers, row.key).strip() for asked in groups for row in fetch_rows(asked)
    )


def with_answers(
    entry: Entry, answered: IntegrationRecord, *, would_stop: bool
) -> Callable[[IntegrationRecord], IntegrationRecord]:
    """Return what puts answers in effect, or holds them where an active integration would stop."""

    def put(present: IntegrationRecord) -> IntegrationRecord:
        if _given(present) != _given(entry.record):
            raise ChangedMeanwhile("the settings")
        is_held = would_stop and present.state is IntegrationState.ACTIVE
        return (_held if is_held else _in_effect)(present, answered)

    return put


def storing(store: Store, steps: Sequence[SetupStep]) -> Storing:
    """Return what stores answers; what was granted ends where they lead elsewhere, also out of a draft."""

    def change(changed: IntegrationRecord, present: IntegrationRecord) -> bool:
        if not proves_itself_otherwise(steps, present, changed):
            return store.integrations.change(changed, present)
        problem = "What access is authorized with has changed. Authorize again."
        return store.grants.change_outdating(changed, present, problem)

    return change


def proves_itself_otherwise(steps: Sequence[SetupStep], before: IntegrationRecord, after: IntegrationRecord) -> bool:
    """Return whether an answer in effect changed that access is authorized with."""
    keys = {asked.key for step in steps if step.before_authorization for asked in step.fields}
    changed = (before.answers, before.secret_answers), (after.answers, after.secret_answers)
    return any(one.get(key) != other.get(key) for one, other in zip(*changed, strict=True) for key in keys)


def _in_effect(present: IntegrationRecord, answered: IntegrationRecord) -> IntegrationRecord:
    """Return a record with answers in effect."""
    return replace(
        present,
        answers=answered.answers,
        secret_answers=answered.secret_answers,
        webhook_secrets=answered.webhook_secrets,
        draft=None,
    )


def _held(present: IntegrationRecord, answered: IntegrationRecord) -> IntegrationRecord:
    """Return a record with answers held as a draft; secrets are in effect at once."""
    return replace(_in_effect(present, answered), answers=present.answers, draft=answered.answers)


def _given(record: IntegrationRecord) -> tuple[object, ...]:
    """Return what set-up asked for, without where the integration stands."""
    return record.answers, record.secret_answers, record.webhook_secrets, record.draft
