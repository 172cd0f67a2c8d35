"""`connector explain`, `retry`, `discard`, `resolve`: one link, and what a person can do about it."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.exit_codes import end_without_yes
from connector_core.cli.link_rows import fix_in_terminal, row
from connector_core.cli.opening import config_option, json_option, looking, opened, read_only
from connector_core.cli.output import print_json, shown, waiting
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import Side
from connector_core.contract.models import FieldName
from connector_core.store import DISCARDED, Link, LinkState, LinkStatus, StoredComment
from connector_core.words.link_status import word_of
from connector_core.words.timeline import Detail, Told, told

if TYPE_CHECKING:
    from connector_core.app import App
    from connector_core.reading import Reader

_SIDE_AT = 24  # behind the time

organization_option = click.option("--organization", help="Only what belongs to this organization.")


@click.command()
@click.argument("name")
@organization_option
@config_option
@click.option("--who", is_flag=True, help="Ask the ticketing system first who changed the ticket last.")
@json_option
def explain(name: str, organization: str | None, config_path: str | None, *, who: bool, as_json: bool) -> None:
    """Tell the story of NAME: a link's number, an incident's id, or a ticket's key or id.

    Where a number is also the id of something else, link:NUMBER means the link only.
    """
    if who:
        with opened(config_path) as app:
            for link in app.operations.find_to_act(name, organization):
                app.operations.ask_who(link)
    with looking(config_path) as reader:
        stories = [_story(reader, link) for link in reader.operations.find(name, organization)]
    if as_json:
        print_json(
            [
                {
                    **row(link),
                    "reason": link.status.reason,
                    "fix": fix_in_terminal(link),
                    "waits_for": link.breaker,
                    "settings": dict(link.settings),
                    "ticket_only": link.ticket_only,
                    "agreed": {field.value: agreed.model_dump(mode="json") for field, agreed in link.base.items()},
                    "waiting_comments": [_comment(one) for one in comments],
                    "timeline": [{**vars(one.entry), "text": one.text} for one in timeline],
                }
                for link, timeline, comments in stories
            ]
        )
        return
    for link, timeline, comments in stories:
        without = "no ticket yet" if link.status.gets_a_ticket else "no ticket"
        ticket = link.ticket.key if link.ticket else without
        click.secho(shown(f"Link {link.id}: {link.incident.id} ↔ {ticket}"), bold=True)
        click.echo(shown(f"  {' '.join(link.incident.title.split())}"))
        for line in [*_standing(link), *map(_sentence, comments)]:
            click.echo(shown(f"  {line}"))
        width = max((len(one.side) for one in timeline), default=0)
        for one in timeline:
            click.echo(shown(f"  {one.entry.at:%Y-%m-%d %H:%M:%S}Z  {one.side:<{width}}  {one.text}"))
            if detail := ", ".join(map(_detail, one.details)):
                click.secho(shown(_indented(detail, _SIDE_AT + width + 2)), dim=True)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--integration", help="All of this integration that will not go on by themselves.")
@organization_option
@config_option
def retry(names: tuple[str, ...], integration: str | None, organization: str | None, config_path: str | None) -> None:
    """Try NAMES again at once: links' numbers, incidents' ids, or tickets' keys or ids."""
    with opened(config_path) as app:
        found = _chosen(app, names, integration, organization)
        for link in found:
            app.operations.retry(link)
    click.echo(f"{len(found)} will be tried again as soon as the daemon runs.")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--integration", help="All of this integration that will not go on by themselves.")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be given up.")
@organization_option
@config_option
def discard(
    names: tuple[str, ...], integration: str | None, organization: str | None, config_path: str | None, *, yes: bool
) -> None:
    """Give up what could not be synced for NAMES.

    With a ticket, both sides are taken as they are. Without one, none will be made for that incident.
    """
    opening = opened if yes else read_only
    with opening(config_path) as app, waiting("Looking …"):
        found = _chosen(app, names, integration, organization)
        for link in found:
            reason = app.registry.worded(link).status.reason
            what = f"link {link.id} ({link.incident_id}): {word_of(link.status)} {reason}".strip()
            if yes:
                after = app.operations.discard(link)
                word = word_of(LinkStatus(after, DISCARDED)) if after is LinkState.PAUSED else after
                click.echo(f"Given up, now {word}: {what}")
            else:
                click.echo(f"Would be given up: {what}")
    if not yes:
        click.echo("Nothing was changed; add --yes to do it.")
        raise end_without_yes()


