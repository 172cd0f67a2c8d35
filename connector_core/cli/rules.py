"""`connector integrations rules`: what is synced and which way, for integrations that are made in set-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from connector_core.setup.synced import set_synced

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
            set_synced(app.setup, integration, wanted.fields, wanted.to_ticket, wanted.to_incident)
        entry = app.registry.entry(integration)
        kept = with_one_way(entry.record.rules, entry.handle.shaping)
    print_rows(_rows(kept, entry.record.comments, _notes(entry)), as_json=as_json, empty="")


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
                wanted.to_ticket = ToTicket(rule)
            elif name == _TO_INCIDENT:
                wanted.to_incident = ToIncident(rule)
            else:
                wanted.fields[FieldName(name)] = _rule(rule)
        except ValueError as exc:
            raise click.BadParameter(f"{change!r}: {exc}.", param_hint=_HINT) from exc
    return wanted


def _rule(text: str) -> FieldRule:
    direction, _, on_conflict = text.partition(",")
    return FieldRule(direction=Direction(direction), on_conflict=ConflictRule(on_conflict or ConflictRule.LATEST_WINS))
