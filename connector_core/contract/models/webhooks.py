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
    """A webhook that a plugin registered by itself: its names there, when it ends, and the id of its site."""

    ids: tuple[str, ...]
    site: str
    expires_at: AwareDatetime | None = None


T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class InboundRequest:
    """An HTTP request as it came in: header names in lower case, the body's exact bytes.

    Of a body that came compressed, `body` is what it unpacks to and `packed` what was sent; a signature may be of
    either, so plugins try each of `signable`. `token` is the one in the address, if any; `is_addressed` says that it is
    the one which only the ticketing system was told. Whoever sent it is not proven by that.
    """

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    packed: bytes | None = None
    token: SecretStr | None = None
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
    """Who may have sent a request, as it shows before it is read; nothing of that is proven.

    `is_by` says whether a secret made its signature. `is_given` says that it has one at all. `site` is the address of
    the site that it names, `part` what it names of that site, such as a project: those that are likely are tried first.
    """

    is_by: Callable[[SecretStr], bool]
    is_given: bool = True
    site: str = ""
    part: str = ""


class Delivery(Record):
    """An authenticated webhook request.

    `id` is the sender's own name for it, the same over its retries; `event` is the sender's word for what happened.
    `deleted` are the ids of tickets that it says are no longer there. `signed_by` is the position of the secret that
    signed it, and `ignored` says in one word why it shows no ticket; both are counted. `hints` are the ids of tickets
    that are to be read, since what an unsigned delivery shows of them is not believed. `commented` are the ids of
    comments that it tells of, by ticket: what they say is read. `changed_by` says who changed which field of the
    ticket, as people call them. `site` is the address of the site that it names, empty when it names none: what is of
    another site than the integration's, or of one that only looks like it, is not believed.
    """

    id: str
    event: str
    tickets: tuple[TicketSnapshot, ...] = ()
    deleted: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    commented: Mapping[str, frozenset[str]] = Field(default_factory=dict)
    changed_by: Mapping[FieldName, PersonName] = Field(default_factory=dict)
    signed_by: int | None = None
    site: str = ""
    ignored: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,40}$")] = ""
