"""`connector integrations rules`: how fields are kept in step, for integrations that are made in set-up."""

from __future__ import annotations

import click

from connector_core.cli.opening import config_option, json_option, opened
from connector_core.cli.output import print_rows
from connector_core.merge import DEFAULT_RULES, ConflictRule, Direction, FieldRule
from connector_core.models import FieldName


@click.command()
@click.argument("integration")
@click.argument("changes", nargs=-1, metavar="[FIELD=DIRECTION[,ON_CONFLICT]]...")
@config_option
@json_option
def rules(integration: str, changes: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """Show or change which way each field of INTEGRATION travels, and who wins when both sides changed it.

    DIRECTION is both, to_ticket, from_ticket or off; ON_CONFLICT is latest_wins, incident_wins, ticket_wins or ask.
    For example: title=both,ask description=off
    """
    wanted = dict(_read(change) for change in changes)
    with opened(config_path) as app:
        app.adoption.adopt_file()
        if wanted:
            app.setup.set_rules(integration, wanted)
        kept = {**DEFAULT_RULES, **app.registry.entry(integration).record.rules}
    rows = [
        {"field": name.value, "direction": kept[name].direction.value, "on_conflict": kept[name].on_conflict.value}
        for name in FieldName
    ]
    print_rows(rows, as_json=as_json, empty="")


def _read(change: str) -> tuple[FieldName, FieldRule]:
    name, _, rule = change.partition("=")
    direction, _, on_conflict = rule.partition(",")
    try:
        return FieldName(name), FieldRule(
            direction=Direction(direction), on_conflict=ConflictRule(on_conflict or ConflictRule.LATEST_WINS)
        )
    except ValueError as exc:
        raise click.BadParameter(f"{change!r}: {exc}.", param_hint="FIELD=DIRECTION[,ON_CONFLICT]") from exc
