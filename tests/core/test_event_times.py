"""Times of events that nobody can believe: a later event is never late because of them, and the timeline tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import requests
import structlog
from pydantic import SecretStr

from connector_core import EventType, Incident, IncidentEvent, http_source
from connector_core.app import build_app
from connector_core.config import read_config
from connector_core.http_source.signatures import sign, signing_keys
from connector_core.local_server import LocalServer
from connector_core.store import LinkState, Reading, SourceRecord
from connector_core.testing import FrozenClock
from connector_core.web.server import build_web
from tests.support.activation import activate
from tests.support.fake_plugins import FakeEntryPoint
from tests.support.served import entry_points
from tests.support.sync_lab import happen, make_lab, see, tell

SECRET = "a secret of many letters"
NEVER = ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]


class Pushed:
    """A daemon's database and its HTTP surface, told of one incident by a platform that pushes."""

    def __init__(self, folder):
        path = folder / "connector.yaml"
        path.write_text("secret_key: a passphrase of many letters\norganizations: {acme: {}}\n")
        points = [*entry_points(), FakeEntryPoint("http", lambda: http_source)]
        self.clock = FrozenClock()
        self.app = build_app(*read_config(path, points), log=structlog.get_logger("test"), clock=self.clock)
        stored = SourceRecord("acme", "http", {}, {"secret": SecretStr(SECRET)}, created_at=self.clock.now())
        assert self.app.store.sources.put(stored, None)
        activate(self.app, "helpdesk", "acme", secret="")
        self.app.registry.reload()
        self.server = LocalServer(build_web(self.app))
        self.server.start()
        self.number = 0

    def push(self, kind, occurred_at, **incident):
        """Push an event; return the answer."""
        self.clock.forward(1)
        self.number += 1
        shown = {"id": "inc-1", "title": f"Title {self.number}", **incident}
        event = {"id": f"evt-{self.number}", "type": kind, "occurred_at": occurred_at, "incident": shown}
        body = json.dumps(event).encode()
        headers = sign(signing_keys(SECRET), f"msg-{self.number}", self.clock.now(), body)
        return requests.post(f"{self.server.url}/v1/sources/acme/events", data=body, headers=headers, timeout=20)

    def now(self, back_s=0):
        """Return the time as a platform writes it."""
        return (self.clock.now() - timedelta(seconds=back_s)).isoformat()

    @property
    def link(self):
        """The one link."""
        (found,) = self.app.store.links.find()
        return self.app.store.links.get(found.id)

    @property
    def told(self):
        """The timeline of the link."""
        return [(entry.kind, entry.values.get("ignored_times", "")) for entry in self.app.store.timelines.read(1)]


@pytest.fixture
def pushed(tmp_path):
    """Start the HTTP surface before a database of its own."""
    made = Pushed(tmp_path)
    yield made
    made.server.stop()
    made.app.store.close()


@pytest.mark.parametrize("never", NEVER)
def test_what_comes_after_an_unbelievable_time_is_no_late_news(pushed, never):
    """Updates and the end that follow it count, and what is really late changes nothing still."""
    assert pushed.push("incident.opened", never, opened_at=never, updated_at=never).ok
    assert pushed.push("incident.updated", pushed.now()).ok
    assert pushed.link.incident.title == "Title 2"
    assert pushed.push("incident.resolved", pushed.now()).ok
    assert pushed.push("incident.updated", pushed.now(back_s=600)).ok

    assert (pushed.link.incident.title, pushed.link.incident.status) == ("Title 3", "closed")
    assert pushed.link.incident_at <= pushed.clock.now()
    kinds = [kind for kind, _ in pushed.told]
    assert kinds == ["incident_opened", "incident_updated", "incident_resolved", "incident_event_late"]


@pytest.mark.parametrize("never", NEVER)
def test_the_timeline_tells_of_a_time_that_is_not_believed(pushed, never):
    """It shows what was told; the incident shows no time that cannot be."""
    pushed.push("incident.opened", never, opened_at=never)

    ((_, told),) = pushed.told
    year = never[:4]
    assert f"occurred {year}" in told
    assert f"opened {year}" in told
    assert pushed.link.incident.opened_at is None
    if year < "1971":
        assert pushed.link.incident_at == pushed.clock.now()


