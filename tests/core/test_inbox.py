"""What comes in: which links it makes, what of it counts, whom it wakes, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector_core import (
    Comment,
    Delivery,
    EventType,
    FieldName,
    Incident,
    IncidentEvent,
    IncidentStatus,
    TicketSnapshot,
)
from connector_core.contract.comment_rules import ToIncident, ToTicket
from connector_core.contract.merge import Agreed, agreed_at_creation
from connector_core.contract.times import AHEAD
from connector_core.engine.backoff import HORIZON_S
from connector_core.store import (
    IGNORED,
    SIGNED,
    Accepted,
    LinkState,
    LinkStatus,
    Nuance,
    OurWrite,
    Progress,
    Reading,
    Rest,
    Target,
)
from connector_core.store.forgetting import RECEIVED_FOR, UNLINKED_FOR
from connector_core.words.link_status import reason_of
from connector_core.words.names import Names
from tests.support.forgetting import forget


@pytest.fixture
def inbox(store, clock):
    """Return a hand that lets things come in, with two integrations of one organization and one of another."""
    (desk,) = store.integrations.every()
    store.integrations.put(replace(desk, id="second"))
    store.integrations.put(replace(desk, id="foreign", organization="beta"))
    return Inbox(store, clock)


class Inbox:
    """A store, the time, and what is told."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.number = 0
        self.activated_at = clock.now()
        clock.forward(60)

    def target(self, name="desk"):
        """Return an integration as events see it, active since the beginning."""
        return Target(name, {}, self.activated_at)

    def tell(self, kind=EventType.OPENED, *, at=0.0, to=("desk",), organization="acme", comment=None, **fields):
        """Let a platform tell of an event that happened so many seconds from now."""
        self.number += 1
        incident = Incident(**{"id": "inc-1", "title": "Offline", **fields})
        when = self.clock.now() + timedelta(seconds=at)
        event = IncidentEvent(id=f"evt-{self.number}", type=kind, occurred_at=when, incident=incident, comment=comment)
        targets = [self.target(name) for name in to]
        return self.store.inbox.accept_events(organization, [event], targets, self.clock.now()).result()

    def due(self):
        """Claim what is due, give it back at rest, and return the integrations and incidents of it."""
        claims = self.store.lanes.claim("boot", self.clock.now(), 50, HORIZON_S)
        for claim in claims:
            self.store.lanes.release(claim, Rest(), self.clock.now())
        found = [self.store.links.get(claim.link_id) for claim in claims]
        return sorted((link.integration_id, link.incident_id) for link in found)

    def links(self, **by):
        """Return the links, the oldest first."""
        return sorted(self.store.links.find(**by), key=lambda link: link.id)

    def linked(self, ticket_id="1", integration="desk", **shown):
        """Give a waiting link its ticket, in sync and at rest; return the ticket."""
        link = next(one for one in self.links(integration_id=integration) if one.ticket is None)
        ticket = TicketSnapshot(
            **{"id": ticket_id, "key": f"T-{ticket_id}", "title": "Offline", "updated": self.clock.now(), **shown}
        )
        self.record(link.id, ticket=ticket, base=agreed_at_creation(link.incident, ticket), settled=True)
        return ticket

    def record(self, link_id, **progress):
        """Store what a lane achieved, and put it to rest."""
        self.store.lanes.wake(link_id, self.clock.now())
        claims = self.store.lanes.claim("boot", self.clock.now(), 50, HORIZON_S)
        for claim in claims:
            if claim.link_id == link_id:
                done = Progress(**{"status": LinkStatus(LinkState.IN_SYNC), **progress})
                assert self.store.links.record(claim, done, self.clock.now())
            self.store.lanes.release(claim, Rest(), self.clock.now())

    def deliver(self, secret="", **parts):
        """Take a delivery."""
        self.number += 1
        delivery = Delivery(**{"id": f"d{self.number}", "event": "e", **parts})
        return self.store.inbox.accept_delivery("desk", delivery, self.clock.now(), secret).result()

    def timeline(self, link_id=1):
        """Return kinds and values of what was noted of a link."""
        return [(entry.kind, entry.values) for entry in self.store.timelines.read(link_id)]

    def kinds(self, link_id=1):
        """Return the kinds of what was noted of a link."""
        return [entry.kind for entry in self.store.timelines.read(link_id)]

    def shown(self, incident_id="inc-1"):
        """Return the titles that the links of an incident show, by integration."""
        links = [one for one in self.links() if one.incident_id == incident_id]
        return {one.integration_id: one.incident.title for one in links}


