"""What is synced of an integration, and when it is tested: for all its links at once, open ones too."""

from __future__ import annotations

from dataclasses import replace

from connector_core.contract.comment_rules import COMMENT_HOOKS, ToIncident, ToTicket
from connector_core.contract.daily import time_of_day
from connector_core.contract.errors import ConfigError
from connector_core.contract.merge import DEFAULT_RULES, Rules
from connector_core.setup.integrations import SetupFlow
from connector_core.store import IntegrationRecord


def set_synced(
    setup: SetupFlow,
    integration_id: str,
    rules: Rules,
    to_ticket: ToTicket | None = None,
    to_incident: ToIncident | None = None,
) -> None:
    """Change how fields are kept in sync and which comments are, in one step; what is left out stays as it is.

    Raises:
        ConfigError: the integration is written in the configuration file, or its plugin cannot sync comments so.
    """
    plugin = setup.registry.entry(integration_id).plugin
    wanted = {COMMENT_HOOKS["to_ticket"]: to_ticket, COMMENT_HOOKS["to_incident"]: to_incident}
    if not all(plugin.implements(hook) for hook, value in wanted.items() if value not in {None, "none"}):
        raise ConfigError(f"The plugin {plugin.name} cannot sync comments this way.", code="comments_unsupported")
    now = setup.clock.now()

    def synced(known: IntegrationRecord) -> IntegrationRecord:
        kept = known.comments
        comments = kept.changed(to_ticket or kept.to_ticket, to_incident or kept.to_incident, now)
        fields = {name: rule for name, rule in {**known.rules, **rules}.items() if rule != DEFAULT_RULES[name]}
        return replace(known, rules=fields, comments=comments)

    setup.change_here(integration_id, synced)
    setup.store.lanes.wake_all(integration_id, now)


def set_test_at(setup: SetupFlow, integration_id: str, text: str) -> None:
    """Change when a test incident is sent each day: `nightly`, a time of UTC, or nothing for never.

    Raises:
        ConfigError: the integration is written in the configuration file, or that is no time.
    """
    at = time_of_day(text)
    if at is None:
        raise ConfigError(
            f"{text!r} is not a time of day.",
            code="test_time_unknown",
            fix="Use nightly, a time like 03:30 in UTC, or off.",
        )
    setup.change_here(integration_id, lambda known: replace(known, test_at=at))
