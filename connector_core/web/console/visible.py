"""What a person may see: every page gets its integrations and links from here, and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector_core.contract.errors import ConfigError
from connector_core.polling.sources import SourceStatus
from connector_core.registry.entry import Entry
from connector_core.store import IntegrationRecord, Link, Origin
from connector_core.web.console.visits import NotVisible, Visit
from connector_core.words.earlier import without_advice


@dataclass(frozen=True)
class Seen:
    """An integration that may be shown; without an entry its plugin is not at hand, and `error` says why."""

    record: IntegrationRecord
    entry: Entry | None
    error: ConfigError | None
    organization_name: str
    plugin_title: str
    place: str

    @property
    def id(self) -> str:
        """Name it."""
        return self.record.id

    @property
    def title(self) -> str:
        """What people read for it."""
        return self.record.title

    @property
    def route(self) -> str | None:
        """Return where its webhook's deliveries come in, if it may have one."""
        return self.entry.plugin.info.webhook_route if self.entry is not None else None

    @property
    def is_in_file(self) -> bool:
        """Return whether it is written in the configuration file, at `place`."""
        return self.record.origin is Origin.YAML


@dataclass(frozen=True)
class Usable(Seen):
    """One whose plugin is at hand."""

    entry: Entry


def integrations(visit: Visit) -> Sequence[Seen]:
    """Return every integration that this person may see, by organization, then in the order of making."""
    registry = visit.app.registry
    found = [_usable(visit, entry) for entry in registry.entries()]
    found += [_broken(visit, record, error) for record, error in registry.broken()]
    return sorted((seen for seen in found if visit.user.sees(seen.record.organization)), key=_organization)


def integration(visit: Visit, name: str) -> Seen:
    """Return one integration.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    registry = visit.app.registry
    if registry.usable(name):
        found = _usable(visit, registry.entry(name))
    else:
        broken = next(((record, error) for record, error in registry.broken() if record.id == name), None)
        if broken is None:
            raise NotVisible(f"There is no integration {name}.")
        found = _broken(visit, *broken)
    if not visit.user.sees(found.record.organization):
        raise NotVisible(f"There is no integration {name}.")
    return found


def usable(visit: Visit, name: str) -> Usable:
    """Return one integration whose plugin is at hand; raises what stands in its way otherwise."""
    seen = integration(visit, name)
    if not isinstance(seen, Usable):
        raise seen.error or ConfigError("The plugin of this integration is not installed.")
    return seen


def link(visit: Visit, number: str) -> Link:
    """Return one link.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    found = visit.app.store.links.get(int(number)) if number.isdecimal() and len(number) <= _DIGITS else None
    if found is None or not visit.user.sees(found.organization):
        raise NotVisible("There is no such link.")
    return found


_DIGITS = 18


def organizations(visit: Visit) -> dict[str, str]:
    """Return the names of the organizations that this person may see, by id."""
    known, registry = visit.app.config.organizations, visit.app.registry
    return {name: registry.organization_name(name) for name in known if visit.user.sees(name)}


def sources(visit: Visit, names: Iterable[str]) -> list[SourceStatus]:
    """Return how the sources stand of some organizations that this person may see, also that there is none."""
    return [source(visit, name) for name in names]


def source(visit: Visit, organization: str) -> SourceStatus:
    """Return how the source of an organization stands, also that there is none.

    Raises:
        NotVisible: there is no such organization, or not for this person.
    """
    if organization not in visit.app.config.organizations or not visit.user.sees(organization):
        raise NotVisible("There is no such source.")
    status = visit.app.poller.status(organization)
    return replace(status, fix=without_advice(status.fix))


def _usable(visit: Visit, entry: Entry) -> Seen:
    name, place = _whereabouts(visit, entry.record)
    return Usable(
        record=entry.record,
        entry=entry,
        error=None,
        organization_name=name,
        plugin_title=entry.plugin.info.title,
        place=place,
    )


def _broken(visit: Visit, record: IntegrationRecord, error: ConfigError) -> Seen:
    name, place = _whereabouts(visit, record)
    return Seen(record=record, entry=None, error=error, organization_name=name, plugin_title=record.plugin, place=place)


def _whereabouts(visit: Visit, record: IntegrationRecord) -> tuple[str, str]:
    """Return what the organization of an integration is called, and its place in the file, if it is written there."""
    config = visit.app.config
    organization = config.organizations.get(record.organization)
    written = None if organization is None else organization.integrations.get(record.id)
    name = visit.app.registry.organization_name(record.organization)
    return name, str(config.path) if written is None else f"{config.path}:{written.line}"


def _organization(seen: Seen) -> str:
    return seen.organization_name.casefold()
