"""A tour's calls for the tests of the facts; what needs the published files is collected where those are."""

from __future__ import annotations

import pytest

from connector_jira_jsm_sandbox import JiraSandbox, RecordedCall
from tests.contracts import published
from tests.support.jira.openapi_check import UNDESCRIBED, known_facts
from tests.support.jira.tour import tour
from tests.support.jira.visitor import Client

collect_ignore = [] if published.is_here() else ["test_published.py"]


@pytest.fixture(scope="session")
def toured() -> list[RecordedCall]:
    """Return the calls of a tour, the last one for each operation, version and status."""
    with JiraSandbox(search_lag_s=0) as sandbox, Client(sandbox.url) as client:
        client.auth = (sandbox.email, sandbox.api_token)
        body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": {"summary": "Fan failed"}}
        tour(client, client.post("/rest/servicedeskapi/request", json=body).json()["issueId"])
        return list({_kind(call): call for call in sandbox.calls if not UNDESCRIBED.search(call.path)}.values())


def _kind(call: RecordedCall) -> tuple[object, ...]:
    is_old, path = "/api/2/" in call.path, call.path.replace("/api/2/", "/api/3/", 1)
    return is_old, call.status, *(api.operation(call.method, path) for api in known_facts())
