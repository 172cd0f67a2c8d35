"""The stand-in in a process of its own, as its README starts it."""

from __future__ import annotations

import signal

import pytest
import requests

from connector_core import Sandbox
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.alone import ended, started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_how_it_ends(number: signal.Signals) -> None:
    """The address comes first, then who may come in and how it is stopped; either signal stops it in good order."""
    with started("connector_jira_jsm_sandbox") as (process, told):
        url, account, _, how = told
        token = account.rpartition(" ")[2]
        email = account.split()[1].rstrip(",")
        myself = requests.get(f"{url}/rest/api/3/myself", auth=(email, token), timeout=10)
        code = ended(process, number)

    assert how == "Ctrl-C ends it; nothing is kept."
    assert myself.status_code == 200
    assert myself.json()["emailAddress"] == email
    assert code == 0


def test_it_keeps_the_demos_agreement(sandbox: JiraSandbox) -> None:
    """It knows no class of the core's; the types are held against each other here."""
    agreed: Sandbox = sandbox

    assert list(agreed.tickets()) == []
    assert agreed.integration_settings()["service_desk"] == sandbox.profile.desks[0].id
