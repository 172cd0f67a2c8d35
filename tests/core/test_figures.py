"""Figures over time: counted once with what they count, by hour and day; percentiles from buckets; told of before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from connector_core import EventType, Priority
from connector_core.store import (
    Figures,
    Progress,
    Span,
    TimelineEntry,
    TimelineKind,
    Waiting,
    as_one,
    figures,
    postgres_schema,
    postgres_steps,
    steps,
)
from connector_core.store.figures import DAYS_FOR, HOURS_FOR
from connector_core.store.records.figures import COUNTS, FIRST_BUCKET, LAST_BUCKET, bucket_of, quantile
from tests.support.activation import active_record
from tests.support.forgetting import forget
from tests.support.rows import sql
from tests.support.sync_lab import happen, make_lab, see, tell

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def read(store, clock, span=Span.HOUR, back=DAY, **whose):
    """Return the figures since a while ago as one."""
    return as_one(store.figures.read(span, clock.now() - back, **whose).values())


def counts(figures):
    """Return what is not nothing."""
    return {name: getattr(figures, name) for name in COUNTS if getattr(figures, name)}


def append(store, clock, *kinds, **values):
    """Add entries to the timeline of the first link."""
    store.timelines.append(1, [TimelineEntry(TimelineKind(kind), "ticket", clock.now(), values) for kind in kinds])


@pytest.fixture
def lab(store, clock):
    """Return a lab in which an incident got its ticket after some seconds, and both sides changed."""
    lab = make_lab(store, clock)
    tell(lab, EventType.OPENED, title="Fan failed")
    clock.forward(40)
    happen(lab, EventType.UPDATED, title="Fan 2 failed")
    happen(lab, EventType.UPDATED, title="Fan 3 failed")
    see(lab, priority=Priority.CRITICAL)
    return lab


# Counted


@pytest.mark.usefixtures("lab")
def test_an_incident_its_request_and_changes_both_ways_are_counted(store, clock):
    """By hour, by day, and in all that ever was; how long the request took is known to within 10 %."""
    found = read(store, clock)

    assert counts(found) == {"incidents": 1, "requests": 1, "to_ticket": 1, "to_incident": 1}
    assert found.median_s == found.slow_s == pytest.approx(41, rel=0.1)
    assert read(store, clock, Span.DAY) == found
    assert counts(store.figures.ever()["desk"]) == counts(found)
    assert list(store.figures.read(Span.HOUR, clock.now())) == [f"{clock.now():%Y-%m-%dT%H}"]
    assert list(store.figures.read(Span.DAY, clock.now())) == [f"{clock.now():%Y-%m-%d}"]


def test_a_claim_that_is_no_longer_good_counts_nothing(store, clock):
    """What is not stored is not counted: a step that is told twice counts once."""
    lab = make_lab(store, clock)
    tell(lab)
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 60.0)
    entry = TimelineEntry(TimelineKind.TICKET_WRITTEN, "ticket", clock.now())

    assert store.links.record(claim, Progress(entries=(entry,)), clock.now())
    assert not store.links.record(replace(claim, fence=claim.fence + 1), Progress(entries=(entry,)), clock.now())

    assert read(store, clock).to_ticket == 1


def test_what_fails_with_its_transaction_is_not_counted(store, clock):
    """An event that is told again is known; one that cannot be stored leaves no count behind."""
    lab = make_lab(store, clock)
    tell(lab)
    lab.number -= 1
    tell(lab)

    def fail(db):
        db.execute("UPDATE figure SET incidents = 99")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.database.write(None, fail)

    assert counts(read(store, clock)) == {"incidents": 1}


@pytest.mark.usefixtures("lab")
def test_what_waits_and_what_fails_is_counted_apart(store, clock):
    """As the filter by result of the activity has it; what goes on with another ticket has not failed."""
    append(store, clock, "link_waiting", "link_blocked", "conflict")
    append(store, clock, "ticket_deleted")
    append(store, clock, "ticket_merged", why="followed")
    append(store, clock, "ticket_found", why="earlier_life")

    found = read(store, clock)
    assert (found.delayed, found.failed, found.requests) == (1, 3, 1)


@pytest.mark.usefixtures("lab")
def test_a_request_in_place_of_another_says_nothing_of_time(store, clock):
    """It is one more, and was not waited for since the incident came in."""
    sql(store, "UPDATE link SET marker = 'second'")
    clock.forward(3600 * 5)
    append(store, clock, "ticket_created")

    found = read(store, clock)

    assert found.requests == 2
    assert sum(found.took.values()) == 1


def test_an_incident_that_is_only_looked_for_counts_when_it_begins(store, clock, lab):
    """A link that may have a ticket of before is none that came in."""
    sql(store, "UPDATE link SET looks_since = created_at, ticket_id = NULL, ticket = NULL")
    before = read(store, clock).incidents
    tell(lab, EventType.OPENED, title="Fan failed")

    assert (before, read(store, clock).incidents) == (1, 2)


# What waits


def test_of_very_much_that_waits_only_so_much_is_counted(store, clock, monkeypatch):
    """A page says that more do; since when the oldest waits is exact, and nothing of others is counted."""
    lab = make_lab(store, clock)
    tell(lab)
    start = clock.now()

    assert store.figures.waiting_of(["desk"]) == store.figures.waiting()["desk"]
    monkeypatch.setattr(figures, "MOST_COUNTED", 0)
    assert store.figures.waiting_of(["desk", "none"]) == Waiting(1, start)
    assert store.figures.waiting_of(["none"]) == store.figures.waiting_of([]) == Waiting()


def test_the_most_that_waits_is_kept_by_the_hour(store, clock):
    """Looked at now and then: the most changes at once, and the longest that one had waited."""
    lab = make_lab(store, clock)
    tell(lab)
    start = clock.now()
    assert store.figures.waiting()["desk"].changes == 1
    assert store.figures.waiting()["desk"].since == start
    clock.forward(600)
    store.figures.note_waiting(clock.now())
    happen(lab, EventType.UPDATED, title="Other")
    store.figures.note_waiting(clock.now())

    found = read(store, clock)

    assert store.figures.waiting() == {}
    assert (found.waiting, found.oldest_s) == (1, 600)
    assert counts(store.figures.ever()["desk"]) == {"incidents": 1, "requests": 1}


# Whose


def test_figures_are_of_those_who_are_asked_for(store, clock, lab):
    """Of one integration, of some organizations, of nobody, or of all."""
    store.integrations.put(active_record("theirs", "globex", clock.now()))
    told = "INSERT INTO figure (integration_id, span, start, failed) VALUES ('theirs', 'hour', ?, 7)"
    sql(store, told, f"{clock.now():%Y-%m-%dT%H}")

    assert read(store, clock, organizations={"acme"}).failed == 0
    assert read(store, clock, organizations={"globex"}).failed == 7
    assert read(store, clock, organizations={"globex"}, integration_id="desk") == Figures()
    assert read(store, clock, organizations=()) == Figures()
    assert read(store, clock, integration_id="theirs").failed == 7
    both = read(store, clock)
    assert (both.failed, both.incidents) == (7, 1)


def test_figures_go_with_their_integration(store, lab):
    """Nothing is left of what was removed."""
    store.integrations.remove("desk")

    assert sql(store, "SELECT COUNT(*) FROM figure") == sql(store, "SELECT COUNT(*) FROM figure_time") == [(0,)]


@pytest.mark.usefixtures("lab")
def test_hours_are_forgotten_before_days(store, clock):
    """And what ever was is never."""
    start = clock.now()

    assert forget(store, start + HOURS_FOR + HOUR)["figure"] == 1
    assert read(store, clock) == Figures()
    assert read(store, clock, Span.DAY).incidents == 1
    gone = forget(store, start + DAYS_FOR + DAY)  # by this the first steps stay away
    assert (gone["figure"], gone["figure_time"]) == (1, 1)
    assert store.figures.ever()["desk"].incidents == 1


# Of before


def test_what_happened_before_is_told_from_links_and_timelines(store, clock, lab, database_place):
    """The migration counts as the daemon would have done, on both databases."""
    append(store, clock, "link_waiting", "conflict")
    append(store, clock, "ticket_merged", why="followed")
    counted = {span: store.figures.read(span, clock.now() - DAY) for span in (Span.HOUR, Span.DAY)}
    ever = store.figures.ever()

    _migrate_again(database_place)

    assert {span: store.figures.read(span, clock.now() - DAY) for span in (Span.HOUR, Span.DAY)} == counted
    assert store.figures.ever() == ever
    assert counted[Span.HOUR] != {}


def _migrate_again(place):
    """Take the last migration back, and apply it."""
    if hasattr(place, "url"):
        with psycopg.connect(place.url, autocommit=True) as raw:
            raw.execute("DROP TABLE figure, figure_time")
            done = [name for name in postgres_steps.MIGRATIONS if name != "m030_figures"]
            raw.execute("DELETE FROM migration WHERE name = 'm030_figures'")
            postgres_schema.migrate(lambda statement: raw.execute(statement.encode()), done)
        return
    with closing(sqlite3.connect(place, isolation_level=None)) as raw:
        raw.executescript("DROP TABLE figure; DROP TABLE figure_time;")
        raw.execute("DELETE FROM _sqlite_migrations WHERE name = 'm030_figures'")
        steps.migrations.apply(Database(raw))


# Times


@given(st.lists(st.floats(0.3, 10**6), min_size=1, max_size=60), st.sampled_from([0.5, 0.95]))
def test_percentiles_are_at_most_a_tenth_off(seconds, share):
    """Whatever the times are."""
    took = {}
    for one in seconds:
        bucket = bucket_of(timedelta(seconds=one))
        took[bucket] = took.get(bucket, 0) + 1
    exact = sorted(seconds)[max(-int(-share * len(seconds) // 1), 1) - 1]

    assert quantile(took, share) == pytest.approx(exact, rel=0.1)


def test_odd_times_have_a_bucket():
    """A clock that was set back, nothing at all, and longer than anybody waits."""
    assert bucket_of(timedelta(seconds=-5)) == bucket_of(timedelta()) == FIRST_BUCKET
    assert bucket_of(timedelta(microseconds=1)) == FIRST_BUCKET
    assert bucket_of(timedelta(days=4000)) == LAST_BUCKET
    assert quantile({}, 0.5) is None
