"""A sandbox with a stopped clock, and the three ways to it: gateway with a token, site with basic auth, person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.jira.visitor import SCOPES, Client, authorize_url, callback_query, exchange


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def sandbox(clock: FrozenClock) -> Iterator[JiraSandbox]:
    """Serve a fresh site."""
    with JiraSandbox(clock=clock.now) as running:
        yield running


@pytest.fixture
def site(sandbox: JiraSandbox) -> Iterator[Client]:
    """Return a client of the site itself, with e-mail address and API token."""
    with Client(sandbox.url) as client:
        client.auth = (sandbox.email, sandbox.api_token)
        yield client


@pytest.fixture
def log_in(sandbox: JiraSandbox) -> Callable[..., dict[str, Any]]:
    """Return a function that goes through consent and returns tokens."""

    def run(scope: str = SCOPES) -> dict[str, Any]:
        code = callback_query(sandbox.approve(authorize_url(sandbox, scope=scope)))["code"]
        tokens: dict[str, Any] = exchange(sandbox, code).json()
        return tokens

    return run


@pytest.fixture
def gateway(sandbox: JiraSandbox, log_in: Callable[..., dict[str, Any]]) -> Iterator[Client]:
    """Return a client of the gateway, with an access token."""
    with Client(f"{sandbox.url}/ex/jira/{sandbox.profile.cloud_id}") as client:
        client.headers["Authorization"] = "Bearer " + log_in()["access_token"]
        yield client


@pytest.fixture
def create(site: Client) -> Callable[..., str]:
    """Return a function that raises a request and returns its issue id."""

    def run(summary: str = "Display offline", desk: str = "10", kind: str = "25", **values: object) -> str:
        body = {
            "serviceDeskId": desk,
            "requestTypeId": kind,
            "requestFieldValues": {"summary": summary, **values},
        }
        answer = site.post("/rest/servicedeskapi/request", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["issueId"])

    return run
