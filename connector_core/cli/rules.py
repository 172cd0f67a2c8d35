"""`connector integrations rules`: what is synced and which way, for integrations that are made in set-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import click

from connector_core.cli.opening import config_option, json_option, opened, read_only
from connector_core.cli.output import print_rows
from connector_core.contract.comment_rules import CommentRules, ToIncident, ToTicket, when_unchangeable
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
from connector_core.registry.entry import Entry
from connector_core.words.sources import field_notes

if TYPE_CHECKING:
    from connector_core.app import App

Choice = TypeVar("Choice", bound=StrEnum)

_TO_TICKET, _TO_INCIDENT = "comments.to_ticket", "comments.to_incident"
_HINT = "FIELD=DIRECTION[,ON_CONFLICT]"


@dataclass
class _Wanted:
    """What is to be changed."""

    fields: dict[FieldName, FieldRule] = field(default_factory=dict)
    to_ticket: ToTicket | None = None
    to_incident: ToIncident | None = None


@click.command()
@click.argument("integration")
@click.argument("changes", nargs=-1, metavar=f"[{_HINT}]...")
@config_option
@json_option
def rules(integration: str, changes: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """Show or change which way each field of INTEGRATION is synced, and who wins when both sides changed it.

    DIRECTION is both, to_ticket, from_ticket or off; ON_CONFLICT is latest_wins, incident_wins, ticket_wins or ask.
    For example: title=both,ask description=off

    Comments: comments.to_ticket=internal (or public, none) and comments.to_incident=public (or all, none).
    """
    wanted = _read(changes)
    opening = opened if changes else read_only
    with opening(config_path) as app:
        if changes:
            from connector_core.setup.synced import set_synced  # noqa: PLC0415 - slow to load, and not for a listing

            set_synced(app.setup, integration, wanted.fields, wanted.to_ticket, wanted.to_incident)
        entry = app.registry.entry(integration)
        kept = with_one_way(entry.record.rules, entry.handle.shaping)
        notes = {**_of_source(app, entry.record.organization), **_notes(entry)}
    print_rows(_rows(kept, entry.record.comments, notes), as_json=as_json, empty="")


def _of_source(app: App, organization: str) -> dict[str, str]:
    """Say of which fields the source at hand accepts no change: such a change stays on the ticket."""
    if organization not in app.registry.sources.usable():
        return {}
    plugin, settings = app.registry.sources.settings(organization)
    return {name.value: f"{note}: it stays on the ticket" for name, note in field_notes(plugin.info, settings).items()}


def _notes(entry: Entry) -> dict[str, str]:
    can_comment = entry.plugin.implements("write_comment")
    fixed = entry.plugin.info.unchangeable
    return {
        name: when_unchangeable(rule_of(entry.record.rules, name), can_comment=can_comment) for name in sorted(fixed)
    }


def _rows(fields: Rules, comments: CommentRules, notes: Mapping[str, str]) -> list[dict[str, str]]:
    kept = {**DEFAULT_RULES, **fields}
    rows = [
        {"field": name.value, "direction": kept[name].direction.value, "on_conflict": kept[name].on_conflict.value}
        for name in FieldName
    ]
    for name, value in ((_TO_TICKET, comments.to_ticket), (_TO_INCIDENT, comments.to_incident)):
        rows.append({"field": name, "direction": value.value, "on_conflict": ""})
    if notes:
        rows = [{**row, "note": notes.get(row["field"], "")} for row in rows]
    return rows


def _read(changes: tuple[str, ...]) -> _Wanted:
    wanted = _Wanted()
    for change in changes:
        name, _, rule = change.partition("=")
        try:
            if name == _TO_TICKET:
                wanted.to_ticket = _one_of(ToTicket, rule)
            elif name == _TO_INCIDENT:
                wanted.to_incident = _one_of(ToIncident, rule)
            else:
                wanted.fields[_one_of(FieldName, name)] = _rule(rule)
        except ValueError as exc:
            raise click.BadParameter(f"{change!r}: {exc}.", param_hint=_HINT) from exc
    return wanted


def _rule(text: str) -> FieldRule:
    direction, _, on_conflict = text.partition(",")
    wins = _one_of(ConflictRule, on_conflict) if on_conflict else ConflictRule.LATEST_WINS
    return FieldRule(direction=_one_of(Direction, direction), on_conflict=wins)


def _one_of(kind: type[Choice], text: str) -> Choice:
    """Return the member of a kind that a text names.

    Raises:
        ValueError: there is none; it lists those that there are.
    """
    try:
        return kind(text)
    except ValueError as exc:
        raise ValueError(f"{text!r} is none of: {', '.join(kind)}") from exc
