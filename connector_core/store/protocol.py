"""What a store must offer; the SQLite store is the first that does.

Whatever changes something has been committed to disk when it returns (or when its future ends). Any method may raise
`RetryLater` when the database is busy, full or unreachable; nothing has changed then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from connector_core.merge import Side
from connector_core.models import Absence, Delivery, FieldName, Grant, Incident, IncidentEvent, TicketSnapshot
from connector_core.store.records import (
    NOTHING_RUNS,
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


class Store(Protocol):
    """Everything durable."""

    # What comes in

    def accept_events(
        self, organization: str, events: Sequence[IncidentEvent], targets: Sequence[Target], at: datetime
    ) -> Future[Accepted]:
        """Store events once each, make the links they call for, wake their lanes."""
        ...

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
        ...

    def source_cursor(self, organization: str, plugin: str) -> str | None:
        """Return how far a source was read by a plugin."""
        ...

    def forget_source_cursor(self, organization: str) -> bool:
        """Forget how far a source was read; False when it was not read yet."""
        ...

    def followed_incidents(self, organization: str) -> list[Incident]:
        """Return the open incidents of an organization that have a link which is not over."""
        ...

    def source_records(self) -> list[SourceRecord]:
        """Return the sources that were made in set-up; a change of one is told by `integrations_version`."""
        ...

    def put_source(self, record: SourceRecord, known: SourceRecord | None) -> bool:
        """Store a source that was made or changed in set-up; False when it is not what is known any more."""
        ...

    def remove_source(self, organization: str) -> bool:
        """Delete a source that was made in set-up; how far it was read stays."""
        ...

    def source_labels(self, organization: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for the answers of a source, by key and value."""
        ...

    def remember_source_label(self, organization: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        ...

    def note_source(self, state: SourceState) -> None:
        """Store how a look at a source ended."""
        ...

    def source_states(self) -> Mapping[str, SourceState]:
        """Return how the last look at each source ended, by organization."""
        ...

    def source_state(self, organization: str) -> SourceState | None:
        """Return how the last look at one source ended."""
        ...

    def accept_delivery(
        self, integration_id: str, delivery: Delivery, at: datetime, secret: str = ""
    ) -> Future[Accepted]:
        """Store a delivery once, and what it shows of linked tickets; `secret` names the one that signed it."""
        ...

    def accept_deliveries(self, given: Sequence[tuple[str, Delivery, str]], at: datetime) -> Future[Accepted]:
        """Store one request as a delivery of each of some integrations, all of them or none; with what signed it."""
        ...

    def hook_facts(self, integration_id: str) -> Mapping[str, HookFact]:
        """Return what is known of an integration's webhook, by name."""
        ...

    def own_hook(self, integration_id: str) -> OwnHook | None:
        """Return the webhook that a plugin registered by itself, if any."""
        ...

    def save_own_hook(self, integration_id: str, hook: OwnHook | None) -> None:
        """Store it or forget it."""
        ...

    def hook_token(self, route: str) -> SecretStr | None:
        """Return the token in the address of a plugin's own webhooks."""
        ...

    def save_hook_token(self, route: str, new: SecretStr) -> None:
        """Store a token unless there is one."""
        ...

    def save_taken_over(self, snapshot: str) -> None:
        """Keep, sealed, what the daemon took over from the configuration file."""
        ...

    def taken_over(self) -> str | None:
        """Return that; None when no daemon has run yet."""
        ...

    def wish_application(self) -> int:
        """Ask the daemon to take over the configuration file; return the number of this wish."""
        ...

    def application_wishes(self) -> int:
        """Return how often that was asked for."""
        ...

    def answer_application(self, given: Application) -> None:
        """Keep what became of the wishes so far."""
        ...

    def application(self) -> Application | None:
        """Return what became of the last wish that was answered."""
        ...

    def note_missed(self, integration_id: str, changes: int, at: datetime) -> None:
        """Remember that changes were found which no delivery had told of."""
        ...

    def accept_tickets(self, integration_id: str, tickets: Sequence[TicketSnapshot], at: datetime) -> int:
        """Store polled snapshots as a delivery's; return how many were news."""
        ...

    def ticket_missing(self, integration_id: str, ticket_id: str, at: datetime, why: Absence = UNEXPLAINED) -> bool:
        """Mark the link of a ticket that is no longer there; False when it was marked already."""
        ...

    def forget_received(self, before: datetime, now: datetime) -> int:
        """Forget the names of events and deliveries received before a time, and tickets that were nobody's."""
        ...

    def forget_finished(self, before: datetime, most: int) -> int:
        """Delete links that were over on both sides before a time, `most` at once; return how many."""
        ...

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
        ...

    def release_lane(self, held: Claim, rest: Rest, now: datetime) -> None:
        """Give a lane back; an old claim changes nothing."""
        ...

    def wake_lane(self, link_id: int, at: datetime) -> None:
        """Make a lane due."""
        ...

    def wake_lanes(self, integration_id: str, at: datetime) -> int:
        """Wake the lanes of an integration that are not at rest; return how many."""
        ...

    def wake_blocked(self, at: datetime) -> int:
        """Wake the lanes that are blocked; return how many."""
        ...

    def next_due(self) -> float | None:
        """Return when the next free lane is due, in seconds since the epoch."""
        ...

    def recover_lanes(self, boot: str, running: Collection[int] = ()) -> int:
        """Free the lanes that other boots held, or this boot beside those that it is running; return how many."""
        ...

    # Circuit breakers

    def trip_breaker(self, breaker: Breaker) -> None:
        """Store a breaker as tripped, or that it still is."""
        ...

    def reset_breaker(self, key: str, now: datetime) -> int:
        """Forget a breaker and wake the lanes parked on it; return how many."""
        ...

    def tripped_breakers(self, keys: Iterable[str]) -> list[Breaker]:
        """Return those of the named breakers that are tripped."""
        ...

    def breakers(self) -> list[Breaker]:
        """Return all tripped breakers with the number of parked lanes, the oldest first."""
        ...

    def wake_probes(self, now: datetime, horizon_s: float, skip: Collection[str]) -> list[str]:
        """Wake one parked lane of every breaker that may be tried again; return the breakers' keys."""
        ...

    # Links

    def link(self, link_id: int) -> Link | None:
        """Return one link, whole."""
        ...

    def holders(self, integration_ids: Collection[str], ticket_ids: Collection[str]) -> Holders:
        """Return which of some integrations have one of some tickets, and which are just creating one."""
        ...

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
        ...

    def record(self, held: Claim, progress: Progress, now: datetime) -> bool:
        """Store what a step achieved; False, and nothing stored, when the claim is no longer good."""
        ...

    def resume_link(self, link_id: int, now: datetime, settings: Mapping[str, object] | None = None) -> None:
        """Let a person have a link tried again; `settings` are for a ticket that was never made."""
        ...

    def recreate_link(self, link_id: int, now: datetime, settings: Mapping[str, object]) -> None:
        """Let a person have a new ticket made in place of one that is not there, unless another has just done so."""
        ...

    def discard_link(self, link_id: int, now: datetime) -> LinkState:
        """Let a person give up what could not be carried; return where the link stands afterwards."""
        ...

    def unlink(self, link_id: int, now: datetime) -> None:
        """Let a person have nothing carried between incident and ticket any more."""
        ...

    def resolve_conflict(self, link_id: int, name: FieldName, winner: str, now: datetime) -> None:
        """Let a person settle a conflict in favour of the `incident` or the `ticket`."""
        ...

    def writes_between(self, link_id: int, start: datetime, end: datetime) -> int:
        """Count what was written to either side, but not before a person had the link resumed."""
        ...

    def waiting_comments(self, link_id: int, side: Side, limit: int = 1) -> list[StoredComment]:
        """Return the comments of one side that wait to be carried to the other, in that order."""
        ...

    def tell(self, link_id: int, entry: TimelineEntry) -> None:
        """Add to a link's timeline what a person had found out."""
        ...

    def timeline(self, link_id: int) -> list[TimelineEntry]:
        """Return a link's timeline, oldest first."""
        ...

    def open_tickets(self, integration_id: str, now: datetime) -> list[OpenTickets]:
        """Return the tickets that are not long over on both sides, by the settings they were made with."""
        ...

    # Integrations

    def integrations(self) -> list[IntegrationRecord]:
        """Return all, in the order in which they were made."""
        ...

    def integrations_version(self) -> int:
        """Return a number that grows with every change to an integration, or to a source made in set-up."""
        ...

    def put_integration(self, record: IntegrationRecord) -> None:
        """Store a new or changed integration."""
        ...

    def remove_integration(self, integration_id: str) -> bool:
        """Delete an integration with all its links."""
        ...

    def note_problem(self, integration_id: str, code: str, problem: str) -> None:
        """Store why an integration cannot work at present; empty when it can."""
        ...

    def grant(self, integration_id: str) -> Grant | None:
        """Return the stored grant."""
        ...

    def save_grant(self, integration_id: str, grant: Grant | None) -> None:
        """Store a grant or forget it."""
        ...

    def expect_return(self, state: str, integration_id: str, callback_url: str, expires_at: datetime) -> None:
        """Remember that somebody went to authorize."""
        ...

    def redeem_return(self, state: str, now: datetime) -> tuple[str, str] | None:
        """Use up a state; the integration and callback address that it was made for, or None."""
        ...

    # Console: logins, set-up links, what is shown at a glance

    def begin_session(self, token: str, session: SessionRecord) -> None:
        """Store a login."""
        ...

    def session(self, token: str) -> SessionRecord | None:
        """Return a login, ended or not."""
        ...

    def touch_session(self, token: str, at: datetime) -> None:
        """Remember that a login is in use."""
        ...

    def end_session(self, token: str) -> None:
        """Forget a login."""
        ...

    def end_sessions(self, user: str | None = None) -> int:
        """Forget all logins, or those of one user; return how many."""
        ...

    def add_handover(self, token: str, handover: Handover) -> None:
        """Store a set-up link."""
        ...

    def handover(self, token: str) -> Handover | None:
        """Return a set-up link, used or not."""
        ...

    def use_handover(self, token: str, at: datetime) -> bool:
        """Use a set-up link up; False when it had been used already."""
        ...

    def backlogs(self) -> Mapping[str, Backlog]:
        """Return how the links of each integration stand."""
        ...

    def last_activity(self) -> Mapping[str, datetime]:
        """Return when something last happened, by integration."""
        ...

    def activity(self, integration_id: str, since: datetime) -> Mapping[str, int]:
        """Return how much happened in each hour since a time."""
        ...

    def first_reason(self, integration_id: str, states: Collection[str]) -> str:
        """Return why the link that has been in one of some states for longest does not go on."""
        ...

    def search_links(self, wanted: LinkFilter) -> list[Link]:
        """Return the links that are wanted, those that need somebody first."""
        ...

    def open_links(self, integration_id: str) -> list[OpenLinks]:
        """Count the links that are not over, by the settings they were made with."""
        ...

    def labels(self, integration_id: str) -> Mapping[tuple[str, str], str]:
        """Return what people read for the answers of an integration, by key and value."""
        ...

    def remember_label(self, integration_id: str, key: str, value: str, label: str) -> None:
        """Keep what people read for an answer."""
        ...

    def note_secret_change(self, integration_id: str, at: datetime) -> None:
        """Remember when the secret of the webhook last changed."""
        ...

    def secret_changed_at(self, integration_id: str) -> datetime | None:
        """Return when the secret of the webhook last changed in set-up."""
        ...

    def last_delivery_at(self, integration_id: str) -> datetime | None:
        """Return when the last delivery came in."""
        ...

    def expected_return(self, state: str) -> str | None:
        """Return the integration that a state was made for, without using it up."""
        ...

    # Knowledge of the other side

    def recall(self, integration_id: str, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what was remembered for an integration under a key, None when there is nothing."""
        ...

    def remember(self, integration_id: str, key: str, value: str, at: datetime) -> None:
        """Keep a value, which is JSON; `null` forgets the one that is there."""
        ...

    def forget_knowledge(self, integration_id: str) -> None:
        """Forget all that was remembered for an integration."""
        ...

    def note_refusals(self, route: str, integration_id: str, code: str, refusals: int, at: datetime) -> Future[None]:
        """Count deliveries that were turned away: an integration's, or on a route when its id is empty."""
        ...

    def refusals(self, route: str) -> Mapping[str, HookFact]:
        """Return what was turned away on a route without telling whose it was, by the code of the reason."""
        ...

    def deliveries(self, integration_id: str, latest: int) -> tuple[int, int]:
        """Count the latest deliveries of an integration, and those among them about no linked ticket."""
        ...

    def record_checkup(self, checkup: Checkup) -> None:
        """Keep what was found when an integration was tried."""
        ...

    def checkups(self) -> Mapping[str, Checkup]:
        """Return what was last found, by integration."""
        ...

    # Runs, counts, upkeep

    def record_run(self, run: Run) -> None:
        """Store one run of the scheduler."""
        ...

    def last_run(self, integration_id: str, kind: str, *, outcome: str | None = None) -> Run | None:
        """Return the latest run of a kind, with a certain outcome if one is named."""
        ...

    def stats(self) -> Stats:
        """Return counts for status, readiness and metrics."""
        ...

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that no other thread or process holds at the same time."""
        ...

    def prove_writable(self) -> None:
        """Write something small, as proof that what comes in can be stored; raise `RetryLater` when it cannot."""
        ...

    def clock_was_set(self, by_s: float, now: datetime) -> None:
        """Move along what was planned by a clock that was then set forward, or back when `by_s` is negative."""
        ...

    def begin_life(self, now: datetime) -> str:
        """Note that a daemon begins; return in a word why tickets of an earlier one may not be known, if so."""
        ...

    def beat(self, now: datetime) -> None:
        """Note that the daemon is alive."""
        ...

    def is_life_surely_lost(self, linked_at: datetime) -> bool:
        """Tell whether a daemon is surely not known that may have worked until just before a link was made."""
        ...

    def was_removed(self, integration_id: str) -> bool:
        """Tell whether there was another integration of that name before."""
        ...

    def backup(self, target: Path) -> None:
        """Copy the live database to a new file that is whole."""
        ...

    def check(self) -> list[str]:
        """Return what is wrong with the database, a sentence each."""
        ...

    def close(self) -> None:
        """Finish what is under way and let go of everything."""
        ...
