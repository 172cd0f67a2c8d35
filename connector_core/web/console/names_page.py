"""Display names of integrations and organizations, and a copy of an integration: what asks for a name."""

from __future__ import annotations

import re

from starlette.responses import Response

from connector_core.config.values import ID_PATTERN
from connector_core.contract.display_names import LONGEST
from connector_core.contract.errors import ConfigError
from connector_core.contract.setup_steps import AnswerUnfit
from connector_core.setup.integrations import IntegrationExists
from connector_core.web.console import visible
from connector_core.web.console.start_page import NAME_RULE, own_name
from connector_core.web.console.visible import Usable
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.wizard_steps import refuse_in_file, way
from connector_core.web.console.words import Problem, problem_of


def ask_integration(visit: Visit) -> Response:
    """Ask what people call an integration."""
    seen = _seen(visit)
    if seen.is_in_file:
        raise refuse_in_file(seen.record, seen.place)
    return _form(visit, seen.title, f"/integrations/{seen.id}", seen.record.name)


def name_integration(visit: Visit) -> Response:
    """Call it so."""
    seen, given = _seen(visit), visit.form.get("name", "")
    try:
        visit.app.display_names.integration(seen.id, given)
    except AnswerUnfit as exc:
        return _form(visit, seen.title, f"/integrations/{seen.id}", given, problem_of(exc))
    return go(f"/integrations/{seen.id}", "renamed")


def ask_organization(visit: Visit) -> Response:
    """Ask what people call an organization."""
    organization = _organization(visit)
    registry, known = visit.app.registry, visit.app.config.organizations[organization]
    if known.is_named:
        raise ConfigError(
            f"The name is written in {visit.app.config.path}, as organizations.{organization}.name.",
            code="written_in_file",
            fix="Change it there, and start the connector again.",
        )
    name = registry.organization_name(organization)
    return _form(visit, name, f"/sources/{organization}", "" if name == organization else name)


def name_organization(visit: Visit) -> Response:
    """Call it so."""
    organization, given = _organization(visit), visit.form.get("name", "")
    title = visit.app.registry.organization_name(organization)
    try:
        visit.app.display_names.organization(organization, given)
    except AnswerUnfit as exc:
        return _form(visit, title, f"/sources/{organization}", given, problem_of(exc))
    return go(f"/sources/{organization}", "renamed")


def ask_duplicate(visit: Visit) -> Response:
    """Ask for the id of a copy."""
    seen = _seen(visit)
    return _duplicate(visit, seen, f"{seen.id[:58]}-copy")


def duplicate(visit: Visit) -> Response:
    """Make the copy, and go on to its first open step."""
    seen, given = _seen(visit), visit.form.get("id", "").strip()
    if not re.fullmatch(ID_PATTERN, given):
        return _duplicate(visit, seen, given, Problem("name_invalid", f"{given!r} cannot be an id.", NAME_RULE))
    new = given if visit.user.organizations is None else own_name(given)
    try:
        visit.app.setup.duplicate(seen.id, new)
    except IntegrationExists as exc:
        return _duplicate(visit, seen, given, problem_of(exc))
    return go(way(visit, visible.usable(visit, new).entry).first_open().address, "duplicated")


def _form(visit: Visit, title: str, back: str, given: str, error: Problem | None = None) -> Response:
    status = 422 if error else 200
    return visit.page("name.html", status, title=title, back=back, given=given, error=error, longest=LONGEST)


def _duplicate(visit: Visit, seen: Usable, given: str, error: Problem | None = None) -> Response:
    return visit.page(
        "duplicate.html",
        422 if error else 200,
        seen=seen,
        given=given,
        error=error,
        rule=NAME_RULE,
        is_ending_added=visit.user.organizations is not None,
    )


def _seen(visit: Visit) -> Usable:
    _refuse_viewers(visit)
    return visible.usable(visit, visit.named("integration"))


def _organization(visit: Visit) -> str:
    _refuse_viewers(visit)
    return visible.source(visit, visit.named("organization")).organization


def _refuse_viewers(visit: Visit) -> None:
    if not visit.user.is_admin:
        raise NotVisible("There is nothing to do here for viewers.")
