"""One lane at work: how its ticket is born once, what a lost claim ends, and what each kind of call depends on."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

import pytest
import structlog

from connector_core import (
    AuthError,
    ConfigError,
    CreateTicket,
    Delivery,
    EventType,
    FieldChange,
    FieldName,
    FindTicket,
    IncidentStatus,
    Priority,
    Receipt,
    RemoteError,
    RetryLater,
    Scope,
    TicketSnapshot,
    UnreadableTicket,
    hookimpl,
)
from connector_core.store import DISCARDED, LeftLane, LinkState, NodeEnd
from connector_core.sync.lane import digest
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.words.timeline import sentence
from tests.support.sync_lab import edited, happen, kinds, make_lab, run, see, tell, titles

LOST = RetryLater("No answer.", outcome_unknown=True)


class OddDesk(MemoryDesk):
    """A desk of which `says` and `shows` make other answers; `history` tells when and by whom a ticket was changed."""

    def says(self, receipt):
        """Return what the plugin gives back for a change."""
        return receipt

    def shows(self, query):
        """Return what else the plugin gives back for a query."""
        return []

    history = MappingProxyType({})

    @hookimpl
    def on_incident_event(self, integration, change):
        """Do as asked."""
        return self.says(super().on_incident_event(integration, change))

    @hookimpl
    def fetch_tickets(self, integration, query):
        """Show what is asked for, and more."""
        return [*super().fetch_tickets(integration, query), *self.shows(query)]

    @hookimpl
    def when_changed(self, integration, ticket):
        """Tell."""
        return self.history


class WordlessPlatform(MemoryPlatform):
    """A platform whose plugin does what it should and says nothing of use."""

    @hookimpl
    def apply_change(self, source, update):
        """Do as asked."""
        super().apply_change(source, update)
        return "done"


@pytest.fixture
def lab(store, clock):
    """Put a store, both sides and a synchronizer together."""
    return make_lab(store, clock, desk=OddDesk(clock))


def asked(lab):
    """Return the changes that the ticketing system was called with."""
    return [call.about for call in lab.desk.called("on_incident_event")]


def creates_and_looks(lab):
    """Tell of each call to open a ticket whether it created or looked for one."""
    kinds_of = {FindTicket: "look", CreateTicket: "create"}
    return [kinds_of[type(change)] for change in asked(lab) if type(change) in kinds_of]


def during(lab, effect):
    """Have something happen between what a change of a ticket does and its answer."""

    def happens(call, _):
        if call.hook == "on_incident_event":
            effect()

    lab.desk.during = happens


def again(lab, after_s=3600):
    """Run the link when it is due again."""
    lab.clock.forward(after_s)
    lab.store.lanes.wake(1, lab.clock.now())
    return run(lab)


# Birth


def test_a_ticket_whose_creation_was_lost_is_adopted_and_not_made_again(lab):
    """What an earlier attempt made is looked for, and nothing is created beside it."""
    lab.desk.lose_answer = True
    waiting = happen(lab)
    link = again(lab)

    assert waiting.attempted_at is not None
    assert creates_and_looks(lab) == ["create", "look"]
    assert (link.status.state, link.ticket.key, link.attempted_at) == (LinkState.IN_SYNC, "T-1", None)
    assert "ticket_found" in [entry.kind for entry in lab.store.timelines.read(1)]


def test_a_new_ticket_whose_key_is_not_told_goes_by_its_id(lab):
    """A link always has a name for its ticket; a key that is told later takes its place."""
    lab.desk.says = lambda receipt: Receipt(ticket=receipt.ticket.model_copy(update={"key": ""}))
    link = happen(lab)

    assert (link.ticket.id, link.ticket.key) == ("1", "1")
    assert "1 created in the helpdesk." in [sentence(entry) for entry in lab.store.timelines.read(1)]
    assert see(lab, title="Renamed").ticket.key == "T-1"


def test_a_creation_that_certainly_came_to_nothing_is_made_again(lab):
    """When the look says so, a ticket is created in the same run."""
    lab.desk.refuse_with(LOST)
    happen(lab)
    link = again(lab)

    assert creates_and_looks(lab) == ["create", "look", "create"]
    assert (link.status.state, link.attempted_at) == (LinkState.IN_SYNC, None)
    assert "ticket_created" in [entry.kind for entry in lab.store.timelines.read(1)]


@pytest.mark.parametrize("error", [RemoteError("No."), RetryLater("Busy."), ConfigError("Wrong.")])
def test_a_creation_that_was_refused_is_not_looked_for(lab, error):
    """What was answered with no made no ticket: the next try creates at once."""
    lab.desk.refuse_with(error)
    assert happen(lab).attempted_at is None
    link = again(lab)

    assert creates_and_looks(lab) == ["create", "create"]
    assert link.status.state is LinkState.IN_SYNC


def test_the_intent_is_stored_before_the_call(lab):
    """A process that dies during the call leaves the attempt on disk, with what it sent."""
    seen = []
    during(lab, lambda: seen.append(lab.store.links.get(1)))

    happen(lab)

    assert seen[0].attempted_at == lab.clock.now()
    assert seen[0].attempted_incident == seen[0].incident


def test_a_call_that_a_breaker_did_not_allow_is_no_attempt(lab):
    """Nothing was sent, so nothing has to be looked for."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("Slow down.", scope=Scope.SITE, after_s=60))
    happen(lab, EventType.UPDATED, title="Dark")
    tell(lab, id="inc-2")
    run(lab)

    assert lab.store.links.get(2).attempted_at is None
    assert creates_and_looks(lab) == ["create"]


