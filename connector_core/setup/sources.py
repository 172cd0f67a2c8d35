"""Set-up of an organization's source: choose its plugin, answer the plugin's steps, begin to read anew, remove it.

Free of any user interface, as the set-up of integrations is. What connects is proved before it is saved. A source that
is written in the configuration file goes before one made here, and is never changed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.handles import AnySource
from connector_core.contract.models import Severity
from connector_core.contract.setup_steps import (
    AnswerUnfit,
    SetupField,
    SetupStep,
    answer_to,
    refuse_leak,
    refuse_unasked,
    unanswered_steps,
)
from connector_core.plugins import Plugin, PluginSet
from connector_core.polling.sources import SourcePoller
from connector_core.registry.handles import silent_source
from connector_core.registry.integrations import Registry
from connector_core.registry.sources import AnswerMissing, SourceUnknown, source_settings
from connector_core.setup.asking import letting_go
from connector_core.setup.questionnaire import ChangedMeanwhile, Questionnaire
from connector_core.store import SourceRecord, Store


@dataclass(frozen=True)
class SourceSetup:
    """Every step of it, each a method; sources are named by their organization."""

    store: Store
    registry: Registry
    plugins: PluginSet
    config: Config
    poller: SourcePoller
    clock: Clock
    log: FilteringBoundLogger

    # Which there are

    def offered(self) -> list[Plugin]:
        """Return the source plugins that can be set up step by step."""
        return [plugin for plugin in self.plugins.ready if plugin.implements("configure_source")]

    def is_open(self, organization: str) -> bool:
        """Return whether an organization has no source that works, and one can be made."""
        return self.registry.sources.can_make(organization) and organization not in self.registry.sources.usable()

    def tell_unused(self) -> None:
        """Log which sources of set-up are not used, because the file has one for their organization."""
        for record in self.store.sources.every():
            if place := self.registry.sources.place(record.organization):
                self.log.warning("source_not_used", organization=record.organization, instead=place)

    # Making and removing

    def create(self, organization: str, plugin: str) -> None:
        """Begin to connect a platform; one that is not connected yet gives way, and one of the same plugin stays.

        Raises:
            ConfigError: no such organization or plugin, or the organization has a source already.
        """
        if organization not in self.config.organizations:
            raise ConfigError(
                f"There is no organization {organization!r} in {self.config.path}.", code="organization_unknown"
            )
        self._refuse_file(organization)
        if not self.plugins.get(plugin).implements("configure_source"):
            raise ConfigError(f"Plugin {plugin!r} is no source that can be set up step by step.")
        known = self.registry.sources.made(organization)
        if known is not None and known.plugin == plugin:
            return
        if known is not None and organization in self.registry.sources.usable():
            raise ConfigError(
                f"{organization} has a source already: {self.plugins.get(known.plugin).info.title}.",
                code="source_exists",
                fix="Remove it first.",
                advice=Advice(Remedy.REMOVE_SOURCE, organization),
            )
        begun = SourceRecord(organization, plugin, answers={}, secret_answers={}, created_at=self.clock.now())
        if not self.store.sources.begin(begun, known):
            raise ChangedMeanwhile(f"the source of {organization}")
        self.log.info("source_created", organization=organization, plugin=plugin)

    def removable(self, organization: str) -> SourceRecord:
        """Return the source that was made in set-up, also one that is not used because the file has another.

        Raises:
            ConfigError: none was made in set-up.
        """
        record = self.registry.sources.made(organization)
        if record is None:
            self._refuse_file(organization)
            raise _unknown(organization)
        return record

    def remove(self, organization: str) -> None:
        """Delete a source that was made in set-up; links stay, and how far it was read.

        Raises:
            ConfigError: none was made in set-up.
        """
        self.removable(organization)
        self.store.sources.remove(organization)
        self.log.info("source_removed", organization=organization)

    def reset(self, organization: str) -> bool:
        """Have a source read from the beginning, whatever was remembered; False when it was not read yet.

        Raises:
            ConfigError: it has no source, or one that is not read.
        """
        if not self.registry.sources.plugin(organization).implements("poll_incidents"):
            raise ConfigError(
                f"The source of {organization} tells of its incidents by itself; there is nothing to begin anew.",
                code="source_not_read",
            )
        was_read = self.store.sources.forget_cursor(organization)
        self.poller.resume(organization)
        self.log.info("source_reset", organization=organization, was_read=was_read)
        return was_read

    # Answering

    def answered(self, organization: str) -> SourceRecord:
        """Return the answers given so far.

        Raises:
            ConfigError: no source was begun in set-up, or the file has one.
        """
        self._refuse_file(organization)
        record = self.registry.sources.made(organization)
        if record is None:
            raise _unknown(organization)
        return record

    def steps(self, organization: str) -> Sequence[SetupStep]:
        """Return the plugin's steps, in order."""
        return self._steps(self.answered(organization))

    def looked_at(self, organization: str) -> Sequence[SetupStep]:
        """Return the steps for somebody who only looks: nobody is called, and no list can be."""
        record = self.answered(organization)
        return self._steps(record, silent_source(self.registry.sources.unfinished(record)))

    def labels(self, organization: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for answers, by key and value."""
        return self.store.sources.labels(organization)

    def remember_label(self, organization: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        self.store.sources.remember_label(organization, key, value, label)

    def missing(self, organization: str) -> list[SetupStep]:
        """Return the steps that still need an answer."""
        record = self.answered(organization)
        defaults = self.plugins.get(record.plugin).info.defaults
        return unanswered_steps(self.looked_at(organization), record, defaults)

    def answer(self, organization: str, given: Mapping[str, str]) -> None:
        """Check answers together and save all or none; those of a step that connects are tried out first.

        Raises:
            AnswerUnfit: one is not accepted, by the settings or by the platform.
            ConfigError: a key that no step asks for, or a value that is not among the choices; or somebody else was
                faster.
        """
        known = self.answered(organization)
        steps = self._steps(known)
        refuse_unasked(steps, given)
        refuse_leak(steps, known, given)  # before any list is fetched with what was given
        applied = Questionnaire(self._steps, _with_secret).apply(known, given)
        record = applied.record
        if record == known:
            return
        connects = any(not step.optional for step in applied.steps)
        if self._is_complete(record, steps) and connects:
            self._prove(record)
        if not self.store.sources.put(record, known):  # it was tried out meanwhile, which takes a while
            raise ChangedMeanwhile(f"the source of {organization}")
        for key, label in applied.labels.items():
            self.remember_label(organization, key, answer_to(record.answers, key), label)
        self._go_on(organization)

    def _steps(self, record: SourceRecord, handle: AnySource | None = None) -> Sequence[SetupStep]:
        plugin = self.plugins.get(record.plugin)
        if not plugin.implements("configure_source"):
            return ()
        source = handle or self.registry.sources.unfinished(record)
        return letting_go(plugin.configure_source(source), source)

    def _is_complete(self, record: SourceRecord, steps: Sequence[SetupStep]) -> bool:
        """Return whether the answers are settings; what is merely missing may come later, what is wrong may not."""
        labels = {asked.key: asked.label for step in steps for asked in step.fields}
        try:
            source_settings(self.plugins.get(record.plugin), record, new=True)
        except AnswerMissing:
            return False
        except AnswerUnfit as exc:
            named = f"{labels.get(exc.key, exc.key)}: {exc.message}" if exc.key else exc.message
            raise AnswerUnfit(named, key=exc.key, fix=exc.fix, advice=exc.advice) from exc
        return True

    def _prove(self, record: SourceRecord) -> None:
        plugin = self.plugins.get(record.plugin)
        if not plugin.implements("check_source"):
            return
        for finding in plugin.check_source(self.registry.sources.unfinished(record)):
            if finding.severity is Severity.PROBLEM:
                said = " ".join(filter(None, (finding.title, finding.detail)))
                raise AnswerUnfit(said, key=finding.code, code="source_refused", fix=finding.fix, advice=finding.advice)

    def _go_on(self, organization: str) -> None:
        """Let what waited for the source be tried at once."""
        now = self.clock.now()
        for entry in self.registry.entries():
            if entry.record.organization == organization:
                self.store.lanes.wake_all(entry.record.id, now)
        self.poller.resume(organization)
        self.log.info("source_changed", organization=organization)

    def _refuse_file(self, organization: str) -> None:
        if place := self.registry.sources.place(organization):
            raise ConfigError(
                f"The source of {organization} is written in {place} and is changed there.",
                code="written_in_file",
                fix="Change it there, and apply the file.",
                advice=Advice(Remedy.APPLY_CONFIG),
            )


def _with_secret(record: SourceRecord, asked: SetupField, secret: SecretStr | None) -> SourceRecord:
    others = {key: kept for key, kept in record.secret_answers.items() if key != asked.key}
    return replace(record, secret_answers=others if secret is None else {**others, asked.key: secret})


def _unknown(organization: str) -> SourceUnknown:
    return SourceUnknown(
        f"No source of {organization!r} was made in set-up.", advice=Advice(Remedy.SET_UP_SOURCE, organization)
    )
