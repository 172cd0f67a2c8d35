"""Set-up as a state machine without a user interface: command line and browser are two skins over it.

Authorize, answer the plugin's steps, enable. Everything can be done again later; links keep the settings that they were
made with. Nothing is saved before it was proved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config, IntegrationConfig
from connector_core.config.values import ID_PATTERN
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.display_names import LONGEST
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.models import Finding, Severity
from connector_core.contract.setup_steps import (
    WEBHOOK_SECRET,
    FieldKind,
    SetupStep,
    answer_to,
    refuse_leak,
)
from connector_core.engine.circuits import is_of_settings
from connector_core.health.checkups import Checkups
from connector_core.health.webhook_health import Arrived, arrived, is_expected
from connector_core.plugins import PluginSet
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.setup.answering import (
    is_whole,
    lacks_rows,
    looked_at,
    proves_itself_otherwise,
    questionnaire,
    steps_of,
    steps_with,
    storing,
    unanswered,
    with_answers,
)
from connector_core.setup.questionnaire import ChangedMeanwhile, later_steps, without_outdated
from connector_core.setup.webhook_secret import refuse_short
from connector_core.store import IntegrationRecord, IntegrationState, Origin, Store

CHANGE_TRIES = 5

NO_PROBLEM = ""
DISABLED_BY_HAND = "disabled_by_hand"


class NotReady(ConfigError):
    """The integration cannot be enabled yet; `findings` say what is missing."""

    default_code = "not_ready"

    def __init__(self, findings: Sequence[Finding]) -> None:
        titles = "; ".join(finding.title for finding in findings if finding.severity is Severity.PROBLEM)
        super().__init__(f"The integration cannot be enabled yet: {titles}.")
        self.findings = tuple(findings)


def _nothing(integration_id: str) -> None:
    """Have nothing to do before an integration rests."""


class IntegrationExists(ConfigError):
    """The name of a new integration is taken."""

    default_code = "integration_exists"


@dataclass(frozen=True)
class SetupFlow:
    """Every step of set-up, each a method; errors are of the connector's tree.

    `before_rest` is called before an integration is disabled or removed, while it can still do something.
    """

    store: Store
    registry: Registry
    plugins: PluginSet
    config: Config
    clock: Clock
    log: FilteringBoundLogger
    before_rest: Callable[[str], object] = _nothing

    # Making and removing

    def create(self, integration_id: str, organization: str, plugin: str) -> None:
        """Start a new integration, as a draft."""
        _refuse_odd(integration_id)
        if organization not in self.config.organizations:
            raise ConfigError(
                f"There is no organization {organization!r} in {self.config.path}.", code="organization_unknown"
            )
        if not self.plugins.get(plugin).implements("on_incident_event"):
            raise ConfigError(f"Plugin {plugin!r} is no ticketing plugin.")
        begun = IntegrationRecord(
            id=integration_id,
            organization=organization,
            plugin=plugin,
            origin=Origin.SETUP,
            state=IntegrationState.DRAFT,
            answers={},
            secret_answers={},
            webhook_secrets=(),
            created_at=self.clock.now(),
        )
        if not self.store.integrations.begin(begun):
            raise IntegrationExists(f"There is an integration {integration_id!r} already.")
        self.log.info("integration_created", integration=integration_id, organization=organization, plugin=plugin)

    def duplicate(self, integration_id: str, new_id: str) -> None:
        """Start a new integration with the answers of another one, as a draft of the same organization.

        It has no secret and no authorization of that: a grant that two renew is lost by one of them, and deliveries
        are told apart by their secrets. What is synced and the names of answers come along.

        Raises:
            IntegrationExists: the name is taken.
            ConfigError: there is no integration to duplicate.
        """
        known = self.registry.entry(integration_id).record
        _refuse_odd(new_id)
        now = self.clock.now()
        copy = IntegrationRecord(
            id=new_id,
            organization=known.organization,
            plugin=known.plugin,
            origin=Origin.SETUP,
            state=IntegrationState.DRAFT,
            answers=dict(known.answers),
            secret_answers={},
            webhook_secrets=(),
            created_at=now,
            rules=known.rules,
            comments=CommentRules().changed(known.comments.to_ticket, known.comments.to_incident, now),
            name=f"Copy of {known.title}"[:LONGEST],
        )
        if not self.store.integrations.begin(copy):
            raise IntegrationExists(f"There is an integration {new_id!r} already.")
        for (key, value), label in self.labels(integration_id).items():
            self.remember_label(new_id, key, value, label)
        self.log.info("integration_duplicated", integration=new_id, of=integration_id)

    def remove(self, integration_id: str) -> None:
        """Delete an integration that was made in set-up, with its links.

        Raises:
            ConfigError: it is written in the configuration file, or a test incident would leave its ticket behind.
        """
        record = self.registry.entry(integration_id).record
        _refuse_yaml(record, "removed")
        if self.store.round_trips.running(integration_id) is not None:
            raise ConfigError(
                f"A test incident of {integration_id} is under way, whose ticket would stay open.",
                code="test_under_way",
                fix="Wait until it has ended.",
            )
        self.before_rest(integration_id)
        self.store.integrations.remove(integration_id)
        self.log.info("integration_removed", integration=integration_id)

    # Answering

    def steps(self, integration_id: str) -> Sequence[SetupStep]:
        """Return the plugin's steps, in order, as they are with the answers given so far."""
        return steps_of(self.registry.entry(integration_id))

    def answered(self, integration_id: str) -> IntegrationRecord:
        """Return the answers given so far; those of a draft go before those in effect."""
        return self.registry.entry(integration_id).record.with_draft()

    def labels(self, integration_id: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for answers, by key and value."""
        return self.store.integrations.labels(integration_id)

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        self.store.integrations.remember_label(integration_id, key, value, label)

    def answer(self, integration_id: str, given: Mapping[str, str]) -> None:
        """Check answers and save all or none.

        When a choice changes, later answers stay if their new lists still have them. The change of an active
        integration that leaves a step without its answer is held as a draft: what is in effect stays so until the
        step is answered.

        Raises:
            AnswerUnfit: one is not accepted.
            ChangedMeanwhile: somebody else gave answers while these were checked.
            ConfigError: a key that no step asks for, or a value that is not among the choices.
        """
        entry = self.registry.entry(integration_id)
        _refuse_yaml(entry.record, "changed here")
        steps, known = steps_of(entry), entry.record.with_draft()
        refuse_leak(steps, known, given)  # before any list is fetched with it
        applied = questionnaire(self.store, entry).apply(without_outdated(steps, known, given), given)
        if WEBHOOK_SECRET in given:
            refuse_short(applied.steps, applied.record)
        fits = is_whole(entry, applied.record) and not self._lacks_rows(entry, applied.record)
        would_stop = not fits and is_whole(entry, entry.record)
        put = with_answers(entry, applied.record, would_stop=would_stop)
        before, after = self.change(integration_id, put, storing(self.store, steps))
        if after.draft is not None:
            self.log.info("settings_held", integration=integration_id)
        for key, label in applied.labels.items():
            self.store.integrations.remember_label(integration_id, key, answer_to(applied.record.answers, key), label)
        if WEBHOOK_SECRET in given:
            self.store.webhooks.note_secret_change(integration_id, self.clock.now())
        if proves_itself_otherwise(steps, before, after):
            self.log.info("authorization_outdated", integration=integration_id)
        elif fits and after.answers != before.answers:
            self.go_on(integration_id)

    @staticmethod
    def _lacks_rows(entry: Entry, answered: IntegrationRecord) -> bool:
        """Return whether new answers of an active integration ask for others, as a request type for its fields."""
        if entry.record.state is not IntegrationState.ACTIVE:
            return False
        touched = _different(entry.record.answers, answered.answers)
        return lacks_rows(later_steps(steps_with(entry, answered), touched), answered)

    def forget_former_secret(self, integration_id: str) -> None:
        """End a change of the webhook's secret: only the present one is good from now on."""
        self.change_here(integration_id, lambda known: replace(known, webhook_secrets=known.webhook_secrets[:1]))

    def keep_old_settings(self, integration_id: str, key: str) -> int:
        """Count the open incidents that were opened with another answer to a question than today's."""
        entry = self.registry.entry(integration_id)
        if key not in entry.plugin.info.link_settings:
            return 0
        present = entry.record.answers.get(key)
        return sum(
            kept.count for kept in self.store.overview.open_links(integration_id) if kept.settings.get(key) != present
        )

    def missing(self, integration_id: str) -> list[SetupStep]:
        """Return the steps that still need an answer."""
        entry = self.registry.entry(integration_id)
        return unanswered(entry, looked_at(entry), entry.record.with_draft())

    def missing_before_authorization(self, integration_id: str) -> list[SetupStep]:
        """Return the steps that access is authorized with and that still need an answer."""
        return [step for step in self.missing(integration_id) if step.before_authorization]

    def is_authorized(self, integration_id: str) -> bool:
        """Return whether there is access, or none has to be authorized."""
        return self.registry.entry(integration_id).is_authorized(self.store.grants.get(integration_id))

    def held(self, integration_id: str) -> str:
        """Say that a change is held as a draft, and what it waits for; nothing when none is."""
        if self.registry.entry(integration_id).record.draft is None:
            return ""
        record = self.registry.entry(integration_id).record
        touched = _different(record.answers, record.with_draft().answers)
        later = later_steps(looked_at(self.registry.entry(integration_id)), touched)
        rows = [step for step in later if any(asked.kind is FieldKind.GROUP for asked in step.fields)]
        named = ", ".join(step.title for step in self.missing(integration_id) or rows)
        return (
            "Your change is saved as a draft. The present settings stay in effect until these steps are answered: "
            f"{named}."
        )

    def before_change(self, integration_id: str, step: SetupStep) -> str:
        """Say what another answer to a step of an active integration will do to later steps; nothing if they stay."""
        if step.before_authorization and self.store.grants.get(integration_id) is not None:
            return "After a change here, access has to be authorized again."
        if self.registry.entry(integration_id).record.state is not IntegrationState.ACTIVE:
            return ""
        asked = frozenset(asked.key for asked in step.fields if asked.kind is FieldKind.CHOICE and asked.required)
        named = ", ".join(later.title for later in later_steps(looked_at(self.registry.entry(integration_id)), asked))
        return named and (
            f"After a change here, these answers stay where they still fit: {named}. Otherwise the change is saved as "
            "a draft, and the present settings stay in effect until you have answered those steps."
        )

    def discard_draft(self, integration_id: str) -> None:
        """Go back to the settings in effect."""
        self.change_here(integration_id, lambda known: replace(known, draft=None))

    # Enabling

    def check(self, integration_id: str) -> list[Finding]:
        """Try everything the integration will need, without changing anything; what was found is remembered."""
        entry = self.registry.entry(integration_id)
        return self._checkups.check(entry, partial(self._missing_in_effect, entry), self.held(integration_id))

    def same_place(self, integration_id: str) -> list[Finding]:
        """Warn of active integrations that make tickets in the same place; nobody is asked."""
        return self._checkups.of_place(self.registry.entry(integration_id))

    def enable(self, integration_id: str) -> list[Finding]:
        """Check everything, then make the integration active.

        Raises:
            NotReady: something is missing; nothing was changed.
        """
        findings = self.check(integration_id)
        if any(finding.severity is Severity.PROBLEM for finding in findings):
            raise NotReady(findings)
        self.activate(integration_id)
        return findings

    def disable(self, integration_id: str) -> None:
        """Make an integration rest: nothing is synced until it is enabled again."""
        self.before_rest(integration_id)
        problem = "Disabled by hand."
        rests = IntegrationState.DISABLED
        self.change(
            integration_id,
            lambda known: replace(known, state=rests, problem_code=DISABLED_BY_HAND, problem=problem),
        )
        self.log.info("integration_disabled", integration=integration_id)

    def activate(self, integration_id: str) -> None:
        """Make an integration active without any check; what waited for it is synced now."""
        now = self.clock.now()

        def active(known: IntegrationRecord) -> IntegrationRecord:
            first = known.activated_at or now
            active = replace(known, state=IntegrationState.ACTIVE, activated_at=first, active_since=now)
            return replace(active, problem_code=NO_PROBLEM, problem=NO_PROBLEM)

        self.change(integration_id, active)
        self.store.lanes.wake_all(integration_id, now)
        self.log.info("integration_enabled", integration=integration_id)

    def change(
        self,
        integration_id: str,
        change: Callable[[IntegrationRecord], IntegrationRecord],
        store: Callable[[IntegrationRecord, IntegrationRecord], bool] | None = None,
    ) -> tuple[IntegrationRecord, IntegrationRecord]:
        """Store a change of what is there now, and return both; made again where somebody else was faster.

        `store` is how it is stored, unless that is all there is to it.

        Raises:
            ChangedMeanwhile: somebody else was, again and again.
            ConfigError: there is no such integration (any more).
        """
        for _ in range(CHANGE_TRIES):
            known = self.registry.entry(integration_id).record
            changed = change(known)
            if changed == known or (store or self.store.integrations.change)(changed, known):
                return known, changed
        raise ChangedMeanwhile("the settings")

    def change_here(self, integration_id: str, change: Callable[[IntegrationRecord], IntegrationRecord]) -> None:
        """Change what is made in set-up, as `change`.

        Raises:
            ConfigError: the integration is written in the configuration file.
        """
        _refuse_yaml(self.registry.entry(integration_id).record, "changed here")
        self.change(integration_id, change)

    def change_written(self, integration_id: str, change: Callable[[IntegrationRecord], IntegrationRecord]) -> None:
        """Store what the file says now, as `change`; what was granted ends where its answers lead elsewhere."""
        entry = self.registry.entry(integration_id)
        try:
            steps = steps_with(entry, entry.record)
        except ConnectorError:  # whoever needs them says so; the start does not fail by it
            steps = ()
        self.change(integration_id, change, storing(self.store, steps))

    def takes_deliveries(self, integration_id: str) -> bool:
        """Return whether deliveries are taken now: the integration is active, and something signs them."""
        entry = self.registry.entry(integration_id)
        return entry.is_working and is_expected(self.store, entry.record)

    def arrived(self, integration_id: str, since: datetime) -> Arrived | None:
        """Return the latest signed delivery for an integration since a time, one that is ignored too."""
        return arrived(self.store, self.registry.entry(integration_id).record, since)

    def written(self) -> dict[str, IntegrationConfig]:
        """Return the integrations of the configuration file, by id."""
        return {
            integration.id: integration
            for organization in self.config.organizations.values()
            for integration in organization.integrations.values()
        }

    # Private

    @property
    def _checkups(self) -> Checkups:
        public_url, outbound = self.config.server.public_url, self.config.calls()
        return Checkups(self.store, self.registry, self.clock, self.log, public_url, outbound)

    def _missing_in_effect(self, entry: Entry) -> list[SetupStep]:
        return unanswered(entry, steps_with(entry, entry.record), entry.record)

    def go_on(self, integration_id: str) -> None:
        """Let what waited for other settings be tried at once."""
        now = self.clock.now()
        for breaker in self.store.breakers.every():
            if is_of_settings(breaker.key, integration_id):
                self.store.breakers.reset(breaker.key, now)
        self.store.lanes.wake_all(integration_id, now)
        self.log.info("settings_changed", integration=integration_id)


def _refuse_odd(new_id: str) -> None:
    if not re.fullmatch(ID_PATTERN, new_id):
        raise ConfigError(
            f"{new_id[:80]!r} cannot be the name of an integration.",
            code="name_unusable",
            fix="Use up to 63 lowercase letters, digits, - and _, beginning with a letter or digit.",
        )


def _refuse_yaml(record: IntegrationRecord, what: str) -> None:
    if record.origin is Origin.YAML:
        raise ConfigError(
            f"{record.id} is written in the configuration file and cannot be {what}.",
            code="written_in_file",
            fix="Change it there, and apply the file.",
            advice=Advice(Remedy.APPLY_CONFIG),
        )


def _different(before: Mapping[str, object], after: Mapping[str, object]) -> frozenset[str]:
    """Return the keys of answers that differ."""
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
