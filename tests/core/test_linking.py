"""A ticket that is there is linked: read first, refused with a reason, marked, and synced by the usual rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector_core import ConfigError, EventType, IncidentStatus, Priority, RemoteError, RetryLater
from connector_core.contract.merge import ConflictRule, FieldRule
from connector_core.contract.models import FieldName
from connector_core.linking.existing import Linker
from connector_core.linking.outcomes import Outcome, Wanted
from connector_core.linking.rebuild import Rebuilder
from connector_core.store import DISCARDED, Actor, LinkState, Via
from connector_core.store.acting import acting
from tests.support.activation import active_record
from tests.support.sync_lab import happen, make_lab, run, tell

pytestmark = pytest.mark.lengthy_on_postgresql


@pytest.fixture
def lab(store, clock):
    """Return a lane with one incident that nothing is linked with: it was opened before the integration was there."""
    lab = make_lab(store, clock)
    tell(lab, EventType.UPDATED, title="Old", priority=Priority.HIGH)
    store.integrations.put(active_record("desk", "acme", clock.now()))
    return lab


def linker(lab):
    """Return what links, over the lab's parts."""
    return Linker(lab.store, lab.registry, lab.breakers, lab.clock, lab.registry._log, after=lambda: None)


def link(lab, *wanted, dry_run=False, **more):
    """Link tickets; return what came of each."""
    return list(linker(lab).link(wanted, dry_run=dry_run, **more))


def link_one(lab, incident="inc-1", ticket="T-1", **more):
    """Link one ticket; return what came of it."""
    (done,) = link(lab, Wanted(incident, ticket), **more)
    return done


def test_a_dry_run_says_what_would_be_done_and_does_nothing(lab):
    """The ticket is read, and nothing else: no link, no mark."""
    lab.desk.open("Screen is black")

    done = link_one(lab, dry_run=True)

    assert done.outcome is Outcome.WOULD_LINK
    first = done.differences[0]
    assert (first.field, first.incident, first.ticket) == ("title", "Old", "Screen is black")
    assert lab.store.links.find() == []
    assert [call.hook for call in lab.calls] == ["find_tickets"]


@pytest.mark.parametrize("direction", ["from_ticket", "both"])
def test_a_ticket_without_a_description_clears_none(lab, direction):
    """It never said anything; where ours goes that way, it is written."""
    (known,) = lab.store.integrations.every()
    lab.store.integrations.put(replace(known, rules={FieldName.DESCRIPTION: FieldRule(direction=direction)}))
    tell(lab, EventType.UPDATED, title="Old", description="It is dark", priority=Priority.HIGH)
    lab.desk.open("Old")
    lab.clock.forward(5)

    done = link_one(lab)
    found = run(lab)

    remedies = {one.field: one.remedy for one in done.differences}
    is_written = direction == "both"
    assert remedies["description"] == ("written to the ticket" if is_written else "left as it is on both sides")
    assert found.incident.description == "It is dark"
    assert (found.ticket.description or None) == ("It is dark" if is_written else None)


@pytest.mark.parametrize("name", ["T-1", "1", "https://desk.example.test/T-1"])
def test_a_ticket_is_linked_marked_and_synced(lab, name):
    """The later change wins; who did it is in the timeline and the audit log; no ticket is made."""
    lab.desk.open("Screen is black")
    lab.clock.forward(5)
    tell(lab, EventType.UPDATED, title="Display dark", priority=Priority.HIGH)

    with acting(Actor("ada", Via.TERMINAL, lab.clock.now())):
        done = link_one(lab, ticket=name)
    found = run(lab)

    assert done.outcome is Outcome.LINKED
    assert found.status.state is LinkState.IN_SYNC
    assert (found.ticket.title, found.ticket.priority) == ("Display dark", Priority.HIGH)
    assert lab.desk.tickets["1"].marker == found.marker
    assert not found.mark_due
    assert len(lab.desk.tickets) == 1
    kinds = [entry.kind for entry in lab.store.timelines.read(found.id)]
    assert kinds[0] == "ticket_linked"
    assert "ticket_unmarked" not in kinds


