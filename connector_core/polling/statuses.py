"""The status of integrations, computed from what is so now: the one place for console, command line and metrics.

statuses = Statuses(store, registry, poller, clock, missing=setup.missing)
known = statuses.known()            # asked once for a whole page
statuses.of_entry(entry, known)     # Status(word=Word.ACTION_NEEDED, sentence="Feed does not …", todo=Todo.SOURCE)
statuses.outages()                  # what does not answer: since when, what waits, when it is tried again
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from connector_core.clock import Clock
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.models import NOT_CHECKED, Finding, Severity
from connector_core.contract.setup_steps import SetupStep
from connector_core.engine.circuits import Circuit
from connector_core.health.source_findings import SOURCE_MISSING
from connector_core.health.webhook_findings import trouble
from connector_core.health.webhook_health import is_managed, suspected
from connector_core.polling.sources import SourcePoller, SourceWord
from connector_core.registry.authorizations import ends_soon
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import (
    MISSED,
    NEEDS_AUTHORIZATION,
    Backlog,
    Breaker,
    Checkup,
    IntegrationRecord,
    IntegrationState,
    Link,
    LinkState,
    Outcome,
    RoundTrip,
    Store,
)
from connector_core.words.round_trips import failure

NEED_SOMEBODY = (LinkState.BLOCKED, LinkState.CONFLICT, LinkState.GONE)
NO_SOURCE = "No incidents come in: the organization has no source."
DISABLED_BY_HAND = "disabled_by_hand"
TEST_FAILED = "test_failed"


class Word(StrEnum):
    """The status of an integration in one word."""

    ACTIVE = "active"
    WAITING = "waiting"
    """A side does not answer; it goes on by itself."""
    ACTION_NEEDED = "action_needed"
    """Somebody has to act."""
    DRAFT = "draft"
    """Its set-up is not finished."""
    DISABLED = "disabled"
    UNUSABLE = "unusable"
    """Its plugin is not at hand."""


class Todo(StrEnum):
    """What somebody has to do, as a place in set-up or a list."""

    AUTHORIZE = "authorize"
    SETUP = "setup"
    ACTIVATE = "activate"
    SOURCE = "source"
    LINKS = "links"
    WEBHOOK = "webhook"
    HEALTH = "health"
    TEST = "test"


TONES = {
    Word.ACTIVE: "good",
    Word.WAITING: "fair",
    Word.ACTION_NEEDED: "bad",
    Word.DRAFT: "fair",
    Word.DISABLED: "fair",
    Word.UNUSABLE: "bad",
}


@dataclass(frozen=True)
class Outage:
    """A place that does not answer: who is asked there, why it does not go on, and what waits for it."""

    key: str
    title: str
    reason: str
    since: datetime
    next_try: datetime
    waiting: int
    integrations: tuple[str, ...] = ()
    organization: str = ""
    """Of the platform that does not answer; empty for a ticketing system."""


@dataclass(frozen=True)
class Status:
    """The status of an integration: a word, a sentence, and what to do."""

    word: Word
    sentence: str
    code: str = ""
    fix: str = ""
    """What to do about it in another system."""
    todo: Todo | None = None
    advice: Advice | None = None
    warns: bool = False
    """It works, with something that somebody should see to."""
    outage: Outage | None = None

    @property
    def tone(self) -> str:
        """Good, fair or bad."""
        return "fair" if self.warns and self.word is Word.ACTIVE else TONES[self.word]


@dataclass(frozen=True)
class Known:
    """What is asked for once, for all integrations of a page."""

    links: Mapping[str, Backlog]
    checkups: Mapping[str, Checkup]
    ends: Mapping[str, datetime]
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    suspected: frozenset[str] = frozenset()
    """The integrations of whose webhooks there may be something to say."""
    tests: Mapping[str, RoundTrip] = field(default_factory=dict)
    """The latest test incident that has ended, by integration."""


@dataclass(frozen=True)
class Statuses:
    """Computes the status of integrations; `missing` gives the steps of one that still need an answer."""

    store: Store
    registry: Registry
    poller: SourcePoller
    clock: Clock
    missing: Callable[[str], Sequence[SetupStep]]

    def known(self) -> Known:
        """Ask the store once; when authorizations end is known where their seal can be opened."""
        ends = self.store.grants.ends() if self.store.can_open_secrets else {}
        breakers = {one.key: one for one in self.store.breakers.every()}
        return Known(
            self.store.overview.backlogs(),
            self.store.checkups.every(),
            ends,
            breakers,
            self._suspected(),
            self.store.round_trips.latest(),
        )

    def of_broken(self, error: ConfigError) -> Status:
        """Return the status of an integration whose plugin is not at hand."""
        return Status(Word.UNUSABLE, error.message, error.code, error.fix, advice=error.advice)

    def of_entry(self, entry: Entry, known: Known) -> Status:
        """Return the status of an integration."""
        record = entry.record
        if record.state is IntegrationState.DISABLED:
            advice = Advice(Remedy.ACTIVATE, record.id)
            sentence = "While disabled, nothing is synced. Changes made meanwhile are caught up when it is activated."
            return Status(Word.DISABLED, sentence, DISABLED_BY_HAND, todo=Todo.ACTIVATE, advice=advice)
        if record.state is IntegrationState.DRAFT:
            return self._draft(entry)
        return next(self._reasons(entry, known))

    def outages(self, known: Known) -> list[Outage]:
        """Return what does not answer at present and is tried again by itself, the oldest first."""
        found: dict[str, Outage] = {}
        for entry in self.registry.entries():
            if entry.record.state is not IntegrationState.ACTIVE:
                continue
            if (outage := self._outage_of(entry, known)) is not None:
                before = found.get(outage.key)
                names = (*(before.integrations if before else ()), entry.record.id)
                found[outage.key] = replace(outage, integrations=names)
        for organization in self.registry.sources.usable():
            if self.registry.targets(organization) and (outage := self._outage_of_source(organization, known)):
                found[outage.key] = outage
        return sorted(found.values(), key=lambda one: one.since)

    # Private

    def _suspected(self) -> frozenset[str]:
        """Return the integrations of whose webhooks there may be something to say: few are asked about one by one."""
        if not self.store.can_open_secrets:
            return frozenset()
        entries = self.registry.entries()
        routes = {entry.record.plugin: entry.plugin.info.webhook_route for entry in entries}
        found = suspected(self.store, [entry.record for entry in entries], routes, self.clock.now())
        missed = {name for name, facts in self.store.webhooks.facts_of_all().items() if MISSED in facts}
        managed = {entry.record.id for entry in entries if is_managed(entry.record)}
        two = {entry.record.id for entry in entries if len(entry.record.webhook_secrets) > 1}
        return found | missed | managed | two

    def _reasons(self, entry: Entry, known: Known) -> Iterator[Status]:
        """Yield what there is to say of an active integration, the most urgent first; at last that all is well."""
        record, links = entry.record, known.links.get(entry.record.id, Backlog()).links
        if record.problem_code:
            todo = Todo.AUTHORIZE if record.problem_code == NEEDS_AUTHORIZATION else Todo.HEALTH
            advice = Advice(Remedy.AUTHORIZE, record.id)
            yield Status(Word.ACTION_NEEDED, record.problem, record.problem_code, todo=todo, advice=advice)
        yield from self._cut_off(record.organization, known)
        yield from self._stuck(record, links)
        yield from _found(known.checkups.get(record.id))
        if (held := waits_for_someone(self.registry.circuit(entry), known.breakers)) is not None:
            yield Status(Word.ACTION_NEEDED, held.reason, held.code, held.fix, Todo.HEALTH)
        if (outage := self._outage_of(entry, known) or self._outage_of_source(record.organization, known)) is not None:
            yield Status(Word.WAITING, f"{outage.title} does not answer: {outage.reason}", "outage", outage=outage)
        if record.id in known.suspected:
            yield from self._of_webhook(entry)
        if (failed := failed_daily_test(self.registry, record, known.tests.get(record.id))) is not None:
            advice = Advice(Remedy.SEND_TEST, record.id)
            yield Status(Word.ACTIVE, failed, TEST_FAILED, todo=Todo.TEST, advice=advice, warns=True)
        if (soon := ends_soon(record.id, known.ends.get(record.id), self.clock.now())) is not None:
            yield Status(Word.ACTIVE, f"{soon.title}.", soon.code, soon.fix, Todo.AUTHORIZE, soon.advice, warns=True)
        yield self._well(record, links)

    def _cut_off(self, organization: str, known: Known) -> Iterator[Status]:
        """Say why no incidents come in for an organization."""
        usable, of_poll = self.registry.sources.usable(), Circuit.of_poll(organization).site
        if organization in usable and of_poll not in known.breakers:
            return
        source = self.poller.status(organization)
        can_make = self.registry.sources.can_make(organization)
        if source.word in {SourceWord.MISSING, SourceWord.UNFINISHED} and can_make:
            advice = Advice(Remedy.SET_UP_SOURCE, organization)
            yield Status(Word.ACTION_NEEDED, NO_SOURCE, SOURCE_MISSING, todo=Todo.SOURCE, advice=advice)
        if source.word is SourceWord.PROBLEM:
            sentence = f"No incidents come in. {source.sentence}"
            yield Status(Word.ACTION_NEEDED, sentence, "source_problem", source.fix, Todo.SOURCE, source.advice)

    def _stuck(self, record: IntegrationRecord, links: Mapping[str, int]) -> Iterator[Status]:
        stuck = sum(links.get(state, 0) for state in NEED_SOMEBODY)
        if stuck:
            reason = reason_of_first(self.store, self.registry, record.id)
            who = "1 incident needs" if stuck == 1 else f"{stuck} incidents need"
            advice = Advice(Remedy.SEE_FAILED, record.id)
            yield Status(Word.ACTION_NEEDED, f"{who} attention: {reason}", "links", todo=Todo.LINKS, advice=advice)

    def _well(self, record: IntegrationRecord, links: Mapping[str, int]) -> Status:
        """Say that nobody has to act: what waits, what differs, or that all is up to date.

        A side is only said not to answer once several tries have failed; what the first of them met is told before.
        """
        if waiting := links.get(LinkState.WAITING, 0):
            changes = "1 change is" if waiting == 1 else f"{waiting} changes are"
            link = _first(self.store, record.id, [LinkState.WAITING])
            if link is None or not link.status.attempts:
                return Status(Word.ACTIVE, f"{changes} on the way.", "on_the_way")
            failed = self.registry.worded(link).status.reason
            return Status(Word.ACTIVE, f"{changes} on the way; the last try failed: {failed}", "on_the_way")
        if differ := links.get(LinkState.DIFFERS, 0):
            one = "1 incident differs from its ticket"
            who = one if differ == 1 else f"{differ} incidents differ from their tickets"
            return Status(Word.ACTIVE, f"Nothing waits; {who}.", "differs")
        return Status(Word.ACTIVE, "Up to date.")

    def _of_webhook(self, entry: Entry) -> Iterator[Status]:
        route, record = entry.plugin.info.webhook_route, entry.record
        opened = self.store.integrations.opened(record.id) or record  # a listing is read without secrets
        found = trouble(self.store, opened, route, self.clock.now())
        if found is not None:
            sentence = f"{found.title}. {found.detail}".strip()
            yield Status(Word.ACTIVE, sentence, found.code, found.fix, Todo.WEBHOOK, found.advice, warns=True)

    def _outage_of(self, entry: Entry, known: Known) -> Outage | None:
        circuit, record = self.registry.circuit(entry), entry.record
        for key in filter(None, (circuit.site, circuit.app, circuit.grant)):
            breaker = known.breakers.get(key)
            if breaker is not None and not breaker.needs_person:
                return _outage(breaker, entry.plugin.info.spoken, (record.id,), "")
        return None

    def _outage_of_source(self, organization: str, known: Known) -> Outage | None:
        for circuit in (Circuit.of_poll(organization), Circuit.of_source(organization)):
            breaker = known.breakers.get(circuit.site)
            if breaker is not None and not breaker.needs_person:
                try:
                    info = self.registry.sources.plugin(organization).info
                except ConfigError:
                    return None
                names = tuple(one.integration_id for one in self.registry.targets(organization))
                return _outage(breaker, info.spoken, names, organization)
        return None

    def _draft(self, entry: Entry) -> Status:
        record, sources = entry.record, self.registry.sources
        setup, advice = Todo.SETUP, Advice(Remedy.SET_UP, record.id)
        if record.organization not in sources.usable() and sources.can_make(record.organization):
            connect = Advice(Remedy.SET_UP_SOURCE, record.organization)
            return Status(Word.DRAFT, NO_SOURCE, SOURCE_MISSING, todo=setup, advice=connect)
        if record.problem_code not in {"", NEEDS_AUTHORIZATION}:
            return Status(Word.DRAFT, record.problem, record.problem_code, todo=setup, advice=advice)
        if not entry.is_authorized(self.store.grants.get(record.id) if self.store.can_open_secrets else None):
            authorize = Advice(Remedy.AUTHORIZE, record.id)
            text = "Access is not authorized yet."
            return Status(Word.DRAFT, text, NEEDS_AUTHORIZATION, todo=setup, advice=authorize)
        try:
            missing = [step.title for step in self.missing(record.id)]
        except ConnectorError as exc:
            return Status(Word.DRAFT, exc.message, exc.code, exc.fix, setup, exc.advice)
        if missing:
            return Status(Word.DRAFT, f"Still to do: {', '.join(missing)}.", "unanswered", todo=setup, advice=advice)
        enable = Advice(Remedy.ACTIVATE, record.id)
        return Status(Word.DRAFT, "Everything is answered; activate it.", "complete", todo=setup, advice=enable)


def failed_daily_test(registry: Registry, record: IntegrationRecord, last: RoundTrip | None) -> str | None:
    """Say that the last test incident failed, of an integration that is tested each day; None for all else."""
    if not record.test_at or last is None or last.outcome is not Outcome.FAILED:
        return None
    return f"The last test incident failed. {failure(last, registry.names(record.id, record.organization))}"


def reason_of_first(store: Store, registry: Registry, integration_id: str) -> str:
    """Return why the incident that has needed attention for longest does."""
    link = _first(store, integration_id, NEED_SOMEBODY)
    return "" if link is None else registry.worded(link).status.reason


def _first(store: Store, integration_id: str, states: Collection[LinkState]) -> Link | None:
    """Return the link that has been in one of some states for longest."""
    number = store.overview.first(integration_id, states)
    return None if number is None else store.links.get(number)


def waits_for_someone(circuit: Circuit, breakers: Mapping[str, Breaker]) -> Breaker | None:
    """Return the pause of an integration that does not end by itself, None where there is none."""
    paused = (breakers[key] for key in circuit.keys if key in breakers)
    return next((one for one in paused if one.needs_person), None)


def problems(last: Checkup | None) -> Iterator[Finding]:
    """Yield the problems that the last check found; what did not answer is told while it does not."""
    for one in () if last is None else last.findings:
        if one.severity is Severity.PROBLEM and one.code not in {SOURCE_MISSING, NOT_CHECKED}:
            yield one


def _found(last: Checkup | None) -> Iterator[Status]:
    for one in problems(last):
        yield Status(Word.ACTION_NEEDED, f"{one.title}.", one.code, one.fix, Todo.HEALTH, one.advice)


def _outage(breaker: Breaker, title: str, integrations: tuple[str, ...], organization: str) -> Outage:
    return Outage(
        key=breaker.key,
        title=title,
        reason=breaker.reason,
        since=breaker.since,
        next_try=breaker.until,
        waiting=breaker.parked,
        integrations=integrations,
        organization=organization,
    )
