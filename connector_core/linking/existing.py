"""Linking a ticket that is there with an incident: it is read first, and what does not fit is refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeAlias

from structlog.typing import FilteringBoundLogger

from connector_core.clock import Clock
from connector_core.contract.errors import ConfigError, ConnectorError, RetryLater
from connector_core.contract.merge import Action, Sides, merge, with_one_way
from connector_core.contract.models import (
    FoundTicket,
    IncidentStatus,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.engine.breakers import Breakers
from connector_core.linking.outcomes import LONGEST_NAME, Difference, Linked, Outcome, Wanted, agreed_at_linking
from connector_core.registry.answers import link_settings
from connector_core.registry.entry import Entry
from connector_core.registry.integrations import Registry
from connector_core.store import DISCARDED, IntegrationState, Store, Target
from connector_core.store.attaching import Attached, Candidate
from connector_core.store.rows import link_marker

#: So many tickets are asked for at once.
AT_ONCE = 50
#: A site that asks for a longer wait ends the attempt.
LONGEST_WAIT_S = 300.0
TRIES = 5
_WAIT_S = 15.0

#: What came of a wish that is refused, and why.
Refusal: TypeAlias = tuple[Outcome, str]

_REMEDIES: Mapping[Action, str] = {
    Action.TO_TICKET: "written to the ticket",
    Action.TO_INCIDENT: "written to the incident",
    Action.AGREE: "left as it is on both sides",
    Action.ASK: "you are asked",
}


@dataclass
class Seen:
    """What was linked, or would be, since the first row of a table: no incident and no ticket twice."""

    incidents: dict[tuple[str, str], int] = field(default_factory=dict)
    tickets: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Linker:
    """Links tickets that somebody names. `after` is called when lanes were woken."""

    store: Store
    registry: Registry
    breakers: Breakers
    clock: Clock
    log: FilteringBoundLogger
    after: Callable[[], None]

    def link(
        self,
        wanted: Iterable[Wanted],
        *,
        dry_run: bool,
        finished: bool = False,
        organizations: frozenset[str] | None = None,
        pause: Callable[[float], None] | None = None,
    ) -> Iterator[Linked]:
        """Yield what comes of each wish, in their order.

        With `dry_run` nothing is stored. `finished` takes tickets that are done too, whose incidents are then closed.
        Nothing outside of `organizations` is seen. `pause` waits for seconds that a site asks for; without it, whatever
        has to wait fails.
        """
        seen = Seen()
        rows = iter(wanted)
        while some := list(islice(rows, AT_ONCE)):
            yield from _Batch(self, seen, dry_run, finished, organizations, pause).of(some)
            if not dry_run:
                self.after()

    def find(
        self, entry: Entry, names: Sequence[str], pause: Callable[[float], None] | None = None
    ) -> Mapping[str, FoundTicket]:
        """Ask for tickets by what people call them.

        Raises:
            ConnectorError: the plugin cannot read tickets, or could not this time.
        """
        if not (entry.plugin.implements("find_tickets") or entry.plugin.implements("fetch_tickets")):
            raise ConfigError(
                f"{entry.plugin.info.title} cannot be asked for tickets.",
                code="tickets_unreadable",
                fix="Its tickets cannot be linked by hand.",
            )
        return patiently(lambda: self._find(entry, names), pause)

    def _find(self, entry: Entry, names: Sequence[str]) -> Mapping[str, FoundTicket]:
        with self.breakers.guard(self.registry.circuit(entry)):
            if entry.plugin.implements("find_tickets"):
                return entry.plugin.find_tickets(entry.handle, names)
            found = entry.plugin.fetch_tickets(entry.handle, TicketQuery(ids=frozenset(names)))
            return {one.id: FoundTicket(ticket=one) for one in found if one.id in names}


@dataclass(frozen=True)
class _Batch:
    """Some wishes, asked for together."""

    linker: Linker
    seen: Seen
    dry_run: bool
    finished: bool
    organizations: frozenset[str] | None
    pause: Callable[[float], None] | None

    def of(self, wanted: Sequence[Wanted]) -> Sequence[Linked]:
        """Return what comes of each."""
        results: dict[int, Linked] = {}
        asked: dict[str, list[tuple[int, Wanted, Candidate, Entry]]] = {}
        ids = {one.incident for one in wanted if is_readable(one)}
        candidates: dict[str, list[Candidate]] = {}
        for found in self.linker.store.attaching.candidates(ids, None) if ids else ():
            if self.organizations is None or found.organization in self.organizations:
                candidates.setdefault(found.incident.id, []).append(found)
        for place, one in enumerate(wanted):
            chosen = self._choose(one, candidates.get(one.incident, []))
            if isinstance(chosen, Linked):
                results[place] = chosen
            else:
                asked.setdefault(chosen[1].record.id, []).append((place, one, *chosen))
        for some in asked.values():
            entry = some[0][3]
            try:
                tickets = self.linker.find(entry, sorted({one.ticket for _, one, *_ in some}), self.pause)
            except ConnectorError as exc:
                results |= {place: Linked(one, Outcome.FAILED, exc.message) for place, one, *_ in some}
                continue
            for place, one, candidate, _ in some:
                results[place] = self._one(one, candidate, entry, tickets.get(one.ticket))
        return [results[place] for place in range(len(wanted))]

    def _choose(self, one: Wanted, candidates: Sequence[Candidate]) -> Linked | tuple[Candidate, Entry]:
        """Return the incident and the integration that are meant, or why none is."""
        if not is_readable(one):
            return Linked(
                one, Outcome.INVALID, "Incident and ticket are needed, each at most 500 printable characters."
            )
        found = [candidate for candidate in candidates if one.organization in {"", candidate.organization}]
        if not found:
            return Linked(one, Outcome.INCIDENT_UNKNOWN, "No incident with this ID is known.")
        if len(found) > 1:
            return Linked(one, Outcome.ORGANIZATION_NEEDED, "Several organizations have an incident of this ID.")
        (candidate,) = found
        entries = [
            e for e in self.linker.registry.of(candidate.organization) if e.record.state is not IntegrationState.DRAFT
        ]
        named = [entry for entry in entries if one.integration in {"", entry.record.id}]
        if not named:
            return Linked(one, Outcome.INTEGRATION_UNKNOWN, "The incident's organization has no such integration.")
        if len(named) > 1:
            waiting = {link.integration_id for link in candidate.links if link.is_free}
            named = [entry for entry in named if entry.record.id in waiting] if len(waiting) == 1 else named
        if len(named) > 1:
            return Linked(one, Outcome.INTEGRATION_NEEDED, "The organization has several integrations.")
        return candidate, named[0]

    def _one(self, one: Wanted, candidate: Candidate, entry: Entry, found: FoundTicket | None) -> Linked:
        """Return what comes of a wish whose ticket was looked for."""
        ticket = None if found is None else found.ticket
        done = Linked(one, Outcome.WOULD_LINK, "", candidate.organization, entry.record.id)
        if found is None or not isinstance(ticket, TicketSnapshot):
            desk = entry.plugin.info.spoken
            if isinstance(ticket, UnreadableTicket):
                return replace(done, outcome=Outcome.TICKET_UNREADABLE, detail=ticket.reason)
            why = f"{desk} has no such ticket, or does not show it to our account."
            return replace(done, outcome=Outcome.TICKET_UNKNOWN, detail=why)
        done = replace(done, ticket=ticket)
        refused = self._named_twice(done, ticket) or self._unfit(done, candidate, entry, found, ticket)
        if refused is not None:
            return replace(done, outcome=refused[0], detail=refused[1])
        done = replace(done, differences=self._differences(candidate, entry, ticket))
        if not self.dry_run:
            done = self._attach(done, candidate, entry, ticket)
        if done.outcome.is_good:
            self.seen.incidents[candidate.organization, one.incident] = one.row
            self.seen.tickets[entry.record.id, ticket.id] = one.row
        return done

    def _named_twice(self, done: Linked, ticket: TicketSnapshot) -> Refusal | None:
        """Return which earlier row has the incident or the ticket, if one has."""
        if row := self.seen.incidents.get((done.organization, done.wanted.incident)):
            return Outcome.DUPLICATE, f"Row {row} links this incident."
        if row := self.seen.tickets.get((done.integration, ticket.id)):
            return Outcome.DUPLICATE, f"Row {row} links this ticket."
        return None

    def _unfit(
        self, done: Linked, candidate: Candidate, entry: Entry, found: FoundTicket, ticket: TicketSnapshot
    ) -> Refusal | None:
        """Return why a ticket that is there cannot be linked with an incident; None where it can."""
        incident = candidate.incident
        holder = self.linker.store.attaching.holder_of(entry.record.id, ticket.id)
        if holder is not None and holder[1] != DISCARDED:
            is_known = holder[0] == incident.id
            return (Outcome.KNOWN, "") if is_known else (Outcome.TAKEN, f"It is linked with {holder[0]}.")
        present = next((link for link in candidate.links if link.integration_id == done.integration), None)
        if present is not None and not present.is_free:
            return Outcome.HAS_TICKET, f"It is linked with {present.ticket_key}; unlink that first."
        if holder is None and entry.handle.core.is_linked(ticket.id):
            return Outcome.TAKEN, "Another integration has it."
        if self._is_marked_for_another(done, found, ticket):
            whose = f" ({found.incident_id})" if found.incident_id and self.organizations is None else ""
            return Outcome.TAKEN, f"It carries the mark of another incident{whose}."
        if ticket.done and incident.status is IncidentStatus.ACTIVE and not self.finished:
            return Outcome.FINISHED, "Linked with it, the incident would be closed."
        return None

    def _is_marked_for_another(self, done: Linked, found: FoundTicket, ticket: TicketSnapshot) -> bool:
        """Return whether a ticket has the mark of another link, which has not let go of it."""
        marker = link_marker(done.organization, done.integration, done.wanted.incident)
        if not found.marker or found.marker == marker or found.marker.startswith(f"{marker}-"):
            return False
        return not self.linker.store.attaching.is_stale(found.marker, ticket.id)

    def _differences(self, candidate: Candidate, entry: Entry, ticket: TicketSnapshot) -> list[Difference]:
        sides = Sides(
            candidate.incident,
            candidate.incident_at,
            ticket,
            shaping=entry.handle.shaping,
            incident_heard_at=candidate.heard_at,
            ticket_heard_at=self.linker.clock.now(),
        )
        rules = with_one_way(entry.record.rules, entry.handle.shaping)
        decisions = merge(agreed_at_linking(candidate.incident, ticket), sides, rules)
        return [
            Difference(one.field, one.incident, one.ticket, _REMEDIES[one.action])
            for one in decisions
            if one.as_incident != one.incident
        ]

    def _attach(self, done: Linked, candidate: Candidate, entry: Entry, ticket: TicketSnapshot) -> Linked:
        outcome = self.linker.store.attaching.attach(
            candidate.organization,
            candidate.incident.id,
            target_of(entry),
            ticket if ticket.key else ticket.model_copy(update={"key": ticket.id}),
            base=agreed_at_linking(candidate.incident, ticket),
            at=self.linker.clock.now(),
        )
        if outcome is Attached.LINKED:
            self.linker.log.info("ticket_linked", integration=entry.record.id, ticket=ticket.key or ticket.id)
        result, detail = OUTCOMES[outcome]
        return replace(done, outcome=result, detail=detail)


OUTCOMES: Mapping[Attached, tuple[Outcome, str]] = {
    Attached.LINKED: (Outcome.LINKED, ""),
    Attached.KNOWN: (Outcome.KNOWN, ""),
    Attached.HAS_TICKET: (Outcome.HAS_TICKET, "It got one just now."),
    Attached.TAKEN: (Outcome.TAKEN, "It was linked just now."),
    Attached.BUSY: (Outcome.BUSY, "A ticket is being created for the incident just now; try again in a moment."),
    Attached.INCIDENT_UNKNOWN: (Outcome.INCIDENT_UNKNOWN, "It was forgotten just now."),
}


def target_of(entry: Entry) -> Target:
    """Return what a link of an integration is made with today."""
    since = entry.record.activated_at or entry.record.created_at
    return Target(entry.record.id, link_settings(entry.plugin, entry.record.answers), since)


def is_readable(one: Wanted) -> bool:
    """Return whether a wish names an incident and a ticket, as texts that can be ones."""
    return all(
        0 < len(text) <= LONGEST_NAME and text.isprintable() and text == text.strip()
        for text in (one.incident, one.ticket)
    )


def patiently(
    call: Callable[[], Mapping[str, FoundTicket]], pause: Callable[[float], None] | None
) -> Mapping[str, FoundTicket]:
    """Call a site, and again after the wait that it asks for, if somebody may wait."""
    tries = 0
    while True:
        tries += 1
        try:
            return call()
        except RetryLater as exc:
            wait_s = _WAIT_S if exc.after_s is None else exc.after_s
            if pause is None or tries == TRIES or wait_s > LONGEST_WAIT_S:
                raise
            pause(wait_s)
