"""What is synced: which way each field does, who is right when both sides changed it, and which comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from connector_core.contract.comment_rules import COMMENT_HOOKS, CommentRules, ToIncident, ToTicket, when_unchangeable
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import (
    DEFAULT_RULES,
    ConflictRule,
    Direction,
    FieldRule,
    Rules,
    rule_of,
    with_one_way,
)
from connector_core.contract.models import FieldName
from connector_core.contract.shaping import Shaping
from connector_core.registry.entry import Entry
from connector_core.setup.synced import set_synced
from connector_core.web.console import visible
from connector_core.web.console.setting_words import DIRECTIONS, WINNERS
from connector_core.web.console.visible import Seen
from connector_core.web.console.visits import Visit, go
from connector_core.words.sources import field_notes

TO_TICKET = {
    ToTicket.NONE: "not at all",
    ToTicket.INTERNAL: "to the ticket, as internal ones",
    ToTicket.PUBLIC: "to the ticket, for customers to see",
}
TO_INCIDENT = {
    ToIncident.NONE: "not at all",
    ToIncident.PUBLIC: "to the incident, those that customers see",
    ToIncident.ALL: "to the incident, internal ones too",
}


@dataclass(frozen=True)
class Way:
    """One field as the page of the integration shows it."""

    field: str
    direction: str
    note: str


#: What is left of a direction where the platform accepts no change.
_WITHOUT_WAY_BACK = {Direction.BOTH: Direction.TO_TICKET, Direction.FROM_TICKET: Direction.OFF}


def ways(
    rules: Rules,
    comments: CommentRules,
    shaping: Shaping,
    unchangeable: Mapping[FieldName, str],
    not_accepted: Mapping[FieldName, str],
) -> Sequence[Way]:
    """Say in words how each field is synced, and comments where they do.

    `unchangeable` says what becomes of some, `not_accepted` why the platform at hand takes no change of others.
    """
    kept = {**DEFAULT_RULES, **with_one_way(rules, shaping)}
    fields = []
    for name in FieldName:
        direction, note = kept[name].direction, unchangeable.get(name) or _note(kept[name])
        if name in not_accepted and direction in _WITHOUT_WAY_BACK:
            direction, note = _WITHOUT_WAY_BACK[direction], not_accepted[name]
        fields.append(Way(name.value.capitalize(), DIRECTIONS[direction], note))
    synced = [TO_TICKET[comments.to_ticket]] if comments.to_ticket is not ToTicket.NONE else []
    synced += [TO_INCIDENT[comments.to_incident]] if comments.to_incident is not ToIncident.NONE else []
    return [*fields, Way("Comments", "; ".join(synced) or "not at all", "")]


def syncs_back(visit: Visit, seen: Seen) -> bool:
    """Return whether anything that is changed on tickets is synced to incidents, as all is set up now."""
    if seen.record.comments.to_incident is not ToIncident.NONE:
        return True
    shaping = seen.entry.handle.shaping if seen.entry is not None else Shaping()
    kept = {**DEFAULT_RULES, **with_one_way(seen.record.rules, shaping)}
    refused = not_accepted(visit, seen.record.organization)
    return any(kept[name].direction in _WITHOUT_WAY_BACK and name not in refused for name in FieldName)


def unchangeable(entry: Entry | None) -> Mapping[FieldName, str]:
    """Say what becomes of the fields that never change on tickets."""
    if entry is None:
        return {}
    can_comment = entry.plugin.implements("write_comment")
    return {
        name: when_unchangeable(rule_of(entry.record.rules, name), can_comment=can_comment)
        for name in entry.plugin.info.unchangeable
    }


def not_accepted(visit: Visit, organization: str) -> Mapping[FieldName, str]:
    """Say of which fields the platform of an organization accepts no change, as it is set up now."""
    sources = visit.app.registry.sources
    if organization not in sources.usable():
        return {}
    plugin, settings = sources.settings(organization)
    return field_notes(plugin.info, settings)


def show(visit: Visit) -> Response:
    """Show the rules."""
    seen = visible.usable(visit, visit.named("integration"))
    return visit.page(
        "rules.html",
        seen=seen,
        rules=[(name.value, rule_of(seen.record.rules, name)) for name in FieldName],
        directions=DIRECTIONS,
        winners=WINNERS,
        comments=_comment_questions(seen.entry),
        unchangeable=unchangeable(seen.entry),
        not_accepted=not_accepted(visit, seen.record.organization),
        is_locked=seen.is_in_file or not visit.user.is_admin,
    )


def save(visit: Visit) -> Response:
    """Keep what was selected, for all links at once."""
    seen = visible.usable(visit, visit.named("integration"))
    before = seen.record
    try:
        fields = {name: _selected(visit, name) for name in FieldName}
        to_ticket = ToTicket(visit.form.get("comments.to_ticket", before.comments.to_ticket))
        to_incident = ToIncident(visit.form.get("comments.to_incident", before.comments.to_incident))
    except ValueError as exc:
        raise ConfigError(
            "A selection is not in the list.", fix="Open the page again, and select another one.", code="rule_unknown"
        ) from exc
    set_synced(visit.app.setup, seen.id, fields, to_ticket, to_incident)
    visit.app.engine.nudge()
    is_changed = visit.app.registry.entry(seen.id).record != before
    return go(f"/integrations/{seen.id}/rules", "updated" if is_changed else "unchanged")


def _selected(visit: Visit, name: FieldName) -> FieldRule:
    return FieldRule(
        direction=Direction(visit.form.get(f"{name}.direction", "")),
        on_conflict=ConflictRule(visit.form.get(f"{name}.on_conflict", "")),
    )


def _comment_questions(entry: Entry) -> list[tuple[str, str, Mapping[Any, str], str]]:
    """Return what can be selected about comments: key, what people read, the options, and the present one."""
    kept = entry.record.comments
    every: tuple[tuple[str, str, Mapping[Any, str], str], ...] = (
        ("to_ticket", "Comments on the incident", TO_TICKET, kept.to_ticket),
        ("to_incident", "Comments on the ticket", TO_INCIDENT, kept.to_incident),
    )
    return [question for question in every if entry.plugin.implements(COMMENT_HOOKS[question[0]])]


def _note(rule: FieldRule) -> str:
    """Say who wins, where that is not the usual."""
    if rule.direction is not Direction.BOTH or rule.goes_by_time:
        return ""
    return "conflicts ask you" if rule.on_conflict is ConflictRule.ASK else f"{WINNERS[rule.on_conflict]} wins"
