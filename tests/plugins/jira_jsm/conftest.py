"""Fixtures of the plugin's tests."""

from __future__ import annotations

import pytest
from jira_handles import SETTINGS, StoppedClock, build, oauth_grant

from connector_core import Integration


@pytest.fixture
def clock() -> StoppedClock:
    """Return a clock that stands still."""
    return StoppedClock()


@pytest.fixture
def integration(clock: StoppedClock) -> Integration:
    """Return an integration that is set up, with a grant."""
    return build(settings=SETTINGS, grant=oauth_grant(), clock=clock)[0]
