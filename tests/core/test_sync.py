"""A lane from event to agreement, with both sides in memory and a real store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import (
    AuthError,
    EventType,
    FieldName,
    IncidentStatus,
    Priority,
    RemoteError,
    RetryLater,
    TicketChanged,
    TicketGone,
    TicketSnapshot,
)
from connector_core.contract.merge import ConflictRule, FieldRule
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import LinkState
from tests.support.sync_lab import happen, kinds, make_lab, run, see, tell, titles


@pytest.fixture
def lab(store, clock):
    """Put a store, a synchronizer and both sides together."""
    return make_lab(store, clock)


def test_created_ticket_is_in_sync_although_it_shows_the_title_cut(lab):
    """What the ticket shows for a value counts as that value: no second call follows."""
    link = happen(lab, title="A title that is longer than the desk allows")
    see(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert kinds(lab) == [("on_incident_event", "CreateTicket")]


def test_updates_that_wait_together_become_one_write(lab):
    """Only the latest state is synced, and only the fields that moved."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("busy", after_s=60))
    happen(lab, EventType.UPDATED, title="One")
    happen(lab, EventType.UPDATED, title="Two")
    lab.clock.forward(70)
    run(lab)

    assert [call.about.fields for call in lab.calls[1:]] == [frozenset({FieldName.TITLE})] * 2
    assert lab.desk.shown[0].title == "Two"


def test_an_echo_of_our_own_write_ends_there(lab):
    """The webhook of our write and the event of our change cause no further call."""
    happen(lab)
    see(lab, title="From the desk")
    happen(lab, EventType.UPDATED, title="From the desk")
    see(lab)

    assert kinds(lab) == [("on_incident_event", "CreateTicket"), ("apply_change", "")]


def test_a_snapshot_older_than_the_last_one_changes_nothing(lab):
    """A late delivery that shows an earlier title is dropped."""
    happen(lab)
    late = lab.desk.shown[0]
    see(lab, title="From the desk")
    lab.store.inbox.see_tickets("desk", [late], lab.clock.now())

    assert run(lab).ticket.title == "From the desk"
    assert [update.title for update in lab.platform.updates] == ["From the desk"]


def test_an_event_sent_before_our_write_does_not_undo_it(lab):
    """A late event that still carries the old title is no change."""
    happen(lab)
    see(lab, title="From the desk")
    happen(lab, EventType.UPDATED, before_s=1.5, priority=Priority.LOW)

    assert len(lab.platform.updates) == 1
    assert lab.desk.shown[0].title == "From the desk"


def test_lost_answer_is_looked_for_and_what_changed_meanwhile_is_synced(lab):
    """One ticket only, and the rename that happened before it was found arrives."""
    lab.desk.lose_answer = True
    assert happen(lab).status.state is LinkState.WAITING
    link = happen(lab, EventType.UPDATED, title="Renamed")

    assert link.status.state is LinkState.IN_SYNC
    assert titles(lab) == ["Renamed"]
    assert kinds(lab) == [("on_incident_event", kind) for kind in ("CreateTicket", "FindTicket", "WriteFields")]


def test_a_lost_write_to_the_ticket_is_made_good_although_the_incident_went_back(lab):
    """What we may have written is never taken for an agent's change, and is overwritten with what is right by now."""
    happen(lab)
    lab.desk.lose_answer = True
    happen(lab, EventType.UPDATED, title="For a moment")
    see(lab)
    link = happen(lab, EventType.UPDATED, title="Display offline")

    assert link.status.state is LinkState.IN_SYNC
    assert lab.platform.updates == []
    assert titles(lab) == ["Display offline"]


def test_a_lost_write_to_the_incident_is_made_good_although_the_ticket_went_back(lab):
    """The platform may show what we wrote: it gets the ticket's present value in any case."""
    happen(lab)
    lab.platform.lose_answer = True
    see(lab, title="For a moment")
    link = see(lab, title="Display offline")

    assert link.status.state is LinkState.IN_SYNC
    assert [update.title for update in lab.platform.updates] == ["For a moment", "Display offline"]


