"""`connector routing`: the rules by which an organization's incidents go to integrations, and what they would do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from getpass import getuser
from typing import TYPE_CHECKING, Any, TextIO

import click
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector_core.cli.numbers import WholeNumber
from connector_core.cli.opening import config_option, json_option, looking, opened
from connector_core.cli.output import counted, print_json, print_rows
from connector_core.contract.errors import ConfigError
from connector_core.contract.routing import RoutingRules, understood
from connector_core.health.routing_findings import findings_of
from connector_core.store import Origin, Routing

if TYPE_CHECKING:
    from connector_core.setup.routing import Tried

LONGEST_FILE = 100_000
MOST_DAYS = 365
_ALL = "There are no rules: every active integration takes each incident."


@click.group()
def routing() -> None:
    """Send an organization's incidents to several integrations by rules; the first that one matches decides.

    Without rules every active integration takes each incident. What is linked stays where it is.
    """


@routing.command()
@click.argument("organization")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the rules as the configuration file has them.")
@config_option
@json_option
def show(organization: str, config_path: str | None, *, as_yaml: bool, as_json: bool) -> None:
    """Show the rules of ORGANIZATION in their order, and what is wrong with them."""
    with looking(config_path) as reader:
        present = reader.routing.present(organization)
        findings = findings_of(reader.store, reader.registry, organization)
    rules = () if present is None else present.rules
    if as_yaml:
        YAML().dump({"routing": _plain(rules)}, sys.stdout)
        return
    if as_json:
        shown = {"organization": organization, "rules": _plain(rules), **_origin(present)}
        print_json({**shown, "findings": [one.model_dump(mode="json") for one in findings]})
        return
    rows = [{"rule": number, "when": rule.when, "to": rule.targets} for number, rule in enumerate(rules, 1)]
    print_rows(rows, as_json=False, empty=_ALL)
    if present is not None:
        where = "in the configuration file" if present.origin is Origin.YAML else f"by {present.changed_by}"
        click.echo(f"\nWritten {where}, {present.changed_at:%Y-%m-%d %H:%M} UTC.")
    for one in findings:
        click.secho(f"{one.title}. {one.fix}", fg="yellow", err=True)


@routing.command("set")
@click.argument("organization")
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@click.option("--clear", is_flag=True, help="Have no rules: every active integration takes each incident.")
@config_option
def set_rules(organization: str, file: TextIO | None, config_path: str | None, *, clear: bool) -> None:
    """Give ORGANIZATION the rules in FILE, as YAML or JSON; - reads them from standard input.

    For example:

    \b
      - {when: {priority_at_least: high, space: Acme/Berlin}, to: acme-helpdesk}
      - {when: {title: printer}, to: [acme-helpdesk, acme-print]}
      - {to: acme-it}

    Conditions are space, priority, priority_at_least, device_model and title. A rule without any matches all incidents.
    The next incidents go by these rules; try them first with: connector routing try
    """  # noqa: D301 - the sign that click leaves lines alone for
    if (file is None) != clear:
        raise click.UsageError("Name a file with rules, or say --clear, not both.")
    rules = () if file is None else _read(file)
    with opened(config_path) as app:
        setup = app.routing
        setup.save(organization, rules, getuser(), app.store.routing.made(organization))
    click.echo(
        f"Saved: {counted(len(rules), 'rule')}. They count from the next incident on." if rules else f"Saved. {_ALL}"
    )


@routing.command("try")
@click.argument("organization")
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@click.option("--days", default=30, show_default=True, type=WholeNumber(1, MOST_DAYS), help="Of how many days.")
@config_option
@json_option
def try_out(organization: str, file: TextIO | None, days: int, config_path: str | None, *, as_json: bool) -> None:
    """Show where the incidents of the last days would have gone by the rules in FILE, or by those in force.

    Nothing is changed. Each incident is taken as it is known today, and compared with the integrations that it is
    linked with.
    """
    given = None if file is None else _read(file)
    with looking(config_path) as reader:
        setup = reader.routing
        present = setup.present(organization)
        if given is not None:
            setup.check(organization, given)
        rules = given if given is not None else () if present is None else present.rules
        tried = setup.try_out(organization, rules, days)
    if as_json:
        print_json([{**_row(one), "is_other": one.is_other} for one in tried])
        return
    rows = [{name: _joined(value) for name, value in _row(one).items()} for one in tried]
    print_rows(
        rows, as_json=False, empty=f"No incident of {organization} was opened in the last {counted(days, 'day')}."
    )
    if tried:
        click.echo(f"\n{_summary(tried, days)}")


@routing.command()
@click.argument("organization")
@config_option
@json_option
def unsent(organization: str, config_path: str | None, *, as_json: bool) -> None:
    """List the incidents of ORGANIZATION that have no ticket by the rules, or wait for an integration.

    They are kept for 30 days after the last news of them.
    """
    with looking(config_path) as reader:
        found = reader.routing.unsent(organization)
    rows = [
        {
            "incident": one.incident.id,
            "status": one.incident.status.value,
            "title": one.incident.title,
            "why": one.route.state.value if one.route.state else "",
            "reason": one.route.reason,
            "last_news": one.heard_at,
        }
        for one in found
    ]
    print_rows(rows, as_json=as_json, empty="Every incident went where the rules sent it.")


@routing.command()
@click.argument("organization")
@click.argument("incident")
@click.argument("integration")
@config_option
def send(organization: str, incident: str, integration: str, config_path: str | None) -> None:
    """Send INCIDENT of ORGANIZATION, which has no ticket by the rules, to INTEGRATION."""
    with opened(config_path) as app:
        link = app.routing.send(organization, incident, integration, getuser())
    click.echo(f"Link {link}: the ticket is created as soon as the daemon runs.")


def _read(file: TextIO) -> RoutingRules:
    """Read rules that somebody wrote, alone or below the key that they have in the configuration file."""
    try:
        given = YAML(typ="safe", pure=True).load(_text(file))
        return understood(given["routing"] if isinstance(given, dict) and set(given) == {"routing"} else given)
    except YAMLError as exc:
        raise _unusable(file, str(exc).splitlines()[0]) from exc
    except RecursionError as exc:
        raise _unusable(file, "it is nested too deeply") from exc
    except ValueError as exc:
        raise _unusable(file, str(exc)) from exc


def _text(file: TextIO) -> str:
    text = file.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise ValueError(f"a file of rules has {LONGEST_FILE} characters at most")
    return text


def _unusable(file: TextIO, reason: str) -> ConfigError:
    return ConfigError(
        f"{_named(file)} has no rules that can be used: {reason}.",
        code="routing_invalid",
        fix="See an example with: connector routing set --help",
    )


def _named(file: TextIO) -> str:
    return "The standard input" if file.name in {0, "-", "<stdin>"} else str(file.name)


def _plain(rules: Iterable[Any]) -> list[dict[str, Any]]:
    """Return rules as people write them."""
    found = [rule.model_dump(mode="json", exclude_none=True) for rule in rules]
    return [
        {
            **({"when": one["when"]} if one["when"] else {}),
            "to": one["to"][0] if len(one["to"]) == 1 else list(one["to"]),
        }
        for one in found
    ]


def _origin(present: Routing | None) -> dict[str, Any]:
    if present is None:
        return {"from": None, "changed_at": None, "changed_by": None}
    return {"from": present.origin.value, "changed_at": present.changed_at, "changed_by": present.changed_by}


def _row(one: Tried) -> dict[str, Any]:
    return {
        "incident": one.incident.id,
        "title": one.incident.title,
        "priority": one.incident.priority,
        "opened_at": one.opened_at,
        "would_go_to": list(one.would_go_to),
        "rule": one.rule or None,
        "went_to": list(one.went_to),
    }


def _joined(value: object) -> object:
    return (", ".join(value) or "none") if isinstance(value, list) else value


def _summary(tried: Sequence[Tried], days: int) -> str:
    numbers: Mapping[str, int] = Counter(name for one in tried for name in (one.would_go_to or ("no integration",)))
    parts = ", ".join(f"{count} to {name}" for name, count in numbers.items())
    others = sum(one.is_other for one in tried)
    among = f"{counted(len(tried), 'incident')} in the last {counted(days, 'day')}"
    return f"{among}: {parts}. {others} of them went elsewhere."
