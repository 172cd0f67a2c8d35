"""Which way each field of an integration travels, and who is right when both sides changed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from connector_core.errors import ConfigError
from connector_core.merge import DEFAULT_RULES, ConflictRule, Direction, FieldRule, Rules
from connector_core.models import FieldName
from connector_core.web.console import visible
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit, go

DIRECTIONS = {
    Direction.BOTH: "both ways",
    Direction.TO_TICKET: "to the ticket only",
    Direction.FROM_TICKET: "from the ticket only",
    Direction.OFF: "not at all",
}
WINNERS = {
    ConflictRule.LATEST_WINS: "the later change",
    ConflictRule.INCIDENT_WINS: "the incident",
    ConflictRule.TICKET_WINS: "the ticket",
    ConflictRule.ASK: "a person says",
}


@dataclass(frozen=True)
class Way:
    """One field as the page of the integration shows it."""

    field: str
    direction: str
    note: str


def ways(rules: Rules) -> Sequence[Way]:
    """Say in words how each field travels."""
    kept = {**DEFAULT_RULES, **rules}
    return [Way(name.value.capitalize(), DIRECTIONS[kept[name].direction], _note(kept[name])) for name in FieldName]


def show(visit: Visit) -> Response:
    """Show the rules."""
    seen, entry = visible.usable(visit, visit.named("integration"))
    return _page(visit, seen, {**DEFAULT_RULES, **entry.record.rules})


def save(visit: Visit) -> Response:
    """Keep what was selected, for all links at once."""
    seen, entry = visible.usable(visit, visit.named("integration"))
    wanted = {name: _selected(visit, name) for name in FieldName}
    if wanted == {**DEFAULT_RULES, **entry.record.rules}:
        return go(f"/integrations/{seen.id}/rules", "unchanged")
    visit.app.setup.set_rules(seen.id, wanted)
    visit.app.engine.nudge()
    return go(f"/integrations/{seen.id}/rules", "updated")


def _selected(visit: Visit, name: FieldName) -> FieldRule:
    try:
        return FieldRule(
            direction=Direction(visit.form.get(f"{name}.direction", "")),
            on_conflict=ConflictRule(visit.form.get(f"{name}.on_conflict", "")),
        )
    except ValueError as exc:
        raise ConfigError(
            "A selection is not one of the list.", fix="Open the page again, and select anew.", code="rule_unknown"
        ) from exc


def _page(visit: Visit, seen: Seen, rules: Rules) -> Response:
    return visit.page(
        "rules.html",
        seen=seen,
        rules=[(name.value, rules[name]) for name in FieldName],
        directions=DIRECTIONS,
        winners=WINNERS,
        is_locked=seen.is_in_file or not visit.user.is_admin,
    )


def _note(rule: FieldRule) -> str:
    """Say who wins, where that is not the usual."""
    if rule.direction is not Direction.BOTH or rule.goes_by_time:
        return ""
    return "a person decides conflicts" if rule.on_conflict is ConflictRule.ASK else f"{WINNERS[rule.on_conflict]} wins"
