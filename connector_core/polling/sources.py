"""Polling: ask the platforms that push nothing what changed, and let it take the same way as what is pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, ConnectorError, PluginError, RetryLater, Scope
from connector_core.contract.handles import Source
from connector_core.contract.models import Finding, Poll, Severity
from connector_core.contract.plugin_info import PolledSettings
from connector_core.engine.breakers import Breakers, Circuit, Tripped
from connector_core.health.refusals import RECENT, RefusedEvents, events_route
from connector_core.plugins import Plugin
from connector_core.registry.integrations import Registry
from connector_core.store import SourceState, Store

OK = "ok"

# A transaction with more events would let webhooks wait for their answer.
EVENTS_AT_ONCE = 500

_PAUSES = ("poll:", "source:")


@dataclass(frozen=True)
class SourceStanding:
    """How a source stands, in one word and one sentence.

    The word is `ok`, `warning` (a finding), `waiting` (tried again by itself), `problem` (a person has to act), `idle`
    (not asked), `told` (it tells by itself), `missing` (there is none) or `unfinished` (its set-up is). `last` is how
    the last look ended, None before the first. `refused` is what it pushed lately and was not taken, the latest first.
    """

    organization: str
    title: str
    word: str
    sentence: str
    fix: str = ""
    last: SourceState | None = None
    refused: tuple[RefusedEvents, ...] = ()


@dataclass(frozen=True)
class SourcePoller:
    """Looks at polled sources; `after` is called when lanes may have been woken."""

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
            plugin, source = self.registry.sources.handle(organization)
            if plugin.implements("poll_incidents") and self.registry.targets(organization):
                settings: PolledSettings = source.settings
                found[organization] = settings.poll_every.total_seconds()
        return found

    def poll(self, organization: str) -> SourceState | None:
        """Look once at a source; errors end in its state.

        None when it is paused and was not looked at, or when it was changed, removed or began anew meanwhile and the
        look is worth nothing.
        """
        started = self.clock.now()
        made = self.registry.sources.made(organization)
        plugin, source = self.registry.sources.handle(organization)
        before = self.store.sources.state(organization)
        state = SourceState(organization, plugin.name, started, OK, started)
        cursor = self.store.sources.cursor(organization, plugin.name)
        try:
            poll = self._ask(plugin, source, cursor)
            if self.registry.sources.made(organization) != made:
                return None
            if self.store.sources.cursor(organization, plugin.name) != cursor:
                return None  # somebody had it begin anew meanwhile
            self._accept(organization, plugin, poll)
        except Tripped as exc:
            if exc.__cause__ is None:
                return None
            state = _failed(state, before, exc)
        except ConnectorError as exc:
            state = _failed(state, before, exc)
        else:
            state = SourceState(
                organization,
                plugin.name,
                started,
                OK,
                started,
                worked_at=started,
                open_incidents=poll.open_incidents,
                account_name=poll.account_name,
                findings=poll.findings,
            )
        if self.registry.sources.made(organization) != made:
            return None  # what is said of it now would be said for ever
        self._log_change(before, state)
        self.store.sources.note(state)
        return state

    def standing(self, organization: str) -> SourceStanding:
        """Say how the source of an organization stands, if it has one."""
        if organization not in self.registry.sources.usable():
            return self._unusable(organization)
        return replace(self._usable(organization), refused=self._refused(organization))

    def check(self, organization: str) -> Sequence[Finding]:
        """Try what a source needs; when nothing is wrong, its pauses end.

        Raises:
            ConfigError: no such source, or its plugin has nothing to try.
        """
        plugin, source = self.registry.sources.handle(organization)
        if not plugin.implements("check_source"):
            raise ConfigError(
                f"The source of {organization} ({plugin.info.title}) has nothing to try: it is told, it does not ask.",
                code="nothing_to_check",
            )
        findings: Sequence[Finding] = plugin.call("check_source", source=source)
        if not any(finding.severity is Severity.PROBLEM for finding in findings):
            self.resume(organization)
        return findings

    def forget_refusals(self) -> None:
        """Look again at sources that refused us: their keys may have been replaced before this start."""
        self._resume(
            {
                breaker.key
                for breaker in self.store.breakers.every()
                if breaker.needs_person and breaker.key.startswith(_PAUSES)
            }
        )

    def resume(self, organization: str) -> None:
        """Look again at a source without waiting for the end of its pauses."""
        self._resume({f"{kind}{organization}" for kind in _PAUSES})

    # Private

    def _refused(self, organization: str) -> tuple[RefusedEvents, ...]:
        since = self.clock.now() - RECENT
        facts = self.store.webhooks.refused(events_route(organization)).items()
        found = [RefusedEvents(code, fact.count, fact.last_at) for code, fact in facts if fact.last_at > since]
        return tuple(sorted(found, key=lambda one: one.last_at, reverse=True))

    def _usable(self, organization: str) -> SourceStanding:
        plugin = self.registry.sources.plugin(organization)
        last = self.store.sources.state(organization)
        title = plugin.info.title
        if not plugin.implements("poll_incidents"):
            return SourceStanding(organization, title, "told", "It tells of its incidents by itself.")
        if not self.registry.targets(organization):
            sentence = "It is not asked: no integration of the organization is active."
            return SourceStanding(organization, title, "idle", sentence, last=last)
        if last is None or last.plugin != plugin.name:
            return SourceStanding(organization, title, "waiting", "It was not asked yet.")
        if last.outcome != OK:
            paused = self.store.breakers.tripped([f"poll:{organization}"])
            word = "problem" if any(breaker.needs_person for breaker in paused) else "waiting"
            return SourceStanding(organization, title, word, last.reason, last.fix, last)
        for finding in last.findings:
            if finding.severity is not Severity.OK:
                return SourceStanding(organization, title, "warning", finding.title, finding.fix, last)
        whose = f"{last.account_name}: " if last.account_name else ""
        count = last.open_incidents
        told = "" if count is None else f"{count} open {'incident' if count == 1 else 'incidents'}."
        return SourceStanding(organization, title, "ok", f"{whose}{told}" or "It answers.", last=last)

    def _unusable(self, organization: str) -> SourceStanding:
        """Say why an organization has no source to ask, and what to do."""
        fix = f"Run: connector sources setup {organization}"
        try:
            plugin = self.registry.sources.plugin(organization)
        except ConfigError as exc:
            word = "missing" if exc.code == "source_unknown" else "problem"
            sentence = "No incidents come in: nothing is connected." if word == "missing" else exc.message
            return SourceStanding(organization, "", word, sentence, exc.fix)
        return SourceStanding(organization, plugin.info.title, "unfinished", "Its set-up is not finished.", fix)

    def _resume(self, keys: set[str]) -> None:
        for breaker in self.store.breakers.tripped(keys):
            self.store.breakers.reset(breaker.key, self.clock.now())
        self.after()

    def _ask(self, plugin: Plugin, source: Source, cursor: str | None) -> Poll:
        activated = [target.activated_at for target in self.registry.targets(source.organization)]
        since = min(activated, default=self.clock.now())

        def look() -> object:
            try:
                return plugin.call("poll_incidents", source=source, cursor=cursor, active_since=since)
            except RetryLater as exc:
                if exc.scope is Scope.LINK:  # a look is about no link: it is the source that has to wait
                    exc.scope = Scope.SITE
                raise

        poll = self.breakers.call(Circuit(f"poll:{source.organization}", pauses_on_auth=True), look)
        if not isinstance(poll, Poll):
            raise PluginError(f"Plugin {plugin.name} gave back no poll.")
        return poll

    def _accept(self, organization: str, plugin: Plugin, poll: Poll) -> None:
        """Store events in portions, the cursor with the last; what a crash cuts off is named alike the next time."""
        targets = self.registry.targets(organization)
        portions = [
            poll.events[start : start + EVENTS_AT_ONCE] for start in range(0, len(poll.events), EVENTS_AT_ONCE)
        ] or [()]
        if not poll.events and poll.cursor == self.store.sources.cursor(organization, plugin.name):
            return
        for number, events in enumerate(portions, start=1):
            cursor = poll.cursor if number == len(portions) else None
            self.store.inbox.accept_poll(organization, plugin.name, events, targets, cursor, self.clock.now())
            if events:
                self.after()

    def _log_change(self, before: SourceState | None, now: SourceState) -> None:
        """Say it once: when looking begins to fail, when it works again, and what was found out meanwhile."""
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
    """Return the state after a look that failed; what the last good one showed is still known."""
    return SourceState(
        state.organization,
        state.plugin,
        state.looked_at,
        error.code,
        state.since,
        worked_at=None if before is None else before.worked_at,
        reason=error.message,
        fix=error.fix,
        open_incidents=None if before is None else before.open_incidents,
        account_name="" if before is None else before.account_name,
        findings=() if before is None else before.findings,
    )
