"""The page on which a person lets an app use their account, and the one that says what is wrong with the app."""

from __future__ import annotations

from html import escape

from connector_jira_jsm_sandbox.page_style import page
from connector_jira_jsm_sandbox.profile import SiteProfile

_SCOPE_TEXTS = {
    "read:jira-work": "View Jira issue data",
    "write:jira-work": "Create and manage issues",
    "read:jira-user": "View user profiles",
    "read:servicedesk-request": "View Jira Service Management request data",
    "write:servicedesk-request": "Create and manage Jira Service Management requests",
    "manage:jira-webhook": "Manage Jira webhooks",
    "offline_access": "Use them while you are away",
}


def consent_page(app: str, profile: SiteProfile, scopes: list[str], query: str) -> str:
    """Ask the person; the form goes back to the address that was opened, query and all."""
    items = "".join(
        f"<li>{escape(_SCOPE_TEXTS.get(scope, scope))} <code>{escape(scope)}</code></li>" for scope in scopes
    )
    body = (
        f"<section><h1>{escape(app)} is requesting access to your account</h1>"
        f"<p>Signed in as <b>{escape(profile.account.display_name)}</b> "
        f'<span class="soft">{escape(profile.account.email)}</span></p>'
        f"<p>Site: <b>{escape(profile.name)}</b></p><p>It would like to:</p><ul>{items}</ul>"
        f'<form method="post" action="/authorize?{escape(query)}">'
        '<button class="main" name="decision" value="accept">Accept</button>'
        '<button name="decision" value="decline">Decline</button></form></section>'
    )
    return page("Authorize app", body, is_narrow=True)


def error_page(problem: str) -> str:
    """Say what is wrong with the request for consent."""
    body = f'<section><h1>Something went wrong</h1><p class="bad">{escape(problem)}</p></section>'
    return page("Something went wrong", body, is_narrow=True)