def test_a_second_attempt_is_not_as_old_as_the_first(lab):
    """How long ago the first one ended says nothing of what the second may have made."""
    lab.desk.refuse_with(LOST)
    happen(lab)

    def die(call, _):
        if call.writes:
            raise KeyboardInterrupt

    lab.desk.during = die
    with pytest.raises(KeyboardInterrupt):
        again(lab, after_s=600)
    lab.desk.during = None
    lab.store.lanes.recover("the next boot")
    again(lab, after_s=5)

    assert [look.attempt_age_s for look in asked(lab) if isinstance(look, FindTicket)] == [600.0, 5.0]


def test_a_store_in_trouble_hides_not_how_a_call_ended(lab, monkeypatch):
    """That nothing was created is not stored then: it is looked for, and a person sees what the call met."""
    record = lab.store.links.record

    def unavailable(claim, progress, *more):
        if progress.attempt_settled:
            raise RetryLater("The disk is full.", code="disk_full")
        return record(claim, progress, *more)

    monkeypatch.setattr(lab.store.links, "record", unavailable)
    lab.desk.refuse_with(RemoteError("The field Site is required.", code="refused"))

    link = happen(lab)

    assert link.status.code == "refused"
    assert link.attempted_at is not None


def test_the_wait_for_a_search_begins_when_the_call_ended(lab):
    """A call that took half a minute before its answer was lost may have worked at its end."""

    def lose():
        lab.clock.forward(30)
        raise LOST

    during(lab, lose)
    link = happen(lab)
    ended = lab.clock.now()
    assert link.attempted_at == ended
    lab.desk.during = None

    again(lab, 40)

    look = asked(lab)[-1]
    assert (look.attempted_at, look.attempt_age_s) == (ended, 40.0)


def test_after_a_restart_an_attempt_is_as_old_as_the_process(lab, store, clock):
    """Nothing else is sure: another process's clock may have been any."""
    lab.desk.lose_answer = True
    happen(lab)
    anew = make_lab(store, clock, desk=lab.desk)
    lab.desk.refuse_with(RetryLater("Busy."))

    again(anew, 500)
    again(anew, 70)

    assert [look.attempt_age_s for look in asked(lab) if isinstance(look, FindTicket)] == [0.0, 70.0]


def die(call, _):
    """End the process at a write."""
    if call.writes:
        raise KeyboardInterrupt


def test_a_write_of_a_node_that_died_may_arrive_for_a_while(lab, store, clock):
    """How old it is counts from when its calls have surely ended, and is below zero until then."""
    lab.desk.during = die
    with pytest.raises(KeyboardInterrupt):
        happen(lab)
    lab.desk.during = None
    left = LeftLane(1, "boot", NodeEnd.GONE, None)
    assert store.lanes.take_over(left, clock.now() + timedelta(seconds=60))
    anew = make_lab(store, clock, desk=lab.desk, is_alone=False)
    lab.desk.refuse_with(RetryLater("Busy."))

    again(anew, 5)
    again(anew, 70)

    assert [look.attempt_age_s for look in asked(lab) if isinstance(look, FindTicket)] == [-55.0, 15.0]


