"""Tickets of daemons of which the database knows nothing, after a restore, a loss or a move: found, none doubled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector_core import CreateTicket, EventType, FindTicket, IncidentStatus
from connector_core.store import LinkState
from connector_core.store.forgetting import RECEIVED_FOR
from tests.support.activation import active_record
from tests.support.forgetting import forget
from tests.support.lives import WAYS, Machine, restored
from tests.support.sync_lab import happen, titles


@pytest.fixture
def machine(tmp_path):
    """Return a machine on which a daemon lives that has been up for a while."""
    made = Machine(tmp_path)
    made.clock.forward(600)
    yield made
    made.store.close()


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize("beats", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_of_a_life_that_is_not_known_is_taken_over(machine, way, beats):
    """However the database came to be younger than the ticket, and however the lost life ended."""
    bring_back = restored(machine, way)
    machine.clock.forward(20)
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.stop(beats=beats)
    bring_back()
    machine.start()

    link = machine.happen(EventType.UPDATED, opened=opened, title="Display dark")

    assert machine.why
    assert titles(machine.lab) == ["Display dark"]
    assert link.status.state is LinkState.IN_SYNC
    assert "ticket_found" in {entry.kind for entry in machine.lab.store.timelines.read(link.id)}


@pytest.mark.parametrize("way", ["backup", "files", "elsewhere"])
def test_a_ticket_that_the_search_does_not_know_yet_is_waited_for(machine, way):
    """Restored within seconds: the look goes on until the index has caught up, whatever the incident's age."""
    bring_back = restored(machine, way)
    happen(machine.lab, opened_at=machine.clock.now())
    machine.stop()
    bring_back()
    machine.start()

    machine.happen(opened=machine.clock.now() + timedelta(seconds=90))

    assert len(machine.desk.tickets) == 1


def looked_at_age(machine):
    """Return for each look how old the ticket was said to be at the least."""
    changes = [call.about for call in machine.desk.called("on_incident_event")]
    return [change.attempt_age_s for change in changes if isinstance(change, FindTicket)]


@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_of_a_lost_life_is_as_old_as_this_process(machine, way):
    """The other life ended before this one began; how long the incident is open says nothing then."""
    bring_back = restored(machine, way)
    machine.stop()
    bring_back()
    machine.start()
    machine.clock.forward(49)
    happen(machine.lab, opened_at=machine.clock.now() - timedelta(seconds=69))

    assert looked_at_age(machine) == [50.0]


def test_where_nothing_but_its_incident_speaks_for_a_ticket_it_is_as_old(machine):
    """After a long time away nobody waits for a search to catch up."""
    machine.stop()
    machine.clock.forward(3600)
    machine.start()
    machine.clock.forward(49)
    happen(machine.lab, opened_at=machine.clock.now() - timedelta(seconds=599))

    assert looked_at_age(machine) == [600.0]


def test_a_ticket_of_an_integration_that_was_removed_may_be_new(machine):
    """It may have been made just before: the wait for a search begins with the first look."""
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.store.integrations.remove("desk")
    machine.store.integrations.put(active_record("desk", "acme", machine.clock.now()))
    forget(machine.lab.store, machine.clock.now() + RECEIVED_FOR + timedelta(days=1))
    happen(machine.lab, opened_at=opened)

    assert looked_at_age(machine) == [0.0]


def test_an_incident_that_is_named_as_a_ticket_is_has_not_that_ticket(machine):
    """Links are found by any name; whose the ticket is goes by the ticket alone."""
    happen(machine.lab, id="2", opened_at=machine.clock.now())
    bring_back = restored(machine, "files")
    machine.clock.forward(20)
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.stop()
    bring_back()
    machine.start()

    link = machine.happen(opened=opened)

    assert sorted(machine.desk.tickets) == ["1", "2"]
    assert link.ticket.id == "2"


def test_a_restart_costs_nothing(machine):
    """A daemon that was stopped, or killed, and started again looks for nothing and waits for nothing."""
    for beats in (True, False):
        machine.stop(beats=beats)
        machine.clock.forward(20)
        machine.start()
        assert machine.why == ""
    happen(machine.lab, opened_at=machine.clock.now() - timedelta(seconds=10))

    assert [type(call.about) for call in machine.desk.calls] == [CreateTicket]


def test_an_incident_that_is_new_waits_for_nothing(machine):
    """In a new database, or after a long time away, what is opened from then on gets its ticket with one call."""
    machine.stop()
    machine.clock.forward(3600)
    machine.start()
    machine.clock.forward(1)
    happen(machine.lab, opened_at=machine.clock.now())

    assert machine.why == "long_away"
    assert [type(call.about) for call in machine.desk.calls] == [CreateTicket]


def test_what_was_opened_while_the_daemon_was_away_gets_its_ticket(machine):
    """After the look that nobody answers, one is made; a second one asks no more."""
    machine.stop()
    opened = machine.clock.now()
    machine.clock.forward(3600)
    machine.start()

    link = machine.happen(opened=opened)

    assert titles(machine.lab) == ["Display offline"]
    assert link.status.state is LinkState.IN_SYNC


