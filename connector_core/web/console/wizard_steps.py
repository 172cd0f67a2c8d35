"""The steps of the wizard in order, and where an integration stands among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.setup_steps import WEBHOOK_SECRET, Answered, FieldKind, SetupStep, needs_first
from connector_core.health.webhook_health import MANAGED_WEBHOOK, is_managed
from connector_core.registry.entry import Entry
from connector_core.setup.answering import looked_at, steps_of
from connector_core.store import NEEDS_AUTHORIZATION, IntegrationRecord, IntegrationState
from connector_core.web.console.visits import NotVisible, Visit

AUTHORIZE = "authorize"
SOURCE = "source"  # the mark of the choice of a platform; those of its steps begin with it and a dot
ENABLE = "enable"


@dataclass(frozen=True)
class Mark:
    """One step in the list beside every page of the wizard."""

    key: str
    title: str
    help: str
    address: str
    is_done: bool
    is_optional: bool = False


@dataclass(frozen=True)
class Addresses:
    """Where the pages of one wizard are: the names of its routes begin alike, and its paths name the same."""

    visit: Visit
    routes: str
    named: Mapping[str, str]

    def page(self, name: str = "") -> str:
        """Return a page of its own by what its route's name ends with; without one the first."""
        return self.visit.at(f"{self.routes}.{name}" if name else self.routes, **self.named)

    def step(self, key: str, button: str = "") -> str:
        """Return the page of a step, or where one of its buttons leads."""
        name = f"{self.routes}.step.{button}" if button else f"{self.routes}.step"
        return self.visit.at(name, step=key, **self.named)


def addresses_of_integration(visit: Visit, integration: str) -> Addresses:
    """Return where an integration is set up."""
    return Addresses(visit, "setup", {"integration": integration})


def addresses_of_source(visit: Visit, organization: str, integration: str = "") -> Addresses:
    """Return where a source is set up: alone, or on the way to an integration."""
    if integration:
        return Addresses(visit, "setup.source", {"integration": integration})
    return Addresses(visit, "source.setup", {"organization": organization})


@dataclass(frozen=True)
class Way:
    """All steps of one wizard; `steps` are those of the plugin, whose marks begin with `prefix`."""

    marks: Sequence[Mark]
    steps: Sequence[SetupStep]
    prefix: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether all steps are known: those of a platform are not before it is chosen."""
        return all(mark.is_done for mark in self.marks if mark.key == SOURCE)

    def step(self, key: str) -> SetupStep:
        """Return one of the plugin's steps."""
        found = next((step for step in self.steps if step.key == key), None)
        if found is None:
            raise NotVisible("There is no such step.")
        return found

    def after(self, key: str) -> Mark | None:
        """Return the step after one."""
        keys = [mark.key for mark in self.marks]
        place = keys.index(key) + 1
        return self.marks[place] if place < len(self.marks) else None

    def before(self, key: str) -> Mark | None:
        """Return the step before one."""
        place = [mark.key for mark in self.marks].index(key)
        return self.marks[place - 1] if place else None

    def first_open(self) -> Mark:
        """Return the step to go on with."""
        needed = (mark for mark in self.marks if not mark.is_done and not mark.is_optional)
        return next(needed, self.marks[-1])

    def mark(self, key: str) -> Mark:
        """Return the mark of a name."""
        return next(mark for mark in self.marks if mark.key == key)

    def needed_by(self, step: SetupStep, record: Answered) -> Sequence[Mark]:
        """Return the steps that must be answered before a step makes sense."""
        needed = needs_first(step, record)
        open_keys = {f"{self.prefix}{other.key}" for other in self.steps for f in other.fields if f.key in needed}
        return [mark for mark in self.marks if mark.key in open_keys]


def way(visit: Visit, entry: Entry) -> Way:
    """Return the steps of an integration; those of its organization's source come first, where the file has none."""
    record = entry.record
    grant = visit.app.store.grants.get(record.id)
    steps = steps_of(entry) if visit.may_ask else looked_at(entry)
    addresses = addresses_of_integration(visit, record.id)
    marks = source_marks(addresses_of_source(visit, record.organization, record.id), record.organization)
    first = [step for step in steps if step.before_authorization]
    marks += [_mark(step, record.with_draft(), addresses) for step in first]
    if entry.authorizes:
        is_done = entry.is_authorized(grant) and record.problem_code != NEEDS_AUTHORIZATION
        address = addresses.page(AUTHORIZE)
        marks.append(Mark(AUTHORIZE, "Authorize access", "Sign in and approve the permissions.", address, is_done))
    marks += [_mark(step, record.with_draft(), addresses) for step in steps[len(first) :]]
    is_active = record.state is IntegrationState.ACTIVE
    marks.append(Mark(ENABLE, "Enable", "Check everything, then activate.", addresses.page(ENABLE), is_active))
    return Way(marks, steps)


def source_steps(visit: Visit, organization: str) -> Sequence[SetupStep]:
    """Return the steps of the source that is made in set-up; none before its platform is chosen, or when that fails."""
    registry = visit.app.registry
    if not registry.sources.can_make(organization) or registry.sources.made(organization) is None:
        return ()
    try:
        setup = visit.app.source_setup
        return setup.steps(organization) if visit.may_ask else setup.looked_at(organization)
    except ConnectorError:
        return ()  # the steps of the integration are there all the same


def source_marks(addresses: Addresses, organization: str) -> list[Mark]:
    """Return the steps of a source: which platform it is, if there are several, then its own."""
    visit = addresses.visit
    if not visit.app.registry.sources.can_make(organization):
        return []
    record, steps = visit.app.registry.sources.made(organization), source_steps(visit, organization)
    choice = Mark(SOURCE, "Incident Platform", "Where incidents come from.", addresses.page(), bool(steps))
    if record is None or not steps:
        return [choice]
    marks = [_mark(step, record, addresses, f"{SOURCE}.") for step in steps]
    return [choice, *marks] if len(visit.app.source_setup.offered()) > 1 else marks


def _mark(step: SetupStep, record: Answered, addresses: Addresses, prefix: str = "") -> Mark:
    address = addresses.step(step.key)
    return Mark(f"{prefix}{step.key}", step.title, step.help, address, is_answered(step, record), step.optional)


def is_answered(step: SetupStep, record: Answered) -> bool:
    """Return whether a step has its answers."""
    if not step.fields:
        return True
    if step.optional:
        return any(_has(record, field.key, field.kind) for field in step.fields)
    return all(_has(record, field.key, field.kind) for field in step.fields if field.required)


def _has(record: Answered, key: str, kind: FieldKind) -> bool:
    if key == WEBHOOK_SECRET:
        return bool(record.webhook_secrets)
    if key == MANAGED_WEBHOOK:
        return is_managed(record)  # that it is made by hand is not yet that it was made
    return key in (record.secret_answers if kind is FieldKind.SECRET else record.answers)


def refuse_in_file(record: IntegrationRecord, place: str) -> ConfigError:
    """Say where something is changed that is not changed here."""
    return ConfigError(
        f"{record.id} is written in {place} and is changed there.",
        code="written_in_file",
        fix="Change the file and start the connector again.",
    )
