"""`connector integrations authorize`: off to a browser, and back to whoever sits in front of the terminal."""

from __future__ import annotations

import sys
from functools import partial
from threading import Event
from urllib.parse import parse_qsl, urlsplit

import click

from connector_core.app import App
from connector_core.cli.no_terminal import answer_needed
from connector_core.cli.opening import config_option, opened
from connector_core.cli.output import waiting
from connector_core.contract.errors import AuthError, ConfigError
from connector_core.contract.models import Grant
from connector_core.setup.authorizing import TERMINAL, Sent
from connector_core.store import Authorization
from connector_core.store.daemon_lock import daemon_lock

LOOK_EVERY_S = 0.5
_NAMELESS = "an account without a name"


@click.command()
@click.argument("integration")
@click.option("--site", help="The site to use when the authorization reaches several: name, address or id.")
@click.option("--confirm", is_flag=True, help="Show who approved access in the browser, and ask whether to use it.")
@click.option("--yes", is_flag=True, help="Use it without being asked, for scripts.")
@click.option("--other-account", is_flag=True, help="With --yes: accept another account than the present one.")
@click.option("--return-url", help="The address that the browser was sent back to, for use in scripts.")
@config_option
def authorize(  # noqa: PLR0913 - one argument an option
    integration: str,
    site: str | None,
    return_url: str | None,
    config_path: str | None,
    *,
    confirm: bool,
    yes: bool,
    other_account: bool,
) -> None:
    """Authorize access for INTEGRATION, or choose its --site afterwards.

    Prints the address to open in a browser. Who approved there, and for which site, is shown here before it is in
    force: at once on a terminal, otherwise with --confirm. While no daemon runs, paste the address that the browser was
    sent back to.
    """
    with opened(config_path) as app:
        take = partial(_take_seen, app, site=site, yes=yes, other_account=other_account)
        if confirm:
            grant = take(_held(app, integration))
        elif return_url is not None:
            grant = take(_come_back(app, integration, return_url, site=site))
        elif site is not None and app.store.grants.get(integration) is not None:
            grant = app.authorizing.choose_site(integration, site)
        else:
            answer = app.authorizing.start(integration, TERMINAL, other_account=other_account)
            grant = answer if isinstance(answer, Grant) else take(_send(app, integration, answer, site=site))
    _say_authorized(integration, grant)


def _send(app: App, integration: str, sent: Sent, *, site: str | None) -> Authorization:
    """Send the person to a browser, and wait until they are back."""
    if already := _already(app, integration):
        click.echo(f"{already} Approving again replaces that.\n")
    _say_outage(app, integration)
    click.echo("Open this address in a browser and approve access:\n")
    click.echo(f"  {sent.url}\n")
    lock = daemon_lock(app.config.database)
    if lock.try_acquire():
        lock.release()
        with answer_needed("Give the address that the browser was sent back to with --return-url, and say --yes."):
            pasted = click.prompt("Then paste the address that the browser was sent back to")
        return _come_back(app, integration, pasted, site=site)
    if not sys.stdin.isatty():
        click.echo(f"Afterwards confirm it with: connector integrations authorize {integration} --confirm")
        raise click.exceptions.Exit(0)
    with waiting("Waiting for approval in the browser. After Ctrl-C, go on with --confirm …"):
        return _await(app, sent)


def _await(app: App, sent: Sent) -> Authorization:
    """Wait until the daemon has taken the return."""
    pause = Event()
    while True:
        begun = app.authorizing.begun(sent.state)
        if begun is None:
            raise AuthError("Nobody approved access in time.", code="nobody_came_back", fix="Start again.")
        if begun.problem:
            raise _failed(begun)
        if begun.grant is not None:
            return begun
        pause.wait(LOOK_EVERY_S)


