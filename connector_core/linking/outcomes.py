"""What somebody wants linked, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connector_core.contract.field_values import incident_value, ticket_value
from connector_core.contract.merge import Agreed, Base, Side, agreed_at_creation
from connector_core.contract.models import FieldName, Incident, TicketSnapshot

#: Of what somebody typed or a table holds.
LONGEST_NAME = 500


@dataclass(frozen=True)
class Wanted:
    """An incident and the ticket that somebody wants linked with it; `row` is where that stands in a table."""

    incident: str
    #: A key, an id or an address.
    ticket: str
    integration: str = ""
    organization: str = ""
    row: int = 1


class Outcome(StrEnum):
    """What came of it, as people read it."""

    LINKED = "linked"
    WOULD_LINK = "would be linked"
    KNOWN = "linked already"
    DUPLICATE = "named twice"
    INVALID = "not readable"
    INCIDENT_UNKNOWN = "unknown incident"
    ORGANIZATION_NEEDED = "organization needed"
    INTEGRATION_UNKNOWN = "unknown integration"
    INTEGRATION_NEEDED = "integration needed"
    HAS_TICKET = "incident has a ticket"
    TICKET_UNKNOWN = "unknown ticket"
    TICKET_UNREADABLE = "unreadable ticket"
    TAKEN = "ticket of another incident"
    FINISHED = "ticket is done"
    BUSY = "being created"
    FAILED = "failed"

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to do."""
        return self in {Outcome.LINKED, Outcome.WOULD_LINK, Outcome.KNOWN}


@dataclass(frozen=True)
class Difference:
    """A field in which incident and ticket differ, and what syncing would do about it."""

    field: FieldName
    incident: str | None
    ticket: str | None
    remedy: str


@dataclass(frozen=True)
class Linked:
    """What came of one wish; nothing more is known than was found out until it was refused."""

    wanted: Wanted
    outcome: Outcome
    detail: str = ""
    organization: str = ""
    integration: str = ""
    ticket: TicketSnapshot | None = None
    differences: Sequence[Difference] = ()


def agreed_at_linking(incident: Incident, ticket: TicketSnapshot) -> Base:
    """Return what both sides agree on when they are linked by hand: nothing is known of before.

    Each field that differs counts as changed on both sides, so its rule says who wins. But a side that has nothing
    there never said anything: what the other one has is not cleared. Both were open once: a ticket that is done closes
    its incident, and one whose incident is over is closed.
    """
    base: dict[FieldName, Agreed] = dict(agreed_at_creation(incident, ticket))
    for name in (FieldName.TITLE, FieldName.DESCRIPTION, FieldName.PRIORITY):
        values = {Side.INCIDENT: incident_value(incident, name), Side.TICKET: ticket_value(ticket, name)}
        lost = tuple(side for side, value in values.items() if value)
        base[name] = base[name].model_copy(update={"lost": lost})
    return base
