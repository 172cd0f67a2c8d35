"""Trying everything that an integration needs: at its activation, when somebody asks, and each night."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.comment_rules import when_unchangeable
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.contract.merge import rule_of
from connector_core.contract.models import NOT_CHECKED, Finding, Severity
from connector_core.contract.plugin_info import SAME_PLACE, SAME_PLACE_FIX, same_place
from connector_core.contract.secret_lists import MAKE_ONE, TOO_SHORT, is_too_short
from connector_core.contract.setup_steps import SetupStep
from connector_core.health.notifier_findings import notifier_findings
from connector_core.health.source_findings import source_findings, source_missing
from connector_core.health.webhook_findings import InboundCheck
from connector_core.http.outbound import Outbound
from connector_core.http.patience import within
from connector_core.registry.answers import settings_of
from connector_core.registry.authorizations import ending
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import NEEDS_AUTHORIZATION, Checkup, IntegrationRecord, IntegrationState, Origin, Store

NIGHT_HOUR = 2  # in UTC
AGAIN_AFTER = timedelta(hours=1)  # a problem may pass by itself, or was mended
UNCHECKED_AGAIN_AFTER = timedelta(minutes=1)  # what did not answer may by now
ANSWERS_WITHIN_S = 30.0  # all calls of a check together; somebody may be looking
AT_ACTIVATION = timedelta(minutes=1)  # a check just before an activation is the activation's own


def is_due(record: IntegrationRecord, last: Checkup | None, now: datetime) -> bool:
    """Return whether an active integration is to be tried again.

    Each night, soon after it became active or its settings changed, and when what did not answer may do so again.
    """
    if last is None or (record.active_since is not None and last.at < record.active_since - AT_ACTIVATION):
        return True
    if now - last.at > UNCHECKED_AGAIN_AFTER and any(one.code == NOT_CHECKED for one in last.findings):
        return True
    if now - last.at > AGAIN_AFTER and last.problems:
        return True
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return last.at < (night if night <= now else night - timedelta(days=1))


def due(store: Store, registry: Registry, now: datetime) -> list[str]:
    """Return the integrations that work and are to be tried again."""
    known = store.checkups.every()
    working = (entry.record for entry in registry.entries() if entry.is_working)
    return [record.id for record in working if is_due(record, known.get(record.id), now)]


@dataclass(frozen=True)
class Checkups:
    """Finds out what stands in the way of an integration, without changing anything on the other side."""

    store: Store
    registry: Registry
    clock: Clock
    log: FilteringBoundLogger
    public_url: str
    outbound: Outbound

    def check(self, entry: Entry, missing: Callable[[], Sequence[SetupStep]], held: str = "") -> list[Finding]:
        """Try everything and remember what was found.

        Args:
            entry: the integration.
            missing: gives the steps that still need an answer.
            held: says that a change waits for answers, if one does.
        """
        with within(ANSWERS_WITHIN_S):
            findings = self._findings(entry, missing)
        findings = [_of_site(entry, one) if one.code == NOT_CHECKED else one for one in findings]
        if held:
            findings.append(
                Finding(
                    code="change_held",
                    severity=Severity.WARNING,
                    title="A change of the settings is not in effect yet",
                    detail=held,
                    advice=Advice(Remedy.SET_UP, entry.record.id),
                )
            )
        found = Checkup(entry.record.id, self.clock.now(), tuple(findings))
        self._tell(entry.record, found)
        self.store.checkups.record(found)
        return findings

    def _findings(self, entry: Entry, missing: Callable[[], Sequence[SetupStep]]) -> list[Finding]:
        findings = [*self._of_source(entry.record), *self._of_setup(entry, missing), *self._of_secrets(entry.record)]
        findings += _unchangeable(entry)
        if any(finding.severity is Severity.PROBLEM for finding in findings):
            return findings
        if entry.plugin.implements("check_integration"):
            try:
                findings.extend(entry.plugin.check_integration(entry.handle))
            except ConnectorError as exc:
                findings.append(_finding(exc))
        findings += self.of_place(entry)
        soon = ending(entry.record.id, entry.keeper.present(), self.clock.now())
        findings += [soon] if soon is not None else []
        inbound = InboundCheck(self.store, self.clock, self.public_url, self.outbound)
        findings.extend(inbound.findings(entry.record, entry.plugin.info, entry.handle))
        organization = entry.record.organization
        told = notifier_findings(self.registry.notifiers.statuses([organization]), organization)
        return [*findings, *source_findings(self.registry, organization), *told]

    def of_place(self, entry: Entry) -> list[Finding]:
        """Warn of active integrations of the organization that make tickets in the same place: nobody wants two."""
        settings, site = entry.handle.settings, self.registry.site(entry)
        twins = []
        for other in self.registry.of(entry.record.organization):
            is_beside = other.record.id != entry.record.id
            is_like = other.plugin.name == entry.plugin.name and other.record.state is IntegrationState.ACTIVE
            if not (is_beside and is_like) or settings is None or other.handle.settings is None:
                continue
            there = self.registry.site(other)
            is_one_site = site is None or there is None or site.id == there.id
            if is_one_site and entry.plugin.info.is_one_place(settings, other.handle.settings):
                twins.append(other.record.id)
        if not twins:
            return []
        title, fix = same_place(twins), SAME_PLACE_FIX
        return [
            Finding(
                code=SAME_PLACE,
                severity=Severity.WARNING,
                title=f"{title[:1].upper()}{title[1:]}",
                fix=f"{fix[:1].upper()}{fix[1:]}.",
            )
        ]

    def _of_source(self, record: IntegrationRecord) -> list[Finding]:
        """Say that no incident can ever come in; that is a problem where set-up could have seen to it."""
        is_of_setup = record.origin is Origin.SETUP and self.registry.sources.can_make(record.organization)
        severity = Severity.PROBLEM if is_of_setup else Severity.WARNING
        return source_missing(self.registry, record.organization, severity)

    def _of_secrets(self, record: IntegrationRecord) -> list[Finding]:
        """Warn of secrets that an earlier version took and that could be guessed; they go on working."""
        source = self.registry.sources.made(record.organization)
        is_used = source is not None and self.registry.sources.written(record.organization) is None
        found = []
        if any(map(is_too_short, record.webhook_secrets)):
            fix = f"Give it a longer one in the ticketing system and in the step Webhook; {MAKE_ONE}"
            found.append(_short("webhook_secret_short", "The webhook's secret is too short to be safe", fix))
        if source is not None and is_used and any(map(is_too_short, source.secret_answers.values())):
            fix = f"Give it a longer one there and here; {MAKE_ONE}"
            found.append(_short("source_secret_short", "A secret of the incident source is too short to be safe", fix))
        return found

    def _of_setup(self, entry: Entry, missing: Callable[[], Sequence[SetupStep]]) -> list[Finding]:
        findings = []
        try:
            grant = entry.handle.core.grant()
        except ConnectorError as exc:
            return [_finding(exc)]
        if not entry.is_authorized(grant):
            findings.append(
                Finding(
                    code=NEEDS_AUTHORIZATION,
                    severity=Severity.PROBLEM,
                    title="Access is not authorized",
                    advice=Advice(Remedy.AUTHORIZE, entry.record.id),
                )
            )
        if steps := missing():
            return [*findings, *(_unanswered(entry.record, step) for step in steps)]
        try:
            settings_of(entry.plugin, entry.record.answers, entry.record)
        except ConfigError as exc:
            findings.append(_finding(exc))
        return findings

    def _tell(self, record: IntegrationRecord, found: Checkup) -> None:
        """Log the problems of an active integration when they are other ones than last time."""
        if record.state is not IntegrationState.ACTIVE:
            return
        before = self.store.checkups.of(record.id)
        if found.problems != (before.problems if before else frozenset()):
            tell = self.log.warning if found.problems else self.log.info
            tell("checkup_changed", integration=record.id, problems=sorted(found.problems))


def _unchangeable(entry: Entry) -> list[Finding]:
    """Tell which fields never change on tickets; that is how the ticketing system is, and nobody's mistake."""
    can_comment = entry.plugin.implements("write_comment")
    return [
        Finding(
            code=f"{name}_unchangeable",
            severity=Severity.OK,
            title=f"The {name} of a ticket stays as it was created",
            detail=f"It {when_unchangeable(rule_of(entry.record.rules, name), can_comment=can_comment)}.",
        )
        for name in sorted(entry.plugin.info.unchangeable)
    ]