# Which links an event makes


STARTS = [
    # what happened, when it was opened against the activation, its status, whether it gets a ticket
    (EventType.OPENED, None, "active", True),
    (EventType.OPENED, -3600, "active", True),
    (EventType.OPENED, 1, "closed", True),
    (EventType.UPDATED, 0, "active", True),
    (EventType.UPDATED, 1, "active", True),
    (EventType.UPDATED, -1, "active", False),
    (EventType.UPDATED, None, "active", False),
    (EventType.UPDATED, 1, "closed", False),
    (EventType.COMMENTED, 1, "active", True),
    (EventType.COMMENTED, -1, "active", False),
    (EventType.RESOLVED, 1, "active", False),
    (EventType.RESOLVED, 1, "closed", False),
]


@pytest.mark.cases_in_test(4)
@pytest.mark.parametrize(("kind", "opened_s", "status", "starts"), STARTS)
def test_only_what_began_after_the_activation_gets_a_ticket(inbox, kind, opened_s, status, starts):
    """`opened` always does; what tells of an open incident does if its beginning was after the activation."""
    opened_at = None if opened_s is None else inbox.activated_at + timedelta(seconds=opened_s)
    comment = Comment(id="c", author="Ada", text="Hm.", created_at=inbox.clock.now())
    said = inbox.tell(
        kind, opened_at=opened_at, status=status, comment=comment if kind is EventType.COMMENTED else None
    )

    assert [link.incident_id for link in inbox.links()] == (["inc-1"] if starts else [])
    assert inbox.due() == ([("desk", "inc-1")] if starts else [])
    if kind is not EventType.COMMENTED:
        assert said == (Accepted(new=1) if starts else Accepted(ignored=1))


def test_each_integration_gets_one_link(inbox):
    """Another event that would start one finds it there, and makes those that are missing."""
    inbox.tell()
    inbox.tell()
    inbox.tell(to=("desk", "second"))

    assert [(one.integration_id, one.incident_id) for one in inbox.links()] == [
        ("desk", "inc-1"),
        ("second", "inc-1"),
    ]


def test_a_new_link_says_that_its_ticket_is_about_to_be_made(inbox):
    """Whoever looks before the ticket is there does not read that one is looked for."""
    inbox.tell()

    (link,) = inbox.links()
    assert (link.status.code, reason_of(link, Names())) == ("new", "The ticket is being created in the helpdesk.")


def test_an_integration_that_there_was_before_has_its_ticket_looked_for(inbox):
    """The former one may have made it; what was opened after the activation of this one has none."""
    (former,) = [one for one in inbox.store.integrations.every() if one.id == "second"]
    inbox.store.integrations.remove("second")
    inbox.store.integrations.put(former)
    before, after = (inbox.activated_at + timedelta(seconds=seconds) for seconds in (-30, 30))

    inbox.tell(to=("desk", "second"), id="before", opened_at=before)
    inbox.tell(to=("desk", "second"), id="after", opened_at=after)

    looked_for = {(one.integration_id, one.incident_id): one.attempted_at for one in inbox.links()}
    assert looked_for == {
        ("desk", "before"): None,
        ("desk", "after"): None,
        ("second", "before"): before,
        ("second", "after"): None,
    }


