"""The settings of open incidents: they keep those that they were opened with, unless someone applies the present ones.

    settings = OpenIncidents(store, registry, breakers, clock, log, nudge)
    preview = settings.preview("helpdesk")       # what would change, and what stays
    settings.begin("helpdesk", "ada", preview.version)
    settings.work("helpdesk")                    # done by the daemon, as often as it takes
    settings.undo("helpdesk", run_id, "ada")

What an existing ticket cannot change, such as where it was made, stays. Settings that no link keeps are those of today
for every incident anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.contract.models import Severity
from connector_core.engine.breakers import Breakers
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.setup.questionnaire import ChangedMeanwhile
from connector_core.store import SameSettings, SettingsChange, SettingsRun, Store
from connector_core.store.rows import write_json

#: So many links are given their settings in one transaction.
AT_ONCE = 100
MOST_LISTED = 200


@dataclass(frozen=True)
class Affected:
    """Open incidents that have the same settings, and what would become of those."""

    group: SameSettings
    after: Mapping[str, Any]
    #: What stays although it is another one today, by setting: theirs and today's.
    kept: Mapping[str, tuple[Any, Any]]
    #: Some of the links, with the keys of their tickets, or of incidents without one.
    links: tuple[tuple[int, str], ...] = ()

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What would change, by setting: before and after, None where there is none."""
        return _different(self.group.settings, self.after)


