"""What a person can do about links: try again, give up, decide, see what differs. For command line and console."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector_core.clock import Clock
from connector_core.contract.advice import Advice, Remedy
from connector_core.contract.differences import Why, differences
from connector_core.contract.errors import ConfigError
from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Action, Decision, Side, Sides, merge
from connector_core.contract.models import (
    FieldName,
    TicketQuery,
    TicketSnapshot,
    UnreadableTicket,
)
from connector_core.polling.reconcile import Reconciler, readable
from connector_core.registry.integrations import Registry
from connector_core.store import (
    DISCARDED,
    REPLACEABLE,
    IntegrationState,
    Link,
    LinkState,
    Nuance,
    Store,
    StoredComment,
    TimelineEntry,
    TimelineKind,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST = 10_000
MOST_COMMENTS = 20
LINK = "link:"  # before a number that can be that of a link only
FAILED = (LinkState.BLOCKED, LinkState.CONFLICT, LinkState.GONE, LinkState.PAUSED)


@dataclass(frozen=True)
class Drift:
    """One field in which the two sides of a link differ, and what reconciling would do about it."""

    link: Link
    field: str
    incident: str | None
    ticket: str | None
    remedy: str


@dataclass(frozen=True)
class Operations:
    """Each method is one act of a person; everything is written to the link's timeline."""

    store: Store
    registry: Registry
    reconciler: Reconciler
    clock: Clock
    log: FilteringBoundLogger

    def find(self, name: str, organization: str | None = None) -> list[Link]:
        """Return all links that a name may mean: a link's number, an incident's id, or a ticket's key or id.

        With `link:` before it, it is a link's number only.

        Raises:
            ConfigError: nothing is known of it, in that organization if one is named.
        """
        number = name.removeprefix(LINK)
        is_number = number.isdecimal() and len(number) < 19  # noqa: PLR2004 - SQLite's integers
        found = self.store.links.find(link_id=int(number), organization=organization) if is_number else []
        if number == name or not found:
            others = self.store.links.find(text=name, organization=organization)
            found += [link for link in others if link.id not in {one.id for one in found}]
        if not found:
            self._refuse_unsent(name, organization)
            raise ConfigError(f"Nothing is known of {name!r}.", code="unknown", advice=Advice(Remedy.LIST_LINKS))
        return found

    def find_to_act(self, name: str, organization: str | None = None) -> list[Link]:
        """Return the links that a name means, if that is clear.

        Raises:
            ConfigError: nothing is known of it, or in several organizations; or it is the number of one link, and an
                incident or ticket of another is named so.
        """
        found = self.find(name, organization)
        if len(found) > 1 and any(str(link.id) == name for link in found):
            others = ", ".join(f"link {link.id} ({link.incident_id})" for link in found if str(link.id) != name)
            raise ConfigError(
                f"{name!r} is the number of a link, and the name of something in {others}.",
                code="name_ambiguous",
                fix=f"Say which link is meant: {' or '.join(f'{LINK}{link.id}' for link in found[:3])}.",
            )
        owners = sorted({link.organization for link in found})
        if len(owners) > 1:
            raise ConfigError(
                f"{name!r} is known in several organizations: {', '.join(owners)}.",
                code="organization_needed",
                fix="Say which one is meant with --organization, or name a link by its number.",
            )
        return found

    def failed(self, integration_id: str | None = None, *, limit: int = MOST) -> list[Link]:
        """Return links that will not go on by themselves, at most `limit` of each state."""
        return [
            link
            for state in FAILED
            for link in self.store.links.find(state=state, integration_id=integration_id, limit=limit)
        ]

    def retry(self, link: Link) -> None:
        """Have a link tried again at once, whatever stopped it.

        Of one that is settled the ticket is read and compared. A circuit breaker that it is parked on is tried again
        too. A ticket that was never made is made with the settings of today: those of the link may be what was wrong.
        """
        breaker = link.breaker
        if self._is_comparable(link):
            self.store.links.compare(link.id, self.clock.now())
            return
        settings = None
        if link.ticket is None and self.registry.usable(link.integration_id):
            settings = self.registry.present_settings(link.integration_id)
        self.store.links.resume(link.id, self.clock.now(), settings)
        if breaker is not None:
            self.store.breakers.reset(breaker, self.clock.now())

    def retry_all(self, integration_id: str) -> None:
        """Have everything of an integration tried again that is not in sync, its site too."""
        now = self.clock.now()
        if self.registry.usable(integration_id):
            circuit = self.registry.circuit(self.registry.entry(integration_id))
            for key in filter(None, (circuit.site, circuit.grant)):
                self.store.breakers.reset(key, now)
        for link in self.failed(integration_id):
            if link.status.code != DISCARDED:
                self.retry(link)
        self.store.lanes.wake_all(integration_id, now)

    def recreate(self, link: Link) -> None:
        """Have a new ticket made in place of one that is gone, or was moved where it does not fit, as set up today.

        Raises:
            ConfigError: the ticket is there.
        """
        if link.status.code not in REPLACEABLE:
            raise ConfigError(f"The ticket of link {link.id} is there; no new one is made.", code="ticket_present")
        self.store.links.recreate(link.id, self.clock.now(), self.registry.present_settings(link.integration_id))

    def unlink(self, link: Link) -> None:
        """Stop syncing incident and ticket; both stay as they are."""
        self.store.links.unlink(link.id, self.clock.now())

    def waiting_comments(self, link: Link) -> list[StoredComment]:
        """Return the comments of a link that wait to be written, at most `MOST_COMMENTS` of each side."""
        return [one for side in Side for one in self.store.comments.waiting(link.id, side, MOST_COMMENTS)]

    def conflicts(self, link: Link) -> frozenset[FieldName]:
        """Return the fields about which a person has to decide."""
        if link.status.state is not LinkState.CONFLICT:
            return frozenset()
        return frozenset(d.field for d in self._decisions(link, link.ticket) if d.action is Action.ASK)

    def differences(self, link: Link) -> Mapping[FieldName, Why]:
        """Return in which fields the two sides of a link differ although nothing is left to do."""
        if link.ticket is None or not link.status.state.is_settled or not self.registry.usable(link.integration_id):
            return {}
        entry = self.registry.entry(link.integration_id)
        rules, shaping, info = entry.record.rules, entry.handle.shaping, entry.plugin.info
        return differences(link.base, link.incident, link.ticket, rules, shaping, unchangeable=info.unchangeable)

    def ask_who(self, link: Link) -> None:
        """Ask the ticketing system who changed its ticket last, field by field, and write it to the timeline.

        Raises:
            ConfigError: it cannot be asked.
        """
        entry, handle = self.registry.for_link(link)
        if link.ticket is None or not entry.plugin.implements("when_changed"):
            raise ConfigError("There is no history of a ticket that could be read.", code="history_unknown")
        changed = self.reconciler.when_changed(entry, handle, link.ticket)
        changes = [{"field": name.value, "by": one.by, "at": one.at.isoformat()} for name, one in changed.items()]
        values = {"changes": changes} if changes else {"why": Nuance.UNCHANGED}
        told = TimelineEntry(TimelineKind.HISTORY_READ, "ticket", self.clock.now(), values)
        self.store.timelines.append(link.id, (told,))

    def discard(self, link: Link) -> LinkState:
        """Give up what could not be written; return the state of the link afterwards.

        Raises:
            ConfigError: there is nothing to give up.
        """
        if link.status.state.is_settled:
            raise ConfigError(f"Link {link.id} is in sync; there is nothing to discard.", code="nothing_to_discard")
        return self.store.links.discard(link.id, self.clock.now())

    def resolve(self, link: Link, name: FieldName, winner: Side) -> None:
        """Settle a conflict in favour of one side.

        Raises:
            ConfigError: the field is not in conflict.
        """
        if name not in {decision.field for decision in self._decisions(link, link.ticket) if decision.conflict}:
            raise ConfigError(f"The {name} of link {link.id} is not in conflict.", code="no_conflict")
        self.store.links.resolve(link.id, name, winner, self.clock.now())

    def drift(self, integration_id: str) -> Iterator[Drift]:
        """Read every open ticket of an integration and yield what differs; nothing is changed on either side."""
        entry = self.registry.entry(integration_id)
        for group in self.store.links.open_tickets(integration_id, self.clock.now()):
            handle = self.registry.with_settings(entry, group.settings)
            found = self.reconciler.fetch(entry, handle, TicketQuery(ids=group.ids))
            fresh = {ticket.id: ticket for ticket in readable(found, group.ids)}
            unreadable = {one.id for one in found if isinstance(one, UnreadableTicket)}
            for ticket_id in sorted(group.ids):
                is_unread = ticket_id not in fresh and bool({ticket_id, ""} & unreadable)
                for link in self.store.links.find(integration_id=integration_id, text=ticket_id):
                    if is_unread:
                        yield Drift(link, "ticket", "linked", "unreadable", "none: it is there and cannot be read")
                    else:
                        yield from self._drift_of(link, fresh.get(ticket_id))

    def active(self) -> list[str]:
        """Return the ids of the active integrations whose plugin can read tickets."""
        return [
            entry.record.id
            for entry in self.registry.entries()
            if entry.record.state is IntegrationState.ACTIVE and entry.plugin.implements("fetch_tickets")
        ]

    # Private

    def _is_comparable(self, link: Link) -> bool:
        """Return whether nothing is left to do about a link, and its ticket can be read."""
        if link.ticket is None or not link.status.state.is_settled or not self.registry.usable(link.integration_id):
            return False
        return self.registry.entry(link.integration_id).plugin.implements("fetch_tickets")

    def _refuse_unsent(self, name: str, organization: str | None) -> None:
        """Say of an incident without a link why it has none, if that is by the rules of its organization."""
        for one in self.store.routing.unsent_named(name):
            if organization in {None, one.organization}:
                raise ConfigError(
                    f"{name!r} has no ticket. {one.route.reason}",
                    code="not_sent",
                    advice=Advice(Remedy.SEND_INCIDENT, one.organization, step=name),
                )

    def _drift_of(self, link: Link, ticket: TicketSnapshot | None) -> Iterator[Drift]:
        if ticket is None:
            yield Drift(link, "ticket", "linked", "missing", "the link would be marked gone")
            return
        if link.ticket is not None:
            ticket = ticket.over(link.ticket)
        decisions = {decision.field: decision for decision in self._decisions(link, ticket)}
        unchangeable = self.registry.entry(link.integration_id).plugin.info.unchangeable
        for name in FieldName:
            if not ticket.tells(name):
                continue
            incident, shown = incident_value(link.incident, name), ticket_value(ticket, name)
            if name in decisions:
                action = decisions[name].action
                is_stuck = action is Action.TO_TICKET and name in unchangeable
                yield Drift(link, name.value, incident, shown, _STUCK if is_stuck else _REMEDIES[action])
            elif incident != shown:
                yield Drift(link, name.value, incident, shown, _why_kept(link, ticket, name))

    def _decisions(self, link: Link, ticket: TicketSnapshot | None) -> list[Decision]:
        if ticket is None:
            return []
        entry = self.registry.entry(link.integration_id)
        sides = Sides(
            link.incident,
            link.incident_at,
            ticket,
            shaping=entry.handle.shaping,
            incident_heard_at=link.incident_heard_at,
            ticket_heard_at=link.ticket_heard_at if ticket == link.ticket else self.clock.now(),
        )
        return merge(link.base, sides, entry.record.rules)


def _why_kept(link: Link, ticket: TicketSnapshot, name: FieldName) -> str:
    """Say why a difference stays."""
    if name in link.unkept:
        return "none: the ticket does not keep it; a retry writes it again"
    if ticket.done and incident_value(link.incident, name) != link.base[name].incident:
        return "none: the ticket is done, and is not touched"
    return "none: this difference was agreed on"


_STUCK = "none: it can never be changed on the ticket; a comment would tell of it there"
_REMEDIES: Mapping[Action, str] = {
    Action.TO_TICKET: "the incident's value would be written to the ticket",
    Action.TO_INCIDENT: "the ticket's value would be written to the incident",
    Action.AGREE: "both would be taken as they are",
    Action.ASK: "you would be asked",
}
