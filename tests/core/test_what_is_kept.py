"""What grows for ever does not: each table has a rule, the manual says it, and a year of traffic keeps to it."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlite_utils import Database

from connector_core import Comment, Delivery, EventType, Incident, IncidentEvent, IncidentStatus, TicketSnapshot
from connector_core.contract.merge import as_they_are
from connector_core.contract.routing import RoutingRule
from connector_core.notify.changes import Notice
from connector_core.notify.conditions import Kind
from connector_core.polling.forgetting import Forgetting
from connector_core.registry.grants import GRANT_LOCK
from connector_core.store import (
    IGNORED,
    SIGNED,
    Actor,
    Authorization,
    Begun,
    Breaker,
    Duty,
    LinkState,
    LinkStatus,
    NewEntry,
    Node,
    Progress,
    Reading,
    Rest,
    Result,
    Run,
    Sending,
    SessionRecord,
    SetupLink,
    SourceRecord,
    SourceState,
    Target,
    TimelineEntry,
    TimelineKind,
    Via,
    Way,
    audit,
    configuration,
    life,
    replays,
    steps,
    timeline,
    webhooks,
)
from connector_core.store import integrations as stored_integrations
from connector_core.store.acting import acting
from connector_core.store.filelock import FileLock
from connector_core.store.forgetting import (
    ACTIVITY_FOR,
    KEPT,
    PREFERRED_FOR,
    REFUSED_FOR,
    UNLINKED_FOR,
    UNREAD_FOR,
    UNTRIED_FOR,
)
from tests.support.activation import active_record
from tests.support.forgetting import forget
from tests.support.lanes_at_hand import open_links
from tests.support.rows import count, sql

MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
DAYS_AT_ONCE = 6
A_MONTH = 30 // DAYS_AT_ONCE


def tables():
    """Return the tables of a new database that are ours."""
    database = Database(memory=True)
    with closing(database.conn):
        steps.migrations.apply(database)
        return {name for name in database.table_names() if not name.startswith(("_", "sqlite_"))}


def counts(store):
    """Count the rows of every table."""
    return {name: count(store, name) for name in sorted(tables())}


def event(clock, name, kind=EventType.OPENED, comment=None, **fields):
    """Return an event of an incident of that name, which happened now."""
    incident = Incident(**{"id": name, "title": "Offline", **fields})
    name = f"{name}-{kind}-{clock.now()}"
    return IncidentEvent(id=name, type=kind, occurred_at=clock.now(), incident=incident, comment=comment)


def tell(store, clock, name, kind=EventType.OPENED, targets=(), **fields):
    """Have an event come in."""
    return store.inbox.accept_events("acme", [event(clock, name, kind, **fields)], targets, clock.now()).result()


# The rules


def test_every_table_has_a_rule():
    """A new table cannot come without one; none is named that is not there."""
    assert [kept.table for kept in KEPT if kept.table not in tables()] == []
    assert tables() - {kept.table for kept in KEPT} == set()
    assert len({kept.table for kept in KEPT}) == len(KEPT)


def test_the_manual_says_the_rules():
    """Table by table, in the same words and order."""
    section = MANUAL.read_text().split("\n## What is kept\n")[1].split("\n## ")[0]

    told = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)

    assert told == [(kept.table, kept.how) for kept in KEPT]


# By age


def test_an_incident_without_a_link_goes_a_month_after_the_last_news(store, clock):
    """News of it begins the month anew; one with a link stays as long as that."""
    tell(store, clock, "linked", targets=[Target("desk", {}, clock.now())])
    tell(store, clock, "lonely")
    clock.forward(DAY.total_seconds())
    tell(store, clock, "lonely", EventType.UPDATED, title="Still offline")
    heard = clock.now()

    assert "incident" not in forget(store, heard + UNLINKED_FOR)
    assert forget(store, heard + UNLINKED_FOR + SECOND)["incident"] == 1

    assert [row[0] for row in sql(store, "SELECT id FROM incident")] == ["linked"]


def test_an_incident_that_gets_its_link_late_stays(store, clock):
    """Nobody wanted it at first; its ticket is there when the month is over."""
    tell(store, clock, "inc")
    clock.forward(DAY.total_seconds())
    fields = {"opened_at": clock.now()}
    tell(store, clock, "inc", EventType.UPDATED, [Target("desk", {}, clock.now() - DAY)], **fields)

    assert "incident" not in forget(store, clock.now() + 10 * UNLINKED_FOR)
    assert store.links.get(1).incident.id == "inc"


def test_incidents_of_a_removed_integration_go(store, clock):
    """Its links go with it, and so the incidents that nobody else follows: those of others stay."""
    store.integrations.put(active_record("other", "acme", clock.now()))
    tell(store, clock, "shared", targets=[Target(name, {}, clock.now()) for name in ("desk", "other")])
    tell(store, clock, "own", targets=[Target("desk", {}, clock.now())])

    store.integrations.remove("desk")

    assert forget(store, clock.now() + UNLINKED_FOR + SECOND)["incident"] == 1
    assert [row[0] for row in sql(store, "SELECT id FROM incident")] == ["shared"]


def test_incidents_of_before_are_given_their_month(tmp_path, clock):
    """A database of an earlier version does not know since when: the month begins when it is brought up."""
    path = tmp_path / "old.db"
    old = Database(sqlite3.connect(path, isolation_level=None))
    steps.migrations.apply(old, stop_before="m017_what_was_heard_when")
    for name in ("linked", "lonely"):
        old.conn.execute(
            "INSERT INTO incident (organization, id, body, status, occurred_at, event_rank)"
            " VALUES ('acme', ?, '{\"title\": \"Offline\"}', 'active', '2020-01-01T00:00:00.000000+00:00', 0)",
            (name,),
        )
    old.conn.execute(
        "INSERT INTO link (organization, integration_id, incident_id, marker, settings, state, since, created_at)"
        " VALUES ('acme', 'desk', 'linked', 'm', '{}', 'in_sync', 't', 't')"
    )

    steps.migrations.apply(old)

    rows = dict(old.conn.execute("SELECT id, unlinked_since FROM incident").fetchall())
    old.conn.close()
    assert rows["linked"] is None
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", rows["lonely"])


ENDS_BY_ITSELF = {
    "authorization": (DAY, "VALUES ('s', 'desk', 'https://here', 'command', 'm', ?, NULL, '', NULL)"),
    "console_session": (
        DAY,
        """(token, "user", proof, form_token, created_at, seen_at, expires_at)
        VALUES ('t', 'ada', 'p', 'f', 'now', 'now', ?)""",
    ),
    "console_preference": (PREFERRED_FOR, "VALUES ('ada', 'Europe/Berlin', 'dark', ?)"),
    "handover": (DAY, "VALUES ('t', 'desk', NULL, 'webhook', 'ada', 'now', ?, NULL, NULL)"),
    "refused_delivery": (REFUSED_FOR, "VALUES ('jira', 'body_empty', 7, ?)"),
    "source_state": (UNREAD_FOR, "VALUES ('gone', 'hub', ?, NULL, 'ok', '', '', 'now', NULL, '', '[]')"),
}


@pytest.mark.parametrize("table", ENDS_BY_ITSELF)
def test_what_ends_by_itself_goes_after_its_end(store, clock, table):
    """Also where nobody comes by to clear it away: kept until its time, gone just after."""
    kept_for, values = ENDS_BY_ITSELF[table]
    sql(store, f'INSERT INTO "{table}" {values}', clock.now().isoformat(timespec="microseconds"))

    assert table not in forget(store, clock.now() + kept_for)
    assert forget(store, clock.now() + kept_for + SECOND)[table] == 1


def test_how_far_a_source_was_read_goes_long_after_the_last_look(store, clock):
    """A look that shows nothing new keeps it; a removed source has the whole time from then to come back."""
    now = clock.now()
    store.inbox.accept_poll("acme", Reading("hub", None, ""), [], [], "1", now)
    looked = now + 2 * UNREAD_FOR
    store.sources.note(SourceState("acme", "hub", looked, "ok", now), "")

    assert forget(store, looked + DAY) == {}
    store.sources.remove("acme")
    assert "source_cursor" not in forget(store, looked + UNREAD_FOR)

    assert forget(store, looked + UNREAD_FOR + SECOND)["source_cursor"] == 1


def test_a_pause_that_nobody_needs_goes(store, clock):
    """Its integration has another site by now; one that a lane is parked on stays however old."""
    open_links(store, clock, 1)
    for key in ("site:jira:former", "site:jira:present"):
        store.breakers.trip(Breaker(key, "down", "It is down.", "", clock.now(), clock.now(), 1, needs_person=True))
    (claim,) = store.lanes.claim("boot", clock.now(), 1, 7200)
    store.lanes.release(claim, Rest(breaker="site:jira:present"), clock.now())

    assert "breaker" not in forget(store, clock.now() + UNTRIED_FOR)
    assert forget(store, clock.now() + UNTRIED_FOR + SECOND)["breaker"] == 1
    assert [breaker.key for breaker in store.breakers.every()] == ["site:jira:present"]


def test_what_happened_by_the_hour_goes_but_for_the_last_hour(store, clock):
    """When something last happened is told for ever."""
    open_links(store, clock, 1)
    first = clock.now()
    clock.forward(7200)
    store.timelines.append(1, [TimelineEntry(TimelineKind.RESUMED, "ticket", clock.now())])

    assert forget(store, first + ACTIVITY_FOR + 365 * DAY)["activity"] == 1

    assert store.overview.last_activity() == {"desk": clock.now()}


# By number


def test_a_timeline_keeps_its_latest_entries(store, clock, monkeypatch):
    """A ticket that a machine writes to each minute makes no endless timeline; another link's is left alone."""
    monkeypatch.setattr(timeline, "MOST_ENTRIES", 10)
    open_links(store, clock, 2)
    before = counts(store)["timeline"]

    for number in range(30):
        store.timelines.append(1, [TimelineEntry(TimelineKind.RESUMED, "ticket", clock.now(), {"note": number})])

    assert [entry.values["note"] for entry in store.timelines.read(1)] == list(range(20, 30))
    assert len(store.timelines.read(2)) == before / 2


