"""What Jira's answers say about rate limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector_core import Scope
from connector_jira_jsm.api.limits import LIMITS, scope_of

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "scope"),
    [
        ("jira-quota-global-based", Scope.APP),
        ("jira-quota-tenant-based", Scope.SITE),
        ("jira-burst-based", Scope.SITE),
        ("jira-per-issue-on-write", Scope.LINK),
        ("jira-cost-based", Scope.SITE),
        ("", Scope.SITE),
    ],
)
def test_reason_tells_whom_a_refusal_is_about(reason: str, scope: Scope):
    """A quota of the app stops everything, a burst one site, writes to one issue that one only."""
    assert scope_of(reason) is scope


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-NearLimit": "true", "X-RateLimit-Reset": "2026-11-23T10:20Z"}, 300),
        ({"X-RateLimit-NearLimit": "true"}, 60),
        ({"X-RateLimit-NearLimit": "true", "X-RateLimit-Reset": "soon"}, 60),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "19", "X-RateLimit-Reset": "2026-11-23T10:16Z"}, 60),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "20"}, None),
        ({"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "few"}, None),
        (
            {"RateLimit-Policy": '"global-app-quota";q=65000;w=3600', "RateLimit": '"global-app-quota";r=11000;t=600'},
            600,
        ),
        ({"RateLimit-Policy": '"global-app-quota";q=65000;w=3600'}, None),
        ({"Beta-RateLimit": '"global-app-quota";r=1;t=600'}, None),
        ({"X-RateLimit-NearLimit": "true", "X-RateLimit-Reset": "2036-01-01T00:00Z"}, 3600),
        ({}, None),
    ],
)
def test_near_limit_is_read_from_any_of_the_headers(headers: dict[str, str], seconds: float | None):
    """Near is below a fifth of the limit; the wait is what the answer says, within bounds."""
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)

    assert LIMITS.near_until(headers, NOW) == expected