def test_a_beginning_that_comes_after_the_end_makes_a_ticket_all_the_same(inbox):
    """Events may overtake each other: the ticket is made, and shows what is known by now."""
    inbox.tell(EventType.RESOLVED, status="closed", title="It is over")
    assert inbox.links() == []

    assert inbox.tell(EventType.OPENED, at=-10) == Accepted(new=1)

    (link,) = inbox.links()
    assert (link.incident.title, link.incident.status) == ("It is over", IncidentStatus.CLOSED)
    assert inbox.due() == [("desk", "inc-1")]


def test_late_news_makes_no_ticket(inbox):
    """An update that is older than what is known starts nothing, although the incident began after the activation."""
    inbox.tell(EventType.RESOLVED, status="closed")

    assert inbox.tell(EventType.UPDATED, at=-10, opened_at=inbox.clock.now()) == Accepted(ignored=1)
    assert inbox.links() == []


# What of an event counts


def test_an_event_wakes_the_links_of_its_incident_and_no_others(inbox):
    """Neither another incident's, nor another organization's with an incident of the same name."""
    inbox.tell(to=("desk", "second"))
    inbox.tell(id="inc-2")
    inbox.tell(organization="beta", to=("foreign",))
    inbox.due()

    inbox.tell(EventType.UPDATED, title="Dark", to=())

    assert inbox.due() == [("desk", "inc-1"), ("second", "inc-1")]
    assert inbox.shown() == {"desk": "Dark", "second": "Dark", "foreign": "Offline"}
    assert [inbox.kinds(link.id) for link in inbox.links()] == [
        ["incident_opened", "incident_updated"],
        ["incident_opened", "incident_updated"],
        ["incident_opened"],
        ["incident_opened"],
    ]


@pytest.mark.parametrize("kind", [EventType.OPENED, EventType.UPDATED])
def test_late_news_are_noted_and_change_nothing(inbox, kind):
    """The lane rests, nothing waits to be synced; that they came is in the timeline, by name."""
    inbox.tell(at=-20)
    inbox.linked()

    assert inbox.tell(kind, at=-30, title="Former") == Accepted(new=1)

    link = inbox.store.links.get(1)
    assert (link.incident.title, link.to_ticket_since, inbox.due()) == ("Offline", None, [])
    kind, values = inbox.timeline()[-1]
    assert (kind, values["event"]) == ("incident_event_late", f"evt-{inbox.number}")


def test_news_are_noted_by_what_happened(inbox):
    """Each event is in the timeline."""
    inbox.tell()
    inbox.tell(EventType.UPDATED, at=1, title="Dark")
    inbox.tell(EventType.RESOLVED, at=2)

    assert inbox.kinds() == ["incident_opened", "incident_updated", "incident_resolved"]
    assert inbox.store.links.get(1).incident.status is IncidentStatus.CLOSED


@pytest.mark.cases_in_test(3)
@pytest.mark.parametrize(
    ("first", "second", "title"),
    [
        (EventType.UPDATED, EventType.UPDATED, "second"),
        (EventType.OPENED, EventType.UPDATED, "second"),
        (EventType.UPDATED, EventType.OPENED, "first"),
        (EventType.RESOLVED, EventType.UPDATED, "first"),
        (EventType.UPDATED, EventType.RESOLVED, "second"),
        (EventType.COMMENTED, EventType.UPDATED, "second"),
        (EventType.UPDATED, EventType.COMMENTED, "second"),
    ],
)
def test_events_of_one_instant_have_an_order(inbox, first, second, title):
    """Opened before updated before resolved; of two alike the one that came later counts."""
    inbox.tell(at=-60)
    comments = (Comment(id=f"c{number}", author="Ada", text="Hm.", created_at=inbox.clock.now()) for number in range(2))
    for kind, name in ((first, "first"), (second, "second")):
        inbox.tell(kind, title=name, comment=next(comments) if kind is EventType.COMMENTED else None)

    assert inbox.store.links.get(1).incident.title == title


YEAR_S = 365 * 86400.0