def test_a_write_that_certainly_failed_leaves_nothing_to_make_good(lab):
    """Refused for the moment means not done: going back needs no call."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("slow down", after_s=60))
    happen(lab, EventType.UPDATED, title="For a moment")
    calls = len(lab.calls)
    link = happen(lab, EventType.UPDATED, title="Display offline")

    assert link.status.state is LinkState.IN_SYNC
    assert len(lab.calls) == calls


def test_incident_resolved_before_its_ticket_was_made_gets_one_that_is_closed(lab):
    """Both the ticket and its closing are synced after an outage."""
    lab.desk.refuse_with(RetryLater("down", after_s=60))
    happen(lab)
    lab.clock.forward(70)
    happen(lab, EventType.RESOLVED, status=IncidentStatus.CLOSED)

    assert [ticket.done for ticket in lab.desk.shown] == [True]


def test_closed_incident_is_never_reopened(lab):
    """A reopened ticket leaves the incident closed and is not closed again by us."""
    happen(lab)
    see(lab, done=True)
    link = see(lab, done=False)

    assert [update.close for update in lab.platform.updates] == [True]
    assert link.incident.status is IncidentStatus.CLOSED
    assert lab.desk.shown[0].done is False


def test_retrying_a_gone_ticket_looks_whether_it_is_back(lab):
    """It stays gone while it cannot be read, and is in sync again when it can."""
    happen(lab)
    lab.store.links.mark_gone("desk", "1", lab.clock.now())
    lab.desk.tickets["1"].hidden = True
    lab.store.lanes.wake(1, lab.clock.now())
    assert run(lab).status.state is LinkState.GONE
    lab.desk.edit("1", title="Edited meanwhile")
    lab.desk.tickets["1"].hidden = False
    lab.store.lanes.wake(1, lab.clock.now())

    assert run(lab).status.state is LinkState.IN_SYNC
    assert [update.title for update in lab.platform.updates] == ["Edited meanwhile"]


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (RetryLater("busy"), LinkState.WAITING, "temporarily_unavailable"),
        (RemoteError("no", code="no_way"), LinkState.BLOCKED, "no_way"),
        (TicketGone("gone"), LinkState.GONE, "ticket_gone"),
        (AuthError("log in"), LinkState.PAUSED, "authorization_needed"),
    ],
)
def test_trouble_is_a_state_with_a_reason_and_ends_well(lab, error, state, code):
    """Each error leads to its state; the next wake-up brings the link in sync."""
    happen(lab)
    lab.desk.refuse_with(error)
    link = happen(lab, EventType.UPDATED, title="Renamed")
    assert (link.status.state, link.status.code, link.status.attempts) == (state, code, 1)
    assert link.status.reason

    lab.clock.forward(3600)
    lab.store.integrations.note_problem("desk", "", "")  # a person authorizes, where that was asked for
    lab.store.lanes.wake(1, lab.clock.now())

    assert run(lab).status.state is LinkState.IN_SYNC


def test_lost_authorization_marks_the_integration(lab):
    """The integration says that a person has to authorize again."""
    lab.desk.refuse_with(AuthError("log in again"))
    happen(lab)

    (record,) = lab.store.integrations.every()
    assert record.problem_code == "authorization_needed"


def test_what_the_platform_cannot_take_is_said_once(lab):
    """An unsupported field is written down and not tried again."""
    happen(lab)
    lab.platform.unsupported = {FieldName.TITLE: "titles are fixed"}
    see(lab, title="From the desk")
    link = see(lab)

    assert len(lab.platform.updates) == 1
    assert link.incident.title == "Display offline"
    assert "incident_unsupported" in {entry.kind for entry in lab.store.timelines.read(1)}


def test_asked_waiting_time_is_kept(lab):
    """A lane is due no earlier than the other side asked for."""
    lab.desk.refuse_with(RetryLater("slow down", after_s=100))
    link = happen(lab)

    assert link.status.next_try - lab.clock.now() >= timedelta(seconds=100)
    assert lab.store.lanes.claim("boot", lab.clock.now() + timedelta(seconds=99), 8, HORIZON_S) == []


def test_a_change_heard_of_before_the_create_was_answered_is_not_lost(lab):
    """A delivery that overtakes the answer to our create is synced once the link is there."""

    def let_a_rule_edit(call, _):
        if call.hook == "on_incident_event":
            edited = lab.desk.edit("1", title="Set by a rule")
            lab.store.inbox.see_tickets("desk", [edited, edited.model_copy(update={"id": "99"})], lab.clock.now())

    lab.desk.during = let_a_rule_edit
    link = happen(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert [update.title for update in lab.platform.updates] == ["Set by a rule"]


def test_an_unknown_ticket_is_kept_only_while_something_is_being_created(lab):
    """What is not ours leaves no trace."""
    happen(lab)
    stranger = TicketSnapshot(id="99", key="T-99", title="Not ours", updated=lab.clock.now())

    assert lab.store.inbox.see_tickets("desk", [stranger], lab.clock.now()) == 0
    assert lab.store.links.find(text="99") == []


def change_unseen(lab, at_desk_s, on_platform_s):
    """Change the title on both sides, each so many seconds from now; the desk's webhook is lost."""
    moments = sorted([(at_desk_s, "desk"), (on_platform_s, "platform")])
    passed = 0
    for at, side in moments:
        lab.clock.forward(at - passed)
        passed = at
        if side == "desk":
            lab.desk.edit("1", title="By an agent")
        else:
            tell(lab, EventType.UPDATED, title="By the platform")
    return run(lab)


