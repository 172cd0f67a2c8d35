"""Authorizing an integration: where a person is sent, what they come back with, and the grant that is kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from connector_core.contract.accounts import at_former_site, is_other_account, refuse_other
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import AuthError, ConfigError, ConnectorError
from connector_core.contract.models import AuthorizationReturn, AuthorizationStart, Grant, Redirect, Site
from connector_core.contract.setup_steps import FieldKind
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.setup.integrations import NO_PROBLEM, SetupFlow
from connector_core.store import Authorization, Begun, IntegrationRecord, Store
from connector_core.store.sessions import hashed

RETURN_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True)
class Initiator:
    """Who begins an authorization, and has to end it.

    `proof` is a secret that only their browser has: the token of their login, or of their way through a set-up link.
    What is begun in a terminal needs none: whoever has the database sees there what came back, and decides.
    """

    begun_by: Begun
    proof: str = field(default="", repr=False)

    @property
    def mark(self) -> str:
        """Return what tells this one from all others."""
        return f"{self.begun_by} {self.proof}"


TERMINAL = Initiator(Begun.TERMINAL)


@dataclass(frozen=True)
class Sent:
    """Where the person is sent, and the state with which they come back."""

    url: str
    state: str = field(repr=False)


@dataclass(frozen=True)
class Returned:
    """What somebody brought back. Held, it is not in force before it was seen: `take` or `drop` it."""

    integration_id: str
    grant: Grant
    is_held: bool


@dataclass(frozen=True)
class Authorizing:
    """The step of set-up that takes a person, if any, to the other side and back.

    Whoever lures somebody else to the consent page, or into bringing back what they did not ask for, gets nothing: a
    state is good for the one who began, once, for `RETURN_WITHIN`.
    """

    flow: SetupFlow

    @property
    def _store(self) -> Store:
        return self.flow.store

    @property
    def _registry(self) -> Registry:
        return self.flow.registry

    def alone(self, integration_id: str) -> Grant | None:
        """Authorize without a person; None where that is not possible."""
        entry = self._ready(integration_id)
        answer = self._ask(entry, self._callback_url(), secrets.token_urlsafe(32))
        return self._keep_grant(entry, answer, other_account=False) if isinstance(answer, Grant) else None

    def start(self, integration_id: str, initiator: Initiator, *, other_account: bool = False) -> Sent | Grant:
        """Begin an authorization: where to send the person, or the grant if no person is needed.

        Raises:
            ConfigError: among others, none is needed, or what it is made with is not answered yet.
        """
        entry = self._ready(integration_id)
        state, callback_url, now = secrets.token_urlsafe(32), self._callback_url(), self.flow.clock.now()
        answer = self._ask(entry, callback_url, state)
        if isinstance(answer, Grant):
            return self._keep_grant(entry, answer, other_account=other_account)
        begun = Authorization(hashed(state), integration_id, callback_url, initiator.begun_by, now + RETURN_WITHIN)
        self._store.authorizations.begin(begun, initiator.mark, now)
        return Sent(answer.url, state)

    def begun(self, state: str) -> Authorization | None:
        """Return what a state was made for, and what became of it; None for one that is unknown, over or done with."""
        return self._store.authorizations.find(state, self.flow.clock.now()) if state.isascii() else None

    def finish(self, parameters: Mapping[str, str], initiator: Initiator, *, site: str | None = None) -> Returned:
        """Take the parameters that the person came back with.

        A grant without a site is kept until `choose_site`. One that has to be seen first is held: all that was begun in
        a terminal, and another account than before.

        Raises:
            ConfigError: among others, the state is not good for whoever came back; it is not used up by that.
        """
        begun = self._redeem(parameters.get("state", ""), initiator)
        try:
            returned = self._returned(begun, parameters, site)
        except ConnectorError as exc:
            self._store.authorizations.fail(begun, f"{exc.message} {exc.fix}".strip())
            raise
        if not returned.is_held:
            self._store.authorizations.end(begun)
        return returned

    def held(self, integration_id: str, initiator: Initiator) -> Authorization | None:
        """Return what somebody brought back and has to see before it is in force."""
        return self._store.authorizations.held(integration_id, initiator.mark, self.flow.clock.now())

    def latest(self, integration_id: str, initiator: Initiator) -> Authorization | None:
        """Return what somebody began last, as far as it has come."""
        return self._store.authorizations.latest(integration_id, initiator.mark, self.flow.clock.now())

    def replaces(self, held: Authorization) -> Grant | None:
        """Return the present grant, where what is held is for another account."""
        before = self._store.grants.get(held.integration_id)
        is_other = before is not None and held.grant is not None and is_other_account(before, held.grant)
        return before if is_other else None

    def take(self, held: Authorization, *, site: str | None = None) -> Grant:
        """Have what was seen come into force."""
        if held.grant is None:
            raise AuthError("Nothing was brought back.")
        grant = held.grant if site is None else held.grant.at_site(_chosen(held.grant, site))
        kept = self._keep_grant(self._registry.entry(held.integration_id), grant, other_account=True)
        self._store.authorizations.end(held)
        return kept

    def drop(self, held: Authorization) -> None:
        """Forget what was seen and is not wanted."""
        self._store.authorizations.end(held)
        self.flow.log.info("authorization_dropped", integration=held.integration_id)

    def choose_site(self, integration_id: str, site_id: str) -> Grant:
        """Settle an authorization that reaches several sites on one of them."""
        entry = self._registry.entry(integration_id)
        grant = self._store.grants.get(integration_id)
        if grant is None or grant.is_outdated:
            raise AuthError("Nobody has authorized access yet.")
        chosen = _chosen(grant, site_id)
        if grant.site is not None and grant.site.id != chosen.id and entry.record.activated_at is None:
            self._forget_choices(entry.record)
            return self._keep_grant(entry, grant.at_site(chosen), other_account=True, other_site=True)
        return self._keep_grant(entry, grant.at_site(chosen), other_account=True)

    # Private

    def _callback_url(self) -> str:
        return f"{self.flow.config.server.public_url}/oauth/callback"

    def _ready(self, integration_id: str) -> Entry:
        entry = self._registry.entry(integration_id)
        if not entry.authorizes:
            raise ConfigError(
                f"{entry.plugin.info.title} needs no authorization: access is proved with the settings.",
                code="authorization_not_needed",
            )
        if missing := self.flow.missing_before_authorization(integration_id):
            named = " and ".join(step.title for step in missing)
            raise ConfigError(
                f"Answer {named} first: access is authorized with that.",
                code="answers_first",
                advice=Advice(Remedy.SET_UP, integration_id),
            )
        return entry

    def _ask(self, entry: Entry, callback_url: str, state: str) -> Redirect | Grant:
        request = AuthorizationStart(state=state, callback_url=callback_url)
        return entry.plugin.authorize(entry.handle, request)

    def _redeem(self, state: str, initiator: Initiator) -> Authorization:
        begun = self.begun(state)
        if begun is None or begun.returned_at is not None:
            raise _unknown()
        if not self._store.authorizations.redeem(state, initiator.mark, self.flow.clock.now()):
            raise ConfigError(
                "This authorization was started somewhere else.",
                code="begun_elsewhere",
                fix="Finish it in the browser or terminal where it was started, or start again.",
            )
        return begun

    def _returned(self, begun: Authorization, parameters: Mapping[str, str], site: str | None) -> Returned:
        entry = self._registry.entry(begun.integration_id)
        request = AuthorizationReturn(callback_url=begun.callback_url, parameters=dict(parameters), site=site)
        grant = entry.plugin.authorize(entry.handle, request)
        before = self._store.grants.get(begun.integration_id)
        is_other = before is not None and is_other_account(before, grant)
        if begun.begun_by is not Begun.TERMINAL and not (is_other and begun.begun_by is Begun.CONSOLE):
            return Returned(begun.integration_id, self._keep_grant(entry, grant, other_account=False), is_held=False)
        if before is not None and before.site is not None:
            grant = at_former_site(before.site, grant)
            refuse_other(before, grant, other_account=True)
        self._store.authorizations.hold(begun, grant, self.flow.clock.now() + RETURN_WITHIN)
        self.flow.log.info("authorization_held", integration=begun.integration_id, account=grant.account_name)
        return Returned(begun.integration_id, grant, is_held=True)

    def _keep_grant(self, entry: Entry, grant: Grant, *, other_account: bool, other_site: bool = False) -> Grant:
        before = self._store.grants.get(entry.record.id)
        is_new = entry.record.activated_at is None and before is not None and before.is_outdated
        if before is not None and before.site is not None and not other_site and not is_new:
            grant = at_former_site(before.site, grant)
            refuse_other(before, grant, other_account=other_account)
        self._store.grants.save(entry.record.id, grant)
        self._store.checkups.forget(entry.record.id)
        entry.keeper.forget()
        if grant.site is None and grant.sites:
            return grant
        self._store.integrations.note_problem(entry.record.id, NO_PROBLEM, NO_PROBLEM)
        self.flow.log.info("authorized", integration=entry.record.id, account=grant.account_name)
        in_file = self.flow.written().get(entry.record.id)
        if in_file is not None and in_file.enabled:
            self.flow.activate(entry.record.id)
        self._store.lanes.wake_all(entry.record.id, self.flow.clock.now())
        return grant

    def _forget_choices(self, record: IntegrationRecord) -> None:
        """Drop what was chosen from the lists of another site, and what was learnt about it."""
        self._store.knowledge.forget(record.id)
        of_lists = {FieldKind.CHOICE, FieldKind.GROUP}
        listed = {f.key for step in self.flow.steps(record.id) for f in step.fields if f.kind in of_lists}
        self.flow.change(
            record.id,
            lambda known: replace(known, answers={k: v for k, v in known.answers.items() if k not in listed}),
        )


def _chosen(grant: Grant, wanted: str) -> Site:
    chosen = next((site for site in grant.sites if wanted in {site.id, site.url, site.name}), None)
    if chosen is None:
        names = ", ".join(site.name for site in grant.sites)
        raise ConfigError(f"The authorization does not reach {wanted!r}; it reaches: {names}.")
    return chosen


def _unknown() -> ConfigError:
    return ConfigError(
        "This authorization was not started here, was used already, or took too long.",
        code="state_unknown",
        fix="Start again.",
        advice=Advice(Remedy.AUTHORIZE),
    )