@dataclass(frozen=True)
class Preview:
    """What applying the present settings would do."""

    #: Those that a link keeps, as they are today.
    settings: Mapping[str, Any]
    affected: tuple[Affected, ...]
    #: Open incidents of which something stays as it is although it is another one today.
    kept: tuple[Affected, ...]
    #: How many open incidents have the present settings.
    unchanged: int

    @property
    def total(self) -> int:
        """How many open incidents would change."""
        return sum(one.group.count for one in self.affected)

    @property
    def version(self) -> str:
        """Names the settings that were previewed."""
        return hashlib.sha256(write_json(dict(self.settings)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class OpenIncidents:
    """What may be done about the settings of open incidents; `nudge` is called when lanes were woken."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    nudge: Callable[[], None]

    def preview(self, integration_id: str) -> Preview:
        """Return what applying the present settings to the open incidents of an integration would change."""
        entry = self.registry.entry(integration_id)
        present = self.registry.present_settings(integration_id)
        found = [_affected(entry, one, present) for one in self.store.link_settings.same_settings(integration_id)]
        room, affected = MOST_LISTED, []
        for one in found:
            if one.changed:
                links = tuple(self.store.link_settings.having(integration_id, one.group, room)) if room else ()
                room -= len(links)
                affected.append(Affected(one.group, one.after, one.kept, links))
        kept = tuple(one for one in found if one.kept)
        unchanged = sum(one.group.count for one in found if not one.changed)
        return Preview(present, tuple(affected), kept, unchanged)

    def apart(self, integration_id: str) -> int:
        """Return how many open incidents would change, which a page says that lists none of them."""
        entry = self.registry.entry(integration_id)
        present = self.registry.present_settings(integration_id)
        others = self.store.link_settings.other_settings(integration_id, present)
        return sum(one.count for one in others if _affected(entry, one, present).changed)

    def begin(self, integration_id: str, by: str, version: str | None = None) -> int:
        """Begin to apply the present settings; return the run. With `version`, only what was previewed as that.

        Raises:
            ConfigError: there is nothing to change, or another run is under way.
            ChangedMeanwhile: the settings are others than those that were previewed.
        """
        preview = self.preview(integration_id)
        if version is not None and version != preview.version:
            raise ChangedMeanwhile("the settings")
        if not preview.affected:
            raise ConfigError(
                "No open incident has other settings that could be changed.",
                code="settings_nothing_to_apply",
                fix="There is nothing to do.",
            )
        wanted = [(one.group, one.after) for one in preview.affected]
        run_id = self.store.link_settings.begin(integration_id, preview.settings, wanted, by, self.clock.now())
        if run_id is None:
            raise _under_way()
        self.log.info("settings_apply_begun", integration=integration_id, run=run_id, links=preview.total)
        return run_id

    def undo(self, integration_id: str, run_id: int, by: str, link_id: int | None = None) -> int:
        """Begin to give open incidents back what a run took from them, all or one; return the new run.

        Raises:
            ConfigError: there is no such run, nothing is left of it to take back, or another one is under way.
        """
        run = self.store.link_settings.get(run_id)
        if run is None or run.integration_id != integration_id:
            raise ConfigError(
                f"{integration_id} has no run {run_id}.", code="settings_run_unknown", fix="List its runs."
            )
        if not run.can_be_undone:
            raise ConfigError(
                f"Nothing of run {run_id} can be undone.", code="settings_nothing_to_undo", fix="Choose another run."
            )
        undoing = self.store.link_settings.undo(integration_id, run_id, by, self.clock.now(), link_id)
        if undoing is None:
            raise _under_way()
        self.log.info("settings_undo_begun", integration=integration_id, run=undoing, undoes=run_id)
        return undoing

    def due(self) -> list[str]:
        """Return the integrations that have a run under way and whose plugin is at hand."""
        return [one for one in self.store.link_settings.under_way() if self.registry.usable(one)]

    def mark(self, integration_id: str) -> str:
        """Return what changes with each step of a run."""
        run_id = self.store.link_settings.under_way().get(integration_id)
        run = None if run_id is None else self.store.link_settings.get(run_id)
        return "" if run is None else f"{run.id}, {run.waiting}"

    def work(self, integration_id: str) -> None:
        """Go on with the run that is under way; it may be called again after a stop at any moment.

        Raises:
            RetryLater: the ticketing system could not be asked about a ticket.
        """
        run_id = self.store.link_settings.under_way().get(integration_id)
        run = None if run_id is None else self.store.link_settings.get(run_id)
        if run is None:
            return
        entry = self.registry.entry(integration_id)
        while changes := self.store.link_settings.waiting(run.id, AT_ONCE):
            found: list[tuple[int, str]] = []
            try:
                for change in changes:
                    found.append((change.link_id, self._unfit(entry, run, change)))  # noqa: PERF401 - so far counts
            finally:
                self.store.link_settings.carry_out(integration_id, run, found, self.clock.now())
                self.nudge()
        if self.store.link_settings.end(integration_id, run.id, self.clock.now()):
            self.log.info("settings_applied", integration=integration_id, run=run.id)

    # Private

    def _unfit(self, entry: Entry, run: SettingsRun, change: SettingsChange) -> str:
        """Return why new settings do not fit a ticket; nothing where they do, or that cannot be told.

        They were answered for another place than the ticket's only where the two differ in that.
        """
        if run.undoes is not None or not _fixed_apart(entry, change.after, run.settings):
            return ""
        link = self.store.links.get(change.link_id)
        if link is None or link.ticket is None or not entry.plugin.implements("check_ticket"):
            return ""
        try:
            handle = self.registry.with_settings(entry, change.after)
            with self.breakers.guard(self.registry.circuit(entry)):
                findings = entry.plugin.check_ticket(handle, link.ticket)
        except RetryLater:
            raise
        except ConnectorError as exc:
            return exc.message
        return "; ".join(one.title for one in findings if one.severity is Severity.PROBLEM)


def _affected(entry: Entry, group: SameSettings, present: Mapping[str, Any]) -> Affected:
    if group.is_unmade:
        return Affected(group, present, {})
    fixed = entry.plugin.info.fixed_settings
    after = {name: value for name, value in group.settings.items() if name in fixed}
    after |= {name: value for name, value in present.items() if name not in fixed}
    return Affected(group, after, _fixed_apart(entry, group.settings, present))


def _fixed_apart(entry: Entry, one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    fixed = entry.plugin.info.fixed_settings
    return {name: pair for name, pair in _different(one, other).items() if name in fixed}


def _different(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (before.get(name), after.get(name)) for name in sorted({*before, *after})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _under_way() -> ConfigError:
    return ConfigError(
        "Settings are being applied to open incidents already.",
        code="settings_under_way",
        fix="Wait until that has ended.",
    )
