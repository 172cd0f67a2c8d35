"""Closing on the difficult site: three transitions, a screen, a validator, hidden and dead ends, people in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector_core import RemoteError, WriteFields
from connector_jira_jsm.tickets.writing import write_change
from connector_jira_jsm_sandbox import DIFFICULT, JiraSandbox
from connector_jira_jsm_sandbox.difficult import SETTINGS
from tests.support.jira.difficult_site import calls, closed, handle, incident, opened

FIELDS: dict[str, Any] = {"close_fields": SETTINGS["close_fields"]}


@pytest.fixture
def sandbox(difficult: JiraSandbox) -> JiraSandbox:
    """Work on the difficult site."""
    return difficult


def without(*ids: str) -> dict[str, Any]:
    """Return the workflow without some transitions."""
    return {"transitions": tuple(one for one in DIFFICULT.transitions if one.id not in ids)}


def test_close_is_found_over_three_transitions(sandbox: JiraSandbox) -> None:
    """With nothing known the ticket is moved on and looked at, through no other done status, and the screen filled."""
    integration = handle(sandbox, **FIELDS)

    receipt = closed(integration, opened(integration))

    issue = sandbox.workbench.issue(receipt.ticket.id)
    assert (receipt.ticket.status, receipt.ticket.done) == ("Geschlossen", True)
    assert "In Prüfung → In Arbeit → Geschlossen" in receipt.note
    assert issue.fields.resolution_id == "10400"
    assert dict(issue.fields.custom)["customfield_10115"]["value"] == "Hardware"


def test_known_way_costs_nine_calls_for_the_whole_life(sandbox: JiraSandbox) -> None:
    """The second ticket is opened, updated and closed in nine calls, a look before each write among them.

    Its request type asks for a priority: one that Jira chose would have to be read.
    """
    settings = {**DIFFICULT.settings, **FIELDS, "request_type": "25"}
    first = handle(sandbox, **settings)
    ticket = opened(first)
    closed(first, ticket)
    again = handle(sandbox, memory_of=first, **settings)
    opened(again)  # reads the form
    before = sandbox.call_count()

    ticket = opened(again)
    changed = incident(title="Bild weg, Ton auch")
    update = WriteFields(incident=changed, marker="m", ticket=ticket, fields=frozenset({"title"}))
    shown = write_change(again, update).ticket
    receipt = closed(again, shown)

    assert receipt.ticket.done
    assert len(calls(sandbox, before)) <= 9, calls(sandbox, before)


def test_steps_in_between_are_older_than_the_receipt(sandbox: JiraSandbox) -> None:
    """The receipt has the time of the last step, so a late delivery about an earlier one is known to be late."""
    integration = handle(sandbox, **FIELDS)

    receipt = closed(integration, opened(integration))

    history = sandbox.workbench.issue(receipt.ticket.id).history
    moves = [change.created for change in history if any(item.field == "status" for item in change.items)]
    assert len(moves) == 3
    assert receipt.ticket.updated is not None
    assert moves[1] < receipt.ticket.updated <= moves[2]


def test_stale_knowledge_is_looked_up_again(sandbox: JiraSandbox) -> None:
    """A workflow that changed since is seen at the refusal, and the new way is taken."""
    integration = handle(sandbox, **FIELDS)
    closed(integration, opened(integration))
    renamed = tuple(replace(one, id="221") if one.id == "21" else one for one in DIFFICULT.transitions)
    sandbox.administer(transitions=renamed)

    assert closed(integration, opened(integration)).ticket.status == "Geschlossen"


def test_person_who_moved_the_ticket_does_not_disturb(sandbox: JiraSandbox) -> None:
    """The ticket goes on from where it really stands, and one that a person closed is closed."""
    integration = handle(sandbox, **FIELDS)
    closed(integration, opened(integration))
    moved, done = opened(integration), opened(integration)
    for step in ("11", "31"):
        sandbox.workbench.move(moved.id, step)
    sandbox.finish_ticket(done.id)

    assert closed(integration, moved).ticket.status == "Geschlossen"
    assert closed(integration, done).note == "The ticket was closed already."


def test_missing_value_of_a_screen_takes_another_path(sandbox: JiraSandbox) -> None:
    """Without a value for the validator's field the close is refused; the other done status is taken when it may be."""
    integration = handle(sandbox, close_fields={"resolution": "Behoben"}, close_explore=True)

    with pytest.raises(RemoteError) as caught:
        closed(integration, opened(integration))

    ticket = sandbox.tickets()[-1]
    assert caught.value.code == "close_refused"
    assert "Ursache is required" in caught.value.message
    assert "Workflows" in caught.value.fix
    assert not ticket["done"]


