"""The stand-in in a process of its own, as its README starts it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
import requests

from connector_core import Sandbox, SandboxAbility
from connector_jira_jsm_sandbox import JiraSandbox
from tests.support.alone import ended, started


@pytest.mark.cases_in_test(1)
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


def test_it_does_what_its_abilities_say(sandbox: JiraSandbox, create: Callable[..., str]) -> None:
    """Whoever tells a story or tests a plugin asks for abilities first; each of them is kept."""
    agreed: Sandbox = sandbox
    ticket = create()

    assert agreed.abilities == set(SandboxAbility)
    assert SandboxAbility.DELETES in agreed.abilities
    first = agreed.write_comment(ticket, "On our way")
    agreed.write_comment(ticket, "Bring the ladder", internal=True)
    assert [(one["text"], one["internal"]) for one in agreed.comments(ticket)] == [
        ("On our way", False),
        ("Bring the ladder", True),
    ]
    assert agreed.comments(ticket)[0]["id"] == first
    assert all(one["id"] and one["author"] for one in agreed.comments(ticket))
    agreed.delete_ticket(ticket)
    with pytest.raises(KeyError):
        agreed.ticket(ticket)
