"""Webhooks: what comes in, and what a plugin registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, Field, SecretStr, StringConstraints

from connector_core.contract.models.incidents import FieldName
from connector_core.contract.models.record import Record
from connector_core.contract.models.tickets import PersonName, TicketSnapshot


class HookRegistration(Record):
    """A webhook that a plugin registered by itself."""

    #: What the other side calls it, or its parts.
    ids: tuple[str, ...]
    #: The id of the site where it is.
    site: str
    #: When it ends unless it is renewed; None when it does not end.
    expires_at: AwareDatetime | None = None


T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class InboundRequest:
    """An HTTP request as it came in; whoever sent it is not proven."""

    #: By names in lower case.
    headers: Mapping[str, str]
    #: Its exact bytes; of one that came compressed, what it unpacks to.
    body: bytes
    #: When it came, by our clock.
    received_at: datetime
    #: What was sent of a body that came compressed; a signature may be of either, so plugins try each of `signable`.
    packed: bytes | None = None
    #: The one in the address, if any.
    token: SecretStr | None = None
    #: The token is the one which only the ticketing system was told.
    is_addressed: bool = False
    _made: dict[Callable[[InboundRequest], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def bare(self) -> bytes:
        """The body without a byte order mark."""
        return self.body.removeprefix(BYTE_ORDER_MARK)

    @cached_property
    def signable(self) -> tuple[bytes, ...]:
        """The forms of the body that its sender may have signed: as it is, compressed, without a byte order mark."""
        others = ([] if self.packed is None else [self.packed]) + ([] if self.bare is self.body else [self.bare])
        return (self.body, *others)

    def once(self, work: Callable[[InboundRequest], T]) -> T:
        """Return what a function makes of the request; it is called once, by whoever reads the request first."""
        if work not in self._made:
            self._made[work] = work(self)
        made: T = self._made[work]
        return made


@dataclass(frozen=True)
class Signature:
    """Who may have sent a request, as it shows before it is read; nothing of that is proven."""

    #: Says whether a secret made its signature; compares in constant time.
    is_by: Callable[[SecretStr], bool]
    #: It has a signature at all.
    is_given: bool = True
    #: The address of the site that it names, empty when it names none: those that are likely are tried first.
    site: str = ""
    #: What it names of that site, such as a project.
    part: str = ""


class Delivery(Record):
    """An authenticated webhook request."""

    #: The sender's own name for it, the same over its retries.
    id: str
    #: The sender's word for what happened.
    event: str
    #: The tickets that it shows, as they are now: believed where the delivery is signed and their times are an order
    #: (`PluginInfo.times_are_exact`), which saves a call; else read as `hints` are.
    tickets: tuple[TicketSnapshot, ...] = ()
    #: The ids of tickets that it says are no longer there.
    deleted: frozenset[str] = frozenset()
    #: The ids of tickets that are to be read. That is the normal way: whatever comes late, twice or out of order
    #: reverts nothing, several deliveries are one read, and the timeline names `event` and `changed_by` all the same.
    hints: frozenset[str] = frozenset()
    #: The ids of comments that it tells of, by ticket: what they say is read.
    commented: Mapping[str, frozenset[str]] = Field(default_factory=dict)
    #: Who changed which field of the ticket, as people call them.
    changed_by: Mapping[FieldName, PersonName] = Field(default_factory=dict)
    #: The position of the secret that signed it, in `Integration.webhook_secrets`; counted.
    signed_by: int | None = None
    #: The address of the site that it names, empty when it names none: what is of another site than the integration's,
    #: or of one that only looks like it, is not believed.
    site: str = ""
    #: Why it shows no ticket, in one word of small letters; counted.
    ignored: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,40}$")] = ""
