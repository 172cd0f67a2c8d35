"""Polling: ask the platforms that push nothing what changed, and let it take the same way as what is pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, cast

from connector_core.clock import Clock
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.handles import AnySource
from connector_core.contract.models import Finding, IncidentEvent, Poll, Severity
from connector_core.contract.plugin_info import PolledSettings
from connector_core.engine.breakers import Breakers, Tripped
from connector_core.engine.circuits import Circuit, Guarded
from connector_core.health.refusals import RECENT, RefusedEvents, events_route
from connector_core.plugins import Plugin
from connector_core.registry.integrations import Registry
from connector_core.registry.sources import SecretsUnreadable, SourceUnknown
from connector_core.store import Accepted, Reading, SourceState, Store, Target
from connector_core.words.sources import not_accepted

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

OK = "ok"

# A transaction with more events would let webhooks wait for their answer.
EVENTS_AT_ONCE = 500


class SourceWord(StrEnum):
    """The status of a source in one word."""

    OK = "ok"
    WARNING = "warning"
    """It works, with a finding."""
    WAITING = "waiting"
    """It is tried again by itself."""
    PROBLEM = "problem"
    """A person has to act."""
    IDLE = "idle"
    """It is not polled: no integration needs it."""
    TOLD = "told"
    """It sends its incidents by itself."""
    MISSING = "missing"
    """There is none."""
    UNFINISHED = "unfinished"
    """Its set-up is not finished."""


@dataclass(frozen=True)
class SourceStatus:
    """The status of a source, in one word and one sentence."""

    organization: str
    title: str
    word: SourceWord
    sentence: str
    fix: str = ""
    last: SourceState | None = None
    """How the last poll ended, None before the first."""
    advice: Advice | None = None
    refused: tuple[RefusedEvents, ...] = ()
    """What it pushed lately and was not taken, the latest first."""
    not_accepted: str = ""
    """Of which fields it accepts no change as it is set up now, in a sentence."""


@dataclass(frozen=True)
class SourcePoller:
    """Polls sources; `after` is called when lanes may have been woken."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]

    def intervals(self) -> dict[str, float]:
        """Return the seconds between two looks, by organization; one without an active integration needs none."""
        found = {}
        for organization in self.registry.sources.usable():
            plugin, settings = self.registry.sources.settings(organization)
            if plugin.implements("poll_incidents") and self.registry.targets(organization):
                found[organization] = cast("PolledSettings", settings).poll_every.total_seconds()
        return found

    def poll(self, organization: str) -> SourceState | None:
        """Poll a source once; errors end in its state.

        Return None when it is paused and was not polled, or when it was changed, removed or began anew meanwhile and
        the poll is worth nothing.
        """
        started = self.clock.now()
        read = self.store.sources.reading(organization, self.registry.sources.plugin(organization).name)
        plugin, source = self.registry.sources.handle(organization)
        before = self.store.sources.state(organization)
        state = SourceState(organization, plugin.name, looked_at=started, outcome=OK, since=started)
        try:
            poll = self._ask(plugin, source, read.cursor)
            if not self._accept(organization, read, poll):
                return None
        except Tripped as exc:
            if exc.__cause__ is None:
                return None
            state = _failed(state, before, exc)
        except ConnectorError as exc:
            state = _failed(state, before, exc)
        else:
            state = replace(
                state,
                worked_at=started,
                open_incidents=poll.open_incidents,
                account_name=poll.account_name,
                findings=poll.findings,
            )
        if not self.store.sources.note(state, read.made):
            return None
        self._log_change(before, state)
        return state

    def status(self, organization: str) -> SourceStatus:
        """Return the status of an organization's source, also where it has none."""
        if organization not in self.registry.sources.usable():
            return self._unusable(organization)
        plugin, settings = self.registry.sources.settings(organization)
        told = not_accepted(plugin.info, settings)
        return replace(self._usable(organization), refused=self._refused(organization), not_accepted=told)

    def check(self, organization: str) -> Sequence[Finding]:
        """Try what a source needs; when nothing is wrong, its pauses end.

        Raises:
            ConfigError: no such source, or its plugin has nothing to try.
        """
        plugin, source = self.registry.sources.handle(organization)
        if not plugin.implements("check_source"):
            raise ConfigError(
                f"The source of {organization} ({plugin.info.title}) sends its events itself: nothing can be tried.",
                code="nothing_to_check",
                fix=f"Send a signed test event to {source.events_url}: the answer says whether it was taken.",
            )
        findings = plugin.check_source(source)
        if not any(finding.severity is Severity.PROBLEM for finding in findings):
            self.resume(organization)
        return findings

    def forget_refusals(self) -> None:
        """Look again at sources that refused us: their keys may have been replaced before this start."""
        self._resume(
            {
                breaker.key
                for breaker in self.store.breakers.every()
                if breaker.needs_person and (Guarded.POLL.guards(breaker.key) or Guarded.SOURCE.guards(breaker.key))
            }
        )

    def resume(self, organization: str) -> None:
        """Look again at a source without waiting for the end of its pauses."""
        self._resume({Circuit.of_poll(organization).site, Circuit.of_source(organization).site})

    # Private

    def _refused(self, organization: str) -> tuple[RefusedEvents, ...]:
        since = self.clock.now() - RECENT
        facts = self.store.webhooks.refused(events_route(organization)).items()
        found = [RefusedEvents(code, fact.count, fact.last_at) for code, fact in facts if fact.last_at > since]
        return tuple(sorted(found, key=lambda one: one.last_at, reverse=True))

    def _usable(self, organization: str) -> SourceStatus:
        plugin = self.registry.sources.plugin(organization)
        last = self.store.sources.state(organization)
        title = plugin.info.title
        if not plugin.implements("poll_incidents"):
            return SourceStatus(organization, title, SourceWord.TOLD, "It pushes its incidents.")
        if not self.registry.targets(organization):
            sentence = "Not checked while no integration is active."
            return SourceStatus(organization, title, SourceWord.IDLE, sentence, last=last)
        if last is None or last.plugin != plugin.name:
            return SourceStatus(organization, title, SourceWord.WAITING, "Waiting for the first check.")
        if last.outcome != OK:
            paused = self.store.breakers.tripped(Circuit.of_poll(organization).keys)
            needs_person = any(breaker.needs_person for breaker in paused)
            word = SourceWord.PROBLEM if needs_person else SourceWord.WAITING
            return SourceStatus(organization, title, word, last.reason, last.fix, last)
        for finding in last.findings:
            if finding.severity is not Severity.OK:
                return SourceStatus(
                    organization, title, SourceWord.WARNING, finding.title, finding.fix, last, finding.advice
                )
        whose = f"{last.account_name}: " if last.account_name else ""
        count = last.open_incidents
        told = "" if count is None else f"{count} open {'incident' if count == 1 else 'incidents'}."
        return SourceStatus(organization, title, SourceWord.OK, f"{whose}{told}" or "It answers.", last=last)

    def _unusable(self, organization: str) -> SourceStatus:
        """Return why an organization has no source to poll, and what to do."""
        setting_up = Advice(Remedy.SET_UP_SOURCE, organization)
        try:
            plugin = self.registry.sources.plugin(organization)
        except SourceUnknown as exc:
            sentence = "No incident source connected."
            return SourceStatus(organization, "", SourceWord.MISSING, sentence, advice=exc.advice)
        except ConfigError as exc:
            return SourceStatus(organization, "", SourceWord.PROBLEM, exc.message, exc.fix, advice=exc.advice)
        sentence, fix = "Its setup is not finished.", ""
        made = self.registry.sources.made(organization)
        if made is not None and made.has_unreadable:
            unreadable = SecretsUnreadable(organization)
            sentence, fix = unreadable.message, unreadable.fix
        return SourceStatus(organization, plugin.info.title, SourceWord.UNFINISHED, sentence, fix, advice=setting_up)

    def _resume(self, keys: set[str]) -> None:
        for breaker in self.store.breakers.tripped(keys):
            self.store.breakers.reset(breaker.key, self.clock.now())
        self.after()

    def _ask(self, plugin: Plugin, source: AnySource, cursor: str | None) -> Poll:
        activated = [target.activated_at for target in self.registry.targets(source.organization)]
        since = min(activated, default=self.clock.now())
        with self.breakers.guard(Circuit.of_poll(source.organization)):
            return plugin.poll_incidents(source, cursor, since)

    def _accept(self, organization: str, read: Reading, poll: Poll) -> bool:
        """Store events in portions, the cursor with the last; what a crash cuts off is named alike the next time.

        False when the source was changed, removed or began anew meanwhile: what is left of the look is worth nothing.
        """
        portions = [
            poll.events[start : start + EVENTS_AT_ONCE] for start in range(0, len(poll.events), EVENTS_AT_ONCE)
        ] or [()]
        if not poll.events and poll.cursor == read.cursor:
            return self.store.sources.reading(organization, read.plugin) == read
        for number, events in enumerate(portions, start=1):
            cursor = poll.cursor if number == len(portions) else None
            accept = partial(self._accept_portion, organization, read, events, cursor)
            if self.registry.with_targets(organization, accept) is None:
                return False
            if events:
                self.after()
        return True

    def _accept_portion(  # noqa: PLR0913, PLR0917 - what was read, and what it is for
        self,
        organization: str,
        read: Reading,
        events: Sequence[IncidentEvent],
        cursor: str | None,
        targets: Sequence[Target],
        as_of: int,
    ) -> Accepted | None:
        at = self.clock.now()
        return self.store.inbox.accept_poll(organization, read, events, targets, cursor, at, as_of)

    def _log_change(self, before: SourceState | None, now: SourceState) -> None:
        """Log it once: when polling begins to fail, when it works again, and what was found out meanwhile."""
        was = OK if before is None else before.outcome
        if now.outcome not in {OK, was}:
            self.log.warning(
                "source_not_read", organization=now.organization, code=now.outcome, reason=now.reason, fix=now.fix
            )
        elif now.outcome == OK and was != OK:
            self.log.info("source_read_again", organization=now.organization, since=before.since if before else None)
        known = {finding.code for finding in before.findings} if before is not None else set()
        for finding in now.findings:
            if finding.code not in known and finding.severity is not Severity.OK:
                self.log.warning(
                    "source_finding", organization=now.organization, code=finding.code, reason=finding.title
                )


def _failed(state: SourceState, before: SourceState | None, error: ConnectorError) -> SourceState:
    """Return the state after a poll that failed; what the last good one showed is still known."""
    failed = replace(state, outcome=error.code, reason=error.message, fix=error.fix)
    if before is None:
        return failed
    return replace(
        failed,
        worked_at=before.worked_at,
        open_incidents=before.open_incidents,
        account_name=before.account_name,
        findings=before.findings,
    )