@click.command()
@click.argument("names", nargs=-1, required=True)
@organization_option
@config_option
def recreate(names: tuple[str, ...], organization: str | None, config_path: str | None) -> None:
    """Create new tickets for NAMES, whose tickets are gone or were moved where they do not fit; others are refused."""
    with opened(config_path) as app:
        for link in _chosen(app, names, None, organization):
            app.operations.recreate(link)
            click.echo(f"Link {link.id} ({link.incident_id}) gets a new ticket as soon as the daemon runs.")


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be unlinked.")
@organization_option
@config_option
def unlink(names: tuple[str, ...], organization: str | None, config_path: str | None, *, yes: bool) -> None:
    """Sync nothing more between incident and ticket of NAMES; both stay, and retry takes it back."""
    opening = opened if yes else read_only
    with opening(config_path) as app:
        for link in _chosen(app, names, None, organization):
            what = f"link {link.id} ({link.incident_id} and {link.ticket.key if link.ticket else 'no ticket'})"
            if yes:
                app.operations.unlink(link)
                click.echo(f"Unlinked: {what}; connector retry {link.id} takes that back.")
            else:
                click.echo(f"Would be unlinked: {what}")
    if not yes:
        click.echo("Nothing was changed; add --yes to do it.")
        raise end_without_yes()


@click.command()
@click.argument("name")
@click.argument("field", type=click.Choice([field.value for field in FieldName]))
@click.argument("winner", type=click.Choice([side.value for side in Side]))
@organization_option
@config_option
def resolve(name: str, field: str, winner: str, organization: str | None, config_path: str | None) -> None:
    """Say whose value of FIELD is right where both sides of NAME changed it."""
    with opened(config_path) as app:
        for link in app.operations.find_to_act(name, organization):
            app.operations.resolve(link, FieldName(field), Side(winner))
    click.echo(f"The {winner}'s {field} will be synced as soon as the daemon runs.")


def _chosen(app: App, names: tuple[str, ...], integration: str | None, organization: str | None) -> list[Link]:
    if integration is not None and not names:
        failed = app.operations.failed(app.registry.entry(integration).record.id)
        return [link for link in failed if link.status.code != DISCARDED]  # a person has decided about those
    if not names or integration is not None:
        both = ", not both" if names else ""
        raise ConfigError(f"Name links, or an integration with --integration{both}.", code="nothing_named")
    return [link for name in names for link in app.operations.find_to_act(name, organization)]


def _story(reader: Reader, link: Link) -> tuple[Link, list[Told], list[StoredComment]]:
    """Return a link in words, with its timeline and the comments that wait."""
    names = reader.registry.names(link.integration_id, link.organization)
    timeline = [told(entry, names) for entry in reader.store.timelines.read(link.id)]
    return reader.registry.worded(link), timeline, reader.operations.waiting_comments(link)


def _standing(link: Link) -> list[str]:
    """Say where a link stands, since when, what happens next and what to do."""
    status = link.status
    word = word_of(status)
    lines = [f"{word} since {status.since:%Y-%m-%d %H:%M:%S}Z" if status.since else word]
    if status.reason:
        lines.append(f"{status.reason} [{status.code}]")
    if status.next_try is not None:
        lines.append(f"Next try: {status.next_try:%Y-%m-%d %H:%M:%S}Z")
    if fix := fix_in_terminal(link):
        lines.append(fix)
    lines += [f"The {name.value} is on the ticket only: {reason}" for name, reason in link.ticket_only.items()]
    return lines


def _comment(one: StoredComment) -> dict[str, Any]:
    return {"side": one.side.value, "id": one.their_id, "author": one.author, "created_at": one.created_at}


def _sentence(one: StoredComment) -> str:
    return f"Waiting to be synced: the comment of {one.author} on the {one.side.value} ({one.their_id})"


def _detail(detail: Detail) -> str:
    """Say a value, and what it was before."""
    before = "" if detail.before is None else f"{detail.before} → "
    at = "" if detail.at is None else f"{detail.at:%Y-%m-%d %H:%M:%S}Z"
    return f"{detail.label}: {before}{' '.join(filter(None, (detail.text, at)))}"


def _indented(text: str, at: int) -> str:
    """Put a text below the sentence it belongs to; on a terminal, broken where its lines end."""
    indent = " " * at
    if not sys.stdout.isatty():
        return f"{indent}{text}"
    width = shutil.get_terminal_size().columns
    return click.wrap_text(text, width, initial_indent=indent, subsequent_indent=indent)
