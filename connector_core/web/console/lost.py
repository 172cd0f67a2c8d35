"""Answers for a browser at an address that is no page, or that takes no form."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connector_core.web.console.visits import Console, Visit, go

TITLE, TEXT = "Page not found", "There is no such page. It may have moved."
SENT, SENT_TEXT = "Not saved", "This form is of an earlier version. Go back, reload the page, and send it again."


def lost(console: Console, request: Request, exc: HTTPException) -> Response | None:
    """Answer a browser at an address that is no page; None for whoever does not look at pages.

    Where only a form is taken there is a page above, for whoever follows the address of one that was sent.
    """
    wants_page = "text/html" in request.headers.get("accept", "")
    if not wants_page or exc.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return None
    if request.method == "POST":
        return _page(console, request, exc.status_code, SENT, SENT_TEXT)
    if request.method != "GET":
        return None
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return go(request.url.path.rpartition("/")[0] or "/")
    return _page(console, request, exc.status_code, TITLE, TEXT)


def _page(console: Console, request: Request, status: int, title: str, text: str) -> Response:
    login = console.logins.current(request)
    if login is None:
        return console.pages.html("closed.html", status, title=title, text=text, again="/")
    return Visit(console, request, login, {}).page("message.html", status, title=title, text=text)
