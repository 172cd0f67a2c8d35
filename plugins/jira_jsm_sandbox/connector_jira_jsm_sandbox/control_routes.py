"""The control API over HTTP, `/_sandbox/…`: what tests in other processes use in place of the Python object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connector_jira_jsm_sandbox import life
from connector_jira_jsm_sandbox.delivery import Attempt, Dispatcher
from connector_jira_jsm_sandbox.faults import Fault, FaultPlan, WebhookFault
from connector_jira_jsm_sandbox.middlemen import MIDDLEMEN
from connector_jira_jsm_sandbox.oauth_routes import OAuthRoutes
from connector_jira_jsm_sandbox.recorder import RecordedCall, Recorder
from connector_jira_jsm_sandbox.webhooks import EVENTS, Webhooks
from connector_jira_jsm_sandbox.workbench import Workbench

Job = Callable[[dict[str, Any]], Any]


@dataclass(slots=True)
class ControlRoutes:
    """Serves state, calls and deliveries, and does what a person or an outage would do."""

    workbench: Workbench
    webhooks: Webhooks
    dispatcher: Dispatcher
    faults: FaultPlan
    recorder: Recorder
    oauth: OAuthRoutes

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/_sandbox/state", self.state, methods=["GET"]),
            Route("/_sandbox/calls", self.calls, methods=["GET", "DELETE"]),
            Route("/_sandbox/deliveries", self.deliveries, methods=["GET"]),
            Route("/_sandbox/faults", self.fault_list, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/webhooks", self.register, methods=["POST"]),
            Route("/_sandbox/middleman", self.middleman, methods=["POST"]),
            Route("/_sandbox/rename", self.rename, methods=["POST"]),
            Route("/_sandbox/account", self.account, methods=["POST"]),
            Route("/_sandbox/tokens/{action}", self.tokens, methods=["POST"]),
            Route("/_sandbox/issues/{key}", self.issue, methods=["GET"]),
            Route("/_sandbox/issues/{key}/{action}", self.act, methods=["POST"]),
            Route("/_sandbox/projects/{key}/{action}", self.act_on_project, methods=["POST"]),
        ]

    async def state(self, _: Request) -> Response:
        """Show tickets, webhooks, faults and counters."""
        site = self.workbench.site
        shown = {
            "url": site.url,
            "tickets": self.workbench.tickets(),
            "webhooks": [webhook.as_json(site) for webhook in self.webhooks.listed()],
            "faults": [dataclasses.asdict(fault) for fault in self.faults.listed()],
            "call_count": self.recorder.total,
            "handling_seconds": self.recorder.seconds,
        }
        return JSONResponse(shown)

    async def calls(self, request: Request) -> Response:
        """List the recorded calls, or forget them."""
        if request.method == "DELETE":
            self.recorder.clear()
            return Response(status_code=204)
        return JSONResponse([_call_json(call) for call in self.recorder.calls()])

    async def deliveries(self, _: Request) -> Response:
        """List the webhook deliveries that were tried."""
        return JSONResponse([_attempt_json(attempt) for attempt in self.dispatcher.attempts()])

    async def fault_list(self, request: Request) -> Response:
        """List faults, add one, or end them all. Webhook faults are told by their kind."""
        if request.method == "DELETE":
            self.faults.clear()
            self.dispatcher.clear_faults()
            return Response(status_code=204)
        if request.method == "POST":
            return await self._done(request, self._add_fault)
        return JSONResponse([dataclasses.asdict(fault) for fault in self.faults.listed()])

    def _add_fault(self, asked: dict[str, Any]) -> None:
        if asked.get("kind") in {"doubled", "reordered", "delayed", "dropped"}:
            self.dispatcher.add_fault(WebhookFault(**asked))
        else:
            self.faults.add(Fault(**asked))

    async def register(self, request: Request) -> Response:
        """Register a webhook with `url`, `secret` and perhaps `jql`, `events` and `exclude_body`."""

        def job(asked: dict[str, Any]) -> None:
            events = asked.get("events") or EVENTS
            more = {name: asked[name] for name in ("jql", "secret", "exclude_body") if name in asked}
            self.webhooks.add("Connector", str(asked["url"]), events, **more)

        return await self._done(request, job)

    async def middleman(self, request: Request) -> Response:
        """Put somebody between the site and its receivers, by `name`; an empty one takes them away."""

        def job(asked: dict[str, Any]) -> None:
            if asked["name"] and asked["name"] not in MIDDLEMEN:
                raise ValueError("unknown middleman")
            self.dispatcher.middleman = asked["name"]

        return await self._done(request, job)

    async def rename(self, request: Request) -> Response:
        """Give the site another address, `url`."""
        return await self._done(request, lambda asked: self.workbench.site.rename(str(asked["url"])))

    async def account(self, request: Request) -> Response:
        """Say with `has_jira` whether the person's account reaches Jira or service desks only."""

        def job(asked: dict[str, Any]) -> None:
            self.oauth.account_has_jira = bool(asked["has_jira"])

        return await self._done(request, job)

    async def tokens(self, request: Request) -> Response:
        """Make access tokens out of date, end consents for one reason or another, or take `scopes` from the app."""
        server = self.oauth.authorization
        jobs: dict[str, Job] = {
            "expire": lambda _: server.expire_access_tokens(),
            "revoke": lambda _: server.revoke_all(),
            "password": lambda _: server.password_changed(),
            "end_api_token": lambda _: server.end_api_token(),
            "reuse": lambda _: server.stolen(),
            "scopes": lambda asked: server.take_scopes(frozenset(map(str, asked["scopes"]))),
        }
        job = jobs.get(request.path_params["action"])
        if job is None:
            return JSONResponse({"error": "unknown action"}, status_code=404)
        return await self._done(request, job)

    async def issue(self, request: Request) -> Response:
        """Show one ticket."""
        try:
            return JSONResponse(self.workbench.ticket(request.path_params["key"]))
        except KeyError:
            return JSONResponse({"error": "unknown ticket"}, status_code=404)

    async def act(self, request: Request) -> Response:
        """Edit, transition, comment, finish, reopen, delete a ticket as a person would, or what `life.py` has."""
        key, bench = request.path_params["key"], self.workbench
        jobs: dict[str, Job] = {
            "edit": lambda asked: bench.edit(key, **asked),
            "transition": lambda asked: bench.move(key, str(asked["transition"])),
            "comment": lambda asked: bench.comment(key, str(asked["body"]), public=bool(asked.get("public", True))),
            "finish": lambda _: bench.finish(key),
            "reopen": lambda _: bench.reopen(key),
            "delete": lambda _: bench.delete(key),
            **life.ticket_jobs(bench.site, key),
        }
        job = jobs.get(request.path_params["action"])
        if job is None:
            return JSONResponse({"error": "unknown action"}, status_code=404)
        if bench.site.find(key) is None:
            return JSONResponse({"error": "unknown ticket"}, status_code=404)
        return await self._done(request, job)

    async def act_on_project(self, request: Request) -> Response:
        """Take a project from the app's account, archive it, or undo that."""
        jobs = life.project_jobs(self.workbench.site, request.path_params["key"])
        job = jobs.get(request.path_params["action"])
        if job is None:
            return JSONResponse({"error": "unknown project or action"}, status_code=404)
        return await self._done(request, job)

    async def _done(self, request: Request, job: Job) -> Response:
        body = await request.body()
        try:
            asked = json.loads(body) if body else {}
            job(asked)
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)
        return Response(status_code=204)


def _call_json(call: RecordedCall) -> dict[str, Any]:
    return {
        "time": call.time.isoformat(),
        "method": call.method,
        "path": call.path,
        "full_path": call.full_path,
        "query": call.query,
        "request_json": call.request_json,
        "status": call.status,
        "response_json": call.response_json,
        "fault": call.fault,
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    delivery = attempt.delivery
    return {
        "at": attempt.at.isoformat(),
        "identifier": delivery.identifier,
        "event": delivery.event,
        "issue_key": delivery.issue_key,
        "url": delivery.url,
        "retry": delivery.retry,
        "status": attempt.status,
    }
