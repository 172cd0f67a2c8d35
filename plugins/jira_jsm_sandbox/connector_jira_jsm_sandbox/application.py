"""Puts the sandbox's parts together into one web application."""

from __future__ import annotations

from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from connector_jira_jsm_sandbox.answers import unknown_path
from connector_jira_jsm_sandbox.api import as_response


class HasRoutes(Protocol):
    """A part of the sandbox that serves some addresses."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        ...


def build_application(*parts: HasRoutes) -> Starlette:
    """Return the application with the routes of all parts; the first that fits is taken."""
    routes = [route for part in parts for route in part.routes()]
    return Starlette(routes=routes, exception_handlers={404: _no_such_path, 405: _no_such_path})


async def _no_such_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    title = "Method Not Allowed" if status == 405 else "Not Found"  # noqa: PLR2004 - the number is the name
    return as_response(unknown_path(status, title, request.url.path))