@pytest.mark.parametrize("at", [-30.0, AHEAD.total_seconds()])
def test_news_count_although_what_is_known_was_told_while_our_clock_was_ahead(inbox, at):
    """A computer that ran a year ahead and was set right: a ticket shows what happens now, also by a fast clock."""
    inbox.clock.set_by(YEAR_S)
    inbox.tell(title="A year ahead", to=("desk",))
    inbox.clock.set_by(-YEAR_S)

    inbox.tell(EventType.UPDATED, at=at, title="Now")

    assert inbox.shown() == {"desk": "Now"}


def test_news_by_a_clock_that_is_as_fast_as_clocks_may_be_are_not_overtaken_by_older_ones(inbox):
    """Five minutes are what clocks differ by: an update that comes late does not set the ticket back."""
    inbox.tell(at=-60)
    inbox.tell(EventType.UPDATED, at=AHEAD.total_seconds(), title="Fast")

    inbox.tell(EventType.UPDATED, at=-30, title="Late")

    assert inbox.shown() == {"desk": "Fast"}
    assert inbox.kinds()[-1] == "incident_event_late"


def test_what_a_link_has_is_kept_however_old_its_last_news_are(inbox):
    """The ticket of an incident that nobody told of for months keeps its incident; without a link it is forgotten."""
    for name in ("inc-1", "inc-2"):
        inbox.tell(id=name, to=("desk",) if name == "inc-1" else (), title="First")
        inbox.tell(EventType.UPDATED, id=name, at=1, title="Second", to=())

    assert forget(inbox.store, inbox.clock.now() + UNLINKED_FOR + timedelta(seconds=2))["incident"] == 1
    assert inbox.shown() == {"desk": "Second"}


def test_what_has_no_link_is_kept_for_as_long_after_its_last_news(inbox):
    """An integration that is activated later finds what happened lately, and not only what began lately."""
    inbox.tell(to=())
    inbox.clock.forward(UNLINKED_FOR.total_seconds())
    inbox.tell(EventType.UPDATED, title="Still dark", to=())

    assert "incident" not in forget(inbox.store, inbox.clock.now() + timedelta(seconds=1))
    inbox.tell(at=-10)
    assert inbox.shown() == {"desk": "Still dark"}


@pytest.mark.parametrize("kind", [EventType.UPDATED, EventType.COMMENTED])
def test_a_time_that_is_not_believed_is_told_and_no_other_is(inbox, kind):
    """Whoever wonders about an order sees in the timeline which time was ignored, and nothing where none was."""
    inbox.tell(to=("desk",))
    comments = [Comment(id=f"c{number}", author="Ada", text="Hm.", created_at=inbox.clock.now()) for number in range(2)]
    for at in (1, YEAR_S):
        comment = comments.pop() if kind is EventType.COMMENTED else None
        inbox.tell(kind, at=at, to=(), comment=comment)

    (_, believed), (_, untrue) = inbox.timeline()[-2:]
    assert "ignored_times" not in believed
    told = (inbox.clock.now() + timedelta(seconds=YEAR_S)).isoformat()
    assert untrue["ignored_times"] == f"occurred {told} (far from the time of receipt)"


def test_our_write_overtakes_events_of_its_own_organization_only(inbox):
    """An incident of the same name elsewhere, and another incident, are none of its business."""
    inbox.tell(id="inc-0", title="Another")
    inbox.tell()
    inbox.tell(organization="beta", to=("foreign",))
    written_at = inbox.clock.now() + timedelta(seconds=30)
    base = {FieldName.TITLE: Agreed(incident="Ours", ticket="Ours", written_at=written_at)}
    link = next(one for one in inbox.links() if (one.integration_id, one.incident_id) == ("desk", "inc-1"))
    written = OurWrite({FieldName.TITLE: ("Offline", "Ours")}, written_at)
    inbox.record(link.id, base=base, written=written)

    inbox.tell(EventType.UPDATED, at=10, title="Offline", priority="low", to=())
    inbox.tell(EventType.UPDATED, at=10, id="inc-0", title="Dark", to=())
    inbox.tell(EventType.UPDATED, at=10, title="Dark", organization="beta", to=())

    assert inbox.shown() == {"desk": "Ours", "foreign": "Dark"}
    assert inbox.shown("inc-0") == {"desk": "Dark"}
    assert inbox.store.links.get(link.id).incident.priority == "low"


