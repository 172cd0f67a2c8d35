"""Incidents of which only the end, an edit or a comment is told, in a database that may lack their tickets."""

from __future__ import annotations

from datetime import timedelta

import pytest
import structlog

from connector_core import Comment, CreateTicket, EventType, FindTicket, IncidentStatus, Priority, RetryLater
from connector_core.contract.comment_rules import CommentRules, ToTicket
from connector_core.contract.routing import Conditions, RoutingRule
from connector_core.inbound.waiting_incidents import WaitingIncidents
from connector_core.store import NO_TICKET, LinkState
from connector_core.store.looks import KEPT_FOR
from connector_core.words.link_status import reason_of
from connector_core.words.names import Names
from connector_core.words.timeline import sentence
from tests.support.activation import active_record
from tests.support.forgetting import forget
from tests.support.lives import WAYS, Machine, restored
from tests.support.sync_lab import happen, run, tell, titles


@pytest.fixture
def machine(tmp_path):
    """Return a machine on which a daemon lives that has been up for a while."""
    made = Machine(tmp_path)
    made.clock.forward(600)
    yield made
    made.store.close()


def lose_a_life(machine, way="backup", **fields):
    """Have an incident opened and its ticket made, and bring back a database of before; return when it was opened."""
    bring_back = restored(machine, way)
    machine.clock.forward(20)
    opened = machine.clock.now()
    machine.happen(opened=opened, **fields)
    machine.stop()
    bring_back()
    machine.start()
    return opened


def resolve(machine, **fields):
    """Tell of the incident's end, and nothing else."""
    return happen(machine.lab, EventType.RESOLVED, status=IncidentStatus.CLOSED, **fields)


def looks(machine):
    """Count the looks for tickets since the start."""
    return len([one for one in machine.desk.called("on_incident_event") if isinstance(one.about, FindTicket)])


def created(machine):
    """Count the tickets that were ever made."""
    return len([one for one in machine.desk.called("on_incident_event") if isinstance(one.about, CreateTicket)])


def comment(number):
    """Return a comment of the incident."""
    return {"id": f"c-{number}", "author": "Ada", "text": "Still dark"}


