"""The wizard in a terminal, with a person typing."""

from __future__ import annotations

import json

import pytest

from connector_core.demo.stage import INTEGRATION, ORGANIZATION
from tests.support.terminal import DOWN, UP, converse


@pytest.fixture
def stage(open_stage):
    """Open a stage with an authorized draft."""
    opened = open_stage(authorized=False, in_file=False)
    opened.daemon.command("integrations", "setup", INTEGRATION, "--organization", ORGANIZATION, "--plugin", "jira_jsm")
    opened.authorize()
    return opened


def test_a_person_walks_through_every_step(stage):
    """Lists are gone through with the arrow keys or by typing, Reload fetches again, the secret is not echoed."""
    shown = converse(
        stage,
        ("integrations", "setup", INTEGRATION),
        ("Service desk:", UP),  # from the first entry up is the last one, Reload
        ("found.", "Supp"),
        ("Request type:", DOWN),
        ("Request Fields: set", "n"),
        ("Priorities: set", "n"),
        ("Close status:", "auto-close"),
        ("Close Status: set", "n"),
        ("Webhook Secret", "typed-by-a-person"),
        ("Webhook: set Webhook created by", "n"),
    )

    for title in ("Select Service Desk", "Request Types", "Close Status", "Webhook", "Reload"):
        assert title in shown
    assert "typed-by-a-person" not in shown
    assert "Everything is answered." in shown
    record = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    assert record["settings"] == {"service_desk": "10", "request_type": "26", "close_status": "do_not_auto_close"}
    assert record["webhook_secret"] == "set"


@pytest.mark.extended
def test_somebody_whose_name_several_have_is_chosen_in_the_terminal(stage):
    """What was typed may mean two people; the list says who they are, and the account id is what is saved."""
    hill = next(one for one in stage.sandbox.profile.people if one.display_name == "Hana Hill")

    shown = converse(
        stage,
        ("integrations", "setup", INTEGRATION),
        ("Service desk:", "Supp"),
        ("Request type:", DOWN),
        ("Request Fields: set", "y"),
        ("Summary", ""),
        ("Description", ""),
        ("On behalf of", "Nobody"),
        ("knows nobody called Nobody", "Hana"),
        ("On behalf of, several fit", DOWN),
        ("Participants", ""),
        ("E-mail to watchers", UP),  # Next
        ("Priorities: set", "n"),
        ("Close status:", "auto-close"),
        ("Close Status: set", "n"),
        ("Webhook Secret", ""),
        ("Webhook: set", "n"),
    )

    record = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    assert f"Hana Hill  {hill.account_id}" in shown
    assert record["settings"]["raise_on_behalf_of"] == hill.account_id
    assert record["settings_in_words"]["raise_on_behalf_of"] == f"Hana Hill ({hill.account_id})"


@pytest.mark.extended
def test_another_desk_of_an_active_integration_is_a_draft_on_the_way(stage):
    """The terminal says so before the list and after the answer; at the end all of it is in effect."""
    given = [f"--set={key}={value}" for key, value in stage.sandbox.integration_settings().items()]
    assert stage.daemon.command("integrations", "setup", INTEGRATION, *given).returncode == 0
    assert stage.daemon.command("integrations", "enable", INTEGRATION).returncode == 0

    shown = converse(
        stage,
        ("integrations", "setup", INTEGRATION),
        ("Service desk:", "People"),
        ("Request type:", "people team"),
        ("Request Fields: set", "n"),
        ("Priorities: set", "n"),
        ("Close status:", "Closed"),
        ("Close Status: set", "n"),
        ("Webhook Secret", ""),
        ("Webhook: set", "n"),
    )

    assert "the change is saved as a draft" in shown.partition("Service desk:")[0]
    assert "Your change is saved as a draft." in shown.partition("Request type:")[0]
    assert "Everything is answered." in shown
    record = json.loads(stage.daemon.command("integrations", "show", INTEGRATION, "--json").stdout)
    assert record["settings"]["service_desk"] == "12"
    assert (record["state"], record["settings_not_in_effect_yet"]) == ("active", None)