@pytest.mark.parametrize(("is_alone", "age_s"), [(False, 0.0), (True, 605.0)])
def test_what_a_node_knows_of_a_lane_is_worth_nothing_once_another_had_it(store, clock, is_alone, age_s):
    """Another one may have tried since. Where there is no other, what is known stays good."""
    lab = make_lab(store, clock, desk=OddDesk(clock), is_alone=is_alone)
    lab.desk.refuse_with(LOST)
    happen(lab)
    other = make_lab(store, clock, desk=lab.desk, is_alone=is_alone)
    lab.desk.during = die
    with pytest.raises(KeyboardInterrupt):
        again(other, after_s=600)
    lab.desk.during = None
    store.lanes.recover("the next boot")

    again(lab, after_s=5)

    assert asked(lab)[-1].attempt_age_s == age_s


def test_an_adopted_ticket_carries_what_the_incident_has_become_since(lab):
    """Both sides agreed on what was sent then, which is not what the incident shows by now."""
    lab.desk.lose_answer = True
    happen(lab)
    tell(lab, EventType.UPDATED, title="Renamed", priority=Priority.LOW)
    again(lab)

    look = next(change for change in asked(lab) if isinstance(change, FindTicket))
    assert (look.incident.title, look.incident.priority) == ("Display offline", Priority.HIGH)
    assert [(ticket.title, ticket.priority) for ticket in lab.desk.shown] == [("Renamed", Priority.LOW)]


def test_what_people_changed_of_a_ticket_before_it_was_found_is_theirs(lab):
    """Both sides agreed on the ticket as it was made: what an agent wrote since then reaches the incident."""
    lab.desk.lose_answer = True
    happen(lab)
    edited(lab, title="By an agent")
    again(lab)

    assert [update.title for update in lab.platform.updates] == ["By an agent"]


# A claim that is lost


def test_a_lane_that_was_taken_over_writes_no_more(lab):
    """Somebody else works on it: neither is the answer stored, nor is another call made."""
    during(lab, lambda: lab.store.lanes.recover("another"))
    with structlog.testing.capture_logs() as said:
        link = happen(lab, status=IncidentStatus.CLOSED)

    assert kinds(lab) == [("on_incident_event", "CreateTicket")]
    assert (link.ticket, link.attempted_at is not None) == (None, True)
    assert [line["event"] for line in said if line["log_level"] == "warning"] == ["lane_lost"]


def test_an_integration_that_was_removed_meanwhile_ends_its_lanes(lab):
    """Nothing is left to work on, and that is no trouble."""
    happen(lab)
    during(lab, lambda: lab.store.integrations.remove("desk"))

    with structlog.testing.capture_logs() as said:
        assert happen(lab, EventType.UPDATED, title="Dark") is None

    assert [line["event"] for line in said if line["log_level"] != "info"] == ["lane_lost"]


def test_a_link_that_a_person_gave_up_while_its_lane_was_at_work_stays_so(lab):
    """What was under way is noted, and nothing more is synced: neither in this run nor ever after."""
    happen(lab)
    during(lab, lambda: lab.store.links.unlink(1, lab.clock.now()))

    given_up = happen(lab, EventType.UPDATED, title="Dark", status=IncidentStatus.CLOSED).status
    after = happen(lab, EventType.UPDATED, title="Darker")

    assert (given_up.state, given_up.code) == (LinkState.PAUSED, DISCARDED)
    assert (after.status, after.ticket.title) == (given_up, "Dark")
    assert kinds(lab) == [("on_incident_event", "CreateTicket"), ("on_incident_event", "WriteFields")]


def test_a_link_that_was_given_up_while_its_lane_failed_stays_so(lab):
    """Trouble of the call is no reason to try again."""
    happen(lab)

    def give_up():
        lab.store.links.unlink(1, lab.clock.now())
        raise RemoteError("No.")

    during(lab, give_up)

    assert happen(lab, EventType.UPDATED, title="Dark").status.code == DISCARDED


# What plugins give back


def test_an_answer_that_is_no_receipt_is_the_plugins_fault(lab):
    """Whether something was written is not known then: it will be looked for."""
    lab.desk.says = lambda _: "done"

    link = happen(lab)

    assert (link.status.code, link.ticket) == ("plugin_broken", None)
    assert link.attempted_at is not None
    assert "gave back str from on_incident_event, not Receipt | NotCreated" in link.status.reason