def test_the_rule_of_a_field_says_who_wins(lab):
    """As it does between sides that both changed."""
    lab.change_record(rules={FieldName.TITLE: FieldRule(on_conflict=ConflictRule.TICKET_WINS)})
    lab.desk.open("Screen is black")
    lab.clock.forward(5)
    tell(lab, EventType.UPDATED, title="Display dark")

    link_one(lab)

    assert run(lab).incident.title == "Screen is black"


def test_news_of_the_incident_make_no_second_ticket(lab):
    """It has one by now."""
    lab.desk.open("Screen is black")
    link_one(lab)

    happen(lab, EventType.OPENED, title="Old")

    assert len(lab.desk.tickets) == 1


def test_what_does_not_fit_is_refused_with_a_reason(lab):
    """Each wish has a result of its own, and one that is refused leaves nothing behind."""
    lab.desk.open("First")
    lab.desk.open("Second")
    lab.desk.edit("2", done=True)
    lab.desk.open("Hidden")
    lab.desk.tickets["3"].hidden = True
    lab.desk.open("Of another")
    lab.desk.tickets["4"].marker = "cnx-0123456789abcdef0123"
    tell(lab, EventType.UPDATED, id="inc-2")

    results = link(
        lab,
        Wanted("inc-9", "T-1"),
        Wanted("inc-1", "T-9"),
        Wanted("inc-1", "T-3"),
        Wanted("inc-1", "T-2"),
        Wanted("inc-1", "T-4"),
        Wanted("inc-1", "T-1", integration="other"),
        Wanted("inc-1", "T-1", organization="globex"),
        Wanted("", "T-1"),
        Wanted("inc-1", "x" * 501),
        Wanted("inc-1", "T\n1"),
        Wanted("inc-1", "T-1", row=7),
        Wanted("inc-1", "T-1", row=8),
        Wanted("inc-2", "1", row=9),
    )

    assert [one.outcome for one in results] == [
        Outcome.INCIDENT_UNKNOWN,
        Outcome.TICKET_UNKNOWN,
        Outcome.TICKET_UNKNOWN,
        Outcome.FINISHED,
        Outcome.TAKEN,
        Outcome.INTEGRATION_UNKNOWN,
        Outcome.INCIDENT_UNKNOWN,
        Outcome.INVALID,
        Outcome.INVALID,
        Outcome.INVALID,
        Outcome.LINKED,
        Outcome.DUPLICATE,
        Outcome.DUPLICATE,
    ]
    assert [one.ticket.key for one in lab.store.links.find()] == ["T-1"]


def test_linking_again_does_no_harm(lab):
    """What is linked already is said to be, and stays as it is."""
    lab.desk.open("First")
    lab.desk.open("Second")
    link_one(lab)
    before = run(lab)

    assert link_one(lab).outcome is Outcome.KNOWN
    assert link_one(lab, ticket="T-2").outcome is Outcome.HAS_TICKET
    tell(lab, EventType.UPDATED, id="inc-2")
    assert link_one(lab, "inc-2", "T-1").outcome is Outcome.TAKEN
    assert run(lab).ticket == before.ticket


def test_what_was_unlinked_takes_another_ticket_and_lets_go_of_its_own(lab):
    """Two incidents were linked the wrong way round: both are unlinked, and linked again."""
    lab.desk.open("First")
    lab.desk.open("Second")
    tell(lab, EventType.UPDATED, id="inc-2")
    link(lab, Wanted("inc-1", "T-1"), Wanted("inc-2", "T-2"))
    run(lab)
    for one in lab.store.links.find():
        lab.operations.unlink(one)

    results = link(lab, Wanted("inc-1", "T-2"), Wanted("inc-2", "T-1"))
    run(lab)

    assert [one.outcome for one in results] == [Outcome.LINKED, Outcome.LINKED]
    assert {one.incident_id: one.ticket.key for one in lab.store.links.find()} == {"inc-1": "T-2", "inc-2": "T-1"}
    assert DISCARDED not in {one.status.code for one in lab.store.links.find()}


