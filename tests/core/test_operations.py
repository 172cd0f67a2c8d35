"""What a person can do about links, and what stops them: conflicts, caps, refusals, limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import ConfigError, EventType, FieldName, RemoteError, RetryLater, Scope
from connector_core.contract.merge import ConflictRule, Direction, FieldRule, Side
from connector_core.store import LinkState
from connector_core.words.advice import advice_on, for_terminal
from connector_core.words.link_status import reason_of
from connector_core.words.names import Names
from tests.support.sync_lab import edited, happen, make_lab, run, see, titles

pytestmark = pytest.mark.lengthy_on_postgresql


@pytest.fixture
def lab(store, clock):
    """Put a store, both sides, a synchronizer and a person's operations together."""
    return make_lab(store, clock)


def with_rules(lab, **rules):
    """Give the integration rules of its own."""
    lab.change_record(rules={FieldName(name): rule for name, rule in rules.items()})


def collide(lab):
    """Let both sides change the title before either is synced."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("busy", after_s=1))
    happen(lab, EventType.UPDATED, title="From the platform")
    return see(lab, title="From the agent")


@pytest.mark.parametrize(("winner", "title"), [(Side.INCIDENT, "From the platform"), (Side.TICKET, "From the agent")])
def test_a_conflict_waits_for_a_person_and_carries_what_they_say(lab, winner, title):
    """With `ask` nothing is written until somebody decides; then both sides show it."""
    with_rules(lab, title=FieldRule(on_conflict=ConflictRule.ASK))
    link = collide(lab)
    assert (link.status.state, link.status.code) == (LinkState.CONFLICT, "conflict")
    assert for_terminal(advice_on(link)) == f"Run: connector resolve {link.id} title incident|ticket"
    assert reason_of(link, Names()) == "Both sides changed: title. Choose which value to keep."
    assert lab.platform.updates == []

    lab.operations.resolve(link, FieldName.TITLE, winner)
    link = run(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert (link.incident.title, link.ticket.title) == (title, title)


@pytest.mark.parametrize(("winner", "title"), [(Side.INCIDENT, "Display offline"), (Side.TICKET, "Noisy")])
def test_a_conflict_over_a_lost_write_of_ours_can_be_decided_too(lab, winner, title):
    """The incident is back at what was agreed on, and only our write of before may have moved the ticket."""
    with_rules(lab, title=FieldRule(on_conflict=ConflictRule.ASK))
    happen(lab)
    lab.desk.lose_answer = True
    happen(lab, EventType.UPDATED, title="Hot")
    lab.desk.refuse_with(RetryLater("busy", after_s=1))
    happen(lab, EventType.UPDATED, title="Display offline")
    link = see(lab, title="Noisy")
    assert link.status.state is LinkState.CONFLICT

    lab.operations.resolve(link, FieldName.TITLE, winner)
    link = run(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert (link.incident.title, link.ticket.title) == (title, title)


def test_other_fields_go_on_during_a_conflict(lab):
    """A question about the title does not hold up the description."""
    with_rules(lab, title=FieldRule(on_conflict=ConflictRule.ASK))
    collide(lab)

    link = see(lab, description="Seen to.")

    assert [update.description for update in lab.platform.updates] == ["Seen to."]
    assert link.status.state is LinkState.CONFLICT


def test_a_conflict_that_people_end_themselves_is_over(lab):
    """When both sides come to show the same, nobody has to decide."""
    with_rules(lab, title=FieldRule(on_conflict=ConflictRule.ASK))
    collide(lab)

    assert see(lab, title="From the platform").status.state is LinkState.IN_SYNC


def test_what_is_not_in_conflict_cannot_be_decided(lab):
    """A decision needs a question."""
    link = happen(lab)

    with pytest.raises(ConfigError):
        lab.operations.resolve(link, FieldName.TITLE, Side.TICKET)


@pytest.mark.parametrize("direction", [Direction.OFF, Direction.FROM_TICKET])
def test_a_field_that_is_not_synced_stays_where_it_is(lab, direction):
    """A direction that is off leaves the other side alone."""
    with_rules(lab, title=FieldRule(direction=direction))
    happen(lab)
    happen(lab, EventType.UPDATED, title="New")

    assert titles(lab) == ["Display offline"]


def test_two_systems_that_keep_changing_each_other_are_paused(store, clock):
    """A cap on changes a minute ends any loop, says so, and lets a person go on at once."""
    lab = make_lab(store, clock, changes_per_minute=3)
    happen(lab)
    for number in range(5):
        link = happen(lab, EventType.UPDATED, title=f"Flapping {number}")
    assert (link.status.state, link.status.code) == (LinkState.PAUSED, "too_many_changes")
    assert link.status.next_try is not None
    assert lab.desk.shown[0].title == "Flapping 2"

    lab.operations.retry(link)
    link = run(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert lab.desk.shown[0].title == "Flapping 4"


def test_a_ticket_refused_for_good_is_kept_shown_and_retried(lab):
    """Failed work stays, with its last error, until a person has it tried again."""
    lab.desk.refuse_with(RemoteError("The title is not allowed.", code="value_refused"))
    link = happen(lab)
    assert [(failed.id, failed.status.reason) for failed in lab.operations.failed()] == [
        (link.id, "The title is not allowed.")
    ]
    assert for_terminal(advice_on(link)) == f"Run: connector retry {link.id}"

    lab.operations.retry(link)
    link = run(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert "resumed" in {entry.kind for entry in lab.store.timelines.read(link.id)}


def test_a_ticket_never_made_is_retried_with_the_settings_of_today(lab):
    """What was wrong may have been the settings."""
    lab.desk.refuse_with(ConfigError("The request type is gone."))
    link = happen(lab)
    assert link.settings == {"desk": "1"}

    lab.change_record(answers={"desk": "2"})
    lab.operations.retry(link)

    assert run(lab).settings == {"desk": "2"}


def test_a_discarded_creation_rests_until_a_person_wants_it_after_all(lab):
    """No ticket is made for it any more, whatever the incident does."""
    lab.desk.refuse_with(RemoteError("No."))
    link = happen(lab)

    assert lab.operations.discard(link) is LinkState.PAUSED
    link = happen(lab, EventType.UPDATED, title="New")
    assert (link.status.code, lab.desk.tickets) == ("discarded", {})
    lab.operations.retry(link)

    assert run(lab).status.state is LinkState.IN_SYNC
    assert len(lab.desk.tickets) == 1


def test_a_discarded_change_leaves_both_sides_as_they_are(lab):
    """What could not be synced is given up; the next change is synced."""
    happen(lab)
    lab.desk.refuse_with(RemoteError("No."))
    link = happen(lab, EventType.UPDATED, title="Refused")

    assert lab.operations.discard(link) is LinkState.IN_SYNC
    link = run(lab)
    assert (link.incident.title, link.ticket.title) == ("Refused", "Display offline")
    link = happen(lab, EventType.UPDATED, title="Accepted")

    assert link.ticket.title == "Accepted"


def test_an_unlinked_pair_is_left_alone_until_a_person_wants_it_back(lab):
    """Changes of either side are not synced, and are caught up with after a retry."""
    link = happen(lab)
    lab.operations.unlink(link)

    happen(lab, EventType.UPDATED, title="New here")
    link = see(lab, description="New there")
    assert (link.status.state, link.ticket.title, lab.platform.updates) == (LinkState.PAUSED, "Display offline", [])
    lab.operations.retry(link)
    link = run(lab)

    assert link.status.state is LinkState.IN_SYNC
    assert link.ticket.title == "New here"
    assert [update.description for update in lab.platform.updates] == ["New there"]


def test_all_of_an_integration_are_tried_again_but_what_was_given_up(lab):
    """One act of a person, after the cause was mended."""
    lab.desk.refuse_with(RemoteError("No.", code="no_1"), RemoteError("No way.", code="no_2"))
    happen(lab, id="inc-1")
    happen(lab, id="inc-2")
    given_up, _ = sorted(lab.operations.failed(), key=lambda link: link.id)
    lab.operations.discard(given_up)

    lab.operations.retry_all("desk")
    run(lab)

    assert [link.status.state for link in sorted(lab.store.links.find(), key=lambda link: link.id)] == [
        LinkState.PAUSED,
        LinkState.IN_SYNC,
    ]


def test_what_is_in_sync_cannot_be_discarded(lab):
    """There is nothing to give up."""
    link = happen(lab)

    with pytest.raises(ConfigError):
        lab.operations.discard(link)


def test_drift_is_shown_and_nothing_is_changed(lab):
    """Reading shows what reconciling would do, field by field."""
    happen(lab)
    edited(lab, title="Edited unseen")

    (drift,) = lab.operations.drift("desk")

    assert (drift.field, drift.incident, drift.ticket) == ("title", "Display offline", "Edited unseen")
    assert "written to the incident" in drift.remedy
    assert lab.store.links.get(1).ticket.title == "Display offline"


def test_a_missing_ticket_is_drift_too(lab):
    """A ticket that cannot be read is told, not marked."""
    happen(lab)
    lab.desk.delete("1")

    (drift,) = lab.operations.drift("desk")

    assert (drift.field, drift.ticket) == ("ticket", "missing")
    assert lab.store.links.get(1).status.state is LinkState.IN_SYNC


def test_near_the_limit_updates_wait_and_closings_do_not(lab):
    """What a person sees first goes first."""
    happen(lab)
    lab.breakers.near_limit(lab.registry.circuit(lab.entry), lab.clock.now() + timedelta(seconds=300))

    link = happen(lab, EventType.UPDATED, title="Cosmetic")
    assert (link.status.state, link.status.code) == (LinkState.WAITING, "near_rate_limit")
    happen(lab, EventType.RESOLVED, title="Cosmetic", status="closed")

    assert lab.desk.shown[0].done


def test_an_outage_costs_a_few_calls_whatever_the_number_of_links(lab):
    """Links of a site that is down are parked, tried one at a time, and synced when it is back."""
    lab.desk.down = RetryLater("cannot answer", scope=Scope.SITE, code="unavailable")
    for number in range(40):
        happen(lab, id=f"inc-{number}")
    assert len(lab.calls) <= 10  # within forty seconds
    assert {link.status.state for link in lab.store.links.find()} == {LinkState.WAITING}

    lab.desk.down = None
    lab.clock.forward(400)
    for _ in range(10):
        lab.breakers.wake_probes()
        run(lab)
        lab.clock.forward(30)

    assert {link.status.state for link in lab.store.links.find()} == {LinkState.IN_SYNC}
    assert len(lab.desk.tickets) == 40


def test_a_wrong_setting_blocks_with_its_reason_and_is_tried_by_itself_later(lab):
    """A broken mapping makes a handful of calls; when it is mended in the other system everything goes on."""
    lab.desk.down = ConfigError("The request type is gone.", code="setup_object_missing", fix="Choose another.")
    for number in range(30):
        happen(lab, id=f"inc-{number}")
    links = lab.store.links.find()
    assert len(lab.calls) == 3
    assert {(link.status.state, link.status.code, link.status.fix) for link in links} == {
        (LinkState.BLOCKED, "setup_object_missing", "Choose another.")
    }

    lab.desk.down = None
    for _ in range(6):
        lab.clock.forward(100)
        lab.breakers.wake_probes()
        run(lab)

    blocked = lab.store.links.find(state=LinkState.BLOCKED)
    assert len(blocked) <= 2  # those that were refused before it was known to be the settings
    for link in blocked:
        lab.operations.retry(link)
    run(lab)
    assert lab.store.links.find(state=LinkState.BLOCKED) == []


def test_a_failing_ticketing_system_does_not_hold_up_the_platform(lab):
    """What is for the incident is synced although the ticket cannot be written."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("busy", after_s=60))
    happen(lab, EventType.UPDATED, title="New")
    lab.desk.refuse_with(RetryLater("busy", after_s=60))
    see(lab, description="Seen to.")

    assert [update.description for update in lab.platform.updates] == ["Seen to."]