def _of_site(entry: Entry, finding: Finding) -> Finding:
    """Say who did not answer, where that is, and what to do: a plugin's finding has only why."""
    name, site = entry.plugin.info.spoken, entry.record.site
    where = f" at {site.url}" if site is not None else ""
    return finding.model_copy(
        update={
            "title": f"{name}{where} could not be checked",
            "detail": finding.detail or finding.title,
            "fix": finding.fix
            or f"Look whether {site.url if site else name} can be reached from this host, then check again.",
        }
    )


def _short(code: str, title: str, fix: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, title=title, detail=f"{TOO_SHORT.capitalize()}.", fix=fix)


def _unanswered(record: IntegrationRecord, step: SetupStep) -> Finding:
    answers = tuple(asked.key for asked in step.fields if asked.required)
    return Finding(
        code=f"{step.key}_unanswered",
        severity=Severity.PROBLEM,
        title=f"{step.title} is not answered",
        advice=Advice(Remedy.SET_UP, record.id, step=step.key, answers=answers),
    )


def _finding(error: ConnectorError) -> Finding:
    return Finding(
        code=NOT_CHECKED if isinstance(error, RetryLater) else error.code,
        severity=Severity.PROBLEM,
        title=error.message,
        detail=error.detail,
        fix=error.fix,
        advice=error.advice,
    )