def test_a_ticket_that_is_done_closes_the_incident_where_that_is_wanted(lab):
    """By the rules of the status, which go both ways."""
    lab.desk.open("First")
    lab.desk.edit("1", done=True)

    assert link_one(lab, finished=True).outcome is Outcome.LINKED

    assert run(lab).incident.status is IncidentStatus.CLOSED
    assert lab.platform.incidents["inc-1"].status is IncidentStatus.CLOSED


def test_the_ticket_of_an_incident_that_is_over_is_closed(lab):
    """As if it had been linked all the time."""
    tell(lab, EventType.RESOLVED, title="Old")
    lab.desk.open("First")

    link_one(lab)

    assert run(lab).ticket.done


def test_an_incident_whose_creation_failed_takes_a_ticket(store, clock):
    """Whatever stood in the way of making one."""
    lab = make_lab(store, clock)
    lab.desk.refuse_with(RemoteError("No."))
    assert happen(lab).ticket is None
    lab.desk.open("By hand")

    assert link_one(lab).outcome is Outcome.LINKED
    assert run(lab).status.state is LinkState.IN_SYNC
    assert len(lab.desk.tickets) == 1


def test_what_is_being_created_at_this_moment_is_left_alone(store, clock):
    """Its lane is at work: it would get two."""
    lab = make_lab(store, clock)
    tell(lab)
    lab.desk.open("By hand")
    (claim,) = store.lanes.claim("boot", clock.now(), 8, 7200)

    assert link_one(lab).outcome is Outcome.BUSY

    store.lanes.release(claim, lab.sync.run(claim), clock.now())
    assert store.links.get(1).ticket.key == "T-2"


def test_a_mark_that_is_refused_stops_nothing(lab):
    """The timeline says so; one that cannot be put now is tried again."""
    lab.desk.open("Screen is black")
    lab.desk.refuse_with(None, RetryLater("Busy."))
    link_one(lab)
    assert run(lab).mark_due

    lab.desk.refuse_with(RemoteError("No."))
    lab.clock.forward(3600)
    found = run(lab)

    assert (found.mark_due, found.status.state) == (False, LinkState.IN_SYNC)
    assert "ticket_unmarked" in {entry.kind for entry in lab.store.timelines.read(found.id)}


def test_a_site_that_cannot_be_asked_fails_the_rows_and_they_are_done_later(lab):
    """Somebody who may wait does; without that, the row says what is wrong."""
    lab.desk.open("Screen is black")
    lab.desk.refuse_with(RetryLater("Busy.", after_s=7))
    waited = []

    assert link_one(lab).outcome is Outcome.FAILED
    lab.desk.refuse_with(RetryLater("Busy.", after_s=7))

    def pause(seconds):
        waited.append(seconds)
        lab.clock.forward(seconds)

    assert link_one(lab, pause=pause).outcome is Outcome.LINKED
    assert waited


def test_a_plugin_that_knows_no_names_is_asked_by_id(store, clock):
    """And one without marks gets none."""
    lab = make_lab(store, clock, without=("find_tickets", "mark_ticket"))
    tell(lab, EventType.UPDATED, title="Old")
    store.integrations.put(active_record("desk", "acme", clock.now()))
    lab.desk.open("Screen is black")

    assert link_one(lab, ticket="T-1").outcome is Outcome.TICKET_UNKNOWN
    assert link_one(lab, ticket="1").outcome is Outcome.LINKED
    assert not run(lab).mark_due


def test_nothing_of_another_organization_is_seen(lab):
    """Whoever is limited to one learns nothing of an incident of another."""
    lab.desk.open("Screen is black")

    assert link_one(lab, organizations=frozenset({"globex"})).outcome is Outcome.INCIDENT_UNKNOWN


# Rebuilding


