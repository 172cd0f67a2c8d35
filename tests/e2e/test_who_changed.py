"""Who changed what on the ticket, in the timeline that commands show."""

from __future__ import annotations

import pytest

from tests.support.linking import incident_shows, open_incident


@pytest.mark.extended
def test_the_timeline_names_who_changed_the_ticket(shared_stage):
    """A webhook tells it without a call; the history is read when a person asks, once."""
    stage = shared_stage
    person = stage.sandbox.profile.person.display_name
    incident, ticket = open_incident(stage, "Who was it")
    stage.sandbox.edit_ticket(ticket, title="Somebody was")
    incident_shows(stage, incident, title="Somebody was")
    before = stage.sandbox.count_calls(path="changelog")

    told = stage.daemon.command("explain", incident).stdout
    calls_told = stage.sandbox.count_calls(path="changelog") - before
    asked = stage.daemon.command("explain", incident, "--who").stdout
    calls_asked = stage.sandbox.count_calls(path="changelog") - before

    assert f"Changed in Jira by {person} (title)." in told
    assert f"Title: {person} 20" in asked
    assert (calls_told, calls_asked) == (0, 1)
    assert stage.sandbox.profile.person.account_id not in told + asked
