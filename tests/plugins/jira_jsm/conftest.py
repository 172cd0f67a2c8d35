"""Fixtures of the plugin's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector_core import Integration
from connector_core.testing import FrozenClock
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from tests.contracts import published
from tests.support.jira.handles import NOW, SETTINGS, build, oauth_grant
from tests.support.jira.openapi_check import assert_calls_match_openapi

collect_ignore = [] if published.PAYLOADS.is_dir() else ["test_recorded_deliveries.py"]
ADMINISTERED = (
    "transitions",
    "denied",
    "edit_screen",
    "desks",
    "statuses",
    "priorities",
    "hidden_fields",
    "refused_fields",
    "reverted_fields",
    "search_shows",
)


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock(NOW)


@pytest.fixture
def integration(clock: FrozenClock) -> Integration:
    """Return an integration that is set up, with a grant."""
    return build(settings=SETTINGS, grant=oauth_grant(), clock=clock)[0]


@pytest.fixture(scope="module")
def difficult_site() -> Iterator[JiraSandbox]:
    """Serve the difficult site once for a module; every call is held against the published API at the end."""
    with JiraSandbox(DIFFICULT, search_lag_s=0) as running:
        yield running
        assert_calls_match_openapi(running.calls)


@pytest.fixture
def difficult(difficult_site: JiraSandbox) -> Iterator[JiraSandbox]:
    """Undo afterwards what an administrator changed and what was made to fail."""
    yield difficult_site
    difficult_site.administer(**{name: getattr(DIFFICULT, name) for name in ADMINISTERED})
    difficult_site.clear_faults()
