"""Removing an organization with everything that is stored of it, and saying what stays elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.setup.in_force import applied
from connector_core.store import Store

#: What the console calls whoever has the one password.
_SINGLE = "admin"


@dataclass(frozen=True)
class LeftElsewhere:
    """What stays in a ticketing system once an integration is removed."""

    integration: str
    plugin: str
    #: Where it is, as people call it; empty where that is not known.
    site: str
    #: Tickets that were linked; they stay as they are.
    tickets: int
    #: It has a webhook of the connector's own.
    has_webhook: bool


@dataclass(frozen=True)
class Removal:
    """What is stored of an organization, or was removed, as rows by table, and what stays elsewhere."""

    organization: str
    rows: Mapping[str, int]
    elsewhere: Sequence[LeftElsewhere]
    #: The integrations whose webhook may still be registered.
    webhooks_left: Sequence[str] = ()


@dataclass(frozen=True)
class Organizations:
    """What can be done about an organization as a whole; `drop_webhook` says whether none is left behind."""

    store: Store
    config: Config
    drop_webhook: Callable[[str], bool]
    log: FilteringBoundLogger

    def look(self, organization: str, written: Collection[str] = ()) -> Removal:
        """Return what would be removed; `written` are organizations that stand in the file beside those in force.

        Raises:
            ConfigError: nothing is stored of it, or it stands in the configuration file.
        """
        self._refuse_present(organization, written)
        removals = self.store.removals
        if not (removals.exists(organization) or organization in removals.under_way()):
            raise ConfigError(
                f"Nothing is stored of an organization {organization!r}.",
                code="organization_unknown",
                fix="See how it is written in the list of integrations.",
            )
        return Removal(organization, removals.stored(organization), self._elsewhere(organization))

    def remove(self, organization: str, progress: Callable[[], object] = lambda: None) -> Removal:
        """Remove it, a few rows in a transaction; `progress` is called after each.

        Whoever is stopped calls again: it goes on, and counts what was removed before.

        Raises:
            ConfigError: as `look`.
        """
        found = self.look(organization)
        left = [
            one.integration for one in found.elsewhere if one.has_webhook and not self.drop_webhook(one.integration)
        ]
        for _ in self.store.removals.remove_all(organization):
            progress()
        rows = self.store.removals.finish(organization, self._users())
        self.log.info("organization_removed", organization=organization, rows=sum(rows.values()))
        return Removal(organization, rows, found.elsewhere, left)

    # Private

    def _refuse_present(self, organization: str, written: Collection[str]) -> None:
        if organization in self.config.organizations or organization in written:
            raise ConfigError(
                f"{organization} stands in {self.config.path}.",
                code="organization_configured",
                fix="Take it out of the file, have the daemon apply that, then remove it.",
            )
        in_force = applied(self.store)
        if in_force is not None and organization in (in_force.values.get("organizations") or {}):
            raise ConfigError(
                f"The daemon still works for {organization}: it has not applied the changed file.",
                code="organization_configured",
                advice=Advice(Remedy.APPLY_CONFIG),
            )

    def _elsewhere(self, organization: str) -> list[LeftElsewhere]:
        records = [one for one in self.store.integrations.every() if one.organization == organization]
        tickets = self.store.removals.tickets(organization)
        found = []
        for record in records:
            managed = self.store.webhooks.managed(record.id)
            found.append(
                LeftElsewhere(
                    record.id,
                    record.plugin,
                    record.site.name if record.site is not None else "",
                    tickets.get(record.id, 0),
                    has_webhook=managed is not None and managed.registration is not None,
                )
            )
        return found

    def _users(self) -> frozenset[str]:
        single = () if self.config.console.password is None else (_SINGLE,)
        return frozenset((*self.config.console.users, *single))
