"""The daemon asks again for a renewal that is open, though nothing is to be synced."""

from __future__ import annotations

from datetime import UTC, datetime

from connector_core.demo.stage import INTEGRATION, until
from connector_jira_jsm_sandbox import Fault
from tests.support.jira.at_stage import sandbox_of

TOKEN = "/oauth/token$"


def test_an_open_renewal_is_made_good_by_the_daemon(stage):
    """Another process began it and died; three answers get lost before one comes through."""
    sandbox = sandbox_of(stage)
    asked = sandbox.count_calls("POST", TOKEN)
    sandbox.add_fault(Fault("lost_answer", path=TOKEN, times=3))
    with stage.opened_store() as store:
        before = store.grants.get(INTEGRATION)
        store.grants.begin_renewal(INTEGRATION, datetime.now(UTC))

        until(lambda: not store.grants.open_renewals(), within_s=60)

        assert not before.is_same_access(store.grants.get(INTEGRATION))
    assert sandbox.count_calls("POST", TOKEN) == asked + 4
