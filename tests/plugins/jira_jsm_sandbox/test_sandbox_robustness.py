"""Whatever a caller sends, the sandbox answers as an API does and never falls over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_jira_jsm_sandbox import JiraSandbox
from connector_jira_jsm_sandbox.api import PLATFORM, SERVICE_DESK
from connector_jira_jsm_sandbox.call import Operation
from tests.support.examples import up_to
from tests.support.jira.visitor import Client

KEYS = st.sampled_from(["id", "key", "name", "add", "set", "body", "type", "content", "text", "comment", "summary"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 6000)
    | st.sampled_from(["10", "25", "SUP", "10100", "31", "doc", "*all"])
    | st.text(max_size=5)
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
DOCUMENT = st.fixed_dictionaries({"type": st.just("doc"), "version": st.just(1), "content": JSON})
FIELDS = st.dictionaries(
    st.sampled_from(["summary", "description", "priority", "labels", "resolution", "project", "issuetype"]),
    JSON | DOCUMENT | st.just({"key": "SUP"}) | st.just({"id": "10010"}),
    max_size=4,
)
PROPERTIES = {
    "fields": FIELDS | JSON,
    "update": JSON | st.dictionaries(st.sampled_from(["summary", "comment"]), JSON, max_size=2),
    "transition": st.just({"id": "31"}) | JSON,
    "properties": JSON,
    "body": JSON | DOCUMENT,
    "public": JSON,
    "object": JSON,
    "globalId": JSON,
    "jql": st.just("project = SUP") | JSON,
    "maxResults": JSON,
    "nextPageToken": JSON,
    "expand": JSON,
    "reconcileIssues": JSON,
    "issueIdsOrKeys": st.just(["10100"]) | JSON,
    "fieldIds": JSON,
    "serviceDeskId": st.just("10") | JSON,
    "requestTypeId": st.just("25") | JSON,
    "requestFieldValues": FIELDS | JSON,
    "isAdfRequest": st.booleans(),
    "id": st.just("31") | JSON,
    "additionalComment": JSON,
}
ALLOWED = {
    "/issue": ("fields", "update", "properties"),
    "/issue/{issue}": ("fields", "update", "properties"),
    "/issue/{issue}/transitions": ("transition", "fields", "update"),
    "/issue/{issue}/comment": ("body", "properties"),
    "/issue/{issue}/remotelink": ("object", "globalId"),
    "/search/jql": ("jql", "fields", "maxResults", "nextPageToken", "expand", "properties", "reconcileIssues"),
    "/issue/bulkfetch": ("issueIdsOrKeys", "fields", "expand", "properties"),
    "/changelog/bulkfetch": ("issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken"),
    "/request": ("serviceDeskId", "requestTypeId", "requestFieldValues", "isAdfRequest"),
    "/request/{issue}/transition": ("id", "additionalComment"),
    "/request/{issue}/comment": ("body", "public"),
}
OPERATIONS = [
    (base, operation)
    for base, operations in (
        ("/rest/api/3", PLATFORM),
        ("/rest/api/2", PLATFORM),
        ("/rest/servicedeskapi", SERVICE_DESK),
    )
    for operation in operations
    if operation.method in {"POST", "PUT"}
]
PLACES = {
    "issue": "10100",
    "desk": "10",
    "type": "25",
    "project": "SUP",
    "property": "marker",
    "status": "3",
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Serve one site to all examples, with one request in it."""
    with JiraSandbox() as sandbox, Client(sandbox.url) as session:
        session.auth = (sandbox.email, sandbox.api_token)
        body = {"serviceDeskId": "10", "requestTypeId": "25", "requestFieldValues": {"summary": "x"}}
        session.post("/rest/servicedeskapi/request", json=body)
        yield session


@settings(
    max_examples=up_to(150), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(place=st.sampled_from(OPERATIONS), data=st.data())
def test_no_body_is_a_server_error(client: Client, place: tuple[str, Operation], data: st.DataObject) -> None:
    """A body of any kind is taken or refused."""
    base, operation = place
    allowed = ALLOWED.get(operation.path)
    optional = {name: PROPERTIES[name] for name in allowed or ()}
    body = data.draw(st.fixed_dictionaries({}, optional=optional) if allowed else JSON)

    answer = client.request(operation.method, base + operation.path.format(**PLACES), json=body)

    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("authorization", ["Basic", "Basic !!!", "Basic w6k=", "Basic /w==", "Bearer", "nonsense", ""])
def test_no_credentials_are_a_server_error(client: Client, authorization: str) -> None:
    """Odd credentials are refused like wrong ones."""
    with Client(client.base) as stranger:
        stranger.headers["Authorization"] = authorization
        answers = [stranger.get("/rest/api/3/myself"), stranger.get("/oauth/token/accessible-resources")]

    assert [answer.status_code for answer in answers] == [401, 401]