def test_an_answer_that_is_no_outcome_is_the_plugins_fault(store, clock):
    """What the platform took is not known; the change is still to be synced."""
    lab = make_lab(store, clock, platform=WordlessPlatform(clock))
    happen(lab)

    link = see(lab, title="From the desk")

    assert link.status.code == "plugin_broken"
    assert "gave back str from apply_change, not UpdateOutcome" in link.status.reason
    assert link.to_incident_since is not None


def test_a_read_of_one_ticket_takes_that_one_only(lab):
    """A plugin that shows others beside it changes nothing of them; without it the ticket is gone."""
    happen(lab)
    happen(lab, id="inc-2")
    lab.store.links.mark_gone("desk", "1", lab.clock.now())
    lab.desk.tickets["1"].hidden = True
    changed = {"title": "Edited", "updated": lab.clock.now() + timedelta(seconds=5)}
    lab.desk.shows = lambda query: [
        ticket.model_copy(update=changed) for ticket in lab.desk.shown if ticket.id not in query.ids
    ]

    assert again(lab).status.state is LinkState.GONE
    assert lab.store.links.get(2).ticket.title == "Display offline"
    lab.desk.tickets["1"].hidden = False
    assert again(lab).status.state is LinkState.IN_SYNC


def test_a_ticket_beside_it_that_cannot_be_read_says_nothing_of_the_one_asked_for(lab):
    """It is gone, not unreadable."""
    happen(lab)
    lab.store.links.mark_gone("desk", "1", lab.clock.now())
    lab.desk.tickets["1"].hidden = True
    lab.desk.shows = lambda _: [UnreadableTicket(id="2", reason="odd")]

    assert again(lab).status.state is LinkState.GONE


def test_what_a_receipt_notes_is_in_the_timeline(lab):
    """A note goes with what was written; without one there is none."""
    happen(lab)
    happen(lab, EventType.UPDATED, title="One")
    lab.desk.says = lambda receipt: Receipt(ticket=receipt.ticket, note="Cut to fit.")
    happen(lab, EventType.UPDATED, title="Two")

    written = [entry.values for entry in lab.store.timelines.read(1) if entry.kind == "ticket_written"]
    assert ["note" in values for values in written] == [False, True]
    assert written[1]["note"] == "Cut to fit."


def test_who_changed_the_ticket_is_noted_of_a_conflict(lab):
    """Where both sides changed a field the timeline says who did it on the ticket, if that is known."""
    happen(lab)
    for name, by in (("One", "Ada"), ("Two", "")):
        lab.desk.history = {FieldName.TITLE: FieldChange(at=lab.clock.now() + timedelta(seconds=30), by=by)}
        tell(lab, EventType.UPDATED, title=f"{name} by the platform")
        lab.clock.forward(40)
        see(lab, title=f"{name} by an agent")

    written = [entry.values for entry in lab.store.timelines.read(1) if entry.kind == "incident_written"]
    assert [values.get("ticket_changed_by") for values in written] == ["Ada", None]
    assert all(values["conflict"] for values in written)


def test_a_hint_has_the_ticket_read_once(lab):
    """What the ticketing system shows is synced, and the hint is followed; another run reads nothing."""
    happen(lab)
    edited(lab, title="From the desk")
    hint = Delivery(id="d", event="e", hints=frozenset({"1"}))
    lab.store.inbox.accept_delivery("desk", hint, lab.clock.now()).result()

    link = run(lab)
    again(lab)

    assert (link.hints, link.ticket.title) == (0, "From the desk")
    assert [update.title for update in lab.platform.updates] == ["From the desk"]
    assert kinds(lab).count(("fetch_tickets", "")) == 1