def test_while_a_ticket_is_looked_for_it_is_said_so(machine):
    """Whoever looks before it is found does not read that another ticket is about to be made."""
    opened = lose_a_life(machine)

    tell(machine.lab, EventType.RESOLVED, status=IncidentStatus.CLOSED, opened_at=opened)

    (link,) = machine.store.links.find()
    assert (link.status.code, reason_of(link, Names())) == (
        "looking",
        "Looking for a ticket in the helpdesk that may exist already.",
    )


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize("tells", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_that_is_not_known_closes_with_its_incident(machine, way, tells):
    """However the database came to be younger, whether or not the platform tells since when the incident is open."""
    opened = lose_a_life(machine, way)

    resolve(machine, opened_at=opened if tells else None)
    link = machine.settle()

    assert [ticket.done for ticket in machine.desk.shown] == [True]
    assert link.status.state is LinkState.IN_SYNC
    assert created(machine) == 1


@pytest.mark.parametrize("way", ["backup", "files", "elsewhere", "lost"])
def test_an_edit_reaches_a_ticket_that_is_not_known(machine, way):
    """An update that does not say since when the incident is open begins no ticket, and finds one."""
    lose_a_life(machine, way)

    happen(machine.lab, EventType.UPDATED, title="Display dark")
    link = machine.settle()

    assert titles(machine.lab) == ["Display dark"]
    assert link.status.state is LinkState.IN_SYNC
    assert created(machine) == 1


def test_a_comment_reaches_a_ticket_that_is_not_known(machine):
    """It is written once the ticket is found."""
    opened = lose_a_life(machine)
    machine.lab.change_record(comments=CommentRules(to_ticket=ToTicket.INTERNAL))

    said = Comment(**comment(1), created_at=machine.clock.now())
    happen(machine.lab, EventType.COMMENTED, comment=said, opened_at=opened - timedelta(days=99))
    machine.settle()

    assert [one.comment.text for one in machine.desk.written] == ["Still dark"]
    assert created(machine) == 1


def test_what_is_not_found_ends_there(machine):
    """It is looked for once; that nothing was found and nothing is made is told, with the reason, and nothing waits."""
    bring_back = restored(machine, "backup")
    machine.stop()
    bring_back()
    machine.start()
    machine.lab.change_record(comments=CommentRules(to_ticket=ToTicket.INTERNAL))
    opened = machine.clock.now() - timedelta(days=99)
    said = Comment(**comment(1), created_at=machine.clock.now())
    happen(machine.lab, EventType.COMMENTED, comment=said, opened_at=opened)
    resolve(machine, opened_at=opened)
    machine.settle()
    once = looks(machine)
    resolve(machine, opened_at=opened)
    said = Comment(**comment(2), created_at=machine.clock.now())
    happen(machine.lab, EventType.COMMENTED, comment=said, opened_at=opened, status=IncidentStatus.CLOSED)
    link = machine.settle()

    told = [entry for entry in machine.store.timelines.read(link.id) if entry.kind == NO_TICKET]
    assert (link.status.state, link.status.code, link.attempted_at) == (LinkState.IN_SYNC, NO_TICKET, None)
    assert "none is created: the incident is resolved" in reason_of(link, Names())
    assert [sentence(entry) for entry in told] == [reason_of(link, Names())]
    assert looks(machine) == once
    assert created(machine) == 0
    assert link.to_ticket_since is None


def test_a_late_beginning_makes_the_ticket_all_the_same(machine):
    """News of the end may overtake that of the beginning: whoever was opened gets a ticket, and what was said."""
    bring_back = restored(machine, "backup")
    machine.stop()
    bring_back()
    machine.start()
    machine.lab.change_record(comments=CommentRules(to_ticket=ToTicket.INTERNAL))
    opened = machine.clock.now() - timedelta(minutes=1)
    resolve(machine, opened_at=opened)
    machine.settle()
    said = Comment(**comment(1), created_at=machine.clock.now())
    happen(machine.lab, EventType.COMMENTED, comment=said, opened_at=opened, status=IncidentStatus.CLOSED)

    link = machine.happen(opened=opened, before_s=400)

    assert created(machine) == 1
    assert [ticket.done for ticket in machine.desk.shown] == [True]
    assert (link.status.state, link.looks_since) == (LinkState.IN_SYNC, None)
    assert [one.comment.text for one in machine.desk.written] == ["Still dark"]


def test_a_person_may_have_it_looked_for_again(machine):
    """Hidden at the first look, shown at the next: it closes."""
    opened = lose_a_life(machine)
    machine.desk.tickets["1"].hidden = True
    resolve(machine, opened_at=opened)
    link = machine.settle()
    assert link.status.code == NO_TICKET
    machine.desk.tickets["1"].hidden = False

    machine.lab.operations.retry(link)
    machine.settle()

    assert [ticket.done for ticket in machine.desk.shown] == [True]


@pytest.mark.parametrize("beats", [True, False])
def test_who_looks_may_be_stopped_and_may_be_refused(machine, beats):
    """The vendor is down while it is looked for, the daemon ends meanwhile: the next one goes on."""
    opened = lose_a_life(machine)
    machine.desk.down = RetryLater("No answer.", code="down")
    resolve(machine, opened_at=opened)
    link = machine.settle()
    assert link.status.state is LinkState.WAITING
    machine.stop(beats=beats)
    machine.start()
    machine.desk.down = None
    machine.clock.forward(600)

    machine.settle()

    assert [ticket.done for ticket in machine.desk.shown] == [True]
    assert created(machine) == 1


def test_killed_while_it_looks(machine):
    """The claim of the dead daemon is freed, and the ticket found by the next one."""
    opened = lose_a_life(machine)

    def die(_call, _answer):
        raise KeyboardInterrupt

    machine.desk.during = die
    tell(machine.lab, EventType.RESOLVED, status=IncidentStatus.CLOSED, opened_at=opened)
    machine.clock.forward(120)
    with pytest.raises(KeyboardInterrupt):
        run(machine.lab)
    machine.desk.during = None
    machine.stop(beats=False)
    machine.start()
    machine.store.lanes.recover("another boot", machine.clock.now())

    machine.settle()

    assert [ticket.done for ticket in machine.desk.shown] == [True]
    assert created(machine) == 1


def test_what_an_agent_closed_meanwhile_ends_the_incident(machine):
    """Told by a webhook while the ticket is looked for: it is kept until it is known whose it is."""
    lose_a_life(machine)
    machine.desk.down = RetryLater("No answer.", code="down")
    happen(machine.lab, EventType.UPDATED, title="Display dark")
    done = machine.desk.edit("1", done=True)
    machine.store.inbox.see_tickets("desk", [done], machine.clock.now())
    machine.desk.down = None
    machine.clock.forward(60)

    link = machine.settle()

    assert link.incident.status is IncidentStatus.CLOSED
    assert link.status.state is LinkState.DIFFERS


def test_what_an_agent_closed_before_anybody_heard_of_the_incident_ends_it(machine):
    """A delivery about a ticket of nobody is dropped; the first word of its incident finds it as it is by then."""
    lose_a_life(machine)
    done = machine.desk.edit("1", done=True)
    machine.store.inbox.see_tickets("desk", [done], machine.clock.now())

    happen(machine.lab, EventType.UPDATED, title="Display dark")
    link = machine.settle()

    assert link.incident.status is IncidentStatus.CLOSED
    assert link.status.state is LinkState.DIFFERS
    assert created(machine) == 1


def test_all_that_ever_ended_is_not_looked_for(machine):
    """A first import of what ended before this database began makes no link and asks nobody, new or restored."""
    machine.stop()
    machine.put_back({})
    (machine.folder / "connector.db.life").unlink()
    machine.start()
    assert machine.why == "new"

    for number in range(50):
        resolve(machine, id=f"old-{number}", before_s=86_400 * (number + 1), opened_at=None)
        happen(machine.lab, EventType.UPDATED, id=f"older-{number}", before_s=86_400 * (number + 1))

    assert machine.store.links.find() == []
    assert machine.desk.calls == []


def test_who_is_new_asks_once_for_an_incident_that_ends_from_then_on(machine):
    """What ends after the first start of a new database may have a ticket of a lost one: one look each, and no more."""
    machine.stop()
    machine.put_back({})
    (machine.folder / "connector.db.life").unlink()
    machine.start()
    machine.clock.forward(600)

    for _ in range(3):
        resolve(machine, opened_at=machine.clock.now() - timedelta(days=1))

    assert looks(machine) == 1
    assert created(machine) == 0


def test_an_incident_that_began_after_the_start_is_not_looked_for(machine):
    """Its ticket would be known: where the two hours are over in which a lost life may reach, nobody is asked."""
    machine.stop()
    machine.put_back({})
    (machine.folder / "connector.db.life").unlink()
    machine.start()
    machine.clock.forward(600)

    resolve(machine, opened_at=machine.clock.now())

    assert machine.desk.calls == []


def test_what_was_looked_for_in_vain_is_forgotten(machine):
    """After thirty days the link goes, and its incident with it."""
    bring_back = restored(machine, "backup")
    machine.stop()
    bring_back()
    machine.start()
    resolve(machine)
    assert machine.settle().status.code == NO_TICKET

    gone = forget(machine.store, machine.clock.now() + KEPT_FOR + timedelta(days=31))

    assert gone["link"] == 1
    assert machine.store.links.find() == []


# With rules


def with_rules(machine):
    """Store a second integration, and rules between the two."""
    machine.store.integrations.put(active_record("other", "acme", machine.clock.now() - timedelta(days=9)))
    rules = (RoutingRule(when=Conditions(priority=Priority.CRITICAL), to=("desk",)), RoutingRule(to=("other",)))
    assert machine.store.routing.put("acme", rules, None, "ada", machine.clock.now())


def settle_routes(machine):
    """Let three minutes pass, as a daemon does whose rules send incidents."""
    lab = machine.lab
    waiting = WaitingIncidents(lab.store, lab.registry, lab.clock, structlog.get_logger("test"), after=lambda: None)
    for _ in range(36):
        lab.clock.forward(5)
        waiting.release()
        run(lab)


@pytest.mark.parametrize("way", ["backup", "files", "elsewhere"])
def test_an_incident_whose_ticket_is_elsewhere_gets_no_second_one(machine, way):
    """The database lacks that it was sent there; by what it is like now another integration would get it."""
    with_rules(machine)
    opened = lose_a_life(machine, way, priority=Priority.CRITICAL)

    tell(machine.lab, opened_at=opened, priority=Priority.LOW)
    (unsent,) = machine.store.routing.unsent("acme", 9)
    settle_routes(machine)

    assert unsent.route.reason.startswith("Waits until it is known whether desk has a ticket already, for other")
    assert created(machine) == 1
    assert [(link.integration_id, link.ticket is not None) for link in machine.store.links.find()] == [("desk", True)]
    assert machine.store.routing.route_of("acme", "inc-1").reason == (
        "Sent to desk before, by a daemon that this database does not know."
    )
    assert machine.store.routing.unsent("acme", 9) == []


def test_an_incident_without_a_ticket_elsewhere_goes_where_the_rules_say(machine):
    """Once it was looked for; the link that found nothing says why it stays without."""
    with_rules(machine)
    lose_a_life(machine)

    tell(machine.lab, id="inc-9", opened_at=machine.clock.now(), priority=Priority.LOW)
    before = created(machine)
    settle_routes(machine)

    links = {link.integration_id: link for link in machine.store.links.find(text="inc-9")}
    assert created(machine) == before + 1
    assert (links["other"].ticket is None, links["desk"].status.code) == (False, NO_TICKET)
    told = [sentence(one) for one in machine.store.timelines.read(links["desk"].id)]
    assert any("routing sends the incident elsewhere" in text for text in told)
    assert machine.store.routing.unsent("acme", 9) == []
    (lately,) = machine.store.routing.lately("acme", machine.clock.now() - timedelta(hours=1), 9)
    assert lately.linked == ["other"]


def test_a_person_sends_it_where_it_is_looked_for(machine):
    """What only was looked for is made then, on the same link; it is not looked for elsewhere first."""
    with_rules(machine)
    lose_a_life(machine)
    tell(machine.lab, id="inc-9", opened_at=machine.clock.now(), priority=Priority.LOW)
    (target,) = [one for one in machine.lab.registry.targets("acme") if one.integration_id == "desk"]

    machine.store.routing.send("acme", "inc-9", target, "ada", machine.clock.now())
    settle_routes(machine)

    (link,) = machine.store.links.find(text="inc-9")
    assert (link.integration_id, link.ticket is not None, link.looks_since) == ("desk", True, None)
    assert created(machine) == 2
