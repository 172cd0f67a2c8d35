"""Both sides in memory with what makes them difficult: people, lag, clocks of their own, and deliveries on their way.

Whatever a side does for the connector, the world decides what goes wrong around it and what else happens meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector_core import (
    AddComment,
    Delivery,
    FieldName,
    IncidentEvent,
    IncidentStatus,
    NotCreated,
    Receipt,
    RetryLater,
    Site,
    TicketSnapshot,
    WriteFields,
    hookimpl,
)
from connector_core.testing import FrozenClock, MemoryDesk, MemoryPlatform
from connector_core.testing.in_memory import recorded

if TYPE_CHECKING:  # the world is made of its sides
    from tests.support.faults.simulated_world import World

HIDEABLE = (FieldName.PRIORITY, FieldName.DESCRIPTION)
LONGEST_TITLE = 12
SETTLE_S = 120.0
COMMENT_SETTLE_S = 10.0


class VirtualClock(FrozenClock):
    """True time moves on; the machine's wall clock may be set wrong."""

    def __init__(self):
        super().__init__()
        self.wrong_by = timedelta()

    def true_time(self):
        """Return the time as the rest of the world has it."""
        return super().now()

    def now(self):
        """Return the time as this machine has it."""
        return self.true_time() + self.wrong_by


@dataclass(frozen=True)
class SkewedClock:
    """The clock of a side, which is off by a constant."""

    clock: VirtualClock
    skew: timedelta

    def now(self):
        """Return the time as the side has it."""
        return self.clock.true_time() + self.skew

    def monotonic(self):
        """Return seconds that never run backwards."""
        return self.clock.monotonic()


class SimulatedDesk(MemoryDesk):
    """A helpdesk whose search and lists lag behind; `outbox` holds the webhooks that are on their way.

    Its site may be renamed. Webhooks have the address of when they were sent. Answers name none: the plugin makes a
    ticket's address of the one that it knows the site by. `addresses` are all that the site had, in order.
    """

    def __init__(self, world: World, name: str, skew: timedelta, lag_s: float) -> None:
        super().__init__(SkewedClock(world.clock, skew), name=name, longest_title=LONGEST_TITLE)
        self.world = world
        self.lag_s = lag_s
        self.outbox: list[Delivery] = []
        self.addresses = [self.url]
        self.reopened: set[str] = set()
        self.writes = 0
        self.idle_writes = 0
        self.reopened_by_us = 0
        self.overwritten = 0

    def before(self, call):
        """Let the world have its way before a call has done anything."""
        self.world.before_the_effect(self.name)

    def after(self, call, answer):
        """Tell what was written, and let the world have its way."""
        if isinstance(answer, Receipt) and call.writes:
            what = f"{type(call.about).__name__} of {call.about.incident.id}"
            if isinstance(call.about, WriteFields):
                what = f"{what}, {sorted(call.about.fields)}"
            self.world.say(f"  {self.name} {answer.ticket.key} written by the connector: {what}")
        elif call.hook == "write_comment" and call.writes:
            self.world.say(f"  {self.name} commented by the connector: {call.about.comment.id}")
        self.world.after_the_effect(self.name)

    def tell(self, delivery):
        """Put a webhook on its way; it names the site as it is called now."""
        named = delivery.model_copy(update={"site": self.url})
        super().tell(named)
        self.outbox.append(named)

    @property
    def site(self) -> Site:
        """The site as it is called now."""
        return Site(id=f"cloud of {self.name}", name=self.name, url=self.url)

    def rename(self) -> None:
        """Give the site another address, at which every ticket is from then on; nobody is told."""
        self.url = f"https://{self.name}-{len(self.addresses)}.example.test"
        self.addresses.append(self.url)
        for ticket in self.tickets.values():
            ticket.whole, ticket.shown = self._at(self.url, ticket.whole), self._at(self.url, ticket.shown)

    @hookimpl
    @recorded
    def find_site(self, integration):
        """Say what the site is called now."""
        return self.site

    @hookimpl
    def on_incident_event(self, integration, change):
        """Write a change; the ticket is shown at the address that is known."""
        answer = super().on_incident_event(integration, change)
        if isinstance(answer, NotCreated):
            return answer
        known = integration.core.grant().site.url
        made = answer.as_created and self._at(known, answer.as_created)
        return answer.model_copy(update={"ticket": self._at(known, answer.ticket), "as_created": made})

    @hookimpl
    def write_comment(self, integration, draft):
        """Write a comment or look for one; a call that was given up may still be on its way for a moment."""
        answer = super().write_comment(integration, draft)
        remaining_s = COMMENT_SETTLE_S - draft.attempt_age_s
        if isinstance(answer, NotCreated) and remaining_s > 0:
            raise RetryLater("It is being looked for.", after_s=remaining_s, code="looking")
        return answer

    @hookimpl
    def fetch_tickets(self, integration, query):
        """Show tickets, at the address that is known."""
        return [self._at(integration.core.grant().site.url, one) for one in super().fetch_tickets(integration, query)]

    def _at(self, url, shown):
        return shown.model_copy(update={"url": f"{url}/{shown.key}"})

    def edit(self, ticket_id, **fields):
        """Change fields as an agent, and remember who opened a ticket again."""
        if fields.get("done") is False and self.tickets[ticket_id].shown.done:
            self.reopened.add(ticket_id)
        return super().edit(ticket_id, **fields)

    def _found(self, change):
        found = super()._found(change)
        remaining_s = SETTLE_S - change.attempt_age_s
        if isinstance(found, NotCreated) and remaining_s > 0:
            raise RetryLater("It is being looked for.", after_s=min(15.0, remaining_s), code="looking")
        return found

    def _search(self, marker):
        found = super()._search(marker)
        return None if found is None or found.made.updated > self._horizon() else found

    def _list(self, since):
        return [one for one in super()._list(since) if since is None or one.updated <= self._horizon()]

    def _write(self, known, new):
        ticket = self._visible(known.id)
        shown, before = ticket.shown, ticket.whole
        answer: TicketSnapshot = super()._write(known, new)
        after = ticket.whole
        self.writes += 1
        self.idle_writes += self._at(self.url, known) == shown and after == before.model_copy(
            update={"updated": after.updated}
        )
        self.reopened_by_us += before.done and not after.done
        self.overwritten += before.done
        return answer

    def _horizon(self) -> datetime:
        return self.clock.now() - timedelta(seconds=self.lag_s)


