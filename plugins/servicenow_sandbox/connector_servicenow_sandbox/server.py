"""The sandbox as one object: an instance on loopback, with people in it who can be told what to do."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

import requests
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connector_servicenow_sandbox.business_rules import Attempt, BusinessRules, RuleScheme
from connector_servicenow_sandbox.callers import Callers, RateLimit
from connector_servicenow_sandbox.database import Database
from connector_servicenow_sandbox.edge import Edge
from connector_servicenow_sandbox.faults import Fault, FaultPlan
from connector_servicenow_sandbox.oauth import Client, Tokens
from connector_servicenow_sandbox.oauth_routes import OAuthRoutes
from connector_servicenow_sandbox.pages import incident_page, list_page, message_page
from connector_servicenow_sandbox.person import People
from connector_servicenow_sandbox.profile import ACCOUNT, DEFAULT, InstanceProfile
from connector_servicenow_sandbox.recorder import RecordedCall, Recorder
from connector_servicenow_sandbox.table_api import TableApi
from connector_servicenow_sandbox.times import SandboxClock, utc_now
from connector_servicenow_sandbox.writing import Writer

API_KEY = "sandbox-api-key"
_TIMEOUT_S = 10.0
_SYS_ID = re.compile(r"[0-9a-f]{32}")


class _Server(uvicorn.Server):
    """A server that ends the moment it is told to; uvicorn itself looks ten times a second and then waits."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end: Future[None] = Future()

    async def main_loop(self) -> None:
        """Serve until the end."""
        await asyncio.wrap_future(self._told_to_end)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop all connections, where uvicorn would wait for them."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()

    def end(self) -> None:
        """Tell the server to end."""
        if not self._told_to_end.done():
            self._told_to_end.set_result(None)


