"""The one page of the stand-in: incidents, and forms to open, change and close one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connector_xyte_sandbox.organization import PRIORITIES, Organization

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b2430;background:#fff}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;padding:.75rem 0;border-bottom:1px solid #d9e0e8}
input,select,button{font:inherit;padding:.3rem .6rem;border:1px solid #8795a8;border-radius:.3rem}
input[name=title]{flex:1 1 14rem}button{background:#0b6e74;color:#fff;border:0}.closed{opacity:.6}small{color:#4a5666}
"""


class IncidentPage:
    """The page, and what its forms do."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def routes(self) -> list[Route]:
        """Return its routes."""
        return [
            Route("/", self._show, methods=["GET"]),
            Route("/incidents", self._open, methods=["POST"]),
            Route("/incidents/{id}", self._change, methods=["POST"]),
        ]

    def _show(self, _: Request) -> Response:
        with self._organization.lock:
            incidents = [dict(one) for one in self._organization.incidents.values()]
        return HTMLResponse(_page(self._organization.name, incidents))

    async def _open(self, request: Request) -> Response:
        form = await _form(request)
        given = {"description": form.get("description") or None, "priority": form.get("priority", "moderate")}
        self._organization.open(form.get("title") or "Without a title", **given)
        return RedirectResponse("/", status_code=303)

    async def _change(self, request: Request) -> Response:
        form = await _form(request)
        name = request.path_params["id"]
        if name in self._organization.incidents:
            given = {field: form[field] for field in ("title", "priority") if field in form}
            self._organization.change(name, **given)
            if form.get("status") == "closed":
                self._organization.resolve(name)
        return RedirectResponse("/", status_code=303)


async def _form(request: Request) -> dict[str, str]:
    """Read a form; Starlette itself would need one more library for it."""
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def _page(name: str, incidents: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(_row(one) for one in reversed(incidents)) or "<p>No incidents yet. Open one above.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Xyte sandbox</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>Xyte sandbox: {escape(name)}</h1>"
        '<form method="post" action="/incidents"><input name="title" required placeholder="Title" aria-label="Title">'
        '<input name="description" placeholder="Description" aria-label="Description">'
        f"{_priorities('moderate')}<button>Open incident</button></form>{rows}</body></html>"
    )


def _row(incident: Mapping[str, Any]) -> str:
    name, closed = escape(str(incident["id"])), incident["status"] == "closed"
    buttons = (
        "<span>closed</span>" if closed else '<button>Save</button> <button name="status" value="closed">Close</button>'
    )
    place = escape(str(incident["space_tree_path_name"] or ""))
    return (
        f'<form method="post" action="/incidents/{name}" class="{"closed" if closed else ""}">'
        f'<input name="title" value="{escape(str(incident["title"]))}" aria-label="Title">'
        f"{_priorities(str(incident['priority']))}{buttons}"
        f"<small>{escape(str(incident['device_name'] or ''))} · {place} · {escape(str(incident['description'] or ''))}"
        f" · {name}</small></form>"
    )


def _priorities(chosen: str) -> str:
    options = "".join(
        f"<option{' selected' if priority == chosen else ''}>{priority}</option>" for priority in PRIORITIES
    )
    return f'<select name="priority" aria-label="Priority">{options}</select>'
