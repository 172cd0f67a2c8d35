"""The sandbox as one object: a whole site on loopback, with a person in it who can be told what to do."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

import requests
import uvicorn

from connector_jira_jsm_sandbox.api import Api
from connector_jira_jsm_sandbox.application import build_application
from connector_jira_jsm_sandbox.control_routes import ControlRoutes
from connector_jira_jsm_sandbox.delivery import Attempt, Dispatcher
from connector_jira_jsm_sandbox.edge import Edge
from connector_jira_jsm_sandbox.faults import Fault, FaultPlan, WebhookFault
from connector_jira_jsm_sandbox.issue_pages import IssuePages
from connector_jira_jsm_sandbox.oauth import AppRegistration, AuthorizationServer
from connector_jira_jsm_sandbox.oauth_routes import OAuthRoutes
from connector_jira_jsm_sandbox.prices import points_of
from connector_jira_jsm_sandbox.profile import DEFAULT, SiteProfile
from connector_jira_jsm_sandbox.recorder import RecordedCall, Recorder
from connector_jira_jsm_sandbox.site import Clock, Site
from connector_jira_jsm_sandbox.webhook_page import WebhookPage
from connector_jira_jsm_sandbox.webhook_routes import WebhookRoutes
from connector_jira_jsm_sandbox.webhooks import EVENTS, Webhooks
from connector_jira_jsm_sandbox.workbench import Workbench

# Five minutes become 0.6 seconds.
RETRY_FACTOR = 0.002
_TIMEOUT_S = 10.0


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def _random(seed: int) -> random.Random:
    # One for each part, so that what one part draws does not change what another gets.
    return random.Random(seed)  # noqa: S311 - a sandbox should be the same in every run


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


class JiraSandbox:
    """A stand-in for one Atlassian site: authorization server, API gateway and the site itself on one address."""

    title = "Jira Service Management sandbox"

    def __init__(  # noqa: PLR0913 - all but the profile go by keyword, and each has a default
        self,
        profile: SiteProfile = DEFAULT,
        *,
        port: int = 0,
        clock: Clock = utc_now,
        search_lag_s: float = 2.0,
        page_cap: int = 50,
        seed: int = 0,
        retry_factor: float = RETRY_FACTOR,
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.email = profile.account.email
        self.api_token = "sandbox-api-token"  # noqa: S105 - made up, and meant to be read
        self.profile = profile
        self.site = Site(profile, url=self.url, clock=clock, search_lag_s=search_lag_s)
        self.authorization = AuthorizationServer(clock, _random(seed))
        self.dispatcher = Dispatcher(clock, _random(seed), retry_factor)
        self.webhooks = Webhooks(self.site, self.dispatcher)
        self.faults = FaultPlan(_random(seed))
        self.recorder = Recorder()
        self.workbench = Workbench(self.site)
        neighbours = [Site(one, url=f"https://{one.name}.example.test", clock=clock) for one in profile.neighbours]
        sites = {site.profile.cloud_id: site for site in (self.site, *neighbours)}
        api = Api(self.site, sites, self.authorization, self.api_token, page_cap)
        self.oauth = OAuthRoutes(self.authorization, sites, self.site)
        application = build_application(
            self.oauth,
            WebhookRoutes(api, self.webhooks),
            IssuePages(self.workbench),
            WebhookPage(self.webhooks, self.dispatcher),
            ControlRoutes(self.workbench, self.webhooks, self.dispatcher, self.faults, self.recorder, self.oauth),
            api,
        )
        edge = Edge(application, self.recorder, self.faults, clock)
        config = uvicorn.Config(
            edge, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False, date_header=False
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox-server", daemon=True
        )

    @property
    def app(self) -> AppRegistration:
        """The connector's app as registered in the developer console."""
        return self.authorization.app

    def start(self) -> None:
        """Begin to serve; connections made at once wait in the socket's queue."""
        self.dispatcher.start()
        self._thread.start()

    def stop(self) -> None:
        """End the server and the deliveries; what was in memory is gone."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(timeout=_TIMEOUT_S)
        self.dispatcher.stop()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do that not every stand-in can."""
        return frozenset({"consent", "webhooks", "comments", "edits_description", "deletes", "interrupts"})

    def plugin_settings(self) -> dict[str, object]:
        """Return what goes under `plugins: jira_jsm:`."""
        oauth = {"client_id": self.app.client_id, "client_secret": self.app.client_secret}
        # A search that found nothing is believed once the index has certainly caught up.
        settle_s = 2 * self.site.search_lag_s + 1
        return {"oauth": oauth, "auth_url": self.url, "api_url": self.url, "search_settle": settle_s}

    def integration_settings(self) -> dict[str, object]:
        """Return the settings of a working integration; of a site without a desk, what can be said of one."""
        if not self.profile.desks:
            return dict(self.profile.settings)
        desk = self.profile.desks[0]
        return {
            "service_desk": desk.id,
            "request_type": desk.request_types[0].id,
            "close_status": self.profile.close_status,
            **self.profile.settings,
        }

    def administer(self, **changes: Any) -> None:  # noqa: ANN401 - any of the profile's attributes
        """Change the site as its administrator would: its workflow, its forms, the account's permissions."""
        with self.site.lock:
            self.profile = self.site.profile = replace(self.site.profile, **changes)

    def approve(self, authorize_url: str) -> str:
        """Play the person who consents; return the address that their browser would be sent to."""
        return self._decide(authorize_url, "accept")

    def decline(self, authorize_url: str) -> str:
        """Play the person who does not consent."""
        return self._decide(authorize_url, "decline")

    def _decide(self, authorize_url: str, decision: str) -> str:
        with requests.Session() as session:
            session.trust_env = False
            page = session.get(authorize_url, timeout=_TIMEOUT_S)
            page.raise_for_status()
            parts = urlsplit(authorize_url)
            target = f"{parts.scheme}://{parts.netloc}{parts.path}?{parts.query}"
            answer = session.post(target, data={"decision": decision}, timeout=_TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            return answer.headers["Location"]

    def rename(self, url: str = "") -> str:
        """Give the site another address, `http://localhost` with its port unless one is named; return it."""
        with self.site.lock:
            self.site.rename(url or f"http://localhost:{urlsplit(self.url).port}")
            return self.site.url

    def register_webhook(self, url: str, secret: str, *, jql: str | None = None) -> None:
        """Send signed deliveries to an address from now on: about the first desk's project, or as `jql` says.

        An empty one is for the whole site.
        """
        mine = " OR ".join(f"project = {desk.project_key}" for desk in self.profile.desks[:1])
        self.webhooks.add("Connector", url, EVENTS, jql=mine if jql is None else jql, secret=secret)

    def tickets(self) -> list[dict[str, Any]]:
        """List all tickets."""
        return self.workbench.tickets()

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Show one ticket; KeyError when there is none."""
        return self.workbench.ticket(ticket_id)

    def edit_ticket(
        self, ticket_id: str, *, title: str | None = None, description: str | None = None, priority: str | None = None
    ) -> None:
        """Change fields as the human agent would; `priority` is one of the core's words or a name of the site's."""
        self.workbench.edit(ticket_id, title=title, description=description, priority=priority)

    def interrupt(self, act: Callable[[], object]) -> None:
        """Have somebody act once, between the next edit by the API and the reading of its answer."""
        self.site.interruptions.append(act)

    def finish_ticket(self, ticket_id: str) -> None:
        """Move a ticket to a done status, as a person would."""
        self.workbench.finish(ticket_id)

    def reopen_ticket(self, ticket_id: str) -> None:
        """Move a ticket out of the done statuses."""
        self.workbench.reopen(ticket_id)

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket for good."""
        self.workbench.delete(ticket_id)

    def comments(self, ticket_id: str) -> list[dict[str, Any]]:
        """List the comments of a ticket, the oldest first."""
        return self.workbench.comments(ticket_id)

    def write_comment(self, ticket_id: str, text: str, *, internal: bool = False) -> str:
        """Comment on a ticket, as a person would; return the comment's id."""
        return self.workbench.comment(ticket_id, text, public=not internal)

    def call_count(self) -> int:
        """Tell how many API calls came in so far."""
        return self.recorder.total

    @property
    def calls(self) -> list[RecordedCall]:
        """The API calls so far, oldest first."""
        return self.recorder.calls()

    def count_calls(self, method: str = ".*", path: str = ".*") -> int:
        """Count the API calls whose method matches fully and whose path holds a match."""
        return sum(1 for call in self.calls if re.fullmatch(method, call.method) and re.search(path, call.full_path))

    @property
    def points(self) -> int:
        """What the calls so far cost of the app's hourly quota."""
        return sum(points_of(call) for call in self.calls)

    @property
    def handling_seconds(self) -> float:
        """How long the sandbox itself worked on the calls so far."""
        return self.recorder.seconds

    def add_fault(self, fault: Fault | WebhookFault) -> None:
        """Make trouble from now on, for calls or for webhook deliveries."""
        if isinstance(fault, Fault):
            self.faults.add(fault)
        else:
            self.dispatcher.add_fault(fault)

    def clear_faults(self) -> None:
        """End all trouble."""
        self.faults.clear()
        self.dispatcher.clear_faults()

    @property
    def deliveries(self) -> Sequence[Attempt]:
        """Every webhook delivery that was tried, oldest first."""
        return self.dispatcher.attempts()

    def wait_for_deliveries(self, timeout_s: float = 60.0) -> bool:
        """Wait until no delivery is queued; False when that takes too long."""
        return self.dispatcher.wait_until_idle(timeout_s)


def open_sandbox(port: int) -> JiraSandbox:
    """Start a simple site: what the connector's demo asks for."""
    sandbox = JiraSandbox(port=port)
    sandbox.start()
    return sandbox