@pytest.mark.parametrize(("at_desk_s", "on_platform_s", "wins"), [(10, 20, "By the platform"), (20, 10, "By an agent")])
def test_a_change_that_a_plugin_sees_before_its_write_is_weighed_with_ours(lab, at_desk_s, on_platform_s, wins):
    """Nothing is written over unseen: the later change wins, and the timeline has both."""
    happen(lab)
    lab.desk.is_careful = True

    link = change_unseen(lab, at_desk_s, on_platform_s)

    assert link.status.state is LinkState.IN_SYNC
    assert lab.desk.shown[0].title == wins
    told = [entry for entry in lab.store.timelines.read(link.id) if entry.kind == "ticket_changed"]
    assert [entry.values["title"][1] for entry in told] == ["By an agent"]


def test_a_ticket_that_changes_at_every_look_ends_in_a_pause(lab):
    """Somebody, or something, is always faster: the lane gives way, and nothing is lost."""
    happen(lab)
    lab.change_record(rules={FieldName.TITLE: FieldRule(on_conflict=ConflictRule.INCIDENT_WINS)})
    lab.desk.is_careful = True
    edits = iter(range(100))
    write = lab.desk._differs

    def always_faster(seen, change):
        lab.desk.edit("1", title=f"Edit {next(edits)}")
        return write(lab.desk.tickets["1"], change)

    lab.desk._differs = always_faster
    link = happen(lab, EventType.UPDATED, title="By the platform")

    assert link.status.state is not LinkState.IN_SYNC
    assert link.status.code == "too_many_changes"


def test_a_ticket_that_is_read_late_is_waited_for(lab, clock):
    """A delivery told of a later state than the look before a write shows: it is looked at once a try."""
    link = happen(lab)
    earlier = link.ticket.model_copy(update={"title": "Earlier", "updated": clock.now() - timedelta(hours=1)})
    lab.desk.refuse_with(TicketChanged(earlier))

    link = happen(lab, EventType.UPDATED, title="By the platform")

    assert link.status.code == "ticket_read_late"
    assert [kind for _, kind in kinds(lab)] == ["CreateTicket", "WriteFields"]
    clock.forward(3600)
    assert run(lab).ticket.title == "By the platform"


def test_a_plugin_that_shows_another_ticket_is_at_fault(lab):
    """What it shows is taken for nothing."""
    happen(lab)
    lab.desk.refuse_with(TicketChanged(TicketSnapshot(id="99", title="Another")))

    link = happen(lab, EventType.UPDATED, title="By the platform")

    assert (link.status.code, link.ticket.id) == ("plugin_broken", "1")


@pytest.mark.parametrize("theirs", ["By the agent", "Offline"], ids=["third", "former"])
def test_what_a_person_sets_right_behind_a_write_reaches_the_incident(lab, theirs):
    """Agreed is what was written: another title, and the former one too, is the person's, and stays."""
    former = happen(lab, title="Offline").ticket.title
    lab.desk.interruptions.append(lambda: lab.desk.edit("1", title=theirs))

    link = happen(lab, EventType.UPDATED, title="By the platform")

    assert former == "Offline"
    assert (link.ticket.title, link.incident.title) == (theirs, theirs)
    assert [kind for name, kind in kinds(lab) if name == "on_incident_event"] == ["CreateTicket", "WriteFields"]
    told = [entry for entry in lab.store.timelines.read(link.id) if entry.kind == "ticket_changed"]
    assert [entry.values["why"] for entry in told] == ["behind_a_write"]
