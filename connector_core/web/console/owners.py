"""Whose steps a page shows: those of an integration, or those of a source, alone or on the way to an integration."""

from __future__ import annotations

from dataclasses import dataclass

from connector_core.contract.setup_steps import Answered, SetupStep, StepFlow
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Visit
from connector_core.web.console.wizard_steps import (
    SOURCE,
    Addresses,
    Mark,
    Way,
    addresses_of_integration,
    addresses_of_source,
    refuse_in_file,
    source_marks,
    source_steps,
    way,
)


@dataclass(frozen=True)
class Crumb:
    """A page on the way to the one that is shown."""

    title: str
    address: str


@dataclass(frozen=True)
class Owner:
    """What the pages of the wizard need to know of what they set up.

    `mark` begins the names of its own steps' marks. `seen` is the integration; None where a source is set up, also on
    the way to an integration.
    """

    name: str
    organization_name: str
    plugin_title: str
    flow: StepFlow
    record: Answered
    way: Way
    crumb: Crumb
    addresses: Addresses
    hand_over_at: str
    mark: str = ""
    place: str = ""
    is_authorized: bool = True
    is_active: bool = False
    can_test: bool = False
    seen: Usable | None = None

    def address(self, step: SetupStep, button: str = "") -> str:
        """Return the page of a step of its own, or where one of its buttons leads."""
        return self.addresses.step(step.key, button)

    @property
    def is_in_file(self) -> bool:
        """Return whether it is written in the configuration file, at `place`, and changed there."""
        return bool(self.place)

    def refuse_in_file(self) -> None:
        """Refuse to change what is written in the file."""
        if self.seen is not None and self.is_in_file:
            raise refuse_in_file(self.seen.record, self.place)


def of_integration(visit: Visit, seen: Usable) -> Owner:
    """Return an integration that is set up."""
    addresses = addresses_of_integration(visit, seen.id)
    return Owner(
        name=seen.id,
        organization_name=seen.organization_name,
        plugin_title=seen.plugin_title,
        flow=visit.app.setup,
        record=seen.record.with_draft(),
        way=way(visit, seen.entry),
        crumb=Crumb(seen.title, visit.at("integration", integration=seen.id)),
        addresses=addresses,
        hand_over_at=addresses.page("hand_over"),
        place=seen.place if seen.is_in_file else "",
        is_authorized=seen.entry.is_authorized(visit.app.store.grants.get(seen.id)),
        is_active=seen.record.state is IntegrationState.ACTIVE,
        seen=seen,
    )


def source_named(visit: Visit) -> Owner:
    """Return the source that an address is about, alone or on the way to an integration.

    Raises:
        NotVisible: there is none, or not for this person.
        ConfigError: none was begun, or the file has one.
    """
    organization, seen = organization_named(visit)
    flow = visit.app.source_setup
    record = flow.answered(organization)
    plugin = visit.app.plugins.get(record.plugin)
    return Owner(
        name=organization,
        organization_name=visible.organizations(visit)[organization],
        plugin_title=plugin.info.title if seen is None else seen.plugin_title,
        flow=flow,
        record=record,
        way=source_way(visit, organization, seen),
        crumb=_crumb(visit, organization, seen),
        addresses=source_addresses(visit, organization, seen),
        hand_over_at=visit.at("source.setup.hand_over", organization=organization),
        mark=f"{SOURCE}.",
        can_test=plugin.implements("check_source"),
    )


def organization_named(visit: Visit) -> tuple[str, Usable | None]:
    """Return the organization whose source an address is about, and the integration if it stands on the way to one.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    if "integration" in visit.request.path_params:
        seen = visible.usable(visit, visit.named("integration"))
        return visible.source(visit, seen.record.organization).organization, seen
    return visible.source(visit, visit.named("organization")).organization, None


def source_addresses(visit: Visit, organization: str, seen: Usable | None) -> Addresses:
    """Return where a source is set up."""
    return addresses_of_source(visit, organization, "" if seen is None else seen.id)


def source_way(visit: Visit, organization: str, seen: Usable | None) -> Way:
    """Return all steps of the wizard that a source is set up in, with its own as the steps."""
    steps = source_steps(visit, organization)
    if seen is not None:
        return Way(way(visit, seen.entry).marks, steps, f"{SOURCE}.")
    marks = source_marks(source_addresses(visit, organization, None), organization)
    is_there = organization in visit.app.registry.sources.usable()
    address = visit.at("source", organization=organization)
    marks.append(Mark("status", "Connection", "Test it, and see how it stands.", address, is_there))
    return Way(marks, steps, f"{SOURCE}.")


def _crumb(visit: Visit, organization: str, seen: Usable | None) -> Crumb:
    if seen is not None:
        return Crumb(seen.title, visit.at("integration", integration=seen.id))
    return Crumb(
        f"Source of {visible.organizations(visit)[organization]}", visit.at("source", organization=organization)
    )
