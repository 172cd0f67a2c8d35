"""The administrators' API for webhooks, `/rest/webhooks/1.0/webhook`. It takes basic authentication only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connector_jira_jsm_sandbox.answers import Answer, Refusal, jira_error
from connector_jira_jsm_sandbox.api import Api, as_response, check_browser
from connector_jira_jsm_sandbox.jql import BadQuery
from connector_jira_jsm_sandbox.webhooks import EVERY_EVENT, Webhook, Webhooks

_BASE = "/rest/webhooks/1.0/webhook"


@dataclass(slots=True)
class WebhookRoutes:
    """Serves registrations."""

    api: Api
    webhooks: Webhooks

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(_BASE, self.all, methods=["GET", "POST"]),
            Route(_BASE + "/{id:int}", self.one, methods=["GET", "PUT", "DELETE"]),
        ]

    async def all(self, request: Request) -> Response:
        """List registrations, or make one."""
        body = await request.body()
        run = self._create if request.method == "POST" else self._list
        return self._served(request, lambda: run(body))

    async def one(self, request: Request) -> Response:
        """Show, change or remove a registration."""
        body = await request.body()
        run = {"GET": self._show, "PUT": self._change, "DELETE": self._remove}.get(request.method, self._show)
        return self._served(request, lambda: run(int(request.path_params["id"]), body))

    def _served(self, request: Request, run: Callable[[], Answer]) -> Response:
        try:
            check_browser(request)
            if self.api.basic_user(request) is None:
                raise jira_error(401, "You are not authenticated. Authentication required to perform this operation.")
            return as_response(run())
        except Refusal as refusal:
            return as_response(refusal.answer)
        except BadQuery as error:
            return as_response(jira_error(400, str(error)).answer)

    def _list(self, _: bytes) -> Answer:
        return Answer(200, [webhook.as_json(self.api.main) for webhook in self.webhooks.listed()])

    def _create(self, body: bytes) -> Answer:
        asked = _asked(body)
        for name in ("name", "url"):
            if not asked.get(name):
                raise jira_error(400, f"The webhook's {name} is required.")
        events = asked.get("events") or []
        webhook = self.webhooks.add(
            asked["name"], asked["url"], events, jql=asked.get("jql", ""), secret=asked.get("secret", "")
        )
        rest = {key: asked[key] for key in ("exclude_body", "enabled") if key in asked}
        return Answer(201, (self.webhooks.change(webhook.id, **rest) or webhook).as_json(self.api.main))

    def _show(self, webhook_id: int, _: bytes) -> Answer:
        return self._shown(self.webhooks.get(webhook_id))

    def _change(self, webhook_id: int, body: bytes) -> Answer:
        return self._shown(self.webhooks.change(webhook_id, **_asked(body)))

    def _remove(self, webhook_id: int, _: bytes) -> Answer:
        if not self.webhooks.remove(webhook_id):
            raise _missing()
        return Answer(204)

    def _shown(self, webhook: Webhook | None) -> Answer:
        if webhook is None:
            raise _missing()
        return Answer(200, webhook.as_json(self.api.main))


def _missing() -> Refusal:
    return jira_error(404, "The webhook does not exist.")


def _asked(body: bytes) -> dict[str, Any]:
    """Read a registration as sent into the attributes of Webhook; what is not said stays out."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise jira_error(400, "There was an error parsing JSON. Check that your request body is valid.") from error
    if not isinstance(given, dict):
        raise jira_error(400, "A webhook must be an object.")
    asked: dict[str, Any] = {}
    for name, kind in (("name", str), ("url", str), ("secret", str), ("enabled", bool)):
        if isinstance(given.get(name), kind):
            asked[name] = given[name]
    if isinstance(given.get("excludeBody"), bool):
        asked["exclude_body"] = given["excludeBody"]
    if isinstance(given.get("filters"), dict):
        asked["jql"] = str(given["filters"].get("issue-related-events-section", ""))
    if isinstance(given.get("events"), list):
        if unknown := [event for event in given["events"] if event not in EVERY_EVENT]:
            raise jira_error(400, f"The event {unknown[0]} is unknown.")
        asked["events"] = tuple(given["events"])
    if "url" in asked and not asked["url"].startswith(("http://", "https://")):
        raise jira_error(400, "The webhook's url must be an absolute address.")
    return asked