def test_facts_of_former_secrets_go_where_there_are_very_many(store, clock, monkeypatch):
    """The names that were counted last stay; an integration with few keeps all of them."""
    monkeypatch.setattr(webhooks, "MOST_FACTS", 5)
    store.integrations.put(active_record("other", "acme", clock.now()))
    for number in range(9):
        clock.forward(1)
        for name in ("desk", "other")[: 2 if number < 4 else 1]:
            store.inbox.accept_delivery(name, Delivery(id=f"d{number}", event="e"), clock.now(), f"s{number}").result()

    assert forget(store, clock.now())["hook_fact"] > 0

    assert store.webhooks.facts("desk").keys() == {SIGNED + f"s{n}" for n in range(5, 9)} | {IGNORED + "not_linked"}
    assert store.webhooks.facts("other").keys() == {SIGNED + f"s{n}" for n in range(4)} | {IGNORED + "not_linked"}


@pytest.mark.parametrize("of", ["integration", "source"])
def test_words_of_former_answers_go_where_there_are_very_many(store, clock, monkeypatch, of):
    """What was answered today is told in words, whatever was tried before."""
    monkeypatch.setattr(stored_integrations, "MOST_LABELS", 5)
    if of == "source":
        record = SourceRecord("acme", "hub", {"region": "today"}, {}, clock.now())
        store.sources.put(record, None)
        remember, labels, name = store.sources.remember_label, store.sources.labels, "acme"
    else:
        store.integrations.put(active_record("other", "acme", clock.now()))
        sql(store, 'UPDATE integration SET answers = \'{"project": "today"}\', draft = \'{"x": ["soon"]}\'')
        remember, labels, name = store.integrations.remember_label, store.integrations.labels, "other"
        remember(name, "x", "soon", "Soon")
    remember(name, "project", "today", "Today")

    for number in range(40):
        remember(name, "project", str(number), f"Number {number}")

    found = set(labels(name).values())
    assert len(found) <= 6
    assert {"Today", "Number 39"} | ({"Soon"} if of == "integration" else set()) <= found


