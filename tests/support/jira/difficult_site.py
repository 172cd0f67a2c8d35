"""Handles on a sandbox: the plugin's hooks over real HTTP, with an API token."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from connector_core import CloseTicket, CreateTicket, Grant, Incident, Integration, Receipt, Site, TicketSnapshot
from connector_core.testing import FrozenClock
from connector_jira_jsm.settings import JiraIntegration, JiraSettings
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.handles import NOW, build

PLAIN_TYPE = "27"  # asks for nothing but summary and description


def handle(sandbox: JiraSandbox, *, memory_of: JiraIntegration | None = None, **settings: Any) -> JiraIntegration:  # noqa: ANN401 - settings
    """Return a handle on a sandbox with these settings; its clock stands still, its memory may be another handle's."""
    login = base64.b64encode(f"{sandbox.email}:{sandbox.api_token}".encode()).decode()
    grant = Grant(
        headers={"Authorization": SecretStr(f"Basic {login}")},
        base_url=sandbox.url,
        account_id=sandbox.profile.account.account_id,
        site=Site(id="sandbox", name="sandbox", url=sandbox.url),
    )
    simple = {name: sandbox.integration_settings()[name] for name in ("service_desk", "close_status")}
    given = {**simple, "request_type": PLAIN_TYPE, **settings}
    made, _ = build(
        settings=JiraSettings.model_validate(given), answers=given, grant=grant, secrets=("s",), clock=FrozenClock(NOW)
    )
    return made if memory_of is None else replace(made, memory=memory_of.memory)


def incident(**changes: object) -> Incident:
    """Return an incident."""
    return Incident.model_validate({"id": "inc-1", "title": "Bild weg", "priority": "high", **changes})


def opened(integration: Integration, **changes: object) -> TicketSnapshot:
    """Open a ticket for an incident."""
    receipt = write_change(integration, CreateTicket(incident=incident(**changes), marker="cnx-1"))
    assert isinstance(receipt, Receipt)
    return receipt.ticket


def closed(integration: Integration, ticket: TicketSnapshot) -> Receipt:
    """Close a ticket."""
    change = CloseTicket(incident=incident(), marker="cnx-1", ticket=ticket)
    receipt = write_change(integration, change)
    assert isinstance(receipt, Receipt)
    return receipt


def calls(sandbox: JiraSandbox, since: int = 0) -> list[str]:
    """List the calls from a certain one on, as method and the end of the path."""
    return [f"{call.method} {call.path.removeprefix('/rest/')}" for call in sandbox.calls[since:]]