def test_what_one_link_wrote_wakes_the_other_links_of_its_incident(inbox):
    """They have it to sync to their tickets; the one that wrote it, and other incidents, have not."""
    inbox.tell(to=("desk", "second"))
    inbox.tell(id="inc-2", to=("desk", "second"))
    inbox.tell(organization="beta", to=("foreign",))
    for _ in range(5):
        inbox.due()
    first = inbox.links(integration_id="desk")[0]

    inbox.record(first.id, written=OurWrite({FieldName.TITLE: ("Offline", "Ours")}))

    waiting = {(one.integration_id, one.incident_id) for one in inbox.links() if one.incident.title == "Ours"}
    assert waiting == {("desk", "inc-1"), ("second", "inc-1")}
    assert inbox.due() == [("second", "inc-1")]


# Comments of an incident


def comment_on(inbox, name="c1", **more):
    """Let somebody comment on the incident."""
    comment = Comment(id=name, author="Ada", text="Hm.", created_at=inbox.clock.now())
    return inbox.tell(EventType.COMMENTED, comment=comment, to=(), **more)


def wanting_comments(inbox, name):
    """Have comments synced to the tickets of an integration."""
    record = next(one for one in inbox.store.integrations.every() if one.id == name)
    rules = record.comments.changed(ToTicket.INTERNAL, ToIncident.NONE, inbox.clock.now())
    inbox.store.integrations.put(replace(record, comments=rules))


def test_a_comment_is_for_the_links_of_its_incident(inbox):
    """Where it is wanted it waits, where it is not that is said, and others hear nothing of it."""
    wanting_comments(inbox, "second")
    inbox.tell(to=("desk", "second"))
    inbox.tell(id="inc-2", to=("second",))
    inbox.tell(organization="beta", to=("foreign",))
    inbox.due()

    assert comment_on(inbox) == Accepted(new=1)

    noted = {link.integration_id: inbox.timeline(link.id)[-1] for link in inbox.links()[:2]}
    assert {name: kind for name, (kind, _) in noted.items()} == dict.fromkeys(noted, "incident_commented")
    assert (noted["second"][1]["why"], noted["desk"][1]["why"]) == ("", Nuance.SYNC_OFF)
    assert [inbox.kinds(link.id)[-1] for link in inbox.links()[2:]] == ["incident_opened"] * 2


def test_a_comment_that_comes_again_is_no_news(inbox):
    """Under another event's name it is the same comment: nothing is noted a second time."""
    inbox.tell()
    assert comment_on(inbox) == Accepted(ignored=1)
    before = inbox.kinds()

    assert comment_on(inbox) == Accepted(duplicate=1)
    assert inbox.kinds() == before


@pytest.mark.parametrize(("at", "wakes"), [(1, True), (-100, False)])
def test_what_a_comments_event_shows_of_the_incident_counts_as_usual(inbox, at, wakes):
    """A new title that comes along is synced, wanted comment or not; late news are not."""
    inbox.tell()
    inbox.linked()

    comment_on(inbox, at=at, title="Dark")

    link = inbox.store.links.get(1)
    assert link.incident.title == ("Dark" if wakes else "Offline")
    assert (link.to_ticket_since is not None) is wakes
    assert inbox.due() == ([("desk", "inc-1")] if wakes else [])


# Deliveries


def counted(inbox):
    """Return what was counted of the integration's webhook."""
    return {name: fact.count for name, fact in inbox.store.webhooks.facts("desk").items()}