class SimulatedPlatform(MemoryPlatform):
    """An incident platform; `outbox` holds the events that were not acknowledged yet."""

    def __init__(self, world: World, skew: timedelta, *, tells_own_changes: bool, tells_times: bool) -> None:
        super().__init__(SkewedClock(world.clock, skew))
        self.world = world
        self.tells_own_changes = tells_own_changes
        self.tells_times = tells_times
        self.outbox: list[IncidentEvent] = []
        self.described: set[str] = set()
        self.reopened: set[str] = set()
        self.taken: list[tuple[str, str, object]] = []
        self.writes = 0
        self.idle_writes = 0

    def before(self, call):
        """Let the world have its way before a call has done anything."""
        self.world.before_the_effect(self.name)

    def after(self, call, answer):
        """Tell what was written, and let the world have its way."""
        update = call.about
        what = f"comment {update.comment.id}" if isinstance(update, AddComment) else sorted(update.fields)
        self.world.say(f"  {update.incident_id} written by the connector: {what}")
        self.world.after_the_effect(self.name)

    def tell(self, event):
        """Put an event on its way."""
        super().tell(event)
        self.outbox.append(event)

    def change(self, incident_id, **fields):
        """Change an incident as a person, and remember what cannot be compared any more."""
        if "description" in fields:
            self.described.add(incident_id)
        is_closed = self.incidents[incident_id].status is IncidentStatus.CLOSED
        if is_closed and fields.get("status") is IncidentStatus.ACTIVE:
            self.reopened.add(incident_id)
        super().change(incident_id, **fields)

    def tell_present(self):
        """Tell how every incident is now: writes of the connector may have been told of by their answers alone."""
        for name in self.incidents:
            self._tell_of(name, self._kind(name))

    def _written(self, update):
        before = self.incidents[update.incident_id]
        is_known = self.world.known_incident(update.incident_id) == before
        outcome = super()._written(update)
        after = self.incidents[update.incident_id]
        self.writes += 1
        self.idle_writes += is_known and after == before.model_copy(update={"updated_at": after.updated_at})
        values = {name: getattr(after, name) for name in ("title", "description", "priority")}
        self.taken += [(after.id, name, value) for name, value in values.items() if getattr(before, name) != value]
        return outcome
