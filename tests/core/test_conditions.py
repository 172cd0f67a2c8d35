"""Which conditions there are, read from what is stored and computed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector_core import EventType, Finding, Grant, Incident, IncidentEvent, Severity
from connector_core.contract.models import NOT_CHECKED, Site
from connector_core.engine.circuits import Circuit
from connector_core.health.refusals import events_route
from connector_core.notify.conditions import Condition, Kind
from connector_core.polling.conditions import Conditions
from connector_core.polling.statuses import Word
from connector_core.store import Breaker, Checkup, IntegrationState, Leg, SourceState, Target
from connector_core.store.rows import write_time
from tests.support.rows import sql
from tests.support.telling import lose_authorization, make_app


@pytest.fixture
def app(store, clock):
    """Put the connector together; the integration has no webhook secret to be taken for somebody's."""
    return make_app(store, clock)


def conditions(app, organization="acme"):
    """Return what is so, by kind and integration."""
    found = Conditions(app.store, app.registry, app.poller, app.clock).of(organization)
    return {(one.kind, one.integration): one for one in found}


def status_of(app):
    """Return what pages and commands say of the integration."""
    return app.statuses.of_entry(app.registry.entry("desk"), app.statuses.known())


def note(app, **fields):
    """Change the record of the integration."""
    app.store.integrations.put(replace(app.registry.entry("desk").record, **fields))


def test_nothing_needs_attention_where_all_is_well(app):
    """An active integration and a source that was not asked yet."""
    assert conditions(app) == {}


def test_an_authorization_that_is_lost_or_ends_soon_is_one_condition(app, clock):
    """Lost goes before ending."""
    until = clock.now() + timedelta(days=3)
    site = Site(id="1", name="S", url="https://s.example")
    grant = Grant(headers={}, account_id="1", account_name="Desk", renewable_until=until, site=site)
    app.store.grants.save("desk", grant)
    ending = conditions(app)
    lose_authorization(app)
    lost = conditions(app)

    assert list(ending) == [(Kind.AUTHORIZATION_ENDING, "desk")]
    assert ending[Kind.AUTHORIZATION_ENDING, "desk"].values["until"] == until.isoformat()
    assert list(lost) == [(Kind.AUTHORIZATION_LOST, "desk")]
    assert lost[Kind.AUTHORIZATION_LOST, "desk"].values["system"] == app.registry.entry("desk").plugin.info.title


@pytest.mark.parametrize("way", ["problem", "breaker", "checkup"])
def test_an_integration_that_waits_for_somebody_is_blocked(app, clock, way):
    """Whether its record says so, a pause that only a person ends, or the last check."""
    if way == "problem":
        app.store.integrations.note_problem("desk", "settings_incomplete", "Close status is missing.")
    elif way == "breaker":
        key = app.registry.circuit(app.registry.entry("desk")).site
        app.store.breakers.trip(
            Breaker(key, "x", "Close status is missing.", "", clock.now(), clock.now(), failures=1, needs_person=True)
        )
    else:
        found = Finding(code="x", severity=Severity.PROBLEM, title="Close status is missing")
        app.store.checkups.record(Checkup("desk", clock.now(), (found,)))

    (condition,) = conditions(app).values()
    status = status_of(app)

    assert (condition.kind, condition.values["reason"]) == (Kind.INTEGRATION_BLOCKED, "Close status is missing.")
    assert (status.word, status.sentence) == (Word.ACTION_NEEDED, condition.values["reason"])


def test_what_a_check_could_not_try_is_no_condition_and_no_status(app, clock):
    """Pages and messages go by one list of problems."""
    found = Finding(code=NOT_CHECKED, severity=Severity.PROBLEM, title="Jira did not respond")
    app.store.checkups.record(Checkup("desk", clock.now(), (found,)))

    assert conditions(app) == {}
    assert status_of(app).word is Word.ACTIVE


def test_a_pause_that_ends_by_itself_blocks_nothing(app, clock):
    """An outage shows in what waits."""
    key = app.registry.circuit(app.registry.entry("desk")).site
    app.store.breakers.trip(Breaker(key, "x", "Down.", "", clock.now(), clock.now(), failures=1, needs_person=False))

    assert conditions(app) == {}


def test_what_waits_is_a_backlog_since_its_oldest_change(app, clock):
    """And links that need somebody are counted, with the reason of the first."""
    began = clock.now()
    for number in range(3):
        incident = Incident(id=f"inc-{number}", title="Fan failed")
        event = IncidentEvent(id=f"e{number}", type=EventType.OPENED, occurred_at=clock.now(), incident=incident)
        app.store.inbox.accept_events("acme", [event], [Target("desk", {"desk": "1"}, began)], clock.now()).result()
        clock.forward(60)

    assert conditions(app) == {(Kind.BACKLOG, "desk"): Condition(Kind.BACKLOG, began, "desk")}
    sql(
        app.store,
        "UPDATE link SET state = 'blocked', code = 'x', reason = 'The project is gone.' WHERE incident_id != 'inc-1'",
    )
    assert conditions(app)[Kind.INCIDENTS_BLOCKED, "desk"].values == {"count": "2", "reason": "The project is gone."}


