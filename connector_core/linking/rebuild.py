"""Finding every link again by the marks on tickets, after the database was lost or put back from a backup.

Pages of marked tickets are read one after the other; each ticket is linked with its incident unless that is done. To
begin again, or beside a daemon that looks for single tickets, does no harm: a link is made in one transaction that
looks at what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, RemoteError, RetryLater
from connector_core.contract.models import FoundTicket, Incident, IncidentStatus, MarkedTickets, TicketSnapshot
from connector_core.engine.breakers import Breakers
from connector_core.linking.existing import OUTCOMES, target_of
from connector_core.linking.outcomes import Outcome, agreed_at_linking
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import Store
from connector_core.store.rows import link_marker

LONGEST_WAIT_S = 900.0
_WAIT_S = 15.0
_CURSOR = "rebuild of links"


@dataclass
class Rebuilt:
    """How far a rebuild has come."""

    #: Tickets that were looked at, and those of them with a mark.
    seen: int = 0
    marked: int = 0
    #: Of the marked ones, what came of them.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: It began where an earlier one was stopped.
    is_continued: bool = False


@dataclass(frozen=True)
class Rebuilder:
    """Reads the marked tickets of an integration, and links them. `after` is called when lanes were woken."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]

    def rebuild(
        self,
        integration_id: str,
        *,
        dry_run: bool,
        pause: Callable[[float], None],
        progress: Callable[[Rebuilt], object] = lambda _: None,
    ) -> Rebuilt:
        """Go through all pages, from where an earlier rebuild was stopped; `pause` waits for seconds.

        Raises:
            ConfigError: the plugin cannot list its marks.
            ConnectorError: the site could not be asked; what was linked stays, and the next call goes on.
        """
        entry = self.registry.entry(integration_id)
        if not entry.plugin.implements("list_marked"):
            raise ConfigError(
                f"{entry.plugin.info.title} cannot be searched for the connector's marks.",
                code="marks_not_listed",
                fix="Each ticket is looked for by itself when there is news of its incident; or link them by a table.",
            )
        memory = entry.handle.memory
        cursor = None if dry_run else memory.recall(_CURSOR)
        rebuilt = Rebuilt(is_continued=cursor is not None)
        waiting = self.store.attaching.unticketed(entry.record.organization, integration_id)
        while True:
            try:
                page = self._page(entry, cursor, pause)
            except RemoteError:
                if cursor is None or not rebuilt.is_continued or rebuilt.seen:
                    raise
                cursor, rebuilt.is_continued = None, False  # where it stopped is not known there any more
                continue
            rebuilt.seen += page.seen
            for found in page.tickets:
                rebuilt.marked += 1
                rebuilt.outcomes[self._link(entry, found, waiting, dry_run=dry_run).value] += 1
            cursor = page.cursor
            if not dry_run:
                memory.remember(_CURSOR, cursor)
                self.after()
            progress(rebuilt)
            if cursor is None:
                self.log.info("links_rebuilt", integration=integration_id, seen=rebuilt.seen, marked=rebuilt.marked)
                return rebuilt

    def _page(self, entry: Entry, cursor: str | None, pause: Callable[[float], None]) -> MarkedTickets:
        while True:
            try:
                with self.breakers.guard(self.registry.circuit(entry)):
                    return entry.plugin.list_marked(entry.handle, cursor)
            except RetryLater as exc:
                wait_s = _WAIT_S if exc.after_s is None else exc.after_s
                if wait_s > LONGEST_WAIT_S:
                    raise
                pause(wait_s)

    def _link(self, entry: Entry, found: FoundTicket, waiting: Mapping[str, str], *, dry_run: bool) -> Outcome:
        """Link a ticket with the incident that its mark is of."""
        ticket = found.ticket
        if not isinstance(ticket, TicketSnapshot):
            return Outcome.TICKET_UNREADABLE
        first = "-".join(found.marker.split("-")[:2])
        incident_id = found.incident_id or waiting.get(first, "")
        refused = self._unfit(entry, ticket, first, incident_id)
        return refused or self._attach(entry, found.marker, ticket, incident_id, dry_run=dry_run)

    def _unfit(self, entry: Entry, ticket: TicketSnapshot, marker: str, incident_id: str) -> Outcome | None:
        """Return why a marked ticket is not linked here, if it is not."""
        if self.store.attaching.holder_of(entry.record.id, ticket.id) is not None:
            return Outcome.KNOWN
        if entry.handle.core.is_linked(ticket.id):
            return Outcome.TAKEN
        if not incident_id:
            return Outcome.INCIDENT_UNKNOWN
        is_ours = marker == link_marker(entry.record.organization, entry.record.id, incident_id)
        return None if is_ours else Outcome.TAKEN

    def _attach(self, entry: Entry, marker: str, ticket: TicketSnapshot, incident_id: str, *, dry_run: bool) -> Outcome:
        organization = entry.record.organization
        known = next(iter(self.store.attaching.candidates({incident_id}, organization)), None)
        if known is None and ticket.done:
            return Outcome.FINISHED  # whether the incident is over, nobody can tell; news of it find the ticket
        incident = _as_shown(incident_id, ticket) if known is None else known.incident
        if dry_run:
            links = () if known is None else known.links
            is_taken = any(link.integration_id == entry.record.id and not link.is_free for link in links)
            return Outcome.HAS_TICKET if is_taken else Outcome.WOULD_LINK
        if known is None:
            self.store.attaching.remember(organization, incident, self.clock.now())
        attached = self.store.attaching.attach(
            organization,
            incident_id,
            target_of(entry),
            ticket if ticket.key else ticket.model_copy(update={"key": ticket.id}),
            base=agreed_at_linking(incident, ticket),
            at=self.clock.now(),
            marker=marker,
        )
        return OUTCOMES[attached][0]


def _as_shown(incident_id: str, ticket: TicketSnapshot) -> Incident:
    """Return an incident of which only its ticket is known, until the platform tells of it."""
    return Incident(
        id=incident_id,
        title=ticket.title or incident_id,
        description=ticket.description or "",
        priority=ticket.priority,
        status=IncidentStatus.ACTIVE,
    )