class ServiceNowSandbox:
    """A stand-in for one instance, as far as its incidents go."""

    title = "ServiceNow sandbox"
    abilities = frozenset(
        {"edits_description", "webhooks", "comments", "consent", "deletes", "hides", "reopens", "interrupts"}
    )

    def __init__(
        self,
        profile: InstanceProfile = DEFAULT,
        *,
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
        scheme: RuleScheme | None = None,
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.client = Client()
        self.api_key = API_KEY
        self.scheme = scheme or RuleScheme()
        self.clock = SandboxClock(clock)
        self._database = Database(profile, self.clock)
        self.rules = BusinessRules(self.clock)
        writer = Writer(self._database, [self.rules.tell])
        self.people = People(self._database, writer, self.url)
        self.tokens = Tokens(self._database, self.client)
        callers = Callers(self._database, self.tokens, self.api_key)
        self._api = TableApi(self._database, writer, callers, RateLimit(self._database), self.url)
        self.faults = FaultPlan()
        self.recorder = Recorder()
        routes = [
            *OAuthRoutes(self._database, self.tokens).routes(),
            *self._api.routes(),
            Route("/", self._list_page),
            Route("/nav_to.do", self._incident_page),
        ]
        self._edge = Edge(Starlette(routes=routes), self.recorder, self.faults, self.clock)
        config = uvicorn.Config(
            self._edge, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox-server", daemon=True
        )

    async def _list_page(self, _: Request) -> Response:
        return HTMLResponse(list_page(self.tickets()))

    async def _incident_page(self, request: Request) -> Response:
        found = _SYS_ID.search(request.url.query)
        try:
            ticket = self.ticket(found[0] if found else "")
        except KeyError:
            return HTMLResponse(message_page("Record not found", "It is gone, or it is not shown to you."), 404)
        return HTMLResponse(incident_page(ticket, self.comments(ticket["id"])))

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Begin to serve; connections made at once wait in the socket's queue."""
        self.rules.start()
        self._thread.start()

    def stop(self) -> None:
        """End the server and the rules; what was in memory is gone."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(timeout=_TIMEOUT_S)
        self.rules.stop()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------------ settings

    def plugin_settings(self) -> dict[str, object]:
        """Return what goes under `plugins: servicenow:`: nothing, each customer has a client of their own."""
        return {}

    def integration_settings(self) -> dict[str, object]:
        """Return the settings of a working integration that signs in with OAuth."""
        profile = self.profile
        return {
            "instance": self.url,
            "client_id": self.client.client_id,
            "client_secret": SecretStr(self.client.client_secret),
            "assignment_group": self.group_id(profile.groups[0]),
            "close_code": profile.close_codes[0],
        }

    def group_id(self, name: str) -> str:
        """Return the sys_id of an assignment group."""
        return self._database.by_display("sys_user_group", name)

    @property
    def account(self) -> tuple[str, str]:
        """User name and password of the account that the connector uses."""
        person = self.profile.person(ACCOUNT.user_name) or ACCOUNT
        return person.user_name, person.password

    # ------------------------------------------------------------------ the administrator

    @property
    def profile(self) -> InstanceProfile:
        """How the instance is set up now."""
        return self._database.profile

    def administer(self, **changes: Any) -> None:  # noqa: ANN401 - any of the profile's attributes
        """Change the instance as its administrator would: lists, rules, switches, access rules."""
        with self._database.lock:
            self._database.use(replace(self.profile, **changes))

    def set_account(self, **changes: Any) -> None:  # noqa: ANN401 - any of a person's attributes
        """Change the connector's account: `roles`, `time_zone`, `password`; its user name stays."""
        people = tuple(
            replace(one, **changes) if one.user_name == ACCOUNT.user_name else one for one in self.profile.people
        )
        self.administer(people=people)

    def approve(self, authorize_url: str) -> str:
        """Play the person who consents; return the address that their browser would be sent to."""
        return self._decide(authorize_url, "allow")

    def decline(self, authorize_url: str) -> str:
        """Play the person who does not consent."""
        return self._decide(authorize_url, "deny")

    def _decide(self, authorize_url: str, decision: str) -> str:
        with requests.Session() as session:
            session.trust_env = False
            session.get(authorize_url, timeout=_TIMEOUT_S).raise_for_status()
            parts = urlsplit(authorize_url)
            target = f"{parts.scheme}://{parts.netloc}{parts.path}?{parts.query}"
            answer = session.post(target, data={"decision": decision}, timeout=_TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            return answer.headers["Location"]

    def register_webhook(self, url: str, secret: str, scheme: RuleScheme | None = None) -> None:
        """Paste the Business Rule: signed requests to an address from now on."""
        self.rules.paste(url, secret, scheme or self.scheme)

    def sleep(self) -> None:
        """Hibernate: every address answers 200 with a page."""
        self._edge.asleep = True

    def wake(self) -> None:
        """Wake up."""
        self._edge.asleep = False

    # ------------------------------------------------------------------ people

    def tickets(self) -> list[dict[str, Any]]:
        """List all tickets."""
        return self.people.tickets()

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Show one ticket; KeyError when there is none."""
        return self.people.ticket(ticket_id)

    def edit_ticket(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields as an agent would; `priority` is one of the connector's words."""
        self.people.edit(ticket_id, title=title, description=description, priority=priority)

    def interrupt(self, act: Callable[[], object]) -> None:
        """Have somebody act once, between the next change by the API and the reading of its answer."""
        self._api.interruptions.append(act)

    def finish_ticket(self, ticket_id: str) -> None:
        """Resolve a ticket, as an agent would."""
        self.people.finish(ticket_id)

    def reopen_ticket(self, ticket_id: str) -> None:
        """Take work on a ticket up again."""
        self.people.reopen(ticket_id)

    def comments(self, ticket_id: str) -> list[dict[str, Any]]:
        """List comments and work notes, oldest first: `id, text, author, internal, created`."""
        return self.people.comments(ticket_id)

    def write_comment(self, ticket_id: str, text: str, internal: bool = False) -> str:  # noqa: FBT001, FBT002 - as agreed
        """Say something as an agent would; return the id of the entry."""
        return self.people.write_comment(ticket_id, text, internal=internal)

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket for good."""
        self.people.delete(ticket_id)

    def hide_ticket(self, ticket_id: str, *, hidden: bool = True) -> None:
        """Keep a ticket from the connector's account by an access rule, or show it again."""
        with self._database.lock:
            sys_id = self.people.row(ticket_id)["sys_id"]
            (self._api.hidden.add if hidden else self._api.hidden.discard)(sys_id)

    # ------------------------------------------------------------------ what tests ask

    def call_count(self) -> int:
        """Tell how many API calls came in so far."""
        return self.recorder.total

    @property
    def calls(self) -> list[RecordedCall]:
        """The API calls so far, oldest first."""
        return self.recorder.calls()

    def add_fault(self, fault: Fault) -> None:
        """Make trouble for calls from now on."""
        self.faults.add(fault)

    def clear_faults(self) -> None:
        """End all trouble."""
        self.faults.clear()

    @property
    def deliveries(self) -> Sequence[Attempt]:
        """Every request that the Business Rule sent, oldest first."""
        return self.rules.attempts()

    def wait_for_deliveries(self) -> None:
        """Wait until all that the rule was told has been sent."""
        self.rules.wait()


def open_sandbox(port: int) -> ServiceNowSandbox:
    """Start a simple instance: what the connector's demo asks for."""
    sandbox = ServiceNowSandbox(port=port)
    sandbox.start()
    return sandbox
