"""The administrators' page for webhooks: what is registered, a form for more, and what was delivered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_jira_jsm_sandbox.delivery import Attempt, Dispatcher
from connector_jira_jsm_sandbox.jql import BadQuery
from connector_jira_jsm_sandbox.page_style import page
from connector_jira_jsm_sandbox.webhooks import EVERY_EVENT, Webhook, Webhooks

_BASE = "/plugins/servlet/webhooks"
_EVENT_TEXTS = {
    "jira:issue_created": "created",
    "jira:issue_updated": "updated",
    "jira:issue_deleted": "deleted",
    "comment_created": "comment created",
}
_LAST_DELIVERIES = 50


@dataclass(slots=True)
class WebhookPage:
    """Serves the page and takes its forms."""

    webhooks: Webhooks
    dispatcher: Dispatcher

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(_BASE, self.show, methods=["GET"]),
            Route(_BASE, self.create, methods=["POST"]),
            Route(_BASE + "/{id:int}/delete", self.remove, methods=["POST"]),
        ]

    async def show(self, _: Request) -> Response:
        """Show the page."""
        return HTMLResponse(page("WebHooks", self._body({}, "")))

    async def create(self, request: Request) -> Response:
        """Register a webhook, or fill in a fresh secret and show the form again."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        if form.get("do") == ["generate"]:
            form["secret"] = [secrets.token_urlsafe(32)]
            return HTMLResponse(page("WebHooks", self._body(form, "")))
        name, url = _first(form, "name").strip(), _first(form, "url").strip()
        if not name or not url.startswith(("http://", "https://")):
            problem = "Name and URL are needed; the URL begins with http:// or https://."
            return HTMLResponse(page("WebHooks", self._body(form, problem)), status_code=400)
        events = [event for event in form.get("events", []) if event in EVERY_EVENT]
        try:
            jql, secret = _first(form, "jql"), _first(form, "secret")
            self.webhooks.add(name, url, events, jql=jql, secret=secret, exclude_body="exclude_body" in form)
        except BadQuery as error:
            return HTMLResponse(page("WebHooks", self._body(form, str(error))), status_code=400)
        return RedirectResponse(_BASE, status_code=303)

    async def remove(self, request: Request) -> Response:
        """Forget a webhook."""
        self.webhooks.remove(int(request.path_params["id"]))
        return RedirectResponse(_BASE, status_code=303)

    def _body(self, form: dict[str, list[str]], problem: str) -> str:
        rows = "".join(_webhook_row(webhook) for webhook in self.webhooks.listed())
        head = "<tr><th>Name</th><th>URL</th><th>Events</th><th>JQL</th><th>Signed</th><th></th></tr>"
        table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else '<p class="soft">None yet.</p>'
        return f"<h1>WebHooks</h1><section>{table}</section>{_form(form, problem)}{self._deliveries()}"

    def _deliveries(self) -> str:
        latest = self.dispatcher.attempts()[-_LAST_DELIVERIES:]
        rows = "".join(_delivery_row(attempt) for attempt in reversed(latest))
        head = "<tr><th>When</th><th>Event</th><th>Issue</th><th>URL</th><th>Retry</th><th>Answer</th></tr>"
        table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else '<p class="soft">None yet.</p>'
        return f"<section><h2>Deliveries</h2>{table}</section>"


def _webhook_row(webhook: Webhook) -> str:
    events = ", ".join(_EVENT_TEXTS.get(event, event) for event in webhook.events)
    return (
        f"<tr><td>{escape(webhook.name)}</td><td>{escape(webhook.url)}</td><td>{escape(events)}</td>"
        f"<td>{escape(webhook.jql)}</td><td>{'yes' if webhook.secret else 'no'}</td>"
        f'<td><form method="post" action="{_BASE}/{webhook.id}/delete">'
        '<button class="danger">Delete</button></form></td></tr>'
    )


def _delivery_row(attempt: Attempt) -> str:
    delivery = attempt.delivery
    answer = str(attempt.status) if attempt.status else "no answer"
    looks = "" if attempt.is_success else ' class="bad"'
    return (
        f'<tr><td class="when">{attempt.at:%H:%M:%S}</td><td>{escape(delivery.event)}</td>'
        f"<td>{escape(delivery.issue_key)}</td><td>{escape(delivery.url)}</td><td>{delivery.retry or ''}</td>"
        f"<td{looks}>{escape(answer)}</td></tr>"
    )


def _form(form: dict[str, list[str]], problem: str) -> str:
    chosen = form.get("events", ["jira:issue_updated"])
    ticks = "".join(
        f'<label class="tick"><input type="checkbox" name="events" value="{escape(event)}"'
        f"{' checked' if event in chosen else ''}> {escape(text)}</label>"
        for event, text in _EVENT_TEXTS.items()
    )
    excluded = " checked" if "exclude_body" in form else ""
    alert = f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else ""
    return (
        f'<section><h2>Create a WebHook</h2>{alert}<form method="post" action="{_BASE}">'
        f'<label>Name<input type="text" name="name" value="{escape(_first(form, "name"))}"></label>'
        f'<label>URL<input type="url" name="url" value="{escape(_first(form, "url"))}"></label>'
        f'<label>Issues &ndash; JQL<input type="text" name="jql" placeholder="project = SUP" '
        f'value="{escape(_first(form, "jql"))}"></label>'
        f'<p class="soft">Issue related events</p><p>{ticks}</p>'
        f'<label>Secret<input type="text" name="secret" autocomplete="off" value="{escape(_first(form, "secret"))}">'
        '</label><button name="do" value="generate" formnovalidate>Generate secret</button>'
        '<p class="soft">Copy the secret now: it is not shown again after you save.</p>'
        f'<label class="tick"><input type="checkbox" name="exclude_body"{excluded}> Exclude body</label>'
        '<button class="main" name="do" value="save">Save</button></form></section>'
    )


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]
