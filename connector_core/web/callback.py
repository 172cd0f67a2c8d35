"""Where a person's browser comes back to after consent."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse
from structlog.typing import FilteringBoundLogger

from connector_core.errors import ConnectorError
from connector_core.setup_flow import SetupFlow

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p>{more}</main></body></html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Callback:
    """The handler of `/oauth/callback`; the state in the address is the only thing that is trusted, and only once."""

    def __init__(self, setup: SetupFlow, nudge: Callable[[], None], log: FilteringBoundLogger) -> None:
        self._setup = setup
        self._nudge = nudge
        self._log = log

    def finish(self, request: Request) -> HTMLResponse:
        """Finish an authorization and tell the person how it went."""
        try:
            integration, grant = self._setup.finish_authorization(dict(request.query_params))
        except ConnectorError as exc:
            self._log.warning("authorization_refused", code=exc.code, reason=exc.message, detail=exc.detail)
            return _page("Access was not authorized", exc.message, exc.fix, status=400)
        self._nudge()
        if grant.site is None and grant.sites:
            names = ", ".join(f"{site.name} ({site.url})" for site in grant.sites)
            command = f"connector integrations authorize {integration} --site ..."
            return _page("One more choice", f"This authorization reaches several sites: {names}.", f"Run: {command}")
        return _page(
            "Access authorized", f"{integration} may now act as {grant.account_name}. You can close this page."
        )


def _page(title: str, text: str, more: str = "", *, status: int = 200) -> HTMLResponse:
    extra = f"<p>{escape(more)}</p>" if more else ""
    return HTMLResponse(
        _PAGE.format(title=escape(title), text=escape(text), more=extra), status_code=status, headers=_HEADERS
    )