def _come_back(app: App, integration: str, address: str, *, site: str | None) -> Authorization:
    """Take the return that was pasted here."""
    parameters = dict(parse_qsl(urlsplit(address).query))
    state = parameters.get("state", "")
    begun = app.authorizing.begun(state)
    if begun is not None and begun.integration_id != integration:
        raise ConfigError(f"This address is for {begun.integration_id}, not for {integration}.", code="begun_elsewhere")
    app.authorizing.finish(parameters, TERMINAL, site=site)
    return app.authorizing.begun(state) or _held(app, integration)


def _held(app: App, integration: str) -> Authorization:
    held = app.authorizing.held(integration, TERMINAL)
    if held is not None:
        return held
    last = app.authorizing.latest(integration, TERMINAL)
    if last is not None and last.problem:
        raise _failed(last)
    if already := _already(app, integration):
        raise ConfigError(
            f"There is no approval for {integration} to confirm. {already}",
            code="authorized_already",
            fix=f"To replace that: connector integrations authorize {integration}",
        )
    raise AuthError(
        f"There is no approval for {integration} to confirm.",
        code="nothing_to_confirm",
        fix=f"Start again: connector integrations authorize {integration}",
    )


def _failed(last: Authorization) -> AuthError:
    """Return why nothing can be confirmed of what somebody approved."""
    again = f"connector integrations authorize {last.integration_id}"
    return AuthError(last.problem, code="authorization_refused", fix=f"Start again: {again}")


def _already(app: App, integration: str) -> str:
    """Say that there is access, and whose; nothing where there is none, or where it is lost."""
    entry, grant = app.registry.entry(integration), app.store.grants.get(integration)
    if grant is None or not entry.is_authorized(grant):
        return ""
    return f"{integration} is authorized already, as {_named(grant)}."


def _say_outage(app: App, integration: str) -> None:
    """Say that the helpdesk does not answer: what is approved now may come to nothing."""
    for outage in app.statuses.outages(app.statuses.known()):
        if integration in outage.integrations and not outage.organization:
            text = f"{outage.title} does not answer at the moment: {outage.reason} What you approve may have to wait."
            click.secho(f"{text}\n", fg="yellow", err=True)


def _take_seen(app: App, held: Authorization, *, site: str | None, yes: bool, other_account: bool) -> Grant:
    """Show what came back and ask whether it is right; return the grant that is in force then."""
    before = app.authorizing.replaces(held)
    account = _show(held, before)
    if yes and before is not None and not other_account:
        raise ConfigError(
            f"The new authorization is for {account}, the present one for {before.account_name}.",
            code="other_account",
            fix="Say --other-account too if the change is meant.",
        )
    if not yes and not _is_right(held.integration_id):
        app.authorizing.drop(held)
        click.echo("Discarded. Nothing has changed.")
        raise click.exceptions.Exit(1)
    return app.authorizing.take(held, site=site)


def _show(held: Authorization, before: Grant | None) -> str:
    """Say who approved, and for where; return the account's name."""
    grant = held.grant or Grant(headers={})
    account = grant.account_name or _NAMELESS
    places = ", ".join(place.url for place in ([grant.site] if grant.site else grant.sites))
    click.echo(f"Approved by: {account}{f', for {places}' if places else ''}")
    if before is not None:
        click.echo(f"This is not the present account, {before.account_name}.")
    return account


def _is_right(integration: str) -> bool:
    with answer_needed("Say --yes to use this account without being asked."):
        return click.confirm(f"Use this account for {integration}?")


def _say_authorized(integration: str, grant: Grant) -> None:
    if grant.site is None and grant.sites:
        names = "\n".join(f"  {site.name}  {site.url}" for site in grant.sites)
        raise AuthError(
            f"The authorization reaches several sites:\n{names}",
            code="site_needed",
            fix=f"Choose one: connector integrations authorize {integration} --site NAME",
        )
    click.echo(f"{integration} is authorized as {_named(grant)}.")


def _named(grant: Grant) -> str:
    return f"{grant.account_name or _NAMELESS}{f' at {grant.site.url}' if grant.site else ''}"
