"""Incidents that rules send to integrations, in the database: decided once, kept, explained, linked later."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connector_core import Incident, IncidentEvent, IncidentStatus, Priority
from connector_core.contract.models import EventType
from connector_core.contract.routing import Conditions, RoutingRule, matching
from connector_core.inbound.waiting_incidents import LOOK_EVERY_S, WaitingIncidents
from connector_core.secrets import SecretBox
from connector_core.store import (
    About,
    Act,
    Actor,
    AuditFilter,
    EventOutcome,
    IntegrationState,
    Origin,
    RouteState,
    Routing,
    Subject,
    Target,
    Via,
)
from connector_core.store.acting import acting
from connector_core.store.opening import open_store
from connector_core.store.routing import AT_ONCE
from connector_core.testing import MemoryDesk, MemoryPlatform
from connector_core.words.timeline import sentence
from tests.core.conftest import PASSPHRASE
from tests.support.configured import registry_of
from tests.support.examples import up_to

pytestmark = pytest.mark.lengthy_on_postgresql

CRITICAL = RoutingRule(when=Conditions(priority=Priority.CRITICAL), to=("desk",))
PRINTERS = RoutingRule(when=Conditions(title="printer"), to=())
REST = RoutingRule(to=("rt",))
RULES = (CRITICAL, PRINTERS, REST)


@pytest.fixture
def rt(store):
    """Store a second integration of the organization, active."""
    (desk,) = store.integrations.every()
    record = replace(desk, id="rt", webhook_secrets=())
    store.integrations.put(record)
    return record


@pytest.fixture
def tell(store, clock, rt):
    """Return a function that tells of an event, to the active integrations that are named."""
    told = []

    def one(kind=EventType.OPENED, *, active=("desk", "rt"), incident="inc-1", organization="acme", **fields):
        clock.forward(1)
        told.append(kind)
        since = clock.now() - timedelta(days=1)
        targets = [Target(name, {"desk": "1"}, since) for name in active]
        about = Incident(**{"id": incident, "title": "Display offline", **fields})
        event = IncidentEvent(id=f"evt-{len(told)}", type=kind, occurred_at=clock.now(), incident=about)
        return store.inbox.accept_events(organization, [event], targets, clock.now()).result()

    return one


def use(store, clock, *rules, organization="acme"):
    """Give an organization rules, as a person does."""
    known = store.routing.made(organization)
    assert store.routing.put(organization, rules, known, "ada", clock.now())


def linked(store, incident="inc-1"):
    """Return the integrations that an incident is linked with."""
    return [link.integration_id for link in reversed(store.links.find(text=incident))]


def told(store, incident="inc-1"):
    """Return what the timelines say of where an incident was sent."""
    return [
        sentence(entry)
        for link in reversed(store.links.find(text=incident))
        for entry in store.timelines.read(link.id)
        if entry.kind == "routed"
    ]


def test_without_rules_each_integration_has_it_and_nothing_is_said(store, tell):
    """As before there were rules."""
    tell(priority="critical")

    assert linked(store) == ["desk", "rt"]
    assert told(store) == []
    assert store.routing.route_of("acme", "inc-1") is None


@pytest.mark.parametrize(
    ("fields", "went"),
    [
        ({"priority": "critical"}, "desk by rule 1: priority is critical."),
        ({"priority": "low"}, "rt by rule 3: any incident."),
        ({"title": "Printer jammed"}, 'no integration by rule 2: title contains "printer".'),
        ({"title": "Printer jammed", "priority": "critical"}, "desk by rule 1: priority is critical."),
    ],
)
def test_the_first_rule_that_matches_sends_it(store, clock, tell, fields, went):
    """It has a link there and nowhere else, with the reason; what was sent nowhere is kept with its own."""
    use(store, clock, *RULES)

    outcome = tell(**fields)

    goes_to = [name for name in ("desk", "rt") if went.startswith(name)]
    assert linked(store) == goes_to
    assert told(store) == ([f"Sent to {went}"] if goes_to else [])
    assert store.routing.route_of("acme", "inc-1").reason == f"Sent to {went}"
    assert outcome.outcomes == ((EventOutcome.NEW,) if goes_to else (EventOutcome.IGNORED,))


def test_an_incident_that_no_rule_matches_is_kept_with_its_reason(store, clock, tell):
    """It is listed until it is over, and counted."""
    use(store, clock, CRITICAL)

    tell(priority="low")

    (unsent,) = store.routing.unsent("acme", 10)
    assert (unsent.incident.id, unsent.route.reason) == ("inc-1", "No rule matches this incident.")
    assert store.routing.unsent_open() == {"acme": {RouteState.UNMATCHED: 1}}
    tell(EventType.RESOLVED, priority="low")
    assert store.routing.unsent_open() == {}
    assert not store.routing.unsent("acme", 10)[0].is_open


@pytest.mark.parametrize("kind", [EventType.UPDATED, EventType.OPENED])
def test_later_news_do_not_move_it(store, clock, tell, kind):
    """Neither another priority nor other rules: also news of its beginning that come once more."""
    use(store, clock, *RULES)
    tell(priority="low", opened_at=clock.now())
    use(store, clock, RoutingRule(to=("desk",)))

    tell(kind, priority="critical", opened_at=clock.now())

    assert linked(store) == ["rt"]


def test_what_was_sent_nowhere_stays_nowhere(store, clock, tell):
    """Also when the rules are gone that did it."""
    use(store, clock, PRINTERS)
    tell(title="Printer jammed", opened_at=clock.now())
    use(store, clock)

    tell(EventType.UPDATED, title="Display offline", opened_at=clock.now())

    assert linked(store) == []


def test_what_was_linked_before_there_were_rules_keeps_its_desks(store, clock, tell):
    """Rules made afterwards neither take a link away nor add one, whatever is told of it."""
    tell(active=("desk",), priority="low", opened_at=clock.now())
    use(store, clock, *RULES)

    tell(priority="low", opened_at=clock.now())

    assert linked(store) == ["desk"]
    assert store.routing.route_of("acme", "inc-1") is None


def test_an_update_whose_beginning_was_lost_is_decided_too(store, clock, tell):
    """As an incident is linked by it without rules, once it is young enough; an old one is left alone."""
    use(store, clock, *RULES)

    tell(EventType.UPDATED, priority="critical", opened_at=clock.now())
    tell(EventType.UPDATED, incident="old", priority="critical", opened_at=clock.now() - timedelta(days=9))

    assert linked(store) == ["desk"]
    assert linked(store, "old") == []
    assert store.routing.route_of("acme", "old") is None


def test_rules_of_one_organization_say_nothing_of_another(store, clock, tell):
    """Nor do its decisions, for an incident that is named alike."""
    use(store, clock, RoutingRule(to=()))
    (desk, _) = store.integrations.every()
    store.integrations.put(replace(desk, id="other", organization="globex", webhook_secrets=()))
    tell()

    tell(organization="globex", active=("other",))

    assert linked(store) == ["other"]
    assert store.routing.unsent("globex", 10) == []
    assert store.routing.in_force("globex") is None
    assert store.routing.send("globex", "inc-1", Target("other", {}, clock.now()), "eve", clock.now()) is None


def test_a_rule_may_name_several(store, clock, tell):
    """Each of them gets a ticket of its own."""
    use(store, clock, RoutingRule(to=("rt", "desk")))

    tell()

    assert sorted(linked(store)) == ["desk", "rt"]
    assert len(told(store)) == 2


def test_what_the_rules_sent_survives_the_process(store, database_place, clock, tell):
    """Opened again, the database says the same, and the event told once more changes nothing."""
    use(store, clock, *RULES)
    tell(priority="critical", opened_at=clock.now())
    before = store.routing.route_of("acme", "inc-1")

    with closing(open_store(database_place, SecretBox([PASSPHRASE]))) as other:
        assert other.routing.route_of("acme", "inc-1") == before
        assert other.routing.in_force("acme") == store.routing.in_force("acme")
    assert (before.rule, before.to) == (1, ("desk",))


@settings(
    max_examples=up_to(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_what_is_stored_is_what_the_first_news_decided(store, clock, tell, data):
    """Whatever news follow, repeated or not, and however the rules change: the first match of the first news stays."""
    number = len(store.routing.lately("acme", clock.now() - timedelta(days=9), 1000))
    name = f"drawn-{number}"
    priorities = st.sampled_from([*Priority, None])
    titles = st.sampled_from(["Printer jammed", "Display offline"])
    first = Incident(id=name, title=data.draw(titles), priority=data.draw(priorities), opened_at=clock.now())
    use(store, clock, *data.draw(st.permutations(RULES[:2])), REST)
    rules = store.routing.in_force("acme").rules
    expected = matching(rules, first)
    tell(incident=name, title=first.title, priority=first.priority, opened_at=first.opened_at)
    for _ in range(data.draw(st.integers(0, 3))):
        use(store, clock, *data.draw(st.permutations(RULES[:2])))
        kind = data.draw(st.sampled_from([EventType.OPENED, EventType.UPDATED]))
        tell(kind, incident=name, title=data.draw(titles), priority=data.draw(priorities), opened_at=first.opened_at)

    decided = store.routing.route_of("acme", name)
    assert (decided.rule, decided.when, decided.to) == (expected, rules[expected - 1].when, rules[expected - 1].to)
    assert linked(store, name) == list(decided.to)


def at_work(store, clock):
    """Return what links incidents that waited, with the registry of a daemon."""
    desk, platform = MemoryDesk(clock), MemoryPlatform(clock)
    registry, _ = registry_of(store, clock, [desk.entry_point(), platform.entry_point()])
    return WaitingIncidents(store, registry, clock, structlog.get_logger("test"), after=lambda: None)


def test_an_incident_waits_for_an_integration_that_is_not_active(store, clock, rt, tell):
    """It is listed with its reason, and linked, with its story, soon after the integration is active again."""
    store.integrations.put(replace(rt, state=IntegrationState.DISABLED))
    waiting = at_work(store, clock)
    use(store, clock, RoutingRule(to=("desk", "rt")))
    outcome = tell(active=("desk",))
    waiting.release()
    assert linked(store) == ["desk"]
    assert outcome.new == 1
    (unsent,) = store.routing.unsent("acme", 10)
    assert unsent.route.reason == "Waits for rt, which is not active (by rule 1: any incident)."

    store.integrations.put(rt)
    waiting.release()

    assert linked(store) == ["desk", "rt"]
    assert told(store)[1] == "Sent to rt by rule 1: any incident."
    assert store.routing.unsent("acme", 10) == []
    assert store.routing.route_of("acme", "inc-1").state is None
    link = store.links.find(text="inc-1", integration_id="rt")[0]
    assert store.lanes.next_due() is not None
    assert link.status.code == "new"


def test_a_removed_integration_keeps_its_incidents_waiting_until_one_has_its_name(store, clock, rt, tell):
    """Or until a person sends them elsewhere; one that is over by then gets no ticket."""
    store.integrations.remove("rt")
    waiting = at_work(store, clock)
    use(store, clock, REST)
    tell(active=("desk",))
    tell(active=("desk",), incident="over")
    tell(EventType.RESOLVED, active=("desk",), incident="over")
    waiting.release()

    store.integrations.put(rt)
    waiting.release()

    assert linked(store) == ["rt"]
    assert linked(store, "over") == []


def test_more_of_them_than_one_transaction_takes_are_all_linked(store, clock, rt, tell):
    """They are linked by the hundred, each once."""
    store.integrations.put(replace(rt, state=IntegrationState.DISABLED))
    waiting = at_work(store, clock)
    use(store, clock, REST)
    for number in range(AT_ONCE + 1):
        tell(active=("desk",), incident=f"many-{number}")
    store.integrations.put(rt)

    with capture_logs() as logged:
        waiting.release()

    (told_of,) = [one for one in logged if one["event"] == "waiting_incidents_sent"]
    assert (told_of["integration"], told_of["count"]) == ("rt", AT_ONCE + 1)
    assert store.routing.organizations(RouteState.WAITING) == []
    assert len(store.links.find(integration_id="rt")) == AT_ONCE + 1


def test_another_node_may_have_sent_one_late(store, clock, tell):
    """One that did not know yet that the integration is active: it is found although nothing changed here."""
    waiting = at_work(store, clock)
    waiting.release()
    use(store, clock, REST)
    tell(active=("desk",))

    waiting.release()
    assert linked(store) == []
    clock.forward(LOOK_EVERY_S + 1)
    waiting.release()

    assert linked(store) == ["rt"]


@pytest.mark.parametrize("rules", [(PRINTERS,), (CRITICAL,), (REST,)], ids=["nobody", "unmatched", "waiting"])
def test_a_person_sends_what_has_no_ticket(store, clock, tell, rules):
    """It is linked where they say, once, and the timeline names them."""
    use(store, clock, *rules)
    tell(active=("desk",), title="Printer jammed", priority="low")
    target = Target("desk", {"desk": "1"}, clock.now())

    link = store.routing.send("acme", "inc-1", target, "ada", clock.now())

    assert [one.id for one in store.links.find(text="inc-1")] == [link]
    assert told(store) == ["Sent to desk by ada."]
    assert store.routing.unsent("acme", 10) == []
    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        assert store.routing.send("acme", "inc-1", target, "ada", clock.now()) is None
    assert store.audit.find(AuditFilter(), 10) == []
    at_work(store, clock).release()
    assert linked(store) == ["desk"]


def test_who_sends_an_incident_is_in_the_audit_log(store, clock, tell):
    """As everything that a person does about a link."""
    use(store, clock, PRINTERS)
    tell(active=("desk",), title="Printer jammed", priority="low")
    with acting(Actor("ada", Via.CONSOLE, clock.now())):
        link = store.routing.send("acme", "inc-1", Target("desk", {"desk": "1"}, clock.now()), "ada", clock.now())

    (entry,) = store.audit.find(AuditFilter(), 10)
    assert (entry.by.name, entry.act, entry.about) == ("ada", Act.SENT, About(Subject.LINK, str(link), "acme"))
    assert entry.changes == {"incident": (None, "inc-1"), "integration": (None, "desk")}


def test_what_is_over_or_unknown_cannot_be_sent(store, clock, tell):
    """Nothing is stored of it."""
    use(store, clock, CRITICAL)
    tell(priority="low")
    tell(EventType.RESOLVED, priority="low")
    target = Target("desk", {"desk": "1"}, clock.now())

    assert store.routing.send("acme", "inc-1", target, "ada", clock.now()) is None
    assert store.routing.send("acme", "no-such", target, "ada", clock.now()) is None
    assert linked(store) == []


def test_a_source_still_asks_for_incidents_without_a_ticket(store, clock, tell):
    """So that their end is seen, and what waits is linked as it is then."""
    use(store, clock, CRITICAL)

    tell(priority="low")

    assert [one.id for one in store.sources.followed("acme")] == ["inc-1"]


def test_rules_of_the_file_go_before_those_made_here_and_give_way_again(store, clock, tell):
    """Both are kept; what the file drops is gone, and what was made here is in force again."""
    made_at = clock.now()
    use(store, clock, CRITICAL)

    assert store.routing.put_written({"acme": (REST,)}, "connector.yaml", clock.now()) == ["acme"]
    assert store.routing.put_written({"acme": (REST,)}, "connector.yaml", clock.now()) == []
    assert store.routing.in_force("acme").rules == (REST,)
    assert store.routing.in_force("acme").origin is Origin.YAML
    assert [one.rules for one in store.routing.every()] == [(REST,)]
    tell(priority="critical")
    assert linked(store) == ["rt"]

    assert store.routing.put_written({}, "connector.yaml", clock.now()) == ["acme"]
    assert store.routing.in_force("acme") == Routing("acme", Origin.SETUP, (CRITICAL,), made_at, "ada")


def test_rules_that_somebody_changed_meanwhile_are_not_overwritten(store, clock):
    """Whoever saves says what they had before them."""
    use(store, clock, CRITICAL)

    assert not store.routing.put("acme", (REST,), None, "bob", clock.now())
    assert store.routing.in_force("acme").rules == (CRITICAL,)


def test_the_incidents_of_late_are_those_that_were_opened_then(store, clock, tell):
    """By their own time, or else by when they were linked or last heard of; with the integrations they went to."""
    since = clock.now() - timedelta(days=30)
    tell(incident="told", opened_at=clock.now() - timedelta(days=2))
    tell(incident="old", opened_at=clock.now() - timedelta(days=31))
    use(store, clock, PRINTERS)
    tell(incident="untold", title="Printer jammed")

    found = store.routing.lately("acme", since, 10)

    assert [(one.incident.id, one.linked) for one in found] == [("untold", []), ("told", ["desk", "rt"])]
    assert found[0].opened_at == clock.now()
    assert len(store.routing.lately("acme", since, 1)) == 1


def test_a_reopened_incident_is_where_it_was(store, clock, tell):
    """The end and a new beginning of an incident are news like others."""
    use(store, clock, *RULES)
    tell(priority="critical")
    tell(EventType.RESOLVED, priority="critical")

    tell(priority="low", status=IncidentStatus.ACTIVE)

    assert linked(store) == ["desk"]


def test_one_that_waits_for_two_goes_on_as_each_is_active(store, clock, rt, tell):
    """The first does not end the wait for the second, news meanwhile are nothing new, and the daemon is told."""
    other = replace(rt, id="other")
    for record in (rt, other):
        store.integrations.put(replace(record, state=IntegrationState.DISABLED))
    nudges = []
    waiting = at_work(store, clock)
    waiting.after = lambda: nudges.append(1)
    use(store, clock, RoutingRule(to=("rt", "other")))
    assert tell(active=("desk",)).new == 1
    assert tell(EventType.UPDATED, active=("desk",), opened_at=clock.now()).ignored == 1
    waiting.release()
    assert nudges == []
    reason = store.routing.route_of("acme", "inc-1").reason
    assert reason == "Waits for rt, other, which are not active (by rule 1: any incident)."

    store.integrations.put(rt)
    waiting.release()
    assert store.routing.route_of("acme", "inc-1").waits_for == ("other",)
    assert (linked(store), nudges) == (["rt"], [1])
    store.integrations.put(other)
    waiting.release()

    assert (sorted(linked(store)), nudges) == (["other", "rt"], [1, 1])
    values = [entry.values for link in store.links.find() for entry in store.timelines.read(link.id)]
    assert {one["rule"] for one in values if "rule" in one} == {1}


def test_what_waits_in_one_organization_is_no_concern_of_another(store, clock, rt, tell):
    """Neither its list, its count nor its wait, although incidents are named alike."""
    gone = replace(rt, id="theirs", organization="globex", state=IntegrationState.DISABLED)
    store.integrations.put(gone)
    waiting = at_work(store, clock)
    use(store, clock, RoutingRule(to=("theirs",)), organization="globex")
    use(store, clock, CRITICAL)
    tell(organization="globex", active=())
    tell(priority="low")
    tell(incident="inc-2", priority="low")
    tell(EventType.RESOLVED, incident="inc-2", priority="low")

    assert [(one.incident.id, one.is_open) for one in store.routing.unsent("acme", 9)] == [
        ("inc-1", True),
        ("inc-2", False),
    ]
    assert len(store.routing.unsent("acme", 1)) == 1
    assert [(one.organization, one.route.state) for one in store.routing.unsent_named("inc-1")] == [
        ("acme", RouteState.UNMATCHED),
        ("globex", RouteState.WAITING),
    ]
    assert store.routing.unsent_named("inc-9") == []
    assert [one.rules for one in store.routing.every()] == [(CRITICAL,), (RoutingRule(to=("theirs",)),)]
    assert [store.routing.made(name).rules for name in ("acme", "globex")] == [
        (CRITICAL,),
        (RoutingRule(to=("theirs",)),),
    ]
    store.integrations.put(replace(gone, state=IntegrationState.ACTIVE))
    waiting.release()
    assert [(link.organization, link.integration_id) for link in store.links.find()] == [("globex", "theirs")]


def test_incidents_of_late_are_those_of_one_organization(store, clock, rt, tell):
    """A link where a ticket was looked for in vain is none; the first of several tells when it came."""
    store.integrations.put(replace(rt, id="theirs", organization="globex"))
    began = clock.now()
    tell(active=("desk",))
    clock.forward(600)
    tell(EventType.OPENED, active=("desk", "rt"))
    tell(organization="globex", active=("theirs",))
    tell(incident="inc-2", organization="globex", active=("theirs",))

    (found,) = store.routing.lately("acme", began + timedelta(seconds=1), 9)

    assert (found.linked, found.opened_at) == (["desk", "rt"], began + timedelta(seconds=1))
    assert store.routing.lately("acme", began + timedelta(seconds=2), 9) == []
    assert len(store.routing.lately("globex", began, 9)) == 2
