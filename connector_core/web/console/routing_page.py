"""Routing of an organization's incidents: its rules, changed and tried out before they are saved, and what is unsent.

The page works without a script: rules that are not saved yet stand in its form, and each button sends them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from connector_core.contract.errors import ConfigError, ConnectorError
from connector_core.contract.models import Priority
from connector_core.contract.routing import Conditions, RoutingRule, RoutingRules, read, understood, written
from connector_core.health.routing_findings import findings_of
from connector_core.setup.routing import TRIED_DAYS, Tried
from connector_core.store import IntegrationState, Origin, Routing
from connector_core.web.console import visible
from connector_core.web.console.checked import Checked
from connector_core.web.console.visits import NotVisible, Visit, go
from connector_core.web.console.words import Problem, problem_of

#: So many rows of a table are shown.
MOST_SHOWN = 200
MOST_UNSENT = 100
_EXACTLY, _AT_LEAST = "is:", "least:"
PRIORITIES = {
    "": "any",
    **{f"{_EXACTLY}{one}": one.value for one in Priority},
    **{f"{_AT_LEAST}{one}": f"{one.value} or higher" for one in list(Priority)[1:]},
}
_DIGITS = 3


@dataclass(frozen=True)
class Draft:
    """The rules as they stand on the page, and which of them is in the form, from 1; 0 for a new one."""

    rules: RoutingRules
    place: int = 0
    given: Mapping[str, str] = field(default_factory=dict)
    problem: Problem | None = None
    tried: Sequence[Tried] | None = None
    #: The button that has the focus, as `act` names it: where whoever pressed one goes on.
    focused: str = ""


def show(visit: Visit) -> Response:
    """Show the rules in force."""
    organization = _organization(visit)
    present = visit.app.routing.present(organization)
    return _page(visit, organization, Draft(_rules_of(present)))


def act(visit: Visit) -> Response:
    """Do what the pressed button says: to the rules on the page, or at last to those in force."""
    organization = _organization(visit)
    verb, _, number = visit.form.get("act", "").partition("-")
    if verb == "send":
        incident, integration = visit.form.get("incident", ""), visit.form.get("integration", "")
        visit.app.routing.send(organization, incident, integration, visit.user.name)
        visit.app.engine.nudge()
        return go(f"/routing/{organization}", "incident_sent")
    draft = _draft(visit)
    try:
        if verb == "save":
            return _save(visit, organization, draft)
        draft = _changed(visit, organization, draft, verb, number)
    except ConnectorError as exc:
        given = dict(visit.form) if verb == "add" else {}
        place = _place(visit.form.get("place", ""), draft.rules) if verb == "add" else 0
        draft = Draft(draft.rules, place=place, given=given, problem=problem_of(exc))
    return _page(visit, organization, draft)


def _save(visit: Visit, organization: str, draft: Draft) -> Response:
    known = visit.app.routing.present(organization)
    visit.app.routing.save(organization, draft.rules, visit.user.name, known)
    return go(f"/routing/{organization}", "routing_saved" if draft.rules != _rules_of(known) else "unchanged")


def _changed(visit: Visit, organization: str, draft: Draft, verb: str, number: str) -> Draft:
    """Return the page's rules after a button was pressed."""
    rules = draft.rules
    at = _place(number, rules) - 1
    if verb == "try":
        visit.app.routing.check(organization, rules)
        return Draft(rules, tried=visit.app.routing.try_out(organization, rules))
    if verb == "add":
        return Draft(_with(visit, organization, rules))
    if verb == "edit" and at >= 0:
        return Draft(rules, place=at + 1, given=_given(rules[at]))
    changed = _rearranged(rules, verb, at)
    return Draft(changed, focused=_next_button(verb, at + 1, len(changed)))


def _next_button(verb: str, place: int, number: int) -> str:
    """Name the button that goes on with what one did to a rule: it moves on, or the next one is looked at."""
    match verb:
        case "up":
            return f"up-{place - 1}" if place > 2 else "down-1"  # noqa: PLR2004 - the second becomes the first
        case "down":
            return f"down-{place + 1}" if place + 1 < number else f"up-{number}"
    return f"edit-{min(place, number)}"


def _rearranged(rules: RoutingRules, verb: str, at: int) -> RoutingRules:
    """Return the rules without one, or with one in the place of its neighbour."""
    match verb:
        case "remove" if at >= 0:
            return (*rules[:at], *rules[at + 1 :])
        case "up" if at > 0:
            return (*rules[: at - 1], rules[at], rules[at - 1], *rules[at + 1 :])
        case "down" if 0 <= at < len(rules) - 1:
            return (*rules[:at], rules[at + 1], rules[at], *rules[at + 2 :])
    return rules