def test_a_delivery_is_new_when_anything_of_it_is_about_a_linked_ticket(inbox):
    """A ticket, a hint, a comment or a deletion, alone or together; which are about none is counted."""
    wanted = next(one for one in inbox.store.integrations.every() if one.id == "desk")
    rules = wanted.comments.changed(ToTicket.NONE, ToIncident.ALL, inbox.clock.now())
    inbox.store.integrations.put(replace(wanted, comments=rules))
    inbox.tell()
    ticket = inbox.linked()
    stranger = ticket.model_copy(update={"id": "99"})
    some = frozenset({"1"})
    parts = [
        {"tickets": (ticket,)},
        {"hints": some},
        {"commented": {"1": frozenset({"c"})}},
        {"tickets": (ticket,), "hints": some},
        {"tickets": (ticket,), "commented": {"1": frozenset({"c"})}},
        {"tickets": (ticket, stranger)},
        {"tickets": (ticket,), "deleted": some},
    ]

    assert [inbox.deliver(**one) for one in parts] == [Accepted(new=1)] * len(parts)
    assert inbox.deliver(tickets=(stranger,)) == Accepted(ignored=1)
    assert inbox.deliver(hints=frozenset({"99"}), ignored="issue_thin") == Accepted(ignored=1)
    assert inbox.store.webhooks.deliveries("desk", 100) == (len(parts) + 2, 2)
    assert counted(inbox) == {f"{IGNORED}not_linked": 1, f"{IGNORED}issue_thin": 1}


def test_a_deletion_alone_is_new_once(inbox):
    """The link is marked; that it is gone already is nothing new."""
    inbox.tell()
    inbox.linked()

    assert inbox.deliver(deleted=frozenset({"1"})) == Accepted(new=1)
    assert inbox.store.links.get(1).status.state is LinkState.GONE
    assert inbox.deliver(deleted=frozenset({"1"})) == Accepted(ignored=1)


def test_the_secret_of_a_delivery_is_counted_if_it_has_one(inbox):
    """Also when the delivery comes a second time; a delivery without one counts for none."""
    inbox.tell()
    ticket = inbox.linked()

    inbox.deliver(tickets=(ticket,))
    assert counted(inbox) == {}
    for _ in range(2):
        assert inbox.deliver(id="same", secret="a", tickets=(ticket,))
    assert counted(inbox) == {f"{SIGNED}a": 2, f"{IGNORED}duplicate": 1}


def test_a_hint_has_its_ticket_read_once_for_each(inbox):
    """Hints are counted, since one may come while another is followed; a stranger's is forgotten."""
    inbox.tell()
    inbox.linked()

    for _ in range(2):
        inbox.deliver(hints=frozenset({"1"}))

    assert inbox.store.links.get(1).hints == 2
    assert inbox.due() == [("desk", "inc-1")]


def test_when_a_delivery_came_last_is_known(inbox):
    """Also when it was about no ticket of ours."""
    assert inbox.store.webhooks.last_delivery_at("desk") is None
    inbox.deliver()

    assert inbox.store.webhooks.last_delivery_at("desk") == inbox.clock.now()
    assert inbox.store.webhooks.last_delivery_at("second") is None


def test_a_hint_of_a_ticket_that_is_just_being_made_is_kept(inbox):
    """The answer to our create may come later than the first delivery about it."""
    inbox.tell()
    (link,) = inbox.links()
    inbox.record(link.id, attempted_at=inbox.clock.now(), attempted_incident=link.incident)

    assert inbox.deliver(hints=frozenset({"1"})) == Accepted(ignored=1)
    inbox.linked()

    assert inbox.store.links.get(1).hints == 1


# Tickets


def test_a_ticket_that_was_gone_has_its_lane_look_whatever_is_shown(inbox):
    """It may be back, or this is late news: the same snapshot as before is worth a look."""
    inbox.tell()
    ticket = inbox.linked()
    inbox.record(1, status=LinkStatus(LinkState.GONE, "ticket_gone"))

    inbox.deliver(tickets=(ticket,))

    assert inbox.due() == [("desk", "inc-1")]


