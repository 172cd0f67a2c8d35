"""The one page of the sample platform: incidents, and forms to open, change and resolve one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from connector_core.contract.models import Priority

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2433;background:#fff}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;padding:.75rem 0;border-bottom:1px solid #dde1ea}
input,select,button{font:inherit;padding:.3rem .6rem;border:1px solid #9aa3b5;border-radius:.3rem}
input[name=title]{flex:1 1 16rem}button{background:#2b4acb;color:#fff;border:0}.closed{opacity:.6}
code{min-width:6rem}
"""


def incident_list(incidents: Sequence[Mapping[str, Any]], comments: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the page, newest incident first."""
    rows = "".join(
        _row(incident) + _comments(incident["id"], comments.get(incident["id"], ())) for incident in reversed(incidents)
    )
    rows = rows or "<p>No incidents yet. Open one above.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sample incident platform</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        "<h1>Sample incident platform</h1>"
        '<form method="post" action="/incidents"><input name="title" required placeholder="Title" aria-label="Title">'
        '<input name="description" placeholder="Description" aria-label="Description">'
        f"{_priorities('moderate')}<button>Open incident</button></form>{rows}</body></html>"
    )


def _row(incident: Mapping[str, Any]) -> str:
    name = escape(incident["id"])
    closed = incident["status"] == "closed"
    buttons = (
        "<span>closed</span>"
        if closed
        else '<button>Save</button> <button name="status" value="closed">Resolve</button>'
    )
    return (
        f'<form method="post" action="/incidents/{name}" id="{name}" class="{"closed" if closed else ""}">'
        f'<code>{name}</code><input name="title" value="{escape(incident["title"])}" aria-label="Title">'
        f"{_priorities(incident['priority'])}{buttons}</form>"
    )


def _comments(incident_id: str, comments: Sequence[Mapping[str, Any]]) -> str:
    name = escape(incident_id)
    shown = "".join(
        f"<p><b>{escape(one['author'])}</b>{' (internal)' if one.get('internal') else ''}: {escape(one['text'])}</p>"
        for one in comments
    )
    return (
        f'{shown}<form method="post" action="/incidents/{name}/comments"><input name="comment" required '
        f'placeholder="Comment" aria-label="Comment on {name}"><button>Comment</button></form>'
    )


def _priorities(chosen: str | None) -> str:
    options = "".join(
        f"<option{' selected' if priority == chosen else ''}>{escape(priority)}</option>" for priority in Priority
    )
    return f'<select name="priority" aria-label="Priority">{options}</select>'