@pytest.mark.parametrize("when", ["before the read", "after the read"])
def test_a_hint_that_comes_while_the_ticket_is_read_is_not_lost(lab, monkeypatch, when):
    """What was read may be older than what it tells of: the ticket is read once more, and the change is synced."""
    happen(lab)
    number = iter(range(9))

    def hinted(title=""):
        if title:
            edited(lab, title=title)
        delivery = Delivery(id=f"hint-{next(number)}", event="e", hints=frozenset({"1"}))
        assert lab.store.inbox.accept_delivery("desk", delivery, lab.clock.now()).result().new == 1

    record = lab.store.links.record

    def recorded(held, progress, *more):
        if progress.hints:  # it was read, and is about to be counted as followed
            monkeypatch.setattr(lab.store.links, "record", record)
            hinted("Later")
        return record(held, progress, *more)

    def read(call, _):
        if call.hook == "fetch_tickets":
            lab.desk.during = None
            hinted("Later")

    if when == "after the read":
        monkeypatch.setattr(lab.store.links, "record", recorded)
    else:
        lab.desk.during = read
    hinted("First")

    run(lab)
    assert lab.store.links.get(1).hints == 1
    link = run(lab)

    assert (link.hints, link.ticket.title, link.status.state) == (0, "Later", LinkState.IN_SYNC)
    assert lab.platform.incidents["inc-1"].title == "Later"


# What a call depends on


def test_near_the_limit_of_a_site_edits_wait_and_closing_does_not(lab):
    """New and closed incidents go first; what was put off is synced when the limit starts anew."""
    happen(lab)
    lab.breakers.near_limit(lab.registry.circuit(lab.entry), lab.clock.now() + timedelta(seconds=50))

    put_off = happen(lab, EventType.UPDATED, title="Dark").status
    closed = happen(lab, EventType.RESOLVED, title="Dark").ticket
    lab.clock.forward(60)
    lab.store.lanes.wake(1, lab.clock.now())

    assert (put_off.state, put_off.code) == (LinkState.WAITING, "near_rate_limit")
    assert closed.done
    assert run(lab).ticket.title == "Dark"


def test_a_platform_that_does_not_accept_us_is_paused(lab):
    """Every link of the organization waits, since nobody else would pause it."""
    happen(lab)
    lab.platform.refuse_with(AuthError("The key is refused."))
    see(lab, title="From the desk")

    assert [(breaker.key, breaker.needs_person) for breaker in lab.store.breakers.every()] == [("source:acme", True)]


def test_a_quota_of_the_app_pauses_the_app(lab):
    """What the other side says of the whole app stops its calls to every site."""
    happen(lab)
    lab.desk.refuse_with(RetryLater("Used up.", scope=Scope.APP, after_s=60))
    happen(lab, EventType.UPDATED, title="Dark")

    assert [breaker.key for breaker in lab.store.breakers.every()] == ["app:desk:acme"]


@pytest.mark.parametrize(("kind", "trips"), [(EventType.OPENED, True), (EventType.UPDATED, False)])
def test_creations_that_are_refused_alike_are_a_wrong_setting(lab, kind, trips):
    """Three incidents that cannot get a ticket wait for a person; three edits that are refused are their own matter."""
    for number in range(3):
        if kind is EventType.UPDATED:
            happen(lab, id=f"inc-{number}")
        lab.desk.refuse_with(RemoteError("The field Site is required."))
        happen(lab, kind, id=f"inc-{number}", title="Dark")

    keys = [breaker.key for breaker in lab.store.breakers.every()]
    assert [key.rpartition(":")[0] for key in keys] == (["settings:desk"] if trips else [])


def test_values_have_one_short_name():
    """The same values the same one, others another: links with other settings are other breakers."""
    names = {digest("opened", {"a": "1"}), digest("updated", {"a": "1"}), digest("opened", {"a": "2"})}

    assert len(names) == 3
    assert digest("opened", {"a": "1"}) in names
    assert {len(name) for name in names} == {32}


def test_a_link_carries_so_many_changes_in_a_minute(store, clock):
    """The cap is for one minute: after it the next change goes through."""
    lab = make_lab(store, clock, changes_per_minute=2)
    happen(lab)
    for title in ("One", "Two"):
        assert happen(lab, EventType.UPDATED, title=title).status.state is LinkState.IN_SYNC
    stopped = happen(lab, EventType.UPDATED, title="Three")
    assert stopped.status.state is not LinkState.IN_SYNC
    lab.clock.forward(61)
    lab.store.lanes.wake(1, lab.clock.now())

    assert run(lab).status.state is LinkState.IN_SYNC
    assert titles(lab) == ["Three"]


def test_a_ticket_is_told_as_its_link_knows_it(lab):
    """What is asked of a plugin about a ticket goes with the ticket of the link."""
    link = happen(lab)
    happen(lab, EventType.UPDATED, title="Dark")

    assert isinstance(link.ticket, TicketSnapshot)
    assert asked(lab)[-1].ticket == link.ticket
