"""Puts the sandbox's parts together into one web application."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connector_jira_jsm.sandbox.answers import unknown_path
from connector_jira_jsm.sandbox.api import Api, as_response
from connector_jira_jsm.sandbox.control_routes import ControlRoutes
from connector_jira_jsm.sandbox.issue_pages import IssuePages
from connector_jira_jsm.sandbox.oauth_routes import OAuthRoutes
from connector_jira_jsm.sandbox.webhook_page import WebhookPage
from connector_jira_jsm.sandbox.webhook_routes import WebhookRoutes


def build_application(
    api: Api,
    oauth: OAuthRoutes,
    webhooks: WebhookRoutes,
    pages: IssuePages,
    webhook_page: WebhookPage,
    control: ControlRoutes,
) -> Starlette:
    """Return the application with all its routes."""
    routes = [
        *webhooks.routes(),
        *oauth.routes(),
        *pages.routes(),
        *webhook_page.routes(),
        *control.routes(),
        *api.routes(),
    ]
    handlers: Mapping[int, object] = {404: _no_such_path, 405: _no_such_path}
    return Starlette(routes=routes, exception_handlers=dict(handlers))  # type: ignore[arg-type]


async def _no_such_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    title = "Method Not Allowed" if status == 405 else "Not Found"  # noqa: PLR2004 - the number is the name
    return as_response(unknown_path(status, title, request.url.path))