def test_the_names_of_the_latest_removed_integrations_are_kept(store, clock, monkeypatch):
    """So many that whoever has one again has its tickets looked for; a name that comes again is the latest."""
    monkeypatch.setattr(life, "MOST_REMOVED", 3)
    for name in ("a", "b", "c", "a", "d"):
        store.integrations.put(active_record(name, "acme", clock.now()))
        store.integrations.remove(name)

    assert [name for name in "abcd" if store.life.was_removed(name)] == ["a", "c", "d"]


# With whom it belongs to


def test_what_belongs_to_an_integration_goes_with_it(store, clock):
    """Its pauses and its counts too; those of one whose name is nearly the same stay, and so do lanes parked there."""
    for name in ("a_b", "axb"):
        store.integrations.put(active_record(name, "acme", clock.now()))
        open_links(store, clock, 1, name)
        for key in (f"grant:{name}", f"settings:{name}:1"):
            store.breakers.trip(Breaker(key, "down", "It is down.", "", clock.now(), clock.now(), 1, needs_person=True))

    store.integrations.remove("a_b")

    assert [breaker.key for breaker in store.breakers.every()] == ["grant:axb", "settings:axb:1"]
    assert sql(store, "SELECT DISTINCT integration_id FROM link_count") == [("axb",)]


