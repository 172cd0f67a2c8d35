"""The few pages that a person sees: consent, an incident, the list of them, and an instance that sleeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = (
    "<style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}</style>"
)
# The words of its title are what clients look for.
ASLEEP = (
    "<html><head><title>\nInstance Hibernating page\n</title></head>"
    "<body><h1>Your instance is hibernating</h1><p>Sign in to the developer site to wake it.</p></body></html>"
)


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>{_STYLE}'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>'


def message_page(title: str, text: str) -> str:
    """Say one thing."""
    return _page(title, f"<p>{escape(text)}</p>")


def consent_page(client: str, person: str, query: str) -> str:
    """Ask whether an application may act for somebody."""
    text = f"<p>{escape(client)} would like to act as {escape(person)}.</p>"
    form = f'<form method="post" action="/oauth_auth.do?{escape(query)}">'
    buttons = '<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button>'
    return _page("Allow access", f"{text}{form}{buttons}</form>")


def incident_page(ticket: Mapping[str, Any], comments: Sequence[Mapping[str, Any]]) -> str:
    """Show an incident and what was said of it."""
    names = ("key", "title", "status", "priority", "description")
    rows = "".join(f"<tr><th>{name}</th><td>{escape(str(ticket[name]))}</td></tr>" for name in names)
    said = "".join(_entry(one) for one in comments)
    return _page(str(ticket["key"]), f"<table>{rows}</table>{said}")


def _entry(comment: Mapping[str, Any]) -> str:
    kind = "work notes" if comment["internal"] else "comments"
    return f"<p><b>{escape(comment['author'])}</b> ({kind}): {escape(comment['text'])}</p>"


def list_page(tickets: Sequence[Mapping[str, Any]]) -> str:
    """List the incidents."""
    rows = "".join(
        f'<tr><td><a href="{escape(one["url"])}">{escape(one["key"])}</a></td><td>{escape(one["title"])}</td>'
        f"<td>{escape(one['status'])}</td></tr>"
        for one in tickets
    )
    return _page("Incidents", f"<table>{rows}</table>" if rows else "<p>There are none.</p>")