@pytest.mark.parametrize(("to_incident", "looks"), [(ToIncident.ALL, 1), (ToIncident.NONE, 0)])
def test_a_ticket_that_reading_shows_changed_has_its_comments_read(inbox, to_incident, looks):
    """A comment moves the ticket's time, and nothing else may tell of it; where none is synced nobody reads."""
    desk = next(one for one in inbox.store.integrations.every() if one.id == "desk")
    rules = desk.comments.changed(ToTicket.NONE, to_incident, inbox.clock.now())
    inbox.store.integrations.put(replace(desk, comments=rules))
    inbox.tell()
    ticket = inbox.linked()

    commented = ticket.model_copy(update={"updated": inbox.clock.now() + timedelta(seconds=1)})
    inbox.store.inbox.see_tickets("desk", [commented], inbox.clock.now())

    assert inbox.store.links.get(1).comment_looks == looks


@pytest.mark.parametrize(("before", "after"), [("", "SUP"), ("SUP", ""), ("", ""), ("SUP", "SUP")])
def test_a_place_that_is_not_told_is_none_that_a_ticket_was_moved_from(inbox, before, after):
    """A change of the title is one, and no move."""
    inbox.tell()
    ticket = inbox.linked(place=before)
    later = {"updated": inbox.clock.now() + timedelta(seconds=1), "place": after}

    inbox.deliver(tickets=(ticket.model_copy(update=later),))
    assert inbox.kinds() == ["incident_opened"]
    later["updated"] += timedelta(seconds=1)
    inbox.deliver(tickets=(ticket.model_copy(update={**later, "title": "New"}),))

    assert inbox.kinds() == ["incident_opened", "ticket_changed"]
    assert inbox.store.links.get(1).status.state is LinkState.IN_SYNC
    assert "place" not in inbox.timeline()[-1][1]


def test_a_ticket_that_shows_nothing_new_wakes_nobody(inbox):
    """Neither the same snapshot nor an older one; a moved time alone is stored and wakes nobody either."""
    inbox.tell()
    ticket = inbox.linked()
    later = ticket.model_copy(update={"updated": inbox.clock.now() + timedelta(seconds=5)})
    older = ticket.model_copy(update={"updated": inbox.clock.now() - timedelta(seconds=5), "title": "Former"})

    for shown in (ticket, older, later):
        assert inbox.deliver(tickets=(shown,)) == Accepted(new=1)
        assert inbox.due() == []
    assert inbox.store.links.get(1).ticket == later
    assert inbox.kinds() == ["incident_opened"]


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ({}, None),
        ({FieldName.TITLE: "Ada"}, "Ada (title)"),
        ({FieldName.TITLE: "Ada", FieldName.STATUS: "Ada"}, "Ada (title, status)"),
        ({FieldName.TITLE: "Ada", FieldName.STATUS: "Ben"}, "Ada (title); Ben (status)"),
        ({FieldName.PRIORITY: "Ada"}, None),  # the priority did not change
        ({FieldName.TITLE: ""}, None),
    ],
)
def test_who_changed_a_ticket_is_told_of_what_changed(inbox, by, told):
    """Names go with the fields that are different by now, and with no others."""
    inbox.tell()
    ticket = inbox.linked(status="Open")
    changed = ticket.model_copy(
        update={"title": "New", "status": "Done", "done": True, "updated": inbox.clock.now() + timedelta(seconds=1)}
    )

    inbox.deliver(tickets=(changed,), changed_by=by)

    kind, values = inbox.timeline()[-1]
    assert kind == "ticket_changed"
    assert values["title"] == ["Offline", "New"]
    assert values.get("changed_by") == told
    assert ("changed_by" in values) is (told is not None)