def test_where_our_clock_is_slow_the_order_of_events_holds(pushed):
    """All times lie ahead then, and are right still when our clock is: a late event changes nothing."""
    pushed.push("incident.opened", pushed.now(back_s=-3600))
    pushed.push("incident.updated", pushed.now(back_s=-3640))
    pushed.push("incident.updated", pushed.now(back_s=-3620))
    pushed.clock.set_by(3700)
    pushed.push("incident.updated", pushed.now(back_s=600))

    assert pushed.link.incident.title == "Title 2"


def test_a_time_within_what_clocks_differ_by_is_believed(pushed):
    """Four minutes ahead keep their order: a late event of such a platform is late."""
    pushed.push("incident.opened", pushed.now(back_s=-200))
    pushed.push("incident.updated", pushed.now(back_s=-240))
    pushed.push("incident.updated", pushed.now(back_s=-220))

    assert pushed.link.incident.title == "Title 2"
    assert [told for _, told in pushed.told] == ["", "", ""]


def test_times_ahead_out_of_order_never_open_a_resolved_incident_in_one_delivery(pushed):
    """Their own times are not believed; opened, updated, resolved is the order of one moment."""
    event = {"type": "incident.resolved", "occurred_at": NEVER[0], "incident": {"id": "inc-1", "title": "End"}}
    late = {"type": "incident.opened", "occurred_at": NEVER[0], "incident": {"id": "inc-1", "title": "Begin"}}
    body = json.dumps([{"id": "b", **event}, {"id": "a", **late}]).encode()
    headers = sign(signing_keys(SECRET), "msg", pushed.clock.now(), body)

    assert requests.post(f"{pushed.server.url}/v1/sources/acme/events", data=body, headers=headers, timeout=20).ok

    assert (pushed.link.incident.title, pushed.link.incident.status) == ("End", "closed")


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-23T09:00:00",  # no zone
        "2016-12-31T23:59:60Z",  # a leap second
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",  # beyond the calendar in UTC
        "-0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        1795428000,
        "yesterday",
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(pushed, moment):
    """The sender reads which event it is and what is wrong; nothing is stored."""
    answer = pushed.push("incident.opened", moment)

    assert answer.status_code == 422
    assert "event 0" in answer.text
    assert not pushed.app.store.links.find()


@pytest.mark.parametrize("ahead", [timedelta(days=365_000), timedelta(minutes=6)])
def test_the_ticket_is_closed_after_an_event_from_the_future(store, clock, ahead):
    """From the event to the ticket: what was told of with a time ahead neither waits nor blocks the end."""
    lab = make_lab(store, clock)
    happen(lab, before_s=-ahead.total_seconds(), opened_at=clock.now() + ahead)

    assert happen(lab, EventType.UPDATED, title="Fan failed").ticket.title == "Fan failed"
    link = happen(lab, EventType.RESOLVED, title="Fan failed", status="closed")

    assert (link.ticket.done, link.status.state) == (True, LinkState.IN_SYNC)


def test_what_an_earlier_version_stored_from_the_future_does_not_block(store, clock):
    """Its row says 2999; the next event is later all the same."""
    lab = make_lab(store, clock)
    tell(lab)

    def age(db):
        db.execute("UPDATE incident SET occurred_at = '2999-01-01T00:00:00.000000+00:00'")

    store.database.write(None, age)

    assert happen(lab, EventType.UPDATED, title="Fan failed").incident.title == "Fan failed"


def test_a_poll_may_bring_any_time_of_the_calendar(store, clock):
    """The first moment of it has no equal in UTC; the event is stored as of its receipt."""
    lab = make_lab(store, clock)
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    incident = Incident(id="inc-1", title="Fan failed", opened_at=first, updated_at=first)
    event = IncidentEvent(id="evt", type=EventType.OPENED, occurred_at=first, incident=incident)

    store.inbox.accept_poll(
        "acme", Reading("xyte", None, ""), [event], lab.registry.targets("acme"), "next", clock.now()
    )

    assert store.links.get(1).incident_at == clock.now()


@pytest.mark.parametrize("year", [2999, 1])
def test_our_own_write_at_an_unbelievable_time_hides_nothing_that_follows(store, clock, year):
    """The platform answers a change with such a time; what it tells afterwards is news all the same."""
    lab = make_lab(store, clock)
    happen(lab, updated_at=clock.now())
    never = datetime(year, 1, 1, tzinfo=UTC)
    lab.platform._changed = lambda *_: never

    see(lab, title="From the ticket")
    link = happen(lab, EventType.UPDATED, title="From the platform")

    assert link.ticket.title == "From the platform"