def _with(visit: Visit, organization: str, rules: RoutingRules) -> RoutingRules:
    """Return the rules with the one of the form, in its place or before a last one that takes all the rest."""
    rule = _entered(visit, organization)
    at = _place(visit.form.get("place", ""), rules) - 1
    if at >= 0:
        changed = (*rules[:at], rule, *rules[at + 1 :])
    elif rules and rules[-1].when.is_any:
        changed = (*rules[:-1], rule, rules[-1])
    else:
        changed = (*rules, rule)
    visit.app.routing.check(organization, changed)
    return changed


def _entered(visit: Visit, organization: str) -> RoutingRule:
    """Read the rule that was entered.

    Raises:
        ConfigError: it makes no sense.
    """
    form = visit.form
    priority = form.get("priority", "")
    when = {
        "space": form.get("space", "").strip() or None,
        "priority": priority.removeprefix(_EXACTLY) if priority.startswith(_EXACTLY) else None,
        "priority_at_least": priority.removeprefix(_AT_LEAST) if priority.startswith(_AT_LEAST) else None,
        "device_model": form.get("device_model", "").strip() or None,
        "title": form.get("title", "").strip() or None,
    }
    known = [one.id for one in visit.app.routing.integrations(organization)]
    to = [name for name in known if f"to.{name}" in form]
    if bool(to) == ("nobody" in form):
        raise ConfigError(
            "Choose where the incidents go: one or more integrations, or no ticket.", code="routing_target_missing"
        )
    try:
        (rule,) = understood([{"when": when, "to": to}])
    except ValueError as exc:
        text = str(exc).removeprefix("rule 1, when.").replace("_", " ")
        raise ConfigError(f"{text[:1].upper()}{text[1:]}.", code="routing_invalid") from exc
    return rule


def _draft(visit: Visit) -> Draft:
    """Read the rules that the page holds.

    Raises:
        ConfigError: somebody else wrote them.
    """
    try:
        return Draft(read(visit.form.get("rules", "")))
    except ValueError as exc:
        raise ConfigError(
            "The rules of this page cannot be read.", code="routing_invalid", fix="Open the page again."
        ) from exc


def _page(visit: Visit, organization: str, draft: Draft) -> Response:
    routing, app = visit.app.routing, visit.app
    present = routing.present(organization)
    integrations = routing.integrations(organization)
    found = findings_of(app.store, app.registry, organization)
    unsent = routing.unsent(organization)
    return visit.page(
        "routing.html",
        422 if draft.problem else 200,
        organization=organization,
        name=visible.organizations(visit)[organization],
        rules=draft.rules,
        rules_json=written(draft.rules),
        is_changed=draft.rules != _rules_of(present),
        is_in_file=present is not None and present.origin is Origin.YAML,
        present=present,
        config_path=str(app.config.path),
        place=draft.place,
        focused=draft.focused,
        given=draft.given,
        error=draft.problem,
        priorities=PRIORITIES,
        integrations=integrations,
        active=[one.id for one in integrations if one.state is IntegrationState.ACTIVE],
        findings=[Checked(one, one.fix, None) for one in found],
        days=TRIED_DAYS,
        unsent=unsent[:MOST_UNSENT],
        unsent_count=len(unsent),
        **_of_tried(draft.tried),
    )


def _of_tried(tried: Sequence[Tried] | None) -> dict[str, object]:
    """Return what the page says of a trial."""
    found = tried or ()
    return {
        "tried": None if tried is None else tried[:MOST_SHOWN],
        "tried_count": len(found),
        "tried_others": sum(one.is_other for one in found),
        "tried_sums": Counter(name for one in found for name in (one.would_go_to or ("no ticket",))),
    }


def _organization(visit: Visit) -> str:
    """Return the organization that the address names.

    Raises:
        NotVisible: there is none, or not for this person.
    """
    organization = visit.named("organization")
    if organization not in visible.organizations(visit):
        raise NotVisible("There is no such organization.")
    return organization


def _rules_of(present: Routing | None) -> RoutingRules:
    return () if present is None else present.rules


def _place(text: str, rules: RoutingRules) -> int:
    """Return the number of a rule; 0 where there is none."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0
    return number if number <= len(rules) else 0


def _given(rule: RoutingRule) -> dict[str, str]:
    """Return the form's fields for a rule."""
    when: Conditions = rule.when
    priority = ""
    if when.priority is not None:
        priority = f"{_EXACTLY}{when.priority}"
    elif when.priority_at_least is not None:
        priority = f"{_AT_LEAST}{when.priority_at_least}"
    texts = {"space": when.space, "device_model": when.device_model, "title": when.title, "priority": priority}
    to = {f"to.{name}": "on" for name in rule.to} if rule.to else {"nobody": "on"}
    return {**{name: text or "" for name, text in texts.items()}, **to}
