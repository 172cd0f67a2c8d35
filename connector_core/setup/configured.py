"""Integrations that are written in the configuration file: made the stored ones, authorized and activated if possible.

What a person does step by step in set-up happens here at start-up, and nothing of it fails the start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import SecretStr

from connector_core.config import IntegrationConfig
from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.contract.models import Redirect
from connector_core.engine.backoff import Waits
from connector_core.secrets import LOST_KEY_FIX
from connector_core.setup.authorizing import Authorizing
from connector_core.setup.integrations import DISABLED_BY_HAND, NO_PROBLEM, SetupFlow
from connector_core.store import NEEDS_AUTHORIZATION, SECRETS_UNREADABLE, IntegrationRecord, IntegrationState, Origin

AUTHORIZATION_POSTPONED = "authorization_postponed"


@dataclass(frozen=True)
class ConfiguredIntegrations:
    """Saves, authorizes and activates the file's integrations; everything else of set-up is the flow's."""

    authorizing: Authorizing
    waits: Waits

    @property
    def flow(self) -> SetupFlow:
        """Return the set-up of integrations."""
        return self.authorizing.flow

    def apply(self) -> None:
        """Apply the file at start-up; what stands in an integration's way is written down with it."""
        self.save()
        for integration in self.flow.written().values():
            if integration.enabled and self.flow.registry.usable(integration.id):
                self._authorize_or_activate(integration.id)

    def save(self) -> None:
        """Make the stored integrations those of the file, beside those made in set-up; calls nobody.

        What is no longer in the file is disabled, never deleted: its links stay explainable.
        """
        known = {record.id: record for record in self.flow.store.integrations.every()}
        written = self.flow.written()
        for integration in written.values():
            self._save_one(integration, known.get(integration.id))
        for record in known.values():
            if record.origin is Origin.YAML and record.id not in written:
                self.flow.change(record.id, lambda known: replace(known, state=IntegrationState.DISABLED))

    def retry_authorizations(self) -> None:
        """Try again to authorize those that could not be reached when the connector started."""
        for record in self.flow.store.integrations.every():
            if record.problem_code != AUTHORIZATION_POSTPONED:
                self.waits.worked(record.id)
            elif self.flow.registry.usable(record.id) and self.waits.is_over(record.id):
                self._authorize_unattended(record.id)

    def _save_one(self, written: IntegrationConfig, known: IntegrationRecord | None) -> None:
        if known is None:
            self.flow.store.integrations.put(self._as_written(written, None))
            return
        if dict(known.secret_answers) != _secrets(written) and not known.has_unreadable:
            # What was granted with the old secrets is worth nothing.
            self.flow.store.grants.save(written.id, None)
        self.flow.change(written.id, lambda present: self._as_written(written, present))

    def _as_written(self, written: IntegrationConfig, known: IntegrationRecord | None) -> IntegrationRecord:
        secret = _secrets(written)
        return IntegrationRecord(
            id=written.id,
            organization=written.organization,
            plugin=written.plugin,
            origin=Origin.YAML,
            state=_state_of(written, known),
            answers={key: value for key, value in written.answers.items() if key not in secret},
            secret_answers=secret,
            webhook_secrets=written.webhook_secrets,
            rules=written.rules,
            comments=(CommentRules() if known is None else known.comments).changed(
                *written.comments, self.flow.clock.now()
            ),
            created_at=self.flow.clock.now() if known is None else known.created_at,
            activated_at=None if known is None else known.activated_at,
            active_since=None if known is None else known.active_since,
            problem_code=NO_PROBLEM if known is None else known.problem_code,
            problem=NO_PROBLEM if known is None else known.problem,
        )

    def _authorize_or_activate(self, integration_id: str) -> None:
        """Authorize an integration of the file if nobody has, or activate it if only that is missing."""
        record = self.flow.registry.entry(integration_id).record
        if record.problem_code == DISABLED_BY_HAND:
            return
        if record.problem_code or self.flow.store.grants.get(integration_id) is None:
            self._authorize_unattended(integration_id)
        elif record.state is not IntegrationState.ACTIVE:
            self.flow.activate(integration_id)

    def _authorize_unattended(self, integration_id: str) -> None:
        """Authorize without a person where that is possible; otherwise the integration waits for one."""
        store, log = self.flow.store, self.flow.log
        try:
            answer = self.authorizing.start(integration_id)
        except RetryLater as exc:
            self.waits.failed(integration_id, exc.after_s)
            if store.grants.get(integration_id) is None:
                store.integrations.note_problem(integration_id, AUTHORIZATION_POSTPONED, exc.message)
            log.warning("authorization_postponed", integration=integration_id, code=exc.code, reason=exc.message)
        except ConnectorError as exc:
            store.integrations.note_problem(integration_id, exc.code, exc.message)
            log.warning("authorization_failed", integration=integration_id, code=exc.code, reason=exc.message)
        else:
            if isinstance(answer, Redirect) and self._waits_for_key(integration_id):
                log.warning("authorization_unreadable", integration=integration_id, fix=LOST_KEY_FIX)
            elif isinstance(answer, Redirect):
                text = f"A person has to authorize access: connector integrations authorize {integration_id}"
                store.integrations.note_problem(integration_id, NEEDS_AUTHORIZATION, text)
                log.warning("authorization_needed", integration=integration_id, fix=text)

    def _waits_for_key(self, integration_id: str) -> bool:
        """Return whether there is an authorization that cannot be opened now: with its key it is good again."""
        return self.flow.registry.entry(integration_id).record.problem_code == SECRETS_UNREADABLE


def _secrets(written: IntegrationConfig) -> dict[str, SecretStr]:
    return {key: value for key, value in written.answers.items() if isinstance(value, SecretStr)}


def _state_of(written: IntegrationConfig, known: IntegrationRecord | None) -> IntegrationState:
    if not written.enabled or (known is not None and known.problem_code == DISABLED_BY_HAND):
        return IntegrationState.DISABLED
    if known is not None and known.activated_at is not None:
        return IntegrationState.ACTIVE
    return IntegrationState.DRAFT
