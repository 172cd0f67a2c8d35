"""Reconciling: read linked tickets afresh and let what is news take the same way as a webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.contract.errors import AuthError, ConnectorError
from connector_core.contract.handles import AnyIntegration
from connector_core.contract.models import (
    Absence,
    AbsenceKind,
    FieldChange,
    FieldName,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.engine.breakers import Breakers
from connector_core.health.webhook_health import LATE, health, is_expected
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import UNEXPLAINED, IntegrationRecord, OpenTickets, Run, Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from connector_core.engine.duties import Turn

OK = "ok"

# A search for what changed trusts the other side's index; reading every ticket from time to time does not.
FULL_EVERY = timedelta(hours=6)

SELDOM = 10  # webhooks get lost, and nobody tells

Shown = TicketSnapshot | UnreadableTicket


class RunKind(StrEnum):
    """Which tickets a run reads: those that changed since the last, or all that are open."""

    CHANGED = "reconcile_changed"
    FULL = "reconcile_full"


@dataclass
class Look:
    """What one run has read so far: how many tickets, how many were news, and those that could not be read."""

    seen: int = 0
    changed: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        """Say what could not be read, if anything."""
        return f"{self.unreadable} tickets are there and could not be read." if self.unreadable else ""


@dataclass(frozen=True)
class Reconciler:
    """Brings what is known of tickets up to date; `after` is called when lanes may have been woken.

    `listening_since` is when deliveries could be taken: what changed before may well have been told in vain.
    """

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]
    listening_since: datetime | None = None
    every_s: float = 60.0

    def intervals(self) -> dict[str, float]:
        """Return the seconds between two runs of the integrations that can be reconciled."""
        return {entry.record.id: self.every_s for entry in self.registry.entries() if entry.is_working}

    def mark(self, integration_id: str) -> str:
        """Return since when an integration is active: when that has changed, all of its tickets are read."""
        since = self.registry.entry(integration_id).record.active_since
        return f"since {since}"

    def do_turn(self, integration_id: str, turn: Turn) -> None:
        """Reconcile an integration, in full after it became active: a search would not know the latest changes yet.

        It is done seldom while a webhook tells of changes, but not while that is silent.
        """
        self.reconcile(integration_id, full=turn.is_new)
        is_told = health(self.store, self.registry.entry(integration_id).record).state not in {"off", "silent"}
        turn.again_s = self.every_s * (SELDOM if is_told else 1)

    def reconcile(self, integration_id: str, *, full: bool = False) -> Run:
        """Read the open tickets of one integration that may have changed, or all of them; errors end in the run."""
        started = self.clock.now()
        since = None if full else self._since(integration_id, started)
        kind = RunKind.FULL if since is None else RunKind.CHANGED
        look = Look()
        outcome, detail = OK, ""
        try:
            self._read(self.registry.entry(integration_id), since, look)
        except ConnectorError as exc:
            outcome, detail = exc.code, exc.message
            self._note(integration_id, exc)
        detail = detail or str(look)
        run = Run(integration_id, kind, started, self.clock.now(), outcome, look.seen, look.changed, detail)
        self._log_change(run)
        self.store.runs.add(run)
        self.after()
        return run

    def fetch(self, entry: Entry, handle: AnyIntegration, query: TicketQuery) -> Sequence[Shown]:
        """Return the tickets that the plugin reads.

        Raises:
            Tripped: the circuit breakers of its site do not allow it.
        """
        with self.breakers.guard(self.registry.circuit(entry)):
            return entry.plugin.fetch_tickets(handle, query)

    def when_changed(
        self, entry: Entry, handle: AnyIntegration, ticket: TicketSnapshot
    ) -> Mapping[FieldName, FieldChange]:
        """Return when, and by whom, the fields of a ticket were last changed.

        Raises:
            Tripped: the circuit breakers of its site do not allow it.
        """
        with self.breakers.guard(self.registry.circuit(entry)):
            return entry.plugin.when_changed(handle, ticket)

    def _since(self, integration_id: str, now: datetime) -> datetime | None:
        """Return the start of the last good run; None when it is time to read everything."""
        full = self.store.runs.last(integration_id, RunKind.FULL, outcome=OK)
        if full is None or now - full.started_at > FULL_EVERY:
            return None
        changed = self.store.runs.last(integration_id, RunKind.CHANGED, outcome=OK)
        return full.started_at if changed is None else max(full.started_at, changed.started_at)

    def _read(self, entry: Entry, since: datetime | None, look: Look) -> None:
        groups = self.store.links.open_tickets(entry.record.id, self.clock.now())
        news = None if since is None else self._changed(entry, groups, since)
        for group in groups:
            handle = self.registry.with_settings(entry, group.settings)
            wanted = group.ids if news is None else group.ids & news.keys()
            found: Sequence[Shown]
            if news is not None and handle is entry.handle:
                found = [news[one] for one in sorted(wanted)]
            else:  # as the settings see them that their links were made with
                found = self.fetch(entry, handle, TicketQuery(ids=wanted)) if wanted else ()
            tickets = readable(found, wanted)
            unreadable = self._note_unreadable(entry, found, wanted)
            look.unreadable += len(unreadable)
            look.seen += len(tickets)
            look.changed += self._accept(entry, tickets)
            if since is None:
                missing = [] if "" in unreadable else sorted(group.ids - {one.id for one in tickets} - unreadable)
                why = self._reasons(entry, handle, missing)
                for one in missing:
                    look.changed += self._note_missing(entry.record.id, one, why.get(one, UNEXPLAINED))

    def _note_missing(self, integration_id: str, ticket_id: str, why: Absence) -> bool:
        """Mark the link of a missing ticket, or have it follow to where that went; return whether it is news."""
        now = self.clock.now()
        if why.kind is AbsenceKind.MERGED and why.into is not None:
            return self.store.links.note_merged(integration_id, ticket_id, now)
        return self.store.links.mark_gone(integration_id, ticket_id, now, why)

    def _note_unreadable(self, entry: Entry, found: Sequence[Shown], ids: frozenset[str]) -> frozenset[str]:
        """Return the ids of tickets, among those asked for, that are there and cannot be read, and tell of them."""
        unreadable = [one for one in found if isinstance(one, UnreadableTicket) and one.id in ids | {""}]
        for one in unreadable[:1]:  # one speaks for all
            self.log.warning(
                "tickets_unreadable", integration=entry.record.id, tickets=len(unreadable), reason=one.reason
            )
        return frozenset(one.id for one in unreadable)

    def _accept(self, entry: Entry, tickets: Sequence[TicketSnapshot]) -> int:
        """Store what was read, and note changes that a delivery should have told of since we listen."""
        now = self.clock.now()
        late = [ticket for ticket in tickets if self._is_late(entry.record, ticket, now)]
        missed = self.store.inbox.see_tickets(entry.record.id, late, now) if late else 0
        if missed:
            # When it was changed, not when that was found: a delivery since then shows that the webhook is not silent.
            changed_at = max(ticket.updated for ticket in late if ticket.updated is not None)
            self.store.webhooks.note_missed(entry.record.id, missed, changed_at)
            self.log.warning("webhook_silent", integration=entry.record.id, changes=missed)
        return missed + self.store.inbox.see_tickets(entry.record.id, [t for t in tickets if t not in late], now)

    def _is_late(self, record: IntegrationRecord, ticket: TicketSnapshot, now: datetime) -> bool:
        if ticket.updated is None or self.listening_since is None or not is_expected(self.store, record):
            return False
        since = max(self.listening_since, record.active_since or record.created_at)
        return since < ticket.updated < now - LATE

    def _changed(self, entry: Entry, groups: Sequence[OpenTickets], since: datetime) -> Mapping[str, TicketSnapshot]:
        """Ask for all that changed at once, whatever settings the links were made with."""
        ids = frozenset(one for group in groups for one in group.ids)
        if not ids:
            return {}
        places = frozenset(place for group in groups for place in group.places)
        query = TicketQuery(ids=ids, changed_since=since - entry.plugin.info.read_lag, places=places)
        found = self.fetch(entry, entry.handle, query)
        self._note_unreadable(entry, found, ids)
        return {ticket.id: ticket for ticket in readable(found, ids)}

    def _reasons(self, entry: Entry, handle: AnyIntegration, missing: Sequence[str]) -> Mapping[str, Absence]:
        """Ask why tickets are missing, if the plugin can tell."""
        if not missing or not entry.plugin.implements("explain_absence"):
            return {}
        known = [
            link.ticket
            for ticket_id in missing
            for link in self.store.links.find(integration_id=entry.record.id, text=ticket_id)
            if link.ticket is not None and link.ticket.id == ticket_id
        ]
        with self.breakers.guard(self.registry.circuit(entry)):
            return entry.plugin.explain_absence(handle, known)

    def _note(self, integration_id: str, error: ConnectorError) -> None:
        if isinstance(error, AuthError):
            self.store.integrations.note_problem(integration_id, error.code, error.message)

    def _log_change(self, run: Run) -> None:
        """Say it once: when reconciling begins to fail, and when it works again."""
        before = max(
            filter(None, (self.store.runs.last(run.integration_id, kind) for kind in RunKind)),
            key=lambda last: last.started_at,
            default=None,
        )
        was = OK if before is None else before.outcome
        if run.outcome not in {OK, was}:
            self.log.warning("reconcile_failing", integration=run.integration_id, code=run.outcome, reason=run.detail)
        elif run.outcome == OK and was != OK:
            self.log.info("reconcile_working_again", integration=run.integration_id)
        if run.changed:
            self.log.info("reconciled", integration=run.integration_id, kind=run.kind, changed=run.changed)


def readable(found: Sequence[Shown], ids: frozenset[str]) -> list[TicketSnapshot]:
    """Return the tickets among what was given back that were asked for and could be read."""
    return [one for one in found if isinstance(one, TicketSnapshot) and one.id in ids]
