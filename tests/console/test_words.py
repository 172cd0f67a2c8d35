"""What a page says to do: where it can be done there as a link, and never as a command."""

from __future__ import annotations

import pytest

from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.errors import ConfigError
from connector_core.web.console.words import advice, problem_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mend the cause, then: connector retry 4", ""),
        ("Give access back. Run: connector integrations enable acme-desk", "Give access back."),
        ("Ask the administrator of the site.", "Ask the administrator of the site."),
    ],
)
def test_what_an_earlier_version_stored_loses_its_command(text, shown):
    """What is done elsewhere is left."""
    assert advice("any_code", text) == shown


def test_advice_of_its_own_comes_first():
    """Some problems are solved in another way in the browser."""
    assert advice("several_found", "Name one.") == "Select the right one below."


def test_an_error_leads_to_where_it_is_settled():
    """By a link that says what is done there."""
    shown = problem_of(ConfigError("No.", advice=Advice(Remedy.SET_UP, "helpdesk", step="close_status")))

    assert [(way.label, way.address) for way in shown.ways] == [
        ("Finish setup", "/integrations/helpdesk/setup/step/close_status")
    ]


def test_what_a_browser_cannot_do_has_no_link():
    """Its command is for whoever runs the connector."""
    assert problem_of(ConfigError("No.", advice=Advice(Remedy.APPLY_CONFIG))).ways == []
