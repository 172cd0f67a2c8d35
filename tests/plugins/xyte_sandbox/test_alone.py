"""The stand-in in a process of its own, as its README starts it."""

from __future__ import annotations

import signal

import pytest
import requests

from connector_core import Priority, SourceSandbox
from connector_xyte_sandbox import XyteSandbox
from connector_xyte_sandbox.organization import PRIORITIES
from tests.support.alone import ended, started


@pytest.mark.cases_in_test(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_how_it_ends(number: signal.Signals) -> None:
    """The address comes first, then the key and how it is stopped; either signal stops it in good order."""
    with started("connector_xyte_sandbox") as (process, told):
        url, key, how = told
        headers = {"Authorization": key.split()[-1]}
        info = requests.get(f"{url}/core/v1/organization/info", headers=headers, timeout=10)
        code = ended(process, number)

    assert how == "Ctrl-C ends it; nothing is kept."
    assert info.status_code == 200
    assert info.json()["name"] == "Acme"
    assert code == 0


def test_it_keeps_the_demos_agreement(sandbox: XyteSandbox) -> None:
    """It knows no class of the core's; the types are held against each other here."""
    agreed: SourceSandbox = sandbox

    incident = agreed.open("Display offline", priority="high")

    assert agreed.incident(incident)["priority"] == "high"
    assert set(PRIORITIES) == set(Priority)
