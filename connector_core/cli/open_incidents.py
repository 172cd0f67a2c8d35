"""`connector integrations apply-settings`: give open incidents the present settings, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.opening import config_option, json_option, opened, read_only, whoami
from connector_core.cli.output import print_json, print_rows, shown
from connector_core.contract.setup_steps import answer_to, in_words

if TYPE_CHECKING:
    from connector_core.app import App
    from connector_core.setup.open_incidents import Preview
    from connector_core.store import SettingsRun


_MOST_NAMED = 20


@click.command("apply-settings")
@click.argument("integration")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would change.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, also with --yes.")
@click.option("--undo", type=int, metavar="RUN", help="Give open incidents back what this run changed.")
@click.option("--runs", is_flag=True, help="List the latest runs, and how far they are.")
@config_option
@json_option
def apply_settings(  # noqa: PLR0913 - one argument an option
    integration: str,
    config_path: str | None,
    *,
    yes: bool,
    dry_run: bool,
    undo: int | None,
    runs: bool,
    as_json: bool,
) -> None:
    """Apply the present settings of INTEGRATION to its open incidents, which else keep those they were opened with.

    The running connector does it, goes on after a restart, and can undo it for 90 days. What an existing ticket cannot
    change, such as where it was created, stays. All other settings apply to every incident anyway.
    """
    is_real = yes and not dry_run
    with opened(config_path) if is_real else read_only(config_path) as app:
        app.registry.entry(integration)
        if runs:
            rows = [_row(run) for run in app.store.link_settings.runs(integration)]
            print_rows(rows, as_json=as_json, empty="Settings were never applied to open incidents.")
            return
        if undo is not None:
            _undo(app, integration, undo, is_real=is_real)
            return
        preview = app.open_incidents.preview(integration)
        _print(app, integration, preview, as_json=as_json)
        if not preview.affected or (as_json and not is_real):
            return
        if not is_real:
            click.echo("Nothing was changed; add --yes to do it.")
            return
        run = app.open_incidents.begin(integration, whoami(), preview.version)
        if not as_json:
            _say_begun(integration, run)


def _undo(app: App, integration: str, run_id: int, *, is_real: bool) -> None:
    run = app.store.link_settings.get(run_id)
    if not is_real and run is not None and run.integration_id == integration and run.can_be_undone:
        click.echo(f"{run.done} open incidents would get their former settings back. Say --yes to do it.")
        return
    _say_begun(integration, app.open_incidents.undo(integration, run_id, whoami()))


def _say_begun(integration: str, run: int) -> None:
    click.echo(
        f"Run {run} begins as soon as the daemon runs. How far it is: connector integrations apply-settings "
        f"{integration} --runs"
    )


def _print(app: App, integration: str, preview: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "settings": dict(preview.settings),
                "unchanged": preview.unchanged,
                "changes": [
                    {
                        "incidents": one.group.count,
                        "links": [number for number, _ in one.links],
                        "without_ticket": one.group.is_unmade,
                        "changed": {name: list(pair) for name, pair in one.changed.items()},
                        "kept": {name: list(pair) for name, pair in one.kept.items()},
                    }
                    for one in preview.affected
                ],
            }
        )
        return
    labels = app.setup.labels(integration)
    for one in preview.affected:
        named = ", ".join(name for _, name in one.links[:_MOST_NAMED])
        more = ", …" if one.group.count > _MOST_NAMED else ""
        click.echo(shown(f"{one.group.count} open incidents ({named}{more}):"))
        for name, (before, after) in one.changed.items():
            click.echo(shown(f"  {name}: {_words(labels, name, before)} → {_words(labels, name, after)}"))
    for name, theirs, now in sorted(
        {(name, *map(str, pair)) for one in preview.kept for name, pair in one.kept.items()}
    ):
        stays = f"{name} stays {_words(labels, name, theirs)} for existing tickets; now {_words(labels, name, now)}"
        click.echo(shown(f"  {stays}"))
    click.echo(f"{preview.total} open incidents would change; {preview.unchanged} would not.")


def _words(labels: Mapping[tuple[str, str], str], name: str, value: object) -> str:
    text = "" if value is None else answer_to({name: value}, name)
    return in_words(text, labels.get((name, text))) if text else "nothing"


def _row(run: SettingsRun) -> dict[str, Any]:
    return {
        "run": run.id,
        "undoes": run.undoes,
        "by": run.made_by,
        "started": run.made_at,
        "ended": run.ended_at,
        "changed": run.done,
        "waiting": run.waiting,
        "of": run.total,
    }
