"""What advice that is meant for the command line says in the browser."""

from __future__ import annotations

import pytest

from connector_core.web.console.words import advice, in_browser


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mend the cause, then: connector retry 4", "Mend the cause, then click Retry"),
        ("Run: connector retry 12", "Click Retry"),
        ("Run: connector integrations enable acme-desk", "Click Activate"),
        (
            "Before that: connector integrations authorize acme, or put in a new token.",
            "Before that: do the step Authorize access, or put in a new token.",
        ),
        ("See it with: connector explain 4.", "See it with: connector explain 4."),
    ],
)
def test_commands_become_clicks(text, shown):
    """What has a button is named by it; other commands are left as they are."""
    assert in_browser(text) == shown
    assert advice("any_code", text) == shown


def test_advice_of_its_own_comes_first():
    """Some problems are solved in another way in the browser."""
    assert advice("conflict", "Run: connector retry 4") == "Choose it below."