def test_what_is_on_the_way_says_what_the_last_try_met(app, clock):
    """From the first failure on: that a side does not answer is said after several."""
    incident = Incident(id="inc-1", title="Fan failed")
    event = IncidentEvent(id="e1", type=EventType.OPENED, occurred_at=clock.now(), incident=incident)
    app.store.inbox.accept_events("acme", [event], [Target("desk", {"desk": "1"}, clock.now())], clock.now()).result()
    before = status_of(app).sentence
    sql(app.store, "UPDATE link SET code = 'unreachable', reason = 'It cannot be reached.', attempts = 1")

    assert before == "1 change is on the way."
    assert status_of(app).sentence == "1 change is on the way; the last try failed: It cannot be reached."


def test_refused_deliveries_are_one_after_some(app, clock):
    """A single one may be anybody's test; one that is taken afterwards ends it."""
    app.store.webhooks.note_refusals("desk", "", "signature_mismatch", 2, clock.now()).result()
    assert conditions(app) == {}
    app.store.webhooks.note_refusals("desk", "", "signature_mismatch", 1, clock.now()).result()

    (condition,) = conditions(app).values()
    assert condition.kind is Kind.DELIVERIES_REFUSED
    assert condition.values["reason"].startswith("Deliveries are refused with 403")
    clock.forward(60)
    sql(app.store, "UPDATE integration SET last_delivery_at = ?", write_time(clock.now()))
    app.registry.reload()
    assert conditions(app) == {}


def test_refused_events_are_the_sources_for_a_day(app, clock):
    """What a platform pushed and was not taken."""
    app.store.webhooks.note_refusals("", events_route("acme"), "too_large", 3, clock.now()).result()

    assert list(conditions(app)) == [(Kind.DELIVERIES_REFUSED, "")]
    clock.forward(24 * 3600 + 1)
    assert conditions(app) == {}


def unread(app, since, *, needs_person=False):
    """Note that the source does not answer, since when."""
    made = app.store.sources.reading("acme", "platform").made
    state = SourceState("acme", "platform", app.clock.now(), "unreachable", since, reason="The platform is down.")
    app.store.sources.note(state, made)
    if needs_person:
        key = Circuit.of_poll("acme").site
        app.store.breakers.trip(Breaker(key, "x", "Refused.", "", since, since, failures=1, needs_person=True))


def test_a_source_that_is_not_read_is_one_after_a_while(app, clock):
    """An outage of a minute is nobody's business; what a person has to mend is one at once."""
    began = clock.now()
    unread(app, began)
    assert conditions(app) == {}
    clock.forward(300)

    (condition,) = conditions(app).values()
    assert (condition.kind, condition.since, condition.integration) == (Kind.SOURCE_NOT_READ, began, "")
    assert condition.values["reason"] == "The platform is down."

    clock.forward(60)
    unread(app, clock.now(), needs_person=True)
    assert list(conditions(app)) == [(Kind.SOURCE_NOT_READ, "")]


def test_a_source_nobody_needs_is_not_missed(app, clock):
    """No integration of its organization is active."""
    note(app, state=IntegrationState.DISABLED)
    unread(app, clock.now() - timedelta(hours=1), needs_person=True)

    assert conditions(app) == {}


def test_nothing_of_what_nobody_activated_needs_attention(app):
    """Drafts and what somebody disabled, whatever is wrong with it."""
    for state in (IntegrationState.DRAFT, IntegrationState.DISABLED):
        note(app, state=state, problem_code="settings_incomplete", problem="Close status is missing.")

        assert conditions(app) == {}


def test_conditions_are_those_of_one_organization(app):
    """The other one has none."""
    lose_authorization(app)

    assert conditions(app, "globex") == {}


def test_a_failed_test_incident_is_a_condition_where_one_is_sent_each_day(app, clock):
    """Until one has passed; of a test that somebody sent now and then nobody is told."""
    note(app, test_at="")
    app.round_trips.start("desk", "ada")
    trip = app.store.round_trips.running("desk")
    failed = trip.failing(Leg.CREATED, clock.now(), "down", "Desk does not answer.")
    app.store.round_trips.keep("acme", failed.ended(clock.now(), is_left_open=False), trip)
    unwanted = conditions(app)
    note(app, test_at="03:30")
    told = conditions(app)
    clock.forward(1)
    app.round_trips.start("desk", "ada")
    trip = app.store.round_trips.running("desk")
    app.store.round_trips.keep("acme", trip.ended(clock.now(), is_left_open=False), trip)

    assert unwanted == {}
    assert "Desk does not answer." in told[Kind.TEST_FAILED, "desk"].values["reason"]
    assert conditions(app) == {}
