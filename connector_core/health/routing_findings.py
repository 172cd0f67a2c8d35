"""What is wrong with an organization's rules for incidents, and what waits because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.models import Finding, Severity
from connector_core.registry.integrations import Registry
from connector_core.store import IntegrationRecord, IntegrationState, RouteState, Routing, Store

UNKNOWN, INACTIVE, NO_OTHERWISE = "routing_integration_unknown", "routing_integration_inactive", "routing_no_otherwise"
WAITING, UNMATCHED = "incidents_waiting", "incidents_unmatched"


def routing_findings(store: Store, registry: Registry) -> dict[str, list[Finding]]:
    """Return what is to be known of each organization's rules, and of incidents without a ticket by them."""
    unsent = store.routing.unsent_open()
    rules = {one.organization: one for one in store.routing.every()}
    records = registry.records()
    found = {
        name: [*_of_rules(rules.get(name), records), *_of_incidents(name, unsent.get(name, {}))]
        for name in sorted({*rules, *unsent})
    }
    return {name: findings for name, findings in found.items() if findings}


def findings_of(store: Store, registry: Registry, organization: str) -> list[Finding]:
    """Return the same of one organization."""
    unsent = store.routing.unsent_open().get(organization, {})
    return [
        *_of_rules(store.routing.in_force(organization), registry.records()),
        *_of_incidents(organization, unsent),
    ]


def _of_rules(routing: Routing | None, records: Mapping[str, IntegrationRecord]) -> list[Finding]:
    if routing is None:
        return []
    named = dict.fromkeys(name for rule in routing.rules for name in rule.to)
    found = [_of_integration(name, routing, records) for name in named]
    if not routing.rules[-1].when.is_any:
        title = "An incident that no rule matches gets no ticket"
        found.append(
            _warning(NO_OTHERWISE, title, fix="Add a last rule without conditions if each is to get a ticket.")
        )
    return [one for one in found if one is not None]


def _of_integration(name: str, routing: Routing, records: Mapping[str, IntegrationRecord]) -> Finding | None:
    numbers = [str(number) for number, rule in enumerate(routing.rules, 1) if name in rule.to]
    by = f"Rule {', '.join(numbers)} sends incidents to {name}"
    record = records.get(name)
    if record is None or record.organization != routing.organization:
        return Finding(
            code=UNKNOWN,
            severity=Severity.PROBLEM,
            title=f"{by}, and the organization has no such integration",
            detail=_WAIT,
            fix="Make it, or name another one in the rule.",
        )
    if record.state is IntegrationState.ACTIVE:
        return None
    return Finding(
        code=INACTIVE,
        severity=Severity.PROBLEM,
        title=f"{by}, which is not active",
        detail=_WAIT,
        fix=f"Activate {name}, or name another one in the rule.",
    )


_WAIT = "Incidents wait for it, up to 30 days, and get their tickets when it is active."


def _of_incidents(organization: str, unsent: Mapping[RouteState, int]) -> Sequence[Finding]:
    waiting, unmatched = unsent.get(RouteState.WAITING, 0), unsent.get(RouteState.UNMATCHED, 0)
    found, unsent_there = [], Advice(Remedy.LIST_UNSENT, organization)
    if waiting:
        fix = "Activate the integration, or see which they are."
        title = f"{_counted(waiting)} for an integration that is not active"
        found.append(Finding(code=WAITING, severity=Severity.PROBLEM, title=title, fix=fix, advice=unsent_there))
    if unmatched:
        fix = "Add a rule for the next ones, and send these by hand."
        verb = "has" if unmatched == 1 else "have"
        noun = "incident" if unmatched == 1 else "incidents"
        title = f"{unmatched} open {noun} {verb} no ticket: no rule matches"
        found.append(_warning(UNMATCHED, title, fix=fix).model_copy(update={"advice": unsent_there}))
    return found


def _counted(waiting: int) -> str:
    return "1 incident waits" if waiting == 1 else f"{waiting} incidents wait"


def _warning(code: str, title: str, *, fix: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, title=title, fix=fix)