@pytest.mark.sqlite_only("its locks are files")
def test_lock_files_go_with_their_integration(store):
    """Those of present ones stay, and so does one that somebody holds."""
    folder = store.database.path.parent
    for name in ("desk", "former", "held"):
        with store.database.exclusive(GRANT_LOCK + name):
            pass
    held = FileLock(folder / f"connector.db.{GRANT_LOCK}held.lock")
    assert held.try_acquire()

    assert store.database.drop_locks(GRANT_LOCK, {"desk"}) == 1

    held.release()
    assert sorted(path.name for path in folder.glob(f"*{GRANT_LOCK}*")) == [
        f"connector.db.{GRANT_LOCK}desk.lock",
        f"connector.db.{GRANT_LOCK}held.lock",
    ]


@pytest.mark.parametrize("waiting", [True, False])
def test_a_lock_whose_file_was_dropped_is_taken_anew(tmp_path, monkeypatch, waiting):
    """Who waited for a file that is gone by then holds nothing: the next one would get in beside it."""
    path = tmp_path / "a.lock"
    opened = FileLock._open

    def dropped_meanwhile(lock):
        monkeypatch.setattr(FileLock, "_open", opened)
        descriptor = opened(lock)
        assert FileLock(path).drop()
        return descriptor

    monkeypatch.setattr(FileLock, "_open", dropped_meanwhile)
    first = FileLock(path)

    if waiting:
        first.__enter__()
    else:
        assert first.try_acquire()

    assert not FileLock(path).try_acquire()
    first.release()


# A year


