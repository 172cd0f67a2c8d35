"""Set-up of a source in the browser: which platform it is, then the plugin's steps, as those of an integration."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.setup_steps import SetupStep
from connector_core.web.console import visible
from connector_core.web.console.owners import Owner, organization_named, source_addresses, source_named, source_way
from connector_core.web.console.step_page import BUTTONS, Shown, page, refused, update
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import Visit, go, present_version
from connector_core.web.console.wizard_steps import SOURCE, Way
from connector_core.web.console.words import Problem, problem_of


def choose(visit: Visit) -> Response:
    """Ask which platform it is; with one to choose from, go on with that."""
    organization, seen = organization_named(visit)
    _refuse_in_file(visit, organization)
    way = source_way(visit, organization, seen)
    if way.steps and len(visit.app.source_setup.offered()) == 1:
        return go(_first_step(way))
    return _page(visit, organization, seen)


def begin(visit: Visit) -> Response:
    """Take the platform that was chosen, and go on to its first step."""
    organization, seen = organization_named(visit)
    plugin = visit.form.get("plugin", "")
    if not plugin:
        return _page(visit, organization, seen, Problem("unanswered", "Nothing is selected yet.", "Select one."))
    try:
        visit.app.source_setup.create(organization, plugin)
    except ConfigError as exc:
        return _page(visit, organization, seen, problem_of(exc))
    way = source_way(visit, organization, seen)
    if not way.steps:
        raise ConfigError("The plugin has no steps to go through at the moment.", fix="The log has the reason.")
    return go(_first_step(way))


def test(visit: Visit, owner: Owner, step: SetupStep) -> Response:
    """Save as *Update* does, then try everything that the source needs."""
    saved = update(visit, owner, step)
    if not isinstance(saved, RedirectResponse) or not owner.can_test:
        return saved  # or why it could not be
    try:
        findings = visit.app.poller.check(owner.name)
    except ConnectorError as exc:
        return refused(visit, owner, step, exc)
    saved_now = replace(visit, version=present_version(visit))
    return page(saved_now, source_named(visit), step, Shown(findings=findings))


OF_SOURCE = {**BUTTONS, "test": test}


def _first_step(way: Way) -> str:
    return way.mark(f"{SOURCE}.{way.steps[0].key}").address


def _refuse_in_file(visit: Visit, organization: str) -> None:
    if place := visit.app.registry.sources.place(organization):
        raise ConfigError(
            f"The source is written in {place}, and changed there.",
            fix="Change the file and start the connector again.",
            code="written_in_file",
        )


def _page(visit: Visit, organization: str, seen: Usable | None, error: Problem | None = None) -> Response:
    begun = visit.app.registry.sources.made(organization)
    return visit.page(
        "source_choice.html",
        422 if error else 200,
        seen=seen,
        organization=organization,
        organization_name=visible.organizations(visit)[organization],
        action=source_addresses(visit, organization, seen).page(),
        way=source_way(visit, organization, seen),
        current=SOURCE,
        offered=visit.app.source_setup.offered(),
        present="" if begun is None else begun.plugin,
        error=error,
    )