def test_what_an_agent_changed_meanwhile_is_synced(machine):
    """The history tells that the ticket moved: its title and its end reach the incident."""
    machine.happen(opened=machine.clock.now())
    machine.desk.edit("1", title="Seen to")
    machine.desk.edit("1", done=True)
    machine.stop()
    machine.put_back({})
    machine.start()

    link = machine.happen(opened=machine.clock.now() - timedelta(hours=1), before_s=3000)

    assert (link.incident.title, link.incident.status) == ("Seen to", IncidentStatus.CLOSED)
    assert titles(machine.lab) == ["Seen to"]


def test_what_the_incident_became_meanwhile_is_not_taken_back(machine):
    """A ticket that nobody touched follows the incident, although a comment made it look the later one."""
    machine.happen(opened=machine.clock.now(), description="Old words")
    machine.stop()
    machine.put_back({})
    machine.start()
    machine.desk.comment("1", "On our way")

    link = machine.happen(EventType.OPENED, title="Renamed", description="New words", before_s=400)

    assert titles(machine.lab) == ["Renamed"]
    assert link.incident.description == "New words"


def test_an_incident_that_ended_meanwhile_closes_the_ticket_that_was_found(machine):
    """A ticket is made open, so its incident's end is still to be synced."""
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.stop()
    machine.put_back({})
    machine.start()
    machine.happen(opened=opened)
    machine.happen(EventType.RESOLVED, opened=opened, status=IncidentStatus.CLOSED)

    assert [ticket.done for ticket in machine.desk.shown] == [True]


def test_an_integration_that_is_made_again_finds_its_tickets(machine):
    """Removed with its links and made anew under its name."""
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.store.integrations.remove("desk")
    machine.store.integrations.put(active_record("desk", "acme", machine.clock.now()))
    forget(machine.lab.store, machine.clock.now() + RECEIVED_FOR + timedelta(days=1))

    machine.happen(opened=opened)

    assert len(machine.desk.tickets) == 1


def test_a_marker_can_be_told_from_the_incident_and_differs_for_each(machine):
    """Two lives name one incident alike; a ticket that a person had made anew has another name that begins alike."""
    first = machine.happen(opened=machine.clock.now())
    machine.desk.delete("1")
    machine.lab.store.links.mark_gone("desk", "1", machine.clock.now())
    machine.lab.operations.recreate(machine.lab.store.links.get(1))
    second = machine.settle()

    assert second.marker == f"{first.marker}-2"
    assert len(machine.desk.tickets) == 1


def test_a_ticket_that_another_link_has_is_not_taken_over(machine):
    """A copy of somebody else's text is no proof."""
    machine.happen(opened=machine.clock.now())
    found = machine.desk.tickets["1"]
    machine.stop()
    machine.clock.forward(3600)
    machine.start()
    machine.desk._search = lambda _marker: found

    happen(machine.lab, id="inc-2", opened_at=machine.clock.now() - timedelta(seconds=600))
    machine.settle()

    assert len(machine.desk.tickets) == 2


def test_a_daemon_killed_between_the_database_and_the_file_beside_it_is_no_other(machine):
    """The name of before is known too."""
    before = (machine.folder / "connector.db.life").read_text()
    machine.stop()
    (machine.folder / "connector.db.life").write_text(before)
    machine.start()

    assert machine.why == ""


def test_a_database_of_before_a_new_one_is_known_to_lack_the_new_ones_life(machine):
    """Lost, begun anew, then found again: what was made in between is looked for, whatever the times say."""
    kept = machine.keep_copy()
    machine.stop()
    machine.put_back({})
    machine.start()
    opened = machine.clock.now()
    happen(machine.lab, opened_at=opened)
    machine.stop()
    machine.put_back(kept)
    machine.start()

    machine.happen(opened=opened)

    assert machine.why == "another_was_here"
    assert len(machine.desk.tickets) == 1


@pytest.mark.parametrize("set_by", [3600, -3600])
def test_a_clock_that_is_set_after_the_start_changes_nothing(machine, set_by):
    """What the wrong clock said of the start is moved along."""
    opened = machine.clock.now()
    machine.happen(opened=opened)
    machine.stop()
    machine.put_back({})
    machine.clock.set_by(-set_by)
    machine.start()
    machine.clock.set_by(set_by)
    machine.store.life.clock_was_set(set_by, machine.clock.now())

    machine.happen(opened=opened)

    assert len(machine.desk.tickets) == 1


def vanish_and_recreate(machine):
    """Have the ticket deleted, and a new one made in its place as a person asks for."""
    (number,) = machine.desk.tickets
    if machine.lab.store.links.get(1).ticket.id == number:
        machine.desk.delete(number)
    machine.lab.reconciler.reconcile("desk", full=True)
    machine.lab.operations.recreate(machine.lab.store.links.get(1))
    machine.settle()


@pytest.mark.parametrize("way", ["backup", "files", "elsewhere"])
def test_a_ticket_that_a_life_that_is_not_known_made_anew_is_taken_over(machine, way):
    """A person asks again for what was done after the backup was taken: one new ticket, not two."""
    machine.happen()
    bring_back = restored(machine, way)
    machine.clock.forward(300)
    vanish_and_recreate(machine)
    (made_anew,) = machine.desk.tickets
    machine.stop()
    bring_back()
    machine.start()
    machine.settle()

    machine.lab.reconciler.reconcile("desk", full=True)
    machine.lab.operations.recreate(machine.lab.store.links.get(1))
    link = machine.settle()

    assert list(machine.desk.tickets) == [made_anew]
    assert (link.ticket.id, link.status.state) == (made_anew, LinkState.IN_SYNC)
