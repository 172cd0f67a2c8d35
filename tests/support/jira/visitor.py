"""How tests visit a sandbox: a stopped clock, a client with a base address, and the steps of authorization."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from connector_jira_jsm_sandbox import JiraSandbox

SCOPES = (
    "read:jira-work write:jira-work read:servicedesk-request write:servicedesk-request read:jira-user offline_access"
)
CALLBACK = "http://127.0.0.1:9/oauth/callback"


class Client(requests.Session):
    """A session with a base address, so that tests name only paths."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.trust_env = False

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Put the base address in front of a path."""
        if str(request.url).startswith("/"):
            request.url = self.base + str(request.url)
        return super().prepare_request(request)


def authorize_url(sandbox: JiraSandbox, **changes: str) -> str:
    """Return an authorize address as the connector would make it."""
    query = {
        "audience": "api.atlassian.com",
        "client_id": sandbox.app.client_id,
        "scope": SCOPES,
        "redirect_uri": CALLBACK,
        "state": "state-1",
        "response_type": "code",
        "prompt": "consent",
    }
    return f"{sandbox.url}/authorize?{urlencode(query | changes)}"


def callback_query(callback: str) -> dict[str, str]:
    """Return the parameters that came back to the app."""
    return {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}


def token_request(sandbox: JiraSandbox, **asked: str) -> requests.Response:
    """Ask the token endpoint as the app."""
    app = {"client_id": sandbox.app.client_id, "client_secret": sandbox.app.client_secret}
    return requests.post(f"{sandbox.url}/oauth/token", json=app | asked, timeout=10)


def exchange(sandbox: JiraSandbox, code: str) -> requests.Response:
    """Turn a code into tokens."""
    return token_request(sandbox, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)


def refresh(sandbox: JiraSandbox, token: str) -> requests.Response:
    """Turn a refresh token into new tokens."""
    return token_request(sandbox, grant_type="refresh_token", refresh_token=token)