@pytest.mark.parametrize("state", [LinkState.IN_SYNC, LinkState.BLOCKED, LinkState.GONE])
def test_a_ticket_that_was_moved_has_its_link_looked_at(inbox, state):
    """Whatever state the link has, unless its ticket is gone: that is for the lane to find out."""
    inbox.tell()
    ticket = inbox.linked(place="SUP")
    other = inbox.tell(id="inc-2")
    inbox.linked("2", place="SUP")
    inbox.record(1, status=LinkStatus(state, "so", "It is so."))
    moved = ticket.model_copy(
        update={"key": "OPS-9", "place": "OPS", "updated": inbox.clock.now() + timedelta(seconds=1)}
    )

    inbox.deliver(tickets=(moved,))

    status = inbox.store.links.get(1).status
    assert other == Accepted(new=1)
    assert "ticket_moved" in inbox.kinds()
    assert (status.state, status.code) == (
        (LinkState.GONE, "so") if state is LinkState.GONE else (LinkState.WAITING, "ticket_moved")
    )
    assert inbox.store.links.get(2).status.state is LinkState.IN_SYNC


def test_a_link_that_a_person_gave_up_stays_so_when_its_ticket_is_moved(inbox):
    """It is noted and nothing more."""
    inbox.tell()
    ticket = inbox.linked(place="SUP")
    inbox.store.links.unlink(1, inbox.clock.now())
    before = inbox.store.links.get(1).status

    inbox.deliver(
        tickets=(ticket.model_copy(update={"place": "OPS", "updated": inbox.clock.now() + timedelta(seconds=1)}),)
    )

    assert inbox.store.links.get(1).status == before


def test_reading_counts_what_was_news(inbox):
    """Of all tickets that were read those that look different."""
    inbox.tell()
    inbox.tell(id="inc-2")
    one = inbox.linked()
    two = inbox.linked("2")
    changed = two.model_copy(update={"title": "New", "updated": inbox.clock.now() + timedelta(seconds=1)})

    assert inbox.store.inbox.see_tickets("desk", [one, two], inbox.clock.now()) == 0
    assert inbox.store.inbox.see_tickets("desk", [one, changed], inbox.clock.now()) == 1


def test_names_are_forgotten_when_they_are_too_old(inbox):
    """What was received longer ago is deleted and counted, what was received just then is kept."""
    inbox.tell()
    inbox.deliver()
    over = inbox.clock.now() + RECEIVED_FOR

    assert forget(inbox.store, over) == {}
    assert forget(inbox.store, over + timedelta(seconds=1)) == {"event": 1, "delivery": 1}
    assert forget(inbox.store, over + timedelta(seconds=1)) == {}


def test_how_far_a_source_was_read_is_kept_with_the_last_portion_alone(inbox):
    """A portion that more will follow says nothing of it: what a crash cuts off is read again."""
    now = inbox.clock.now()

    inbox.store.inbox.accept_poll("acme", Reading("hub", None, ""), [], [], None, now)
    assert inbox.store.sources.cursor("acme", "hub") is None

    inbox.store.inbox.accept_poll("acme", Reading("hub", None, ""), [], [], "page 2", now)
    assert inbox.store.sources.cursor("acme", "hub") == "page 2"


def test_what_was_read_before_a_source_began_anew_is_not_stored(inbox):
    """A look that took long neither skips what the new source tells nor opens tickets for what the old one told."""
    now, before = inbox.clock.now(), Reading("hub", None, "")
    incident = Incident(id="inc-1", title="Offline")
    event = IncidentEvent(id="evt-1", type=EventType.OPENED, occurred_at=now, incident=incident)
    polled = inbox.store.inbox.accept_poll("acme", before, [event], [inbox.target()], "page 2", now)
    assert polled == Accepted(new=1)

    late = event.model_copy(update={"id": "evt-2", "incident": incident.model_copy(update={"id": "inc-2"})})
    assert inbox.store.inbox.accept_poll("acme", before, [late], [inbox.target()], "page 1", now) is None

    assert [link.incident_id for link in inbox.links()] == ["inc-1"]
    assert inbox.store.sources.cursor("acme", "hub") == "page 2"
