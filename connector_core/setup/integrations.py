"""Set-up as a state machine without a user interface: command line and browser are two skins over it.

Authorize, answer the plugin's steps, enable. Everything can be done again later; links keep the settings that they were
made with. Nothing is saved before it was proved.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config, IntegrationConfig
from connector_core.contract.accounts import at_former_site, refuse_other
from connector_core.contract.comment_rules import COMMENT_HOOKS, ToIncident, ToTicket
from connector_core.contract.errors import AuthError, ConfigError
from connector_core.contract.merge import DEFAULT_RULES, Rules
from connector_core.contract.models import (
    AuthorizationReturn,
    AuthorizationStart,
    Finding,
    Grant,
    Redirect,
    Severity,
)
from connector_core.contract.secret_lists import MAKE_ONE, TOO_SHORT, is_too_short, trimmed
from connector_core.contract.setup_steps import (
    ROW,
    Choice,
    FieldKind,
    SetupField,
    SetupStep,
    fetch_choices,
    fetch_rows,
    refuse_unasked,
    refuse_unlisted,
    row_named,
    unanswered_steps,
    with_answer,
)
from connector_core.health.checkups import Checkups
from connector_core.plugins import PluginSet
from connector_core.registry.integrations import Entry, Registry, settings_of
from connector_core.setup.drafts import carried_over, later_steps
from connector_core.store import IntegrationRecord, IntegrationState, Origin, Store

RETURN_WITHIN = timedelta(minutes=30)
OTHER_ACCOUNT = "other-account."  # begins a state whose person said beforehand that another account is meant
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of an answer that belongs to the core

NO_PROBLEM = ""
DISABLED_BY_HAND = "disabled_by_hand"


class NotReady(ConfigError):
    """The integration cannot be enabled yet; `findings` say what is missing."""

    default_code = "not_ready"

    def __init__(self, findings: Sequence[Finding]) -> None:
        titles = "; ".join(finding.title for finding in findings if finding.severity is Severity.PROBLEM)
        super().__init__(f"The integration cannot be enabled yet: {titles}.")
        self.findings = tuple(findings)


class FoundSeveral(ConfigError):
    """What was typed may mean several things; `choices` are whole answers to the question `key`."""

    default_code = "several_found"

    def __init__(self, key: str, label: str, choices: Sequence[Choice]) -> None:
        named = "; ".join(f"{choice.label} ({choice.value})" for choice in choices)
        super().__init__(f"{label}: several fit.", detail=named, fix=f"Choose one of: {named}.")
        self.key = key
        self.choices = tuple(choices)


def _nothing(integration_id: str) -> None:
    """Have nothing to do before an integration rests."""


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
    before_rest: Callable[[str], None] = _nothing

    # Making and removing

    def create(self, integration_id: str, organization: str, plugin: str) -> None:
        """Start a new integration, as a draft."""
        if organization not in self.config.organizations:
            raise ConfigError(f"There is no organization {organization!r} in {self.config.path}.")
        if not self.plugins.get(plugin).implements("on_incident_event"):
            raise ConfigError(f"Plugin {plugin!r} is no ticketing plugin.")
        if any(record.id == integration_id for record in self.store.integrations.every()):
            raise ConfigError(f"There is an integration {integration_id!r} already.", code="integration_exists")
        self.store.integrations.put(
            IntegrationRecord(
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
        )
        self.log.info("integration_created", integration=integration_id, organization=organization, plugin=plugin)

    def remove(self, integration_id: str) -> None:
        """Delete an integration that was made in set-up, with its links."""
        record = self.registry.entry(integration_id).record
        _refuse_yaml(record, "removed")
        self.before_rest(integration_id)
        self.store.integrations.remove(integration_id)
        self.log.info("integration_removed", integration=integration_id)

    # Authorizing

    def start_authorization(self, integration_id: str, *, other_account: bool = False) -> Redirect | Grant:
        """Begin an authorization: where to send the person, or the grant if no person is needed."""
        entry = self.registry.entry(integration_id)
        state = (OTHER_ACCOUNT if other_account else "") + secrets.token_urlsafe(32)
        callback_url = f"{self.config.server.public_url}/oauth/callback"
        request = AuthorizationStart(state=state, callback_url=callback_url)
        answer = entry.plugin.call("authorize", integration=entry.handle, request=request)
        if isinstance(answer, Grant):
            return self._keep_grant(entry, answer, other_account=other_account)
        if not isinstance(answer, Redirect):
            raise ConfigError(f"Plugin {entry.plugin.name} does not say how to authorize.")
        self.store.grants.expect_return(state, integration_id, callback_url, self.clock.now() + RETURN_WITHIN)
        return answer

    def finish_authorization(
        self, parameters: Mapping[str, str], *, site: str | None = None, other_account: bool = False
    ) -> tuple[str, Grant]:
        """Take the parameters that the person came back with; the integration they are for, and its grant.

        A grant without a site is kept until `choose_site`. A state is good once, for `RETURN_WITHIN`.
        """
        state = parameters.get("state", "")
        expected = self.store.grants.redeem_return(state, self.clock.now()) if state.isascii() else None
        if expected is None:
            raise ConfigError(
                "This authorization was not started here, was used already, or took too long.",
                code="state_unknown",
                fix="Start again with: connector integrations authorize",
            )
        integration_id, callback_url = expected
        entry = self.registry.entry(integration_id)
        request = AuthorizationReturn(callback_url=callback_url, parameters=dict(parameters), site=site)
        grant = entry.plugin.call("authorize", integration=entry.handle, request=request)
        if not isinstance(grant, Grant):
            raise ConfigError(f"Plugin {entry.plugin.name} gave back no grant.")
        kept = self._keep_grant(entry, grant, other_account=other_account or state.startswith(OTHER_ACCOUNT))
        return integration_id, kept

    def returning_to(self, parameters: Mapping[str, str]) -> str | None:
        """Return the integration that somebody comes back for, as long as their state is good."""
        return self.store.grants.expected_return(parameters.get("state", ""))

    def choose_site(self, integration_id: str, site_id: str) -> Grant:
        """Settle an authorization that reaches several sites on one of them."""
        entry = self.registry.entry(integration_id)
        grant = self.store.grants.get(integration_id)
        if grant is None:
            raise AuthError("Nobody has authorized access yet.")
        chosen = next((site for site in grant.sites if site_id in {site.id, site.url, site.name}), None)
        if chosen is None:
            names = ", ".join(site.name for site in grant.sites)
            raise ConfigError(f"The authorization does not reach {site_id!r}; it reaches: {names}.")
        if grant.site is not None and grant.site.id != chosen.id and entry.record.activated_at is None:
            self._forget_choices(entry.record)
            return self._keep_grant(entry, grant.at_site(chosen), other_account=True, other_site=True)
        return self._keep_grant(entry, grant.at_site(chosen), other_account=True)

    # Answering

    def steps(self, integration_id: str) -> Sequence[SetupStep]:
        """Return the plugin's steps, in order, as they are with the answers given so far."""
        return self._steps(self.registry.entry(integration_id), self.answered(integration_id).answers)

    def choices(self, field: SetupField) -> Sequence[Choice]:
        """Fetch the choices of a field; calling it again is the reload."""
        return fetch_choices(field)

    def rows(self, field: SetupField) -> Sequence[SetupField]:
        """Fetch the questions of a group; calling it again is the reload. Their keys begin with the group's."""
        return fetch_rows(field)

    def answered(self, integration_id: str) -> IntegrationRecord:
        """Return the answers given so far; those of a draft go before those in effect."""
        record = self.registry.entry(integration_id).record
        return record if record.draft is None else replace(record, answers=record.draft)

    def labels(self, integration_id: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for answers, by key and value."""
        return self.store.integrations.labels(integration_id)

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        self.store.integrations.remember_label(integration_id, key, value, label)

    def answer(self, integration_id: str, given: Mapping[str, str]) -> None:
        """Check answers and save them.

        When a choice changes, later answers stay if their new lists still have them. The change of an active
        integration that leaves a step without its answer is held as a draft: what is in effect stays so until the
        step is answered.

        Raises:
            ConfigError: a key that no step asks for, or a value that is not among the choices.
        """
        _refuse_yaml(self.registry.entry(integration_id).record, "changed here")
        steps = self.steps(integration_id)
        refuse_unasked(steps, given)
        for key in [asked.key for step in steps for asked in step.fields]:
            rows: list[SetupField] = []
            for name in [name for name in given if key in {name, name.partition(ROW)[0]}]:
                self._save_answer(integration_id, name, given[name], rows)

    def _save_answer(self, integration_id: str, key: str, value: str, rows: list[SetupField]) -> None:
        """Check and save one answer; the steps are asked for anew, since their lists depend on the answers before.

        `rows` are those of the question's group, as soon as they were fetched: no row depends on another one.
        """
        record = self.answered(integration_id)
        step, asked = next(
            (step, asked)
            for step in self.steps(integration_id)
            for asked in step.fields
            if asked.key in {key, key.partition(ROW)[0]}
        )
        if asked.kind is FieldKind.GROUP:
            if value and not rows:
                rows.extend(self.rows(asked))
            asked = row_named(asked, key, value, rows)
        answered = self._answered(record, step, asked, value)
        entry = self.registry.entry(integration_id)  # lists were fetched meanwhile
        if _given(self.answered(integration_id)) != _given(record):
            message = "Somebody else changed the settings meanwhile."
            raise ConfigError(message, code="changed_meanwhile", fix="Look at them, and try again.")
        self._keep_answers(entry, answered)
        if asked.key == WEBHOOK_SECRET:
            self.store.webhooks.note_secret_change(integration_id, self.clock.now())

    def forget_former_secret(self, integration_id: str) -> None:
        """End a change of the webhook's secret: only the present one is good from now on."""
        record = self.registry.entry(integration_id).record
        _refuse_yaml(record, "changed here")
        self.put(replace(record, webhook_secrets=record.webhook_secrets[:1]), record)

    def keep_old_settings(self, integration_id: str, key: str) -> int:
        """Count the open incidents that were opened with another answer to a question than today's."""
        entry = self.registry.entry(integration_id)
        if key not in entry.plugin.info.link_settings:
            return 0
        present = entry.record.answers.get(key)
        return sum(
            kept.count for kept in self.store.overview.open_links(integration_id) if kept.settings.get(key) != present
        )

    def set_rules(self, integration_id: str, rules: Rules) -> None:
        """Change how fields are kept in step, at once and for all links.

        Raises:
            ConfigError: the integration is written in the configuration file.
        """
        record = self.registry.entry(integration_id).record
        _refuse_yaml(record, "changed here")
        kept = {name: rule for name, rule in {**record.rules, **rules}.items() if rule != DEFAULT_RULES[name]}
        self.put(replace(record, rules=kept), record)
        self.store.lanes.wake_all(integration_id, self.clock.now())

    def set_comments(
        self, integration_id: str, to_ticket: ToTicket | None = None, to_incident: ToIncident | None = None
    ) -> None:
        """Change which comments travel, for all links; what is None stays as it is.

        Raises:
            ConfigError: the integration is written in the configuration file, or its plugin cannot do that.
        """
        entry = self.registry.entry(integration_id)
        record = entry.record
        _refuse_yaml(record, "changed here")
        for key, value in (("to_ticket", to_ticket), ("to_incident", to_incident)):
            if value not in {None, "none"} and not entry.plugin.implements(COMMENT_HOOKS[key]):
                raise ConfigError(
                    f"The plugin {record.plugin} cannot carry comments this way.", code="comments_unsupported"
                )
        kept = record.comments
        comments = kept.changed(to_ticket or kept.to_ticket, to_incident or kept.to_incident, self.clock.now())
        self.put(replace(record, comments=comments), record)
        self.store.lanes.wake_all(integration_id, self.clock.now())

    def missing(self, integration_id: str) -> list[SetupStep]:
        """Return the steps that still need an answer."""
        return unanswered_steps(self.steps(integration_id), self.answered(integration_id))

    def held(self, integration_id: str) -> str:
        """Say that a change is held as a draft, and what it waits for; nothing when none is."""
        if self.registry.entry(integration_id).record.draft is None:
            return ""
        named = ", ".join(step.title for step in self.missing(integration_id))
        return (
            "Your change is saved as a draft. The present settings stay in effect until these steps are answered: "
            f"{named}."
        )

    def before_change(self, integration_id: str, step: SetupStep) -> str:
        """Say what another answer to a step of an active integration will do to later steps; nothing if they stay."""
        if self.registry.entry(integration_id).record.state is not IntegrationState.ACTIVE:
            return ""
        asked = frozenset(asked.key for asked in step.fields if asked.kind is FieldKind.CHOICE and asked.required)
        named = ", ".join(later.title for later in later_steps(self.steps(integration_id), asked))
        return named and (
            f"After a change here, these answers stay where they still fit: {named}. Otherwise the change is saved as "
            "a draft, and the present settings stay in effect until you have answered those steps."
        )

    def discard_draft(self, integration_id: str) -> None:
        """Go back to the settings in effect."""
        record = self.registry.entry(integration_id).record
        _refuse_yaml(record, "changed here")
        self.put(replace(record, draft=None), record)

    # Enabling

    def check(self, integration_id: str) -> list[Finding]:
        """Try everything the integration will need, without changing anything; what was found is remembered."""
        entry = self.registry.entry(integration_id)
        return self._checkups.check(entry, partial(self._missing_in_effect, entry), self.held(integration_id))

    def enable(self, integration_id: str) -> list[Finding]:
        """Check everything, then make the integration active.

        Raises:
            NotReady: something is missing; nothing was changed.
        """
        findings = self.check(integration_id)
        if any(finding.severity is Severity.PROBLEM for finding in findings):
            raise NotReady(findings)
        record = self.registry.entry(integration_id).record
        self.activate(record)
        return findings

    def disable(self, integration_id: str) -> None:
        """Make an integration rest: nothing travels until it is enabled again."""
        self.before_rest(integration_id)
        record = self.registry.entry(integration_id).record
        disabled = replace(
            record,
            state=IntegrationState.DISABLED,
            problem_code=DISABLED_BY_HAND,
            problem=f"Disabled by a person; connector integrations enable {integration_id} ends that.",
        )
        self.put(disabled, record)
        self.log.info("integration_disabled", integration=integration_id)

    def activate(self, record: IntegrationRecord) -> None:
        """Make an integration active without any check; what waited for it is carried now."""
        now = self.clock.now()
        active = replace(
            record, state=IntegrationState.ACTIVE, activated_at=record.activated_at or now, active_since=now
        )
        self.put(replace(active, problem_code=NO_PROBLEM, problem=NO_PROBLEM), record)
        self.store.lanes.wake_all(record.id, now)
        self.log.info("integration_enabled", integration=record.id)

    def put(self, record: IntegrationRecord, known: IntegrationRecord | None) -> None:
        """Store a record if it differs from what is known."""
        if record != known:
            self.store.integrations.put(record)

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
        return Checkups(self.store, self.registry, self.clock, self.log, self.config.server.public_url)

    def _keep_grant(self, entry: Entry, grant: Grant, *, other_account: bool, other_site: bool = False) -> Grant:
        before = self.store.grants.get(entry.record.id)
        if before is not None and before.site is not None and not other_site:
            grant = at_former_site(before.site, grant)
            refuse_other(before, grant, other_account=other_account)
        self.store.grants.save(entry.record.id, grant)
        entry.keeper.forget()
        if grant.site is None and grant.sites:
            return grant
        self.store.integrations.note_problem(entry.record.id, NO_PROBLEM, NO_PROBLEM)
        self.log.info("authorized", integration=entry.record.id, account=grant.account_name)
        record = next(record for record in self.store.integrations.every() if record.id == entry.record.id)
        in_file = self.written().get(record.id)
        if in_file is not None and in_file.enabled:
            self.activate(record)
        self.store.lanes.wake_all(record.id, self.clock.now())
        return grant

    def _forget_choices(self, record: IntegrationRecord) -> None:
        """Drop what was chosen from the lists of another site, and what was learnt about it."""
        self.store.knowledge.forget(record.id)
        of_lists = {FieldKind.CHOICE, FieldKind.GROUP}
        listed = {f.key for step in self.steps(record.id) for f in step.fields if f.kind in of_lists}
        self.put(replace(record, answers={k: v for k, v in record.answers.items() if k not in listed}), record)

    def _proved(self, record: IntegrationRecord, asked: SetupField, typed: str) -> str:
        """Return what a typed answer means, if that is a good answer."""
        value = typed
        if asked.find is not None:
            choices = asked.find(typed)
            if not choices:
                raise ConfigError(f"{asked.label}: nothing fits {typed[:80]!r}.", code="nothing_found")
            if len(choices) > 1:
                raise FoundSeveral(asked.key, asked.label, choices)
            value, label = choices[0].value, choices[0].label
            if label != value:
                self.store.integrations.remember_label(record.id, asked.key, value, label)
        if asked.check is not None and (wrong := asked.check(value)):
            raise ConfigError(f"{asked.label}: {wrong}", code="answer_unfit", fix="Correct it, then click Update.")
        return value

    def _answered(self, record: IntegrationRecord, step: SetupStep, asked: SetupField, value: str) -> IntegrationRecord:
        if asked.kind is FieldKind.SECRET:
            value = trimmed(value)
        if asked.key == WEBHOOK_SECRET:
            if value and is_too_short(SecretStr(value)):
                raise ConfigError(
                    f"{asked.label}: {TOO_SHORT}.", code="secret_too_short", fix=f"{MAKE_ONE}.".capitalize()
                )
            was_used = self.store.webhooks.last_delivery_at(record.id) is not None
            return replace(record, webhook_secrets=_overlapping(record.webhook_secrets, value, was_used=was_used))
        if asked.kind is FieldKind.SECRET:
            return replace(record, secret_answers={**record.secret_answers, asked.key: SecretStr(value)})
        if asked.kind is FieldKind.CHOICE:
            choices = self.choices(asked)
            refuse_unlisted(step, asked, value, choices)
            offered = {choice.value: choice.label for choice in choices}
            self.store.integrations.remember_label(record.id, asked.key, value, offered.get(value, value))
        value = self._proved(record, asked, value) if value else value
        answers = with_answer(record.answers, asked.key, value)
        if not value and not asked.required:
            answers.pop(asked.key, None)
        if record.answers.get(asked.key) != value:
            steps_of = partial(self._steps, self.registry.entry(record.id))
            return replace(record, answers=carried_over(steps_of, answers, asked.key))
        return replace(record, answers=answers)

    def _steps(self, entry: Entry, answers: Mapping[str, object]) -> Sequence[SetupStep]:
        """Return the plugin's steps as they are with certain answers, which may not be in effect."""
        if not entry.plugin.implements("configure_steps"):
            return ()
        handle = entry.handle
        if answers != entry.record.answers:
            handle = replace(handle, answers=answers, settings=None, cache={})
        steps: Sequence[SetupStep] = entry.plugin.call("configure_steps", integration=handle)
        return steps

    def _keep_answers(self, entry: Entry, answered: IntegrationRecord) -> None:
        """Put answers into effect, or hold them where that would stop an active integration."""
        record = entry.record
        kept = replace(record, secret_answers=answered.secret_answers, webhook_secrets=answered.webhook_secrets)
        is_whole = self._is_whole(entry, answered)
        if record.state is IntegrationState.ACTIVE and not is_whole and self._is_whole(entry, record):
            self.put(replace(kept, draft=answered.answers), record)
            self.log.info("settings_held", integration=record.id)
            return
        self.put(replace(kept, answers=answered.answers, draft=None), record)
        if is_whole and answered.answers != record.answers:
            self._go_on(record.id)

    def _is_whole(self, entry: Entry, record: IntegrationRecord) -> bool:
        """Tell whether the answers of a record are all that is needed."""
        if unanswered_steps(self._steps(entry, record.answers), record):
            return False
        try:
            settings_of(entry.plugin, record.answers, record)
        except ConfigError:
            return False
        return True

    def _missing_in_effect(self, entry: Entry) -> list[SetupStep]:
        return unanswered_steps(self._steps(entry, entry.record.answers), entry.record)

    def _go_on(self, integration_id: str) -> None:
        """Let what waited for other settings be tried at once."""
        now = self.clock.now()
        for breaker in self.store.breakers.every():
            if breaker.key.startswith(f"settings:{integration_id}:"):
                self.store.breakers.reset(breaker.key, now)
        self.store.lanes.wake_all(integration_id, now)
        self.log.info("settings_changed", integration=integration_id)


def _refuse_yaml(record: IntegrationRecord, what: str) -> None:
    if record.origin is Origin.YAML:
        raise ConfigError(
            f"{record.id} is written in the configuration file and cannot be {what}.",
            code="written_in_file",
            fix="Change the file and start the connector again.",
        )


def _overlapping(present: tuple[SecretStr, ...], value: str, *, was_used: bool) -> tuple[SecretStr, ...]:
    """Put a new secret first; the former one stays good during the change if anything ever arrived with it."""
    if not value:
        return ()
    former = [secret for secret in present if secret.get_secret_value() != value]
    return (SecretStr(value), *(former[:1] if was_used else ()))


_GIVEN = ("answers", "secret_answers", "webhook_secrets", "draft")


def _given(record: IntegrationRecord) -> tuple[object, ...]:
    """Return what set-up asked for, without where the integration stands."""
    return tuple(getattr(record, name) for name in _GIVEN)
