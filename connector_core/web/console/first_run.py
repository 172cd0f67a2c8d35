"""The first run of an organization: what has to be so before changes go both ways, and where each is done.

Each step is computed from what is so, and nothing is stored of the list: it ends for good with the first change that
came back, which `store/figures.py` never forgets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector_core.contract.errors import ConnectorError
from connector_core.polling.sources import SourceWord
from connector_core.setup.answering import looked_at
from connector_core.store import Figures, IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.rules_page import syncs_back
from connector_core.web.console.visible import Seen, Usable
from connector_core.web.console.visits import Visit
from connector_core.web.console.webhook_light import has_webhook, light
from connector_core.web.console.wizard_steps import SOURCE, Mark, way

_CONNECTED = frozenset({SourceWord.OK, SourceWord.WARNING, SourceWord.WAITING, SourceWord.IDLE, SourceWord.TOLD})
_DELIVERIES = {
    "arriving": "Deliveries arrive.",
    "waiting": "Waiting for the first delivery.",
    "refused": "Deliveries are refused.",
    "silent": "No deliveries: changes were found only by polling.",
    "registering": "The connector is registering the webhook.",
    "asleep": "Deliveries are taken once the integration is active.",
}
#: So many organizations at once are told of.
AT_MOST = 10
POLLED = "Changes are picked up by polling, with a delay. With a webhook it takes seconds."


@dataclass(frozen=True)
class Step:
    """One thing that has to be so; `address` is where it is done, empty where nothing can be clicked."""

    title: str
    is_done: bool
    help: str = ""
    address: str = ""


@dataclass(frozen=True)
class FirstRun:
    """How far an organization has come."""

    organization: str
    name: str
    steps: Sequence[Step]

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def next(self) -> Step | None:
        """The step to go on with."""
        return next((step for step in self.steps if not step.is_done), None)


def first_runs(visit: Visit, organizations: Mapping[str, str], seen: Sequence[Seen]) -> list[FirstRun]:
    """Return how far those organizations have come through which no change came back yet."""
    ever = visit.app.store.figures.ever()
    by_organization: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        by_organization[one.record.organization].append(one)
    runs: list[FirstRun] = []
    for organization, name in organizations.items():
        own = by_organization[organization]
        if len(runs) == AT_MOST or (seen and not own):
            continue  # one that nobody has begun with is told of only where nothing is begun at all
        if any(_is_over(visit, one, ever.get(one.id, Figures())) for one in own):
            continue
        furthest = max(
            (one for one in own if isinstance(one, Usable)), key=lambda one: _progress(one, ever), default=None
        )
        try:
            steps = list(_steps(visit, organization, furthest, ever))
        except ConnectorError:
            continue  # the page is the more needed when a plugin fails
        runs.append(FirstRun(organization, name, steps))
    return runs


def _is_over(visit: Visit, seen: Seen, ever: Figures) -> bool:
    """Return whether a change came back, or a request was made where none can."""
    if ever.to_incident:
        return True
    return bool(ever.requests) and not syncs_back(visit, seen)


def _progress(seen: Seen, ever: Mapping[str, Figures]) -> tuple[int, int, bool]:
    figures = ever.get(seen.id, Figures())
    return figures.requests, figures.incidents, seen.record.state is IntegrationState.ACTIVE


def _steps(visit: Visit, organization: str, seen: Usable | None, ever: Mapping[str, Figures]) -> Iterator[Step]:
    yield _source(visit, organization, seen)
    if seen is None:
        yield Step("Set up an integration", is_done=False, address="/integrations/new")
        for title in ("First incident seen", "First request created", "First change from the helpdesk seen"):
            yield Step(title, is_done=False)
        return
    marks = [mark for mark in way(visit, seen.entry).marks if mark.key.partition(".")[0] != SOURCE]
    webhooks = {step.key for step in looked_at(seen.entry) if has_webhook(step)}
    for mark in marks[:-1]:
        if not mark.is_optional and mark.key not in webhooks:
            yield _marked(mark)
    yield _way_back(visit, seen, next((mark for mark in marks if mark.key in webhooks), None))
    yield _marked(marks[-1])
    yield from _happened(visit, seen, ever.get(seen.id, Figures()))


def _source(visit: Visit, organization: str, seen: Usable | None) -> Step:
    status = visible.source(visit, organization)
    title = f"Connect {status.title}" if status.title else "Connect an incident source"
    can_make = visit.app.registry.sources.can_make(organization)
    if status.word in _CONNECTED or not can_make:
        address = f"/sources/{organization}"
    else:
        address = f"/integrations/{seen.id}/setup/{SOURCE}" if seen is not None else f"/sources/{organization}/setup"
    return Step(title, status.word in _CONNECTED, "" if status.word in _CONNECTED else status.sentence, address)


def _marked(mark: Mark) -> Step:
    return Step(mark.title, mark.is_done, mark.help, mark.address)


def _way_back(visit: Visit, seen: Usable, mark: Mark | None) -> Step:
    """Say how changes of tickets are heard of; polling does, where no webhook is wanted."""
    desk = visit.app.registry.names(seen.id, seen.record.organization).label("ticket")
    title, address = f"Hear of changes in {desk}", mark.address if mark is not None else ""
    state = light(visit.app.store, seen.record, seen.route, visit.app.clock.now()).state if mark is not None else "off"
    if state == "off":
        return Step(title, seen.record.state is IntegrationState.ACTIVE, POLLED if mark is not None else "", address)
    return Step(title, state == "arriving", _DELIVERIES.get(state, ""), address)


def _happened(visit: Visit, seen: Usable, ever: Figures) -> Iterator[Step]:
    names, links = visit.app.registry.names(seen.id, seen.record.organization), f"/links?integration={seen.id}"
    source, desk = names.label("incident"), names.label("ticket")
    yield Step(
        "First incident seen", bool(ever.incidents), f"Open an incident in {source}, or wait for the next.", links
    )
    yield Step("First request created", bool(ever.requests), "Created automatically after the first incident.", links)
    if syncs_back(visit, seen):
        what = f"Change the request in {desk}, for example its status."
        yield Step(f"First change from {desk} seen", bool(ever.to_incident), what, f"/activity?integration={seen.id}")