def test_person_is_asked_once_for_each_reason(sandbox: JiraSandbox) -> None:
    """The last rung leaves one internal comment, whatever often it is retried; without the rung there is none."""
    sandbox.administer(**without("41", "61"))
    integration, silent = handle(sandbox, **FIELDS), handle(sandbox, close_fallback="other_path", **FIELDS)
    ticket, other = opened(integration), opened(silent)

    for _ in range(2):
        with pytest.raises(RemoteError) as caught:
            closed(integration, ticket)
    with pytest.raises(RemoteError):
        closed(silent, other)

    comments = sandbox.workbench.issue(ticket.id).fields.comments
    assert caught.value.code == "no_close_transition"
    assert [one.public for one in comments] == [False]
    assert "Please close it" in comments[0].body
    assert sandbox.workbench.issue(other.id).fields.comments == ()


def test_other_done_status_only_where_it_is_allowed(sandbox: JiraSandbox) -> None:
    """When the close status cannot be reached, another done status is taken, or not, as configured."""
    sandbox.administer(**without("41"))
    lenient = handle(sandbox, close_fields={"resolution": "Behoben"}, close_explore=False)
    strict = handle(sandbox, close_fallback=["other_path"], close_explore=False)
    first, second = opened(lenient), opened(strict)
    for ticket in (first, second):
        sandbox.workbench.move(ticket.id, "11")

    receipt = closed(lenient, first)
    with pytest.raises(RemoteError):
        closed(strict, second)

    assert receipt.ticket.status == "Abgelehnt"
    assert "No way led to the close status" in receipt.note
    assert not sandbox.ticket(second.id)["done"]


def test_without_exploring_a_ticket_is_left_where_it_stands(sandbox: JiraSandbox) -> None:
    """When no way is known and none may be looked for, nothing moves."""
    integration = handle(sandbox, close_explore=False, **FIELDS)
    ticket = opened(integration)

    with pytest.raises(RemoteError, match="No way is known"):
        closed(integration, ticket)

    assert sandbox.ticket(ticket.id)["status"] == "Neu"


def test_dead_end_is_not_walked_into_twice(sandbox: JiraSandbox) -> None:
    """A status without a way out strands one ticket at most; the next one goes around it."""
    order = ("91", "11", "21", "31", "41", "51", "61", "81")
    by_id = {one.id: one for one in DIFFICULT.transitions}
    sandbox.administer(transitions=tuple(by_id[one] for one in order))
    integration = handle(sandbox, **FIELDS)

    with pytest.raises(RemoteError, match="Eskaliert"):
        closed(integration, opened(integration))

    assert closed(integration, opened(integration)).ticket.status == "Geschlossen"


def test_no_permission_to_transition_is_said(sandbox: JiraSandbox) -> None:
    """An empty list of transitions is what a missing permission looks like."""
    integration = handle(sandbox, **FIELDS)
    ticket = opened(integration)
    sandbox.administer(denied=frozenset({"TRANSITION_ISSUES"}))

    with pytest.raises(RemoteError, match="may lack Transition issues"):
        closed(integration, ticket)


def test_validated_field_that_is_on_no_screen_is_set_beforehand(sandbox: JiraSandbox) -> None:
    """A validator's field that the edit screen has is set by an edit, and the transition taken again."""
    cause = ("customfield_10115",)
    unlisted = tuple(
        replace(one, validated_fields=(), demanded_fields=cause) if one.id == "41" else one
        for one in DIFFICULT.transitions
    )
    sandbox.administer(transitions=unlisted)
    integration = handle(sandbox, **FIELDS)

    receipt = closed(integration, opened(integration))

    custom = dict(sandbox.workbench.issue(receipt.ticket.id).fields.custom)
    assert receipt.ticket.status == "Geschlossen"
    assert custom["customfield_10115"]["id"] == "10140"


def test_field_off_the_edit_screen_is_left_out_and_recorded(sandbox: JiraSandbox) -> None:
    """The rest of the change goes through; the next one does not ask again, and says the same."""
    integration = handle(sandbox, request_type="25", **DIFFICULT.settings)
    ticket = opened(integration)
    receipts = []
    before = sandbox.call_count()

    for title in ("Erstens", "Zweitens"):
        change = WriteFields(
            incident=incident(title=title, priority="critical"),
            marker="cnx-1",
            ticket=ticket,
            fields=frozenset({"title", "priority"}),
        )
        receipts.append(write_change(integration, change))
        ticket = receipts[-1].ticket

    assert [receipt.ticket.title for receipt in receipts] == ["Erstens", "Zweitens"]
    assert all("not on the appropriate screen" in receipt.refused["priority"] for receipt in receipts)
    assert calls(sandbox, before) == [f"{way} api/2/issue/{ticket.id}" for way in ("GET", "PUT", "PUT", "GET", "PUT")]
    assert sandbox.ticket(ticket.id)["priority"] == "Dringend"
