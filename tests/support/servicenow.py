"""The ServiceNow plugin at its stand-in: a handle whose session carries a grant, and incidents to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from connector_core import (
    Clock,
    CreateTicket,
    Incident,
    Integration,
    Receipt,
    TicketSnapshot,
    WriteFields,
    sample_incident,
)
from connector_core.kit.rest import basic
from connector_core.testing import MemoryCore, make_integration
from connector_servicenow import describe_plugin, on_incident_event
from connector_servicenow_sandbox import ServiceNowSandbox

MARKER = "cnx-0123456789abcdef0123"


def at(sandbox: ServiceNowSandbox, clock: Clock, **settings: object) -> Integration[Any]:
    """Return an integration with the instance, authorized as its account."""
    name, password = sandbox.account
    given = {**sandbox.integration_settings(), **settings}
    integration = make_integration(
        describe_plugin(), given, core=MemoryCore(), clock=clock, webhook_secrets=("s3cret",)
    )
    integration.session.auth = None
    integration.session.headers.update(
        {key: value.get_secret_value() for key, value in basic(name, SecretStr(password)).items()}
    )
    return integration


def unfinished(integration: Integration[Any], answers: Mapping[str, Any], **secrets: str) -> Integration[Any]:
    """Return the same integration with these answers and nothing else yet."""
    sealed = {name: SecretStr(value) for name, value in secrets.items()}
    return replace(integration, settings=None, answers=answers, secret_answers=sealed)


def incident(**fields: object) -> Incident:
    """Return an incident that has every value, some of them as given."""
    return sample_incident().model_copy(update=fields)


def opened(integration: Integration[Any], **fields: object) -> TicketSnapshot:
    """Open a ticket."""
    receipt = on_incident_event(integration, CreateTicket(incident=incident(**fields), marker=MARKER))
    ticket: TicketSnapshot = receipt.ticket
    return ticket


def edited(integration: Integration[Any], ticket: TicketSnapshot, **fields: object) -> Receipt:
    """Write the named fields of an incident to its ticket."""
    change = WriteFields(incident=incident(**fields), marker=MARKER, ticket=ticket, fields=frozenset(fields))
    receipt = on_incident_event(integration, change)
    assert isinstance(receipt, Receipt)
    return receipt
