"""What somebody may decide for themselves: the time zone and theme of their pages, and where they are signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from connector_core.store import Preferences
from connector_core.web.console.dates import zones
from connector_core.web.console.visits import Visit, go, safe_next

THEMES = {"": "System", "light": "Light", "dark": "Dark"}


def show(visit: Visit) -> Response:
    """Show who one is, what one chose, and one's sessions; what has ended is left out."""
    now, idle = visit.app.clock.now(), visit.app.config.console.idle
    found = visit.app.store.sessions.of_person(visit.user.person)
    return visit.page(
        "account.html",
        sessions=[one for one in found if one.expires_at > now and now - one.seen_at < idle],
        own=visit.login.form_token,  # each session has one of its own
        zones=zones(),
    )


def save(visit: Visit) -> Response:
    """Store what somebody chose, of zone and theme what the form has, and go back to where they are."""
    chosen = _chosen(visit.login.preferences, visit.form)
    if chosen != visit.login.preferences:
        visit.app.store.sessions.prefer(visit.user.person, chosen, visit.app.clock.now())
    return go(safe_next(visit.form.get("back", "/account")), "preferred" if "zone" in visit.form else "")


def sign_out(visit: Visit) -> Response:
    """End this session."""
    id_token = _id_token(visit)
    response = _signed_out(visit, id_token)
    visit.console.logins.end(visit.request, response)
    return response


def sign_out_everywhere(visit: Visit) -> Response:
    """End all sessions of this person."""
    response = _signed_out(visit, _id_token(visit), everywhere=True)
    visit.console.logins.end_everywhere(visit.user, response)
    return response


def _chosen(present: Preferences, form: Mapping[str, str]) -> Preferences:
    """Return what a form chooses; a value that there is not is none."""
    zone, theme = form.get("zone"), form.get("theme")
    if zone is not None and zone in {"", *zones()}:
        present = replace(present, zone=zone)
    return replace(present, theme=theme) if theme is not None and theme in THEMES else present


def _id_token(visit: Visit) -> str:
    """Return what the provider wants to see when its session ends, too."""
    if visit.console.sign_on is None:
        return ""
    return visit.app.store.sessions.id_token(visit.login.token)


def _signed_out(visit: Visit, id_token: str, *, everywhere: bool = False) -> Response:
    """Say that it is over, and where the provider's own session can be ended: others may use this browser."""
    said, sign_on = "logged_out_everywhere" if everywhere else "logged_out", visit.console.sign_on
    if sign_on is None or not id_token:
        return go("/login", said)
    ending = sign_on.ending(id_token, f"{visit.app.config.server.public_url}/login")
    return visit.console.pages.html(
        "signed_out.html", said_code=said, ending=ending, host=sign_on.settings.host, label=sign_on.settings.label
    )