def test_a_bug_is_visible_and_tried_again(lab):
    """A crash of our own is a blocked link with a reason, not a line in a log."""
    happen(lab)
    lab.store.lanes.wake(1, lab.clock.now())
    (claim,) = lab.store.lanes.claim("boot", lab.clock.now(), 1, 7200)

    rest = lab.sync.crashed(claim)

    link = lab.store.links.get(1)
    assert (link.status.state, link.status.code) == (LinkState.BLOCKED, "internal_error")
    assert rest.due is not None


def test_a_number_that_means_two_things_is_told_apart(lab):
    """A link's number may be another incident's id: a look shows both, and nothing is done to either unasked."""
    happen(lab, id="inc-a")
    first = lab.store.links.find()[0]
    happen(lab, id=str(first.id))
    second = next(link for link in lab.store.links.find() if link.id != first.id)

    assert [link.id for link in lab.operations.find(str(first.id))] == [first.id, second.id]
    with pytest.raises(ConfigError, match="is the number of a link") as refused:
        lab.operations.find_to_act(str(first.id))
    assert refused.value.code == "name_ambiguous"
    assert refused.value.fix == f"Say which link is meant: link:{first.id} or link:{second.id}."
    assert [link.id for link in lab.operations.find_to_act(f"link:{first.id}")] == [first.id]
    assert [link.id for link in lab.operations.find_to_act(f"link:{second.id}")] == [second.id]
    assert [link.id for link in lab.operations.find_to_act(str(second.id))] == [second.id]


def test_an_id_may_begin_like_a_links_number(lab):
    """It is found all the same."""
    happen(lab, id="link:9001")

    assert [link.incident_id for link in lab.operations.find_to_act("link:9001")] == ["link:9001"]
