"""Routing of an organization's incidents: its rules, what they would have done, and what they left without a ticket.

Free of any user interface. Rules that are written in the configuration file go before those made here, and are never
changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.config import Config
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.contract.models import Incident
from connector_core.contract.routing import RoutingRules, checked, matching
from connector_core.registry.integrations import Registry
from connector_core.setup.questionnaire import ChangedMeanwhile
from connector_core.store import IntegrationRecord, Origin, Routing, Store, Unsent

TRIED_DAYS = 30
#: Of so many incidents it is said what would have become of them, the latest.
MOST_TRIED = 5_000
MOST_UNSENT = 500


@dataclass(frozen=True)
class Tried:
    """Where an incident would have gone, and where it is."""

    incident: Incident
    opened_at: datetime
    #: The number of the rule, from 1; 0 where none matches or there are no rules.
    rule: int
    would_go_to: Sequence[str]
    went_to: Sequence[str]

    @property
    def is_other(self) -> bool:
        """Whether it would have gone elsewhere."""
        return set(self.would_go_to) != set(self.went_to)


@dataclass(frozen=True)
class RoutingSetup:
    """Each method is about one organization, which has to be one of the file."""

    store: Store
    registry: Registry
    config: Config
    clock: Clock
    log: FilteringBoundLogger

    def present(self, organization: str) -> Routing | None:
        """Return the rules in force; None when every active integration takes each incident."""
        self._require(organization)
        return self.store.routing.in_force(organization)

    def integrations(self, organization: str) -> list[IntegrationRecord]:
        """Return the integrations that a rule may name."""
        return [one for one in self.registry.records().values() if one.organization == organization]

    def save(self, organization: str, rules: RoutingRules, by: str, known: Routing | None) -> None:
        """Have the next incidents sent by other rules; those that are linked stay where they are.

        Raises:
            ConfigError: the file has rules, one of these is wrong, or somebody changed them meanwhile.
        """
        self._require(organization)
        present = self.store.routing.in_force(organization)
        if present is not None and present.origin is Origin.YAML:
            raise ConfigError(
                f"The routing of {organization} is written in {self.config.path}.",
                code="written_in_file",
                fix=f"Change organizations.{organization}.routing there, and apply the file.",
                advice=Advice(Remedy.APPLY_CONFIG),
            )
        self.check(organization, rules)
        if not self.store.routing.put(organization, rules, known, by, self.clock.now()):
            raise ChangedMeanwhile(f"the routing of {organization}")
        self.log.info("routing_changed", organizations=[organization], by=by, rules=len(rules))

    def check(self, organization: str, rules: RoutingRules) -> None:
        """Refuse rules that make no sense, or name what is not there.

        Raises:
            ConfigError: with the rule, and why.
        """
        try:
            checked(rules)
        except ValueError as exc:
            text = str(exc)
            raise ConfigError(f"{text[:1].upper()}{text[1:]}.", code="routing_invalid") from exc
        known = [one.id for one in self.integrations(organization)]
        for number, rule in enumerate(rules, 1):
            for name in rule.to:
                if name not in known:
                    raise ConfigError(
                        f"Rule {number} names {name!r}, and {organization} has no such integration.",
                        code="routing_integration_unknown",
                        fix=f"Name one of: {', '.join(known) or 'none yet; make one first'}.",
                    )

    def try_out(self, organization: str, rules: RoutingRules, days: int = TRIED_DAYS) -> list[Tried]:
        """Return where the incidents of so many days would have gone, the latest first; nothing is changed.

        Each is taken as it is known today: its priority or title may have been another one when it was opened.
        """
        self._require(organization)
        since = self.clock.now() - timedelta(days=days)
        everywhere = [one.integration_id for one in self.registry.targets(organization)]
        found = []
        for one in self.store.routing.lately(organization, since, MOST_TRIED):
            number = matching(rules, one.incident)
            to = rules[number - 1].to if number else () if rules else everywhere
            found.append(Tried(one.incident, one.opened_at, number, to, one.linked))
        return found

    def unsent(self, organization: str) -> list[Unsent]:
        """Return the incidents that have no ticket, or not all of theirs, by the rules."""
        self._require(organization)
        return self.store.routing.unsent(organization, MOST_UNSENT)

    def send(self, organization: str, incident: str, integration: str, by: str) -> int:
        """Send an incident without a ticket to an integration; return its link.

        Raises:
            ConfigError: the integration is not active, or the incident needs no ticket by the rules.
        """
        self._require(organization)
        target = next((one for one in self.registry.targets(organization) if one.integration_id == integration), None)
        if integration not in {one.id for one in self.integrations(organization)}:
            raise ConfigError(
                f"{organization} has no integration {integration!r}.",
                code="integration_unknown",
                advice=Advice(Remedy.LIST_INTEGRATIONS),
            )
        if organization not in self.store.removals.owners(incident):
            raise ConfigError(
                f"Nothing is known of an incident {incident!r} of {organization}.",
                code="unknown",
                advice=Advice(Remedy.LIST_UNSENT, organization),
            )
        if target is None:
            raise ConfigError(
                f"{organization} has no active integration {integration!r}.",
                code="integration_not_active",
                advice=Advice(Remedy.LIST_INTEGRATIONS),
            )
        link = self.store.routing.send(organization, incident, target, by, self.clock.now())
        if link is None:
            raise ConfigError(
                f"{incident!r} is no open incident of {organization} that lacks a ticket by the rules.",
                code="not_unsent",
                advice=Advice(Remedy.LIST_UNSENT, organization),
            )
        self.log.info("incident_sent", organization=organization, incident=incident, integration=integration, by=by)
        return link

    def _require(self, organization: str) -> None:
        if organization not in self.config.organizations:
            raise ConfigError(
                f"There is no organization {organization!r} in {self.config.path}.",
                code="organization_unknown",
                fix=f"There are: {', '.join(self.config.organizations) or 'none'}.",
            )
