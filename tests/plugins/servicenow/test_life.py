"""The life of an incident at ServiceNow, as the core's kit has it for every plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import SecretStr

from connector_core.testing import TicketingLife
from connector_core.testing.conformance.system import MovingClock
from connector_core.testing.trials import try_mutants
from connector_servicenow_sandbox import DIFFICULT, ServiceNowSandbox
from connector_servicenow_sandbox.profile import ACCOUNT
from connector_servicenow_sandbox.server import API_KEY


class TestServiceNowLife(TicketingLife):
    """On a simple instance."""

    plugin = "servicenow"
    shares_clock = True
    cannot: ClassVar[Mapping[str, str]] = {
        "conditional_writes": "the API takes no condition with a change: that somebody wrote at the same moment is told"
    }

    @classmethod
    def open_system(cls, clock: MovingClock) -> ServiceNowSandbox:
        """Start an instance that goes by our clock."""
        sandbox = ServiceNowSandbox(clock=clock.now)
        sandbox.start()
        return sandbox


@pytest.mark.extended
class TestServiceNowLifeOnADifficultInstance(TestServiceNowLife):
    """With fields of its own, other lists and fewer rights."""

    cannot: ClassVar[Mapping[str, str]] = {
        **TestServiceNowLife.cannot,
        **dict.fromkeys(
            ("comments", "public_comments", "person_comments"),
            "the journal is closed to the account of this instance, as to many: comments are written and not read",
        ),
    }
    settings = {  # noqa: RUF012 - as documented
        "new_fields": {"u_location_code": "HQ"},
        "close_fields": {"u_root_cause": "hardware"},
    }

    @classmethod
    def open_system(cls, clock: MovingClock) -> ServiceNowSandbox:
        """Start the difficult instance."""
        sandbox = ServiceNowSandbox(DIFFICULT, clock=clock.now)
        sandbox.start()
        return sandbox


@pytest.mark.extended
class TestServiceNowLifeWithClientCredentials(TestServiceNowLife):
    """Authorized as a client of its own."""

    settings = {"sign_in": "client_credentials"}  # noqa: RUF012 - as documented

    @classmethod
    def open_system(cls, clock: MovingClock) -> ServiceNowSandbox:
        """Start an instance whose administrator allows it."""
        sandbox = super().open_system(clock)
        sandbox.administer(client_credentials=True)
        return sandbox


@pytest.mark.extended
class TestServiceNowLifeWithKey(TestServiceNowLife):
    """Authorized with an API key."""

    settings = {"sign_in": "api_key", "api_key": SecretStr(API_KEY)}  # noqa: RUF012 - as documented


@pytest.mark.extended
class TestServiceNowLifeWithPassword(TestServiceNowLife):
    """Authorized with user name and password."""

    settings = {  # noqa: RUF012 - as documented
        "sign_in": "basic",
        "user_name": ACCOUNT.user_name,
        "password": SecretStr(ACCOUNT.password),
    }


@pytest.mark.extended
@pytest.mark.parametrize("life", [TestServiceNowLife, TestServiceNowLifeOnADifficultInstance])
def test_every_mutant_is_noticed(life: type[TestServiceNowLife]):
    """Whatever is broken in the plugin or in its session, one of the checks fails."""
    trials = try_mutants(life)

    assert len(trials) >= 25
    assert [trial.mutant for trial in trials if not trial.noticed_by] == []
