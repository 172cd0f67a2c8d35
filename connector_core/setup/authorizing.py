"""Authorizing an integration: where a person is sent, what they come back with, and the grant that is kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from connector_core.contract.accounts import at_former_site, refuse_other
from connector_core.contract.errors import AuthError, ConfigError
from connector_core.contract.models import AuthorizationReturn, AuthorizationStart, Grant, Redirect
from connector_core.contract.setup_steps import FieldKind
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.setup.integrations import NO_PROBLEM, SetupFlow
from connector_core.store import IntegrationRecord, Store

RETURN_WITHIN = timedelta(minutes=30)
OTHER_ACCOUNT = "other-account."  # begins a state whose person said beforehand that another account is meant


@dataclass(frozen=True)
class Authorizing:
    """The step of set-up that takes a person, if any, to the other side and back."""

    flow: SetupFlow

    @property
    def _store(self) -> Store:
        return self.flow.store

    @property
    def _registry(self) -> Registry:
        return self.flow.registry

    def start(self, integration_id: str, *, other_account: bool = False) -> Redirect | Grant:
        """Begin an authorization: where to send the person, or the grant if no person is needed."""
        entry = self._registry.entry(integration_id)
        state = (OTHER_ACCOUNT if other_account else "") + secrets.token_urlsafe(32)
        callback_url = f"{self.flow.config.server.public_url}/oauth/callback"
        request = AuthorizationStart(state=state, callback_url=callback_url)
        answer = entry.plugin.call("authorize", integration=entry.handle, request=request)
        if isinstance(answer, Grant):
            return self._keep_grant(entry, answer, other_account=other_account)
        if not isinstance(answer, Redirect):
            raise ConfigError(f"Plugin {entry.plugin.name} does not say how to authorize.")
        self._store.grants.expect_return(state, integration_id, callback_url, self.flow.clock.now() + RETURN_WITHIN)
        return answer

    def finish(
        self, parameters: Mapping[str, str], *, site: str | None = None, other_account: bool = False
    ) -> tuple[str, Grant]:
        """Take the parameters that the person came back with; the integration they are for, and its grant.

        A grant without a site is kept until `choose_site`. A state is good once, for `RETURN_WITHIN`.
        """
        state = parameters.get("state", "")
        expected = self._store.grants.redeem_return(state, self.flow.clock.now()) if state.isascii() else None
        if expected is None:
            raise ConfigError(
                "This authorization was not started here, was used already, or took too long.",
                code="state_unknown",
                fix="Start again with: connector integrations authorize",
            )
        integration_id, callback_url = expected
        entry = self._registry.entry(integration_id)
        request = AuthorizationReturn(callback_url=callback_url, parameters=dict(parameters), site=site)
        grant = entry.plugin.call("authorize", integration=entry.handle, request=request)
        if not isinstance(grant, Grant):
            raise ConfigError(f"Plugin {entry.plugin.name} gave back no grant.")
        kept = self._keep_grant(entry, grant, other_account=other_account or state.startswith(OTHER_ACCOUNT))
        return integration_id, kept

    def returning_to(self, parameters: Mapping[str, str]) -> str | None:
        """Return the integration that somebody comes back for, as long as their state is good."""
        return self._store.grants.expected_return(parameters.get("state", ""))

    def choose_site(self, integration_id: str, site_id: str) -> Grant:
        """Settle an authorization that reaches several sites on one of them."""
        entry = self._registry.entry(integration_id)
        grant = self._store.grants.get(integration_id)
        if grant is None:
            raise AuthError("Nobody has authorized access yet.")
        chosen = next((site for site in grant.sites if site_id in {site.id, site.url, site.name}), None)
        if chosen is None:
            names = ", ".join(site.name for site in grant.sites)
            raise ConfigError(f"The authorization does not reach {site_id!r}; it reaches: {names}.")
        if grant.site is not None and grant.site.id != chosen.id and entry.record.activated_at is None:
            self._forget_choices(entry.record)
            return self._keep_grant(entry, grant.at_site(chosen), other_account=True, other_site=True)
        return self._keep_grant(entry, grant.at_site(chosen), other_account=True)

    def _keep_grant(self, entry: Entry, grant: Grant, *, other_account: bool, other_site: bool = False) -> Grant:
        before = self._store.grants.get(entry.record.id)
        if before is not None and before.site is not None and not other_site:
            grant = at_former_site(before.site, grant)
            refuse_other(before, grant, other_account=other_account)
        self._store.grants.save(entry.record.id, grant)
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
