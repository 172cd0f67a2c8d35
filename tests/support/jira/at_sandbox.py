"""An integration at a sandbox over HTTP, without a daemon: hooks are called as the core would call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from connector_core import (
    AuthorizationReturn,
    AuthorizationStart,
    CreateTicket,
    FieldName,
    Grant,
    Incident,
    Integration,
    Receipt,
    Redirect,
    TicketQuery,
    TicketSnapshot,
)
from connector_core.testing import FrozenClock, MemoryCore
from connector_jira_jsm.auth.authorization import authorize
from connector_jira_jsm.settings import JiraSettings, PluginSettings
from connector_jira_jsm.tickets.reading import fetch
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.changes import write
from tests.support.jira.handles import NOW, build
from tests.support.jira.openapi_check import assert_calls_match_openapi

CALLBACK = "http://127.0.0.1:9/oauth/callback"


@dataclass
class Place:
    """A sandbox, and an integration that was authorized there."""

    sandbox: JiraSandbox
    integration: Integration
    core: MemoryCore
    clock: FrozenClock
    opened: int = 0
    #: Calls that the site answers otherwise than Atlassian describes, as `METHOD path` matches.
    undescribed: str | None = None

    def open(self, **fields: Any) -> tuple[CreateTicket, TicketSnapshot]:  # noqa: ANN401 - fields of an incident
        """Open a ticket for an incident; return what was written and the ticket."""
        self.opened += 1
        incident = Incident.model_validate({"id": f"inc-{self.opened}", "title": f"Fan {self.opened} failed", **fields})
        change = CreateTicket(incident=incident, marker=f"cnx-{self.opened:020x}")
        receipt = write_change(self.integration, change)
        assert isinstance(receipt, Receipt)
        return change, receipt.ticket

    def update(self, change: CreateTicket, ticket: TicketSnapshot, *names: FieldName, **fields: Any) -> Receipt:  # noqa: ANN401 - as above
        """Write changed fields of the incident to its ticket."""
        incident = Incident.model_validate({**change.incident.model_dump(), **fields})
        receipt = write_change(self.integration, write(change, ticket, *names, incident=incident))
        assert isinstance(receipt, Receipt)
        return receipt

    def seen(self, ticket: TicketSnapshot) -> TicketSnapshot:
        """Read a ticket again, as the core does when it hears of a change."""
        (shown,) = fetch(self.integration, TicketQuery(ids=frozenset({ticket.id})))
        assert isinstance(shown, TicketSnapshot)
        return shown

    def control(self, path: str, **asked: Any) -> requests.Response:  # noqa: ANN401 - JSON
        """Do something at the sandbox as a test in another process would."""
        return requests.post(f"{self.sandbox.url}/_sandbox/{path}", json=asked, timeout=10)

    def rest(self, method: str, path: str, **asked: Any) -> requests.Response:  # noqa: ANN401 - JSON
        """Call the site's own API as somebody with an API token."""
        login = (self.sandbox.email, self.sandbox.api_token)
        return requests.request(method, f"{self.sandbox.url}/rest/{path}", auth=login, timeout=10, **asked)


@contextmanager
def place(
    *,
    clock: FrozenClock | None = None,
    more: Mapping[str, object] | None = None,
    **options: Any,  # noqa: ANN401 - the sandbox's
) -> Iterator[Place]:
    """Put up a sandbox and authorize an integration there; its calls are held against the published API at the end.

    `more` are settings beside those of a working integration.
    """
    clock = clock or FrozenClock(NOW)
    with JiraSandbox(clock=clock.now, **{"search_lag_s": 0.0, **options}) as sandbox:
        shared = PluginSettings.model_validate(sandbox.plugin_settings())
        settings = JiraSettings.model_validate({**sandbox.integration_settings(), **(more or {})})
        integration, core = build(settings=settings, plugin_settings=shared, clock=clock)
        redirect = authorize(integration, AuthorizationStart(state="s", callback_url=CALLBACK))
        assert isinstance(redirect, Redirect)
        returned = dict(parse_qsl(urlsplit(sandbox.approve(redirect.url)).query))
        grant = authorize(integration, AuthorizationReturn(callback_url=CALLBACK, parameters=returned))
        assert isinstance(grant, Grant)
        core.present = grant
        place = Place(sandbox, integration, core, clock)
        yield place
        assert_calls_match_openapi(sandbox.calls, allow=place.undescribed)