class Year:
    """Traffic day by day, with integrations that come and go; everything that a daemon stores of it."""

    def __init__(self, store, clock):
        self.store = store
        self.clock = clock
        log = SimpleNamespace(debug=lambda *_, **__: None, info=lambda *_, **__: None)
        self.forgetting = Forgetting(store, clock, log, timedelta(days=30), (timedelta(days=30), timedelta(days=20)))

    def days(self, number):
        """Let some days go by; a tenant stays for a month."""
        name = f"tenant-{number // A_MONTH}"
        if number % A_MONTH == 0:
            self.store.integrations.put(active_record(name, "acme", self.clock.now()))
            self.store.integrations.remember_label(name, "project", str(number), "Some project")
            known = self.store.routing.made("acme")
            self.store.routing.put("acme", (RoutingRule(to=(name,)),), known, "ada", self.clock.now())
        self._events(name, number)
        self._deliveries(name, number)
        self._people(name, number)
        self._log()
        self._rest()
        self.clock.forward(DAYS_AT_ONCE * DAY.total_seconds())
        if number % A_MONTH == A_MONTH - 1:
            with self.store.database.exclusive(GRANT_LOCK + name):
                pass
            self.store.integrations.remove(name)
        self.forgetting.forget()

    def _log(self):
        now, log = self.clock.now(), self.store.delivery_log
        sealed = log.box().seal({})
        (entry,) = log.add([NewEntry(now, Way.IN, "webhook", Result.ACCEPTED, "acme", payload=sealed)])
        replay = self.store.replays.begin([entry], organizations=None, asked={}, by="ada", at=now)
        self.store.replays.end(replay, "done", now)

    def _events(self, name, number):
        tell(self.store, self.clock, f"lonely-{number}")
        tell(self.store, self.clock, f"inc-{number}", targets=[Target(name, {}, self.clock.now())])
        (claim,) = self.store.lanes.claim("boot", self.clock.now(), 8, 7200)
        link = self.store.links.get(claim.link_id)
        self._apply_settings(name)
        tell(self.store, self.clock, f"inc-{number}", EventType.RESOLVED)
        closed = link.incident.model_copy(update={"status": IncidentStatus.CLOSED})
        ticket = TicketSnapshot(id=f"t{number}", key=f"SUP-{number}", title="Offline", done=True)
        created = TimelineEntry(TimelineKind.TICKET_CREATED, "ticket", self.clock.now())
        base, status = as_they_are(closed, ticket), LinkStatus(LinkState.IN_SYNC)
        progress = Progress(ticket=ticket, base=base, status=status, entries=(created,))
        self.store.links.record(claim, progress, self.clock.now())
        self.store.lanes.release(claim, Rest(), self.clock.now())

    def _apply_settings(self, name):
        """Give open links other settings; those of an integration that stays are looked for too."""
        now, settings = self.clock.now(), self.store.link_settings
        for one in (name, "desk"):
            wanted = [(group, {"desk": "2"}) for group in settings.same_settings(one)]
            run = settings.get(settings.begin(one, {"desk": "2"}, wanted, "ada", now))
            settings.carry_out(one, run, [(change.link_id, "") for change in settings.waiting(run.id, 9)], now)
            settings.end(one, run.id, now)

    def _rest(self):
        """Let every lane that was woken come to rest."""
        for claim in self.store.lanes.claim("boot", self.clock.now(), 8, 7200):
            self.store.lanes.release(claim, Rest(), self.clock.now())

    def _deliveries(self, name, number):
        for shown in (f"t{number}", "nobody's"):
            ticket = TicketSnapshot(id=shown, key=shown, title="Offline", updated=self.clock.now())
            delivery = Delivery(id=f"{number}-{shown}", event="updated", tickets=(ticket,), hints=frozenset({shown}))
            self.store.inbox.accept_delivery(name, delivery, self.clock.now(), "secret").result()
        self.store.webhooks.note_refusals("", f"route-{number}", "body_empty", 1, self.clock.now()).result()
        comment = Comment(id=f"c{number}", author="Ada", text="Is it on?", created_at=self.clock.now())
        said = event(self.clock, f"inc-{number}", EventType.COMMENTED, comment)
        self.store.inbox.accept_events("acme", [said], [], self.clock.now()).result()

    def _people(self, name, number):
        now = self.clock.now()
        soon = now + timedelta(days=10)
        begun = Authorization(f"state-{number}", name, "https://here", Begun.TERMINAL, soon)
        self.store.authorizations.begin(begun, "mark", now)
        with acting(Actor("ada", Via.CONSOLE, now)):
            self.store.sessions.begin(f"session-{number}", SessionRecord("ada", "p", "f", now, now, soon))
        self.store.setup_links.add(
            f"link-{number}", SetupLink(name, step="webhook", made_by="ada", created_at=now, expires_at=soon)
        )
        self.store.runs.add(Run(name, "reconcile", now, now, "ok", seen=1, changed=0, detail=""))
        self.store.knowledge.remember(name, f"key-{number}", "1", now)
        self.store.breakers.trip(Breaker(f"site:x:{number}", "down", "Down.", "", now, soon, 1, needs_person=False))
        self.store.breakers.near_limit(f"site:x:{number}", soon)
        self.store.nodes.register(Node(f"node-{number}", "host", "1", "digest", now), beats=True)
        self.store.nodes.say_goodbye(f"node-{number}", now)
        self._files_and_duties(number)
        organization = f"organization-{number}"
        self.store.inbox.accept_poll(organization, Reading("hub", None, ""), [], [], "1", now)
        self.store.sources.note(SourceState(organization, "hub", now, "ok", now), "")
        told = Notice(Kind.BACKLOG, now, now, name, told_at=now)
        self.store.notifiers.say_sent(organization, Sending(organization, "ops", now), [told], ())

    def _files_and_duties(self, number):
        now = self.clock.now()
        self.store.configuration.note_file(f"host-{number}:/etc/connector.yaml", "digest", now)
        held = self.store.duties.take(Duty(f"poll:organization-{number}"), "boot", now)
        self.store.duties.give_back(held, now, None)


