"""`connector doctor`: try everything that integrations need, and say what to do about what was found."""

from __future__ import annotations

import os
from typing import Any

import click

from connector_core.app import App
from connector_core.cli.opening import View, config_option, json_option, viewed
from connector_core.cli.output import counted, print_json, waiting
from connector_core.clock import SystemClock
from connector_core.config import ConfigInvalid, differences
from connector_core.contract.models import Finding, Severity
from connector_core.health.notifier_findings import notifier_findings
from connector_core.health.outbound_findings import outbound_findings
from connector_core.health.routing_findings import routing_findings
from connector_core.health.running import not_running
from connector_core.words.advice import fix_in_terminal

_MARKS = {Severity.OK: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.PROBLEM: ("✗", "red")}
_FOUND_PROBLEMS = 1  # the same as ExitCode.FAILED, which cannot be imported from here


@click.command()
@click.argument("integration", required=False)
@config_option
@json_option
def doctor(integration: str | None, config_path: str | None, *, as_json: bool) -> None:
    """Try everything that INTEGRATION, or each of them, needs; change nothing.

    What is tried is what the daemon has, not what the file says by now. Exit code 1 when anything is a problem.
    """
    found: dict[str, list[Finding]] = {}
    with viewed(config_path) as view:
        view.require_key()
        app = view.app()
        for name in [integration] if integration is not None else [entry.record.id for entry in app.registry.entries()]:
            with waiting(f"Checking {name} ({app.registry.entry(name).plugin.info.spoken}) …"):
                found[name] = app.setup.check(name)
            if not as_json:
                _print(name, found[name])  # the next one may take a while
        with waiting("Checking what all of them need …"):
            others = _others(view, app, is_whole=integration is None)
    found |= others
    if as_json:
        print_json([_row(name, one) for name, findings in found.items() for one in findings])
    else:
        for name, findings in others.items():
            _print(name, findings)
        _sum_up(found)
    if any(one.severity is Severity.PROBLEM for findings in found.values() for one in findings):
        raise click.exceptions.Exit(_FOUND_PROBLEMS)


def _others(view: View, app: App, *, is_whole: bool) -> dict[str, list[Finding]]:
    """Return what else was found, by what it is about; unless `is_whole` only of the daemon and the file."""
    found: dict[str, list[Finding]] = {}
    if stopped := not_running(app.store.nodes.every(), app.clock.now()):
        found["connector"] = [stopped]
    if is_whole:
        found |= _broken(app)
        found |= _notifiers(app)
        found |= _sign_on(view)
        if outbound := outbound_findings(app.config.calls(), os.environ):
            found["outbound"] = outbound
        rules = routing_findings(app.store, app.registry)
        found |= {f"routing of {name}": findings for name, findings in rules.items()}
    if differing := _of_file(view):
        found[str(view.found.path)] = [differing]
    return found


def _broken(app: App) -> dict[str, list[Finding]]:
    """Return the integrations whose plugin is not at hand, as problems."""
    return {
        record.id: [
            Finding(code=error.code, severity=Severity.PROBLEM, title=error.message, fix=fix_in_terminal(error))
        ]
        for record, error in app.registry.broken()
    }


def _notifiers(app: App) -> dict[str, list[Finding]]:
    """Return, by organization, which notifiers do not work; no message is sent."""
    statuses = app.registry.notifiers.statuses()
    found = {name: notifier_findings(statuses, name) for name in app.config.organizations}
    return {f"notifications of {name}": findings for name, findings in found.items() if findings}


def _sign_on(view: View) -> dict[str, list[Finding]]:
    """Return whether single sign-on can work, as the file has it; the daemon tells nobody its passwords."""
    try:
        config = view.file()
    except ConfigInvalid:
        return {}
    if config.console.oidc is None or not config.console.enabled:
        return {}
    from connector_core.health.sign_on_findings import sign_on_findings  # noqa: PLC0415 - few have it
    from connector_core.sign_on.flow import redirect_uri  # noqa: PLC0415 - as above
    from connector_core.sign_on.provider import Provider  # noqa: PLC0415 - as above

    clock = SystemClock()
    provider = Provider(config.console.oidc, config.calls, clock)
    return {"single sign-on": sign_on_findings(provider, redirect_uri(config.server.public_url), clock)}


def _of_file(view: View) -> Finding | None:
    """Say when the file is not what the daemon has."""
    taken = view.applied
    if taken is None:
        return None
    try:
        changes = differences(taken, view.file().snapshot, ours=False)
    except ConfigInvalid as exc:
        title = "The configuration file has mistakes; the daemon goes on with what it took over before"
        return _config_finding(title, exc.message, "Put them right. See: connector config check")
    if not changes:
        return None
    title = f"The configuration file says something else than the daemon has ({counted(len(changes), 'key')})"
    return _config_finding(title, "; ".join(map(str, changes)), "Take it over with: connector config apply")


def _config_finding(title: str, detail: str, fix: str) -> Finding:
    return Finding(code="config_differs", severity=Severity.WARNING, title=title, detail=detail, fix=fix)


def _row(name: str, finding: Finding) -> dict[str, Any]:
    shown = finding.model_dump(mode="json", exclude={"advice"})
    return {"integration": name, **shown, "fix": fix_in_terminal(finding)}


def _print(name: str, findings: list[Finding]) -> None:
    click.secho(f"\n{name}", bold=True)
    for one in findings:
        mark, colour = _MARKS[one.severity]
        click.secho(f" {mark} ", fg=colour, nl=False)
        click.echo(one.title)
        for text in (one.detail, fix_in_terminal(one) if one.severity is not Severity.OK else ""):
            if text:
                click.echo(f"     {text}")


def _sum_up(found: dict[str, list[Finding]]) -> None:
    if not found:
        click.echo("There is no integration yet; see: connector integrations --help")
    all_of_them = [one.severity for findings in found.values() for one in findings]
    problems, warnings = all_of_them.count(Severity.PROBLEM), all_of_them.count(Severity.WARNING)
    whole = counted(len(all_of_them), "finding")
    click.echo(f"\n{whole}: {counted(problems, 'problem')}, {counted(warnings, 'warning')}.")