def rebuild(lab, **more):
    """Find links again by the marks on tickets."""
    rebuilder = Rebuilder(lab.store, lab.registry, lab.breakers, lab.clock, lab.registry._log, after=lambda: None)
    return rebuilder.rebuild("desk", pause=lab.clock.forward, **{"dry_run": False, **more})


def lose_database(lab, store):
    """Forget all links and incidents, as if the database were new; the desk keeps its tickets."""
    for _ in store.removals.remove_all("acme"):
        pass
    store.integrations.put(active_record("desk", "acme", lab.clock.now()))


@pytest.fixture
def lost(store, clock):
    """Return a lane whose database was lost: two tickets are open, one is done, one is somebody's own."""
    lab = make_lab(store, clock)
    for name in ("inc-1", "inc-2", "inc-3"):
        happen(lab, id=name, title=f"About {name}")
    lab.desk.open("Somebody's own")
    lab.desk.edit("3", done=True)
    lose_database(lab, store)
    assert store.links.find() == []
    return lab


def test_links_are_found_again_by_the_marks(lost):
    """With what the platform has told of, and with what it has not; a dry run counts, and changes nothing."""
    tell(lost, EventType.UPDATED, id="inc-1", title="About inc-1", opened_at=lost.clock.now())
    before = len(lost.store.links.find())

    assert rebuild(lost, dry_run=True).outcomes == {"would be linked": 2, "ticket is done": 1}
    assert len(lost.store.links.find()) == before
    found = rebuild(lost)

    assert (found.seen, found.marked, found.outcomes) == (4, 3, {"linked": 2, "ticket is done": 1})
    linked = {one.incident_id: one.ticket.key for one in lost.store.links.find() if one.ticket}
    assert linked == {"inc-1": "T-1", "inc-2": "T-2"}
    assert rebuild(lost).outcomes == {"linked already": 2, "ticket is done": 1}


def test_no_incident_gets_a_second_ticket_after_a_rebuild(lost):
    """News of each come in, also of its beginning; what is told then is synced."""
    rebuild(lost)
    for name in ("inc-1", "inc-2"):
        happen(lost, EventType.OPENED, id=name, title=f"New {name}")

    assert len(lost.desk.tickets) == 4
    assert [lost.desk.tickets[one].shown.title for one in ("1", "2")] == ["New inc-1", "New inc-2"]


def test_a_rebuild_goes_on_where_it_was_stopped(lost):
    """After an error, or a kill: pages that were done are not read again."""
    lost.desk.page = 1
    lost.desk.refuse_with(None, None, RemoteError("Down."))
    with pytest.raises(RemoteError):
        rebuild(lost)

    found = rebuild(lost)

    assert (found.is_continued, found.seen) == (True, 2)
    assert {one.incident_id for one in lost.store.links.find()} == {"inc-1", "inc-2"}


def test_the_later_of_two_tickets_for_one_incident_is_linked(lost):
    """One was made anew in place of the other, which is let alone since."""
    lost.desk.open("Made anew")
    lost.desk.tickets["5"].marker = f"{lost.desk.tickets['1'].marker}-2"
    lost.desk.tickets["5"].incident_id = "inc-1"

    rebuild(lost)

    assert {one.incident_id: one.ticket.key for one in lost.store.links.find()} == {"inc-1": "T-5", "inc-2": "T-2"}


def test_marks_of_others_are_passed_over(lost):
    """Of another organization's link, or of an incident that nobody can tell."""
    lost.desk.tickets["1"].incident_id = "inc-9"
    lost.desk.tickets["2"].incident_id = ""

    assert rebuild(lost).outcomes == {
        "ticket of another incident": 1,
        "unknown incident": 1,
        "ticket is done": 1,
    }


def test_a_plugin_that_cannot_list_its_marks_says_so(store, clock):
    """And what to do instead."""
    lab = make_lab(store, clock, without=("list_marked",))

    with pytest.raises(ConfigError, match="cannot be searched"):
        rebuild(lab)
