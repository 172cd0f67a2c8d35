"""The SQLite store: one writer thread, one read connection per thread, one file.

The statements live in the modules beside this one, by noun; here each is given its connection. Its length is that of
the protocol.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils
from pydantic import SecretStr

from connector_core.contract.errors import ConfigError, RetryLater
from connector_core.contract.merge import Side
from connector_core.contract.models import Absence, Delivery, FieldName, Grant, Incident, IncidentEvent, TicketSnapshot
from connector_core.secrets import SecretBox
from connector_core.store import (
    backup,
    breakers,
    comments,
    counters,
    gone,
    health,
    inbox,
    integrations,
    knowledge,
    lanes,
    life,
    links,
    made_sources,
    overview,
    runs,
    search,
    sessions,
    sources,
    taken_over,
    timeline,
    webhooks,
)
from connector_core.store.connection import connect
from connector_core.store.filelock import FileLock
from connector_core.store.records import (
    MISSED,
    NOTHING_RUNS,
    REFUSED,
    UNEXPLAINED,
    Accepted,
    Application,
    Backlog,
    Breaker,
    Checkup,
    Claim,
    Handover,
    Holders,
    HookFact,
    IntegrationRecord,
    Link,
    LinkFilter,
    LinkState,
    OpenLinks,
    OpenTickets,
    OwnHook,
    Progress,
    Rest,
    Run,
    SessionRecord,
    SourceRecord,
    SourceState,
    Stats,
    StoredComment,
    Target,
    TimelineEntry,
)
from connector_core.store.schema import migrations
from connector_core.store.writer import Writer, store_failure

T = TypeVar("T")

PROOF_WITHIN_S = 5.0

_CANARY = "secret_key_check"
_PROOFS = "writability_proofs"


@dataclass(frozen=True)
class _Reader:
    """The connection of one thread; SQLite ends the process when it is closed in the middle of a read."""

    database: sqlite_utils.Database
    in_use: threading.RLock = field(default_factory=threading.RLock)


class SQLiteStore:
    """A `Store` in one SQLite file; `open_store` makes it."""

    def __init__(self, path: Path, box: SecretBox) -> None:
        self.path = path
        self._box = box
        self._local = threading.local()
        self._readers: list[_Reader] = []
        self._readers_lock = threading.Lock()
        self._place: life.Place | None = None
        self._place_lock = threading.Lock()
        self._writer = Writer(connect(path, writer=True))

    # Plumbing

    def _submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        return self._writer.submit(work)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._writer.submit(work).result()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = _Reader(connect(self.path))
            self._local.reader = reader
            with self._readers_lock:
                self._readers.append(reader)
        try:
            with reader.in_use:
                return work(reader.database.conn)
        except sqlite3.Error as exc:
            raise store_failure(exc) from exc

    def close(self) -> None:
        """Finish queued writes and reads under way, then close every connection."""
        self._writer.close()
        self._close_readers()

    def _close_readers(self) -> None:
        with self._readers_lock:
            for reader in self._readers:
                with reader.in_use:
                    reader.database.conn.close()
            self._readers.clear()

    # What comes in

    def accept_events(
        self, organization: str, events: Sequence[IncidentEvent], targets: Sequence[Target], at: datetime
    ) -> Future[Accepted]:
        """Store events once each, make the links they call for, wake their lanes."""
        return self._submit(lambda db: inbox.accept_events(db, organization, events, targets, at))

    def accept_poll(  # noqa: PLR0913, PLR0917 - events with what they are for, and the cursor that they lead to
        self,
        organization: str,
        plugin: str,
        events: Sequence[IncidentEvent],
        targets: Sequence[Target],
        cursor: str | None,
        at: datetime,
    ) -> Accepted:
        """Store events as a push's, and how far the source was read by now unless more is to come."""

        def accept(db: sqlite3.Connection) -> Accepted:
            accepted = inbox.accept_events(db, organization, events, targets, at)
            if cursor is not None:
                sources.keep_cursor(db, organization, plugin, cursor)
            return accepted

        return self._write(accept)

    def source_cursor(self, organization: str, plugin: str) -> str | None:
        """Return how far a source was read by a plugin."""
        return self._read(lambda db: sources.cursor(db, organization, plugin))

    def forget_source_cursor(self, organization: str) -> bool:
        """Forget how far a source was read; False when it was not read yet."""
        return self._write(lambda db: sources.forget_cursor(db, organization))

    def followed_incidents(self, organization: str) -> list[Incident]:
        """Return the open incidents of an organization that have a link which is not over."""
        return self._read(lambda db: made_sources.followed(db, organization))

    def source_records(self) -> list[SourceRecord]:
        """Return the sources that were made in set-up."""
        return self._read(lambda db: made_sources.every(db, self._box))

    def put_source(self, record: SourceRecord, known: SourceRecord | None) -> bool:
        """Store a source that was made or changed in set-up; False when it is not what is known any more."""
        return self._write(lambda db: made_sources.put(db, self._box, record, known))

    def remove_source(self, organization: str) -> bool:
        """Delete a source that was made in set-up; how far it was read stays."""
        return self._write(lambda db: made_sources.remove(db, organization))

    def source_labels(self, organization: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for the answers of a source, by key and value."""
        return self._read(lambda db: made_sources.labels(db, organization))

    def remember_source_label(self, organization: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        self._write(lambda db: made_sources.remember_label(db, organization, key, value, label))

    def note_source(self, state: SourceState) -> None:
        """Store how a look at a source ended."""
        self._write(lambda db: sources.note(db, state))

    def source_states(self) -> Mapping[str, SourceState]:
        """Return how the last look at each source ended, by organization."""
        return self._read(sources.every)

    def source_state(self, organization: str) -> SourceState | None:
        """Return how the last look at one source ended."""
        return self._read(lambda db: sources.one(db, organization))

    def accept_delivery(
        self, integration_id: str, delivery: Delivery, at: datetime, secret: str = ""
    ) -> Future[Accepted]:
        """Store a delivery once, and what it shows of linked tickets; wake their lanes."""
        return self._submit(lambda db: inbox.accept_delivery(db, integration_id, delivery, at, secret))

    def accept_deliveries(self, given: Sequence[tuple[str, Delivery, str]], at: datetime) -> Future[Accepted]:
        """Store one request as a delivery of each of some integrations, all of them or none; with what signed it."""
        return self._submit(lambda db: inbox.accept_deliveries(db, given, at))

    def hook_facts(self, integration_id: str) -> Mapping[str, HookFact]:
        """Return what is known of an integration's webhook, by name."""
        return self._read(lambda db: webhooks.facts(db, integration_id))

    def own_hook(self, integration_id: str) -> OwnHook | None:
        """Return the webhook that a plugin registered by itself, if any."""
        return self._read(lambda db: webhooks.own(db, integration_id))

    def save_own_hook(self, integration_id: str, hook: OwnHook | None) -> None:
        """Store it or forget it."""
        self._write(lambda db: webhooks.save_own(db, integration_id, hook))

    def hook_token(self, route: str) -> SecretStr | None:
        """Return the token in the address of a plugin's own webhooks."""
        return self._read(lambda db: webhooks.token(db, self._box, route))

    def save_hook_token(self, route: str, new: SecretStr) -> None:
        """Store a token unless there is one."""
        self._write(lambda db: webhooks.save_token(db, self._box, route, new))

    def save_taken_over(self, snapshot: str) -> None:
        """Keep, sealed, what the daemon took over from the configuration file."""
        self._write(lambda db: taken_over.save(db, self._box, snapshot))

    def taken_over(self) -> str | None:
        """Return that; None when no daemon has run yet."""
        return self._read(lambda db: taken_over.snapshot(db, self._box))

    def wish_application(self) -> int:
        """Ask the daemon to take over the configuration file; return the number of this wish."""
        return self._write(taken_over.wish)

    def application_wishes(self) -> int:
        """Return how often that was asked for."""
        return self._read(taken_over.wishes)

    def answer_application(self, given: Application) -> None:
        """Keep what became of the wishes so far."""
        self._write(lambda db: taken_over.answer(db, given))

    def application(self) -> Application | None:
        """Return what became of the last wish that was answered."""
        return self._read(taken_over.answered)

    def note_missed(self, integration_id: str, changes: int, at: datetime) -> None:
        """Remember that changes were found which no delivery had told of."""
        self._write(lambda db: webhooks.count(db, integration_id, MISSED, at, changes))

    def accept_tickets(self, integration_id: str, tickets: Sequence[TicketSnapshot], at: datetime) -> int:
        """Store polled snapshots as a delivery's; return how many were news."""
        return self._write(lambda db: inbox.see_tickets(db, integration_id, tickets, at, via="reconcile"))

    def ticket_missing(self, integration_id: str, ticket_id: str, at: datetime, why: Absence = UNEXPLAINED) -> bool:
        """Mark the link of a ticket that is no longer there; False when it was marked already."""
        return self._write(lambda db: gone.mark_gone(db, integration_id, ticket_id, at, why))

    def forget_received(self, before: datetime, now: datetime) -> int:
        """Forget the names of events and deliveries received before a time, and tickets that were nobody's."""
        return self._write(lambda db: inbox.forget_received(db, before, now))

    def forget_finished(self, before: datetime, most: int) -> int:
        """Delete links that were over on both sides before a time, `most` at once; return how many."""
        return self._write(lambda db: links.forget_finished(db, before, most))

    # Lanes

    def claim_lanes(  # noqa: PLR0913 - what decides whose turn it is
        self,
        boot: str,
        now: datetime,
        limit: int,
        horizon_s: float,
        *,
        per_integration: int | None = None,
        running: Mapping[str, int] = NOTHING_RUNS,
    ) -> list[Claim]:
        """Take up to `limit` due lanes that nobody holds, in turn from each integration."""
        return self._write(
            lambda db: lanes.claim(db, boot, now, limit, horizon_s, per_integration=per_integration, running=running)
        )

    def release_lane(self, held: Claim, rest: Rest, now: datetime) -> None:
        """Give a lane back; an old claim changes nothing."""
        self._write(lambda db: lanes.release(db, held, rest, now))

    def wake_lane(self, link_id: int, at: datetime) -> None:
        """Make a lane due."""
        self._write(lambda db: lanes.wake(db, link_id, at))

    def wake_lanes(self, integration_id: str, at: datetime) -> int:
        """Wake the lanes of an integration that are not at rest; return how many."""
        return self._write(lambda db: lanes.wake_all(db, integration_id, at))

    def wake_blocked(self, at: datetime) -> int:
        """Wake the lanes that are blocked; return how many."""
        return self._write(lambda db: lanes.wake_blocked(db, at))

    def next_due(self) -> float | None:
        """Return when the next free lane is due, in seconds since the epoch."""
        return self._read(lanes.next_due)

    def recover_lanes(self, boot: str, running: Collection[int] = ()) -> int:
        """Free the lanes that other boots held, or this boot beside those that it is running; return how many."""
        return self._write(lambda db: lanes.recover(db, boot, running))

    # Circuit breakers

    def trip_breaker(self, breaker: Breaker) -> None:
        """Store a breaker as tripped, or that it still is."""
        self._write(lambda db: breakers.trip(db, breaker))

    def reset_breaker(self, key: str, now: datetime) -> int:
        """Forget a breaker and wake the lanes parked on it; return how many."""
        return self._write(lambda db: breakers.reset(db, key, now))

    def tripped_breakers(self, keys: Iterable[str]) -> list[Breaker]:
        """Return those of the named breakers that are tripped."""
        return self._read(lambda db: breakers.tripped(db, keys))

    def breakers(self) -> list[Breaker]:
        """Return all tripped breakers with the number of parked lanes, the oldest first."""
        return self._read(breakers.every)

    def wake_probes(self, now: datetime, horizon_s: float, skip: Collection[str]) -> list[str]:
        """Wake one parked lane of every breaker that may be tried again; return the breakers' keys."""
        return self._write(lambda db: breakers.wake_probes(db, now, horizon_s, skip))

    # Links

    def link(self, link_id: int) -> Link | None:
        """Return one link, whole."""
        return self._read(lambda db: links.get(db, link_id))

    def holders(self, integration_ids: Collection[str], ticket_ids: Collection[str]) -> Holders:
        """Return which of some integrations have one of some tickets, and which are just creating one."""
        return self._read(lambda db: links.holders(db, integration_ids, ticket_ids))

    def find_links(  # noqa: PLR0913 - each is one way to narrow the list
        self,
        *,
        state: LinkState | None = None,
        organization: str | None = None,
        integration_id: str | None = None,
        text: str | None = None,
        link_id: int | None = None,
        limit: int = 500,
    ) -> list[Link]:
        """Return links that fit every given condition."""
        return self._read(
            lambda db: links.find(
                db,
                state=state,
                organization=organization,
                integration_id=integration_id,
                text=text,
                link_id=link_id,
                limit=limit,
            )
        )

    def record(self, held: Claim, progress: Progress, now: datetime) -> bool:
        """Store what a step achieved; False, and nothing stored, when the claim is no longer good."""
        is_about_to_make = progress.attempted_at is not None or (
            progress.comment is not None and progress.comment.attempted_at is not None
        )
        if not is_about_to_make:
            return self._write(lambda db: links.record(db, held, progress, now))

        def work(db: sqlite3.Connection) -> tuple[bool, life.Place | None]:
            is_held = links.record(db, held, progress, now)
            return is_held, life.beat(db, now) if is_held and life.has_begun(db) else None

        is_held, place = self._write(work)
        if place is not None:  # before it is made: a database of before is then known to lack it
            self._keep_place(place)
        return is_held

    def resume_link(self, link_id: int, now: datetime, settings: Mapping[str, object] | None = None) -> None:
        """Let a person have a link tried again; `settings` are for a ticket that was never made."""
        self._write(lambda db: links.resume(db, link_id, now, settings))

    def recreate_link(self, link_id: int, now: datetime, settings: Mapping[str, object]) -> None:
        """Let a person have a new ticket made in place of one that is not there."""
        self._write(lambda db: gone.recreate(db, link_id, now, settings))

    def discard_link(self, link_id: int, now: datetime) -> LinkState:
        """Let a person give up what could not be carried; return where the link stands afterwards."""
        return self._write(lambda db: links.discard(db, link_id, now))

    def tell(self, link_id: int, entry: TimelineEntry) -> None:
        """Add to a link's timeline what a person had found out."""
        self._write(lambda db: timeline.append(db, link_id, (entry,)))

    def unlink(self, link_id: int, now: datetime) -> None:
        """Let a person have nothing carried between incident and ticket any more."""
        self._write(lambda db: links.unlink(db, link_id, now))

    def resolve_conflict(self, link_id: int, name: FieldName, winner: str, now: datetime) -> None:
        """Let a person settle a conflict in favour of the `incident` or the `ticket`."""
        self._write(lambda db: links.resolve(db, link_id, name, winner, now))

    def writes_between(self, link_id: int, start: datetime, end: datetime) -> int:
        """Count what was written to either side, but not before a person had the link resumed."""
        return self._read(lambda db: timeline.writes_between(db, link_id, start, end))

    def waiting_comments(self, link_id: int, side: Side, limit: int = 1) -> list[StoredComment]:
        """Return the comments of one side that wait to be carried to the other, in that order."""
        return self._read(lambda db: comments.waiting(db, link_id, side, limit))

    def timeline(self, link_id: int) -> list[TimelineEntry]:
        """Return a link's timeline, oldest first."""
        return self._read(lambda db: timeline.read(db, link_id))

    def open_tickets(self, integration_id: str, now: datetime) -> list[OpenTickets]:
        """Return the tickets that are not long over on both sides, by the settings they were made with."""
        return self._read(lambda db: links.open_tickets(db, integration_id, now))

    # Integrations

    def integrations(self) -> list[IntegrationRecord]:
        """Return all, in the order in which they were made."""
        return self._read(lambda db: integrations.every(db, self._box))

    def integrations_version(self) -> int:
        """Return a number that grows with every change to an integration."""
        return self._read(integrations.version)

    def put_integration(self, record: IntegrationRecord) -> None:
        """Store a new or changed integration."""
        self._write(lambda db: integrations.put(db, self._box, record))

    def remove_integration(self, integration_id: str) -> bool:
        """Delete an integration with all its links."""
        return self._write(lambda db: integrations.remove(db, integration_id))

    def note_problem(self, integration_id: str, code: str, problem: str) -> None:
        """Store why an integration cannot work at present; empty when it can."""
        self._write(lambda db: integrations.note_problem(db, integration_id, code, problem))

    def grant(self, integration_id: str) -> Grant | None:
        """Return the stored grant."""
        return self._read(lambda db: integrations.grant(db, self._box, integration_id))

    def save_grant(self, integration_id: str, grant: Grant | None) -> None:
        """Store a grant or forget it."""
        self._write(lambda db: integrations.save_grant(db, self._box, integration_id, grant))

    def expect_return(self, state: str, integration_id: str, callback_url: str, expires_at: datetime) -> None:
        """Remember that somebody went to authorize."""
        self._write(lambda db: integrations.expect_return(db, state, integration_id, callback_url, expires_at))

    def redeem_return(self, state: str, now: datetime) -> tuple[str, str] | None:
        """Use up a state; the integration and callback address that it was made for, or None."""
        return self._write(lambda db: integrations.redeem_return(db, state, now))

    # Console: logins, set-up links, what is shown at a glance

    def begin_session(self, token: str, session: SessionRecord) -> None:
        """Store a login."""
        self._write(lambda db: sessions.begin(db, token, session))

    def session(self, token: str) -> SessionRecord | None:
        """Return a login, ended or not."""
        return self._read(lambda db: sessions.get(db, token))

    def touch_session(self, token: str, at: datetime) -> None:
        """Remember that a login is in use."""
        self._write(lambda db: sessions.touch(db, token, at))

    def end_session(self, token: str) -> None:
        """Forget a login."""
        self._write(lambda db: sessions.end(db, token))

    def end_sessions(self, user: str | None = None) -> int:
        """Forget all logins, or those of one user; return how many."""
        return self._write(lambda db: sessions.end_all(db, user))

    def add_handover(self, token: str, handover: Handover) -> None:
        """Store a set-up link."""
        self._write(lambda db: sessions.add_handover(db, token, handover))

    def handover(self, token: str) -> Handover | None:
        """Return a set-up link, used or not."""
        return self._read(lambda db: sessions.handover(db, token))

    def use_handover(self, token: str, at: datetime) -> bool:
        """Use a set-up link up; False when it had been used already."""
        return self._write(lambda db: sessions.use_handover(db, token, at))

    def backlogs(self) -> Mapping[str, Backlog]:
        """Return how the links of each integration stand."""
        return self._read(overview.backlogs)

    def last_activity(self) -> Mapping[str, datetime]:
        """Return when something last happened, by integration."""
        return self._read(overview.last_activity)

    def activity(self, integration_id: str, since: datetime) -> Mapping[str, int]:
        """Return how much happened in each hour since a time."""
        return self._read(lambda db: overview.activity(db, integration_id, since))

    def first_reason(self, integration_id: str, states: Collection[str]) -> str:
        """Return why the link that has been in one of some states for longest does not go on."""
        return self._read(lambda db: overview.first_reason(db, integration_id, states))

    def search_links(self, wanted: LinkFilter) -> list[Link]:
        """Return the links that are wanted, those that need somebody first."""
        return self._read(lambda db: search.find(db, wanted))

    def open_links(self, integration_id: str) -> list[OpenLinks]:
        """Count the links that are not over, by the settings they were made with."""
        return self._read(lambda db: overview.open_links(db, integration_id))

    def labels(self, integration_id: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for the answers of an integration, by key and value."""
        return self._read(lambda db: overview.labels(db, integration_id))

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        self._write(lambda db: overview.remember_label(db, integration_id, key, value, label))

    def note_secret_change(self, integration_id: str, at: datetime) -> None:
        """Remember when the secret of the webhook last changed."""
        self._write(lambda db: overview.note_secret_change(db, integration_id, at))

    def secret_changed_at(self, integration_id: str) -> datetime | None:
        """Return when the secret of the webhook last changed in set-up."""
        return self._read(lambda db: overview.secret_changed_at(db, integration_id))

    def last_delivery_at(self, integration_id: str) -> datetime | None:
        """Return when the last delivery came in."""
        return self._read(lambda db: overview.last_delivery_at(db, integration_id))

    def expected_return(self, state: str) -> str | None:
        """Return the integration that a state was made for, without using it up."""
        return self._read(lambda db: integrations.expected_return(db, state))

    # Runs, counts, upkeep

    # Knowledge of the other side

    def recall(self, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered for an integration under a key, None when there is nothing."""
        return self._read(lambda db: knowledge.recall(db, integration_id, key))

    def remember(self, integration_id: str, key: str, value: str, at: datetime) -> None:
        """Keep a value, which is JSON; `null` forgets the one that is there."""
        self._write(lambda db: knowledge.remember(db, integration_id, key, value, at))

    def forget_knowledge(self, integration_id: str) -> None:
        """Forget all that was remembered for an integration."""
        self._write(lambda db: knowledge.forget(db, integration_id))

    def note_refusals(self, route: str, integration_id: str, code: str, refusals: int, at: datetime) -> Future[None]:
        """Count deliveries that were turned away: an integration's, or on a route when its id is empty."""
        if integration_id:
            return self._submit(lambda db: webhooks.count(db, integration_id, REFUSED + code, at, refusals))
        return self._submit(lambda db: webhooks.note_refused(db, route, code, at, refusals))

    def refusals(self, route: str) -> Mapping[str, HookFact]:
        """Return what was turned away on a route without telling whose it was, by the code of the reason."""
        return self._read(lambda db: webhooks.refused(db, route))

    def deliveries(self, integration_id: str, latest: int) -> tuple[int, int]:
        """Count the latest deliveries of an integration, and those among them about no linked ticket."""
        return self._read(lambda db: knowledge.deliveries(db, integration_id, latest))

    def record_checkup(self, checkup: Checkup) -> None:
        """Keep what was found when an integration was tried."""
        self._write(lambda db: knowledge.record_checkup(db, checkup))

    def checkups(self) -> Mapping[str, Checkup]:
        """Return what was last found, by integration."""
        return {checkup.integration_id: checkup for checkup in self._read(knowledge.checkups)}

    # Runs, counts, upkeep

    def record_run(self, run: Run) -> None:
        """Store one run of the scheduler."""
        self._write(lambda db: runs.add(db, run))

    def last_run(self, integration_id: str, kind: str, *, outcome: str | None = None) -> Run | None:
        """Return the latest run of a kind, with a certain outcome if one is named."""
        return self._read(lambda db: runs.last(db, integration_id, kind, outcome))

    def stats(self) -> Stats:
        """Return counts for status, readiness and metrics."""
        return self._read(runs.stats)

    @property
    def can_open_secrets(self) -> bool:
        """Tell whether there is a key for what is sealed."""
        return self._box.has_key

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock, a file beside the database, that no other thread or process holds at the same time."""
        with FileLock(self.path.with_name(f"{self.path.name}.{name}.lock")):
            yield

    def prove_writable(self) -> None:
        """Write something small, as proof that what comes in can be stored.

        Raises:
            RetryLater: it cannot be written, or not soon.
        """
        proof = self._submit(lambda db: counters.add(db, _PROOFS))
        try:
            proof.result(PROOF_WITHIN_S)
        except TimeoutError as exc:
            raise RetryLater("The database does not take changes in time.", code="store_busy") from exc

    def begin_life(self, now: datetime) -> str:
        """Note that a daemon begins; return in a word why tickets of an earlier one may not be known, if so."""
        beside = self._place_beside()
        place, why = self._write(lambda db: life.begin(db, now, beside))
        self._keep_place(place)
        return why

    def beat(self, now: datetime) -> None:
        """Note that the daemon is alive."""
        self._keep_place(self._write(lambda db: life.beat(db, now)))

    def _place_beside(self) -> life.Place | None:
        return life.place_beside(self.path)

    def _keep_place(self, place: life.Place) -> None:
        """Write how far we have come beside the database, unless another thread has come further."""
        with self._place_lock:
            if self._place is None or self._place.name != place.name or self._place.count < place.count:
                self._place = place
                life.write_beside(self.path, place)

    def is_life_surely_lost(self, linked_at: datetime) -> bool:
        """Tell whether a daemon is surely not known that may have worked until just before a link was made."""
        return self._read(lambda db: life.is_surely_lost(db, linked_at))

    def was_removed(self, integration_id: str) -> bool:
        """Tell whether there was another integration of that name before."""
        return self._read(lambda db: life.was_removed(db, integration_id))

    def backup(self, target: Path) -> None:
        """Copy the live database to a new file."""
        self._read(lambda db: backup.copy(db, target))

    def check(self) -> list[str]:
        """Return what is wrong with the database, a sentence each."""
        return self._read(health.integrity)

    def clock_was_set(self, by_s: float, now: datetime) -> None:
        """Move along what was planned by a clock that was then set forward, or back when `by_s` is negative."""

        def move(db: sqlite3.Connection) -> None:
            lanes.clock_was_set(db, by_s, now)
            life.clock_was_set(db, by_s)

        self._write(move)


def open_store(path: Path, box: SecretBox) -> SQLiteStore:
    """Open the database, making or migrating it first.

    Raises:
        ConfigError: the secret key is not the one it was made with, the file is no database of ours, or newer than us.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.migrate.lock")):
            _prepare(path, box)
        return SQLiteStore(path, box)
    except (sqlite3.DatabaseError, OSError) as exc:
        raise health.unusable(path, exc) from exc


def _prepare(path: Path, box: SecretBox) -> None:
    database = connect(path, writer=True)
    try:
        refuse_newer(database, path)
        migrations.apply(database)
        _check_key(database.conn, box)
    finally:
        database.conn.close()


def refuse_older(database: sqlite_utils.Database, path: Path) -> None:
    """Refuse a database that has to be brought up to date first.

    Raises:
        ConfigError: it was made by an earlier version.
    """
    if migrations.pending(database):
        raise ConfigError(
            f"{path} was written by an older version of the connector, and this command only reads.",
            code="database_older",
            fix="Start the connector, or run: connector db migrate",
        )


def refuse_newer(database: sqlite_utils.Database, path: Path) -> None:
    """Refuse a database that this version does not understand.

    Raises:
        ConfigError: it was made by a later one.
    """
    known = {migration.name for migration in migrations.pending(database)}
    known |= {migration.name for migration in migrations.applied(database)} & {
        migration.name
        for migration in migrations._migrations  # noqa: SLF001 - the library has no public list
    }
    newer = [migration.name for migration in migrations.applied(database) if migration.name not in known]
    if newer:
        raise ConfigError(
            f"{path} was written by a newer version of the connector ({newer[-1]}).",
            code="database_newer",
            fix="Install that version or a later one, or restore a backup.",
        )


def _check_key(db: sqlite3.Connection, box: SecretBox) -> None:
    """Open a known text with the secret key, so that a wrong key is noticed before anything runs."""
    row: Any = db.execute("SELECT value FROM meta WHERE key = ?", (_CANARY,)).fetchone()
    if row is None:
        db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_CANARY, box.seal(_CANARY).decode()))
    else:
        box.open(row["value"].encode())
