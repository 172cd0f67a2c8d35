"""The beginning of the wizard: a new integration of an organization with a plugin, under a name."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from starlette.responses import Response

from connector_core.config.values import ID_PATTERN
from connector_core.contract.errors import ConfigError
from connector_core.setup.integrations import IntegrationExists
from connector_core.store import IntegrationState
from connector_core.web.console import visible
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.wizard_steps import way
from connector_core.web.console.words import Problem, problem_of

LONGEST_NAME = 63
_OWN_LETTERS = 6
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another one
NAME_RULE = "Use small letters, digits, - and _, beginning with a letter or digit; at most 63 characters."


def show(visit: Visit) -> Response:
    """Ask for organization, plugin and name."""
    return _page(visit, visit.query)


def create(visit: Visit) -> Response:
    """Make the integration and go on to its first step."""
    organization, plugin = visit.form.get("organization", ""), visit.form.get("plugin", "")
    name = visit.form.get("name", "").strip()
    if not visit.user.sees(organization):
        raise NotVisible("There is no such organization.")
    if not re.fullmatch(ID_PATTERN, name):
        return _page(visit, visit.form, Problem("name_invalid", f"{name!r} cannot be a name.", NAME_RULE))
    if visit.user.organizations is not None:
        begun = _begun(visit, name, organization, plugin)
        if begun is not None:
            return go(f"/integrations/{begun}/setup", "exists")  # a form that was sent twice
        name = own_name(name)
    try:
        visit.app.setup.create(name, organization, plugin)
    except ConfigError as exc:
        if isinstance(exc, IntegrationExists) and _is_same(visit, name, organization, plugin):
            return go(f"/integrations/{name}/setup", "exists")  # a form that was sent twice
        return _page(visit, visit.form, problem_of(exc))
    return go(way(visit, visible.usable(visit, name).entry).first_open().address, "created")


def own_name(name: str) -> str:
    """Return a name that nobody has, whatever others chose.

    Names are unique across all organizations. Who sees only some must not learn from a refusal, nor from a name that is
    changed only now and then, which integrations the others have.
    """
    end = "".join(secrets.choice(_LETTERS) for _ in range(_OWN_LETTERS))
    return f"{name[: LONGEST_NAME - len(end) - 1]}-{end}"


def _begun(visit: Visit, name: str, organization: str, plugin: str) -> str | None:
    """Return the draft that was made under this name before, if it is still one."""
    begins = own_name(name)[:-_OWN_LETTERS]
    for seen in visible.integrations(visit):
        is_named_so = seen.id.startswith(begins) and len(seen.id) == len(begins) + _OWN_LETTERS
        if is_named_so and _is_same(visit, seen.id, organization, plugin):
            return seen.id
    return None


def _is_same(visit: Visit, name: str, organization: str, plugin: str) -> bool:
    known = next((seen.record for seen in visible.integrations(visit) if seen.id == name), None)
    return (
        known is not None
        and known.state is IntegrationState.DRAFT
        and (known.organization, known.plugin) == (organization, plugin)
    )


def _page(visit: Visit, given: Mapping[str, str], error: Problem | None = None) -> Response:
    plugins = [plugin for plugin in visit.app.plugins.ready if plugin.implements("on_incident_event")]
    return visit.page(
        "start.html",
        422 if error else 200,
        organizations=visible.organizations(visit),
        plugins=plugins,
        given=given,
        error=error,
        rule=NAME_RULE,
        config_path=str(visit.app.config.path),
        is_ending_added=visit.user.organizations is not None,
    )
