"""Integrations that are written in the configuration file: made the stored ones, authorized and activated if possible.

What a person does step by step in set-up happens here at start-up, and nothing of it fails the start.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from connector_core.config import IntegrationConfig
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConnectorError, RetryLater
from connector_core.engine.backoff import Waits
from connector_core.secrets import LOST_KEY_FIX
from connector_core.setup.authorizing import Authorizing
from connector_core.setup.integrations import DISABLED_BY_HAND, NO_PROBLEM, SetupFlow
from connector_core.store import (
    NEEDS_AUTHORIZATION,
    SECRETS_UNREADABLE,
    Actor,
    IntegrationRecord,
    IntegrationState,
    Origin,
    Via,
)
from connector_core.store.acting import acting
from connector_core.words.advice import for_terminal, joined

AUTHORIZATION_POSTPONED = "authorization_postponed"


#: So many that have to be authorized are waited for when the file is applied.
WAITED_FOR = 20
AUTHORIZERS = 8


class Due:
    """The integrations that wait for their authorization since the file was applied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: tuple[str, ...] = ()

    def replace(self, ids: Iterable[str]) -> None:
        """Let these wait, and no others."""
        with self._lock:
            self._ids = tuple(ids)

    def take(self) -> tuple[str, ...]:
        """Return those that wait; they are the caller's now."""
        with self._lock:
            taken, self._ids = self._ids, ()
        return taken


