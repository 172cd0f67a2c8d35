"""What an answer means: one row for each status, and each of the shapes of error bodies."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests

from connector_core import (
    AuthError,
    ConfigError,
    ConnectorError,
    PluginError,
    RemoteError,
    RetryLater,
    Scope,
    TicketGone,
)
from connector_core.kit.answers import Conflict, FieldsRefused, SetupObjectMissing, Subject, TooLarge
from connector_jira_jsm.api.limits import LIMITS
from connector_jira_jsm.api.responses import RULES, complaint_of
from tests.support.jira.handles import NOW

PLATFORM = {"errorMessages": ["It is wrong."], "errors": {}}
DESK = {"errorMessage": "It is wrong.", "i18nErrorMessage": {"i18nKey": "x", "parameters": []}}
GATEWAY = {"timestamp": 1, "status": 404, "error": "Not Found", "message": "No message available", "path": "/"}
CODE = {"code": 401, "message": "Unauthorized; scope does not match"}
PROBLEM = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "No endpoint GET /x.",
    "instance": "/x",
}
HTML = "<html><body>secret page</body></html>"


def answer(
    status: int, body: object = "", headers: dict[str, str] | None = None, method: str = "POST"
) -> requests.Response:
    """Make an answer."""
    response = requests.Response()
    response.status_code = status
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    response.headers.update(headers or {})
    response.request = requests.Request(method, "https://example.test").prepare()
    return response


@pytest.mark.parametrize(
    ("status", "body", "subject", "kind", "code"),
    [
        (301, HTML, Subject.TICKET, RetryLater, "site_unavailable"),
        (302, "", Subject.SETUP, RetryLater, "site_unavailable"),
        (304, "", Subject.TICKET, RetryLater, "site_unavailable"),
        (400, PLATFORM, Subject.TICKET, RemoteError, "refused"),
        (400, DESK, Subject.SETUP, RemoteError, "refused"),
        (
            400,
            {"errorMessages": [], "errors": {"summary": "Too long."}},
            Subject.TICKET,
            FieldsRefused,
            "fields_refused",
        ),
        (401, {"code": 401, "message": "Unauthorized"}, Subject.TICKET, AuthError, "authorization_needed"),
        (401, CODE, Subject.TICKET, ConfigError, "scope_missing"),
        (403, PLATFORM, Subject.TICKET, ConfigError, "permission_missing"),
        (404, PLATFORM, Subject.TICKET, TicketGone, "ticket_gone"),
        (404, PLATFORM, Subject.SETUP, SetupObjectMissing, "setup_object_missing"),
        (404, DESK, Subject.SETUP, SetupObjectMissing, "setup_object_missing"),
        (404, GATEWAY, Subject.TICKET, ConfigError, "site_gone"),
        (404, PROBLEM, Subject.TICKET, PluginError, "endpoint_unknown"),
        (404, HTML, Subject.TICKET, RetryLater, "site_unavailable"),
        (408, "", Subject.TICKET, RetryLater, "unavailable"),
        (409, PLATFORM, Subject.TICKET, Conflict, "conflict"),
        (410, PLATFORM, Subject.TICKET, RemoteError, "refused"),
        (413, PLATFORM, Subject.TICKET, TooLarge, "request_too_large"),
        (422, {"errors": [{"code": 1, "title": "Form is wrong."}]}, Subject.TICKET, RemoteError, "refused"),
        (429, "", Subject.TICKET, RetryLater, "rate_limited"),
        (500, PLATFORM, Subject.TICKET, RetryLater, "unavailable"),
        (502, HTML, Subject.TICKET, RetryLater, "unavailable"),
        (503, HTML, Subject.SETUP, RetryLater, "unavailable"),
    ],
)
def test_status_means(status: int, body: object, subject: Subject, kind: type[ConnectorError], code: str):
    """Each status, with its subject and shape, becomes exactly this error."""
    error = RULES.error_of(answer(status, body), subject, NOW)

    assert (type(error), error.code) == (kind, code)
    assert "secret page" not in error.message + error.detail


@pytest.mark.parametrize(
    ("status", "method", "unknown"),
    [
        (429, "POST", False),
        (500, "POST", True),
        (502, "PUT", True),
        (504, "GET", False),
        (408, "POST", True),
        (302, "POST", True),
        (302, "GET", False),
    ],
)
def test_outcome_of_a_failed_write_is_unknown(status: int, method: str, *, unknown: bool):
    """After a server error a write may have happened; over the limit it has not."""
    error = RULES.error_of(answer(status, method=method), Subject.TICKET, NOW)

    assert isinstance(error, RetryLater)
    assert error.outcome_unknown is unknown


@pytest.mark.parametrize(
    ("status", "location", "moved"),
    [
        (301, "https://new.example.test/rest/api/2/issue/10040", True),
        (308, "//new.example.test/rest/api/2/issue/10040?fields=status", True),
        (
            302,
            "https://id.example.test/login?continue=https%3A%2F%2Fexample.test%2Frest%2Fapi%2F2%2Fissue%2F10040",
            False,
        ),
        (302, "/maintenance.html", False),
        (307, "https://example.test/rest/api/2/issue/10040", False),
        (302, "https://[nowhere/rest/api/2/issue/10040", False),
        (304, "https://new.example.test/rest/api/2/issue/10040", False),
    ],
)
def test_only_the_same_api_at_another_address_is_a_site_that_moved(status: int, location: str, *, moved: bool):
    """A log-in or maintenance page in its place goes by itself, for all of the site; nobody has to act."""
    response = answer(status, HTML, {"Location": location}, "GET")
    response.request.url = "https://example.test/rest/api/2/issue/10040"

    error = RULES.error_of(response, Subject.TICKET, NOW)

    assert error.code == ("site_moved" if moved else "site_unavailable")
    assert isinstance(error, ConfigError if moved else RetryLater)
    assert moved or error.scope is Scope.SITE


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "99999999"}, 3600),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 02 Mar 2026 09:31:00 GMT"}, 60),
        ({"X-RateLimit-Reset": (NOW + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%MZ")}, 1800),
        ({"X-RateLimit-Reset": "2026-03-02T09:30:10+00:00"}, 10),
        ({"Retry-After": "5", "X-RateLimit-Reset": "2026-03-02T10:00Z"}, 5),
    ],
)
def test_wait_is_what_the_other_side_asks(headers: dict[str, str], wait: float | None):
    """Seconds, a date or the moment of the reset; nonsense is nothing, and no wait is longer than an hour."""
    assert LIMITS.wait_of(answer(429, headers=headers).headers, NOW) == wait


def test_reason_of_a_limit_is_in_the_detail():
    """Which of Jira's limits was hit can be read in the log."""
    error = RULES.error_of(answer(429, headers={"RateLimit-Reason": "jira-burst-based"}), Subject.TICKET, NOW)

    assert "jira-burst-based" in error.detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (PLATFORM, "It is wrong."),
        (DESK, "It is wrong."),
        (GATEWAY, "No message available"),
        (CODE, "Unauthorized; scope does not match"),
        (PROBLEM, "No endpoint GET /x."),
        ({"errorMessages": [], "errors": {"summary": "Too long."}}, "Too long."),
        ({"errorMessages": [1, None], "errors": [{"title": "a"}, 3]}, "a"),
        ({"errorMessage": {"x": 1}}, ""),
        ([1, 2], ""),
        (HTML, ""),
        ("{", ""),
        ("", ""),
        ({"message": "a\r\nb\x1b[31m" + "c" * 900}, "a b [31m" + "c" * 192),
    ],
)
def test_complaint_is_read_from_every_shape(body: object, said: str):
    """All shapes are understood, in short sentences without control characters."""
    assert str(complaint_of(answer(400, body))) == said


def test_field_is_found_in_a_sentence():
    """A refusal that names its field only in words is a refusal of that field."""
    text = "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown."
    error = RULES.error_of(answer(400, {"errorMessages": [text], "errors": {}}), Subject.TICKET, NOW)

    assert isinstance(error, FieldsRefused)
    assert error.fields == {"priority": text}


@pytest.mark.parametrize(("status", "body", "value"), [(200, {"a": 1}, {"a": 1}), (201, "", None), (204, "", None)])
def test_good_answer_is_its_json(status: int, body: object, value: object):
    """A good answer is its JSON, or nothing."""
    assert RULES.read(answer(status, body), Subject.TICKET, NOW) == value


@pytest.mark.parametrize("body", [HTML, "{", "[" * 100_000])
def test_good_answer_that_is_no_json_comes_later(body: str):
    """A page in place of JSON says nothing about what happened."""
    with pytest.raises(RetryLater) as caught:
        RULES.read(answer(200, body), Subject.TICKET, NOW)

    assert caught.value.outcome_unknown
    assert caught.value.code == "answer_unreadable"