def year_of(store, clock):
    """Let a year go by; return the rows by table at its end, the most when all had settled, and the most ever."""
    year = Year(store, clock)
    settled, most = {}, dict.fromkeys(tables(), 0)
    for number in range(360 // DAYS_AT_ONCE):
        year.days(number)
        present = counts(store)
        most = {name: max(most[name], present[name]) for name in most}
        if 120 <= number * DAYS_AT_ONCE < 180:  # longer than anything is kept here
            settled = {name: max(settled.get(name, 0), present[name]) for name in present}
    return present, settled, most


@pytest.mark.extended
@pytest.mark.lengthy_on_postgresql
def test_a_year_of_traffic_with_removals_keeps_every_table_flat(store, clock, monkeypatch, tmp_path):
    """After the longest time that anything is kept no table grows, and nearly all of them were in use."""
    monkeypatch.setattr(life, "MOST_REMOVED", 3)
    monkeypatch.setattr(configuration, "MOST_PLACES", 3)
    monkeypatch.setattr(audit, "KEPT_FOR", timedelta(days=90))
    monkeypatch.setattr(replays, "MOST_REPLAYS", 3)

    late, settled, most = year_of(store, clock)

    assert {name: (settled[name], late[name]) for name in late if late[name] > settled[name]} == {}
    unused = {
        "notifier",
        "organization_name",
        "source",
        "source_label",
        "checkup",
        "webhook_secret_change",
        "hook_registration",
        "hook_token",
        "round_trip",
        "console_preference",
    }
    assert {name for name, number in most.items() if not number} == unused | {"early_ticket", "early_hint", "node"}
    assert len(list(tmp_path.glob(f"*{GRANT_LOCK}*"))) <= 1


@pytest.mark.extended
def test_without_forgetting_a_year_is_seen_to_grow(store, clock, monkeypatch):
    """The year is sharp: it shows each table that would grow if nobody deleted what is too old."""
    monkeypatch.setattr(Forgetting, "_forget_rows", lambda *_: 0)
    monkeypatch.setattr(Forgetting, "_forget_links", lambda *_: 0)
    monkeypatch.setattr(Forgetting, "_forget_log", lambda *_: 0)

    late, settled, _ = year_of(store, clock)

    forgotten = {kept.table for kept in KEPT if kept.forget is not None}
    with_tenants = {"delivery", "hook_fact", "activity", "early_ticket", "authorization", "handover"}
    with_tenants |= {"figure", "figure_time"}  # and by age: test_figures.py
    with_tenants |= {"round_trip"}  # of which the year has none: test_round_trips.py
    by_the_next, of_restored = {"console_session", "console_preference"}, {"link"}  # the latter: test_looks.py
    seen = {name for name in late if late[name] > settled[name]}
    assert seen >= {"delivery_log", "delivery_payload"}
    assert seen >= forgotten - with_tenants - by_the_next - of_restored