@dataclass(frozen=True)
class ConfiguredIntegrations:
    """Saves, authorizes and activates the file's integrations; everything else of set-up is the flow's."""

    authorizing: Authorizing
    waits: Waits
    due: Due = field(default_factory=Due)

    @property
    def flow(self) -> SetupFlow:
        """Return the set-up of integrations."""
        return self.authorizing.flow

    def apply(self) -> None:
        """Apply the file at start-up; what stands in an integration's way is written down with it.

        A few that have to be authorized first are waited for. Many are authorized while the connector works already,
        by `authorize_due`: each of them takes calls to its site.
        """
        with self._as_file():
            self._apply()

    def _apply(self) -> None:
        self.save()
        authorized = self.flow.store.grants.holders()
        due = []
        for integration in self.flow.written().values():
            if not integration.enabled or not self.flow.registry.usable(integration.id):
                continue
            entry = self.flow.registry.entry(integration.id)
            record = entry.record
            if record.problem_code == DISABLED_BY_HAND:
                continue
            if entry.authorizes and (record.problem_code or record.id not in authorized):
                due.append(record.id)
            elif record.state is not IntegrationState.ACTIVE:
                self.flow.activate(record.id)
        self.due.replace(due)
        if len(due) <= WAITED_FOR:
            self.authorize_due()

    def save(self) -> None:
        """Make the stored integrations those of the file, beside those made in set-up; calls nobody.

        What is no longer in the file is disabled, never deleted: its links stay explainable.
        """
        with self._as_file():
            self._save()

    def _save(self) -> None:
        known = self.flow.registry.records()
        written = self.flow.written()
        new = [self._as_written(one, None) for one in written.values() if one.id not in known]
        if new:
            self.flow.store.integrations.put_all(new)
        for integration in written.values():
            if integration.id in known:
                self._save_again(integration, known[integration.id])
        for record in known.values():
            if record.origin is Origin.YAML and record.id not in written:
                self.flow.change(record.id, lambda known: replace(known, state=IntegrationState.DISABLED))
        self._save_routing()

    def _save_routing(self) -> None:
        """Make the rules of organizations those of the file, where it has some; calls nobody."""
        config = self.flow.config
        rules = {name: organization.routing for name, organization in config.organizations.items()}
        written = {name: found for name, found in rules.items() if found}
        changed = self.flow.store.routing.put_written(written, config.path.name, self.flow.clock.now())
        if changed:
            self.flow.log.info("routing_changed", organizations=changed, by=str(config.path))

    def _as_file(self) -> AbstractContextManager[None]:
        """Have the audit log say that the file changed something; each host has its own."""
        return acting(Actor(str(self.flow.config.path), Via.FILE, self.flow.clock.now()))

    def authorize_due(self) -> None:
        """Authorize those that wait for it since the file was applied, several at a time."""
        self._authorize_all([name for name in self.due.take() if self._needs_authorization(name)])

    def to_authorize(self) -> list[str]:
        """Return those that wait for their authorization since the file was applied, or could not be reached before."""
        again = [name for name in self.due.take() if self._needs_authorization(name)]
        for record in self.flow.registry.records().values():
            if record.problem_code != AUTHORIZATION_POSTPONED:
                self.waits.worked(record.id)
            elif self.flow.registry.usable(record.id) and self.waits.is_over(record.id):
                again.append(record.id)
        return again

    def _authorize_all(self, ids: Sequence[str]) -> None:
        if ids:
            with ThreadPoolExecutor(min(AUTHORIZERS, len(ids)), thread_name_prefix="authorize") as pool:
                # Whoever lost the duty to apply the file calls and stores nothing more, here as well.
                begun = [pool.submit(copy_context().run, self.authorize, one) for one in ids]
                for one in begun:
                    one.result()

    def _needs_authorization(self, integration_id: str) -> bool:
        """Return whether an integration still waits for it: a person may have been faster, or have disabled it."""
        if not self.flow.registry.usable(integration_id):
            return False
        entry = self.flow.registry.entry(integration_id)
        code = entry.record.problem_code
        if not entry.authorizes or code == DISABLED_BY_HAND:
            return False
        return code != NO_PROBLEM or self.flow.store.grants.get(integration_id) is None

    def _save_again(self, written: IntegrationConfig, known: IntegrationRecord) -> None:
        if self._as_written(written, known) == known:
            return
        if dict(known.secret_answers) != _secrets(written) and not known.has_unreadable:
            # What was granted with the old secrets is worth nothing.
            self.flow.store.grants.save(written.id, None)
        if known.has_unreadable or not self.flow.registry.usable(written.id):  # nobody can tell what led where
            self.flow.change(written.id, lambda present: self._as_written(written, present))
        else:
            self.flow.change_written(written.id, lambda present: self._as_written(written, present))

    def _as_written(self, written: IntegrationConfig, known: IntegrationRecord | None) -> IntegrationRecord:
        secret = _secrets(written)
        now = self.flow.clock.now()
        if known is None:
            known = IntegrationRecord(
                id=written.id,
                organization=written.organization,
                plugin=written.plugin,
                origin=Origin.YAML,
                state=IntegrationState.DRAFT,
                answers={},
                secret_answers={},
                webhook_secrets=(),
                created_at=now,
                problem_code=NO_PROBLEM,
                problem=NO_PROBLEM,
            )
        return replace(
            known,
            organization=written.organization,
            plugin=written.plugin,
            origin=Origin.YAML,
            state=_state_of(written, known),
            answers={key: value for key, value in written.answers.items() if key not in secret},
            secret_answers=secret,
            webhook_secrets=written.webhook_secrets,
            rules=written.rules,
            name=written.name,
            comments=known.comments.changed(*written.comments, now),
            test_at=written.test_at,
            draft=None,
            has_unreadable=False,
        )

    def authorize(self, integration_id: str) -> None:
        """Authorize without a person where that is possible; otherwise the integration waits for one."""
        store, log = self.flow.store, self.flow.log
        try:
            grant = self.authorizing.alone(integration_id)
        except RetryLater as exc:
            self.waits.failed(integration_id, exc.after_s)
            if store.grants.get(integration_id) is None:
                store.integrations.note_problem(integration_id, AUTHORIZATION_POSTPONED, exc.message)
            log.warning("authorization_postponed", integration=integration_id, code=exc.code, reason=exc.message)
        except ConnectorError as exc:
            store.integrations.note_problem(integration_id, exc.code, exc.message)
            log.warning("authorization_failed", integration=integration_id, code=exc.code, reason=exc.message)
        else:
            if grant is None and self._waits_for_key(integration_id):
                log.warning(
                    "authorization_unreadable",
                    integration=integration_id,
                    fix=joined(LOST_KEY_FIX, for_terminal((Advice(Remedy.FORGET_SECRETS),))),
                )
            elif grant is None:
                store.integrations.note_problem(integration_id, NEEDS_AUTHORIZATION, "Access is not authorized yet.")
                fix = for_terminal((Advice(Remedy.AUTHORIZE, integration_id),))
                log.warning("authorization_needed", integration=integration_id, fix=fix)

    def _waits_for_key(self, integration_id: str) -> bool:
        """Return whether there is an authorization that cannot be opened now: with its key it is good again."""
        return self.flow.registry.entry(integration_id).record.problem_code == SECRETS_UNREADABLE


def _secrets(written: IntegrationConfig) -> dict[str, SecretStr]:
    return {key: value for key, value in written.answers.items() if isinstance(value, SecretStr)}


def _state_of(written: IntegrationConfig, known: IntegrationRecord) -> IntegrationState:
    if not written.enabled or known.problem_code == DISABLED_BY_HAND:
        return IntegrationState.DISABLED
    if known.activated_at is not None:
        return IntegrationState.ACTIVE
    return IntegrationState.DRAFT
