"""The delivery log: what came in, what was called, and what was fed in again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Way(StrEnum):
    """Which way something went: in to us, or out to a vendor."""

    IN = "in"
    OUT = "out"


class Result(StrEnum):
    """What came of it: the first five of what came in, the next three of calls."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REFUSED = "refused"
    PUT_OFF = "put_off"
    """It could not be stored at that moment; the sender was told to try again."""
    ANSWERED = "answered"
    FAILED = "failed"
    """The answer was an error."""
    NO_ANSWER = "no_answer"
    OMITTED = "omitted"
    """Stands for several of which nothing was kept, because too many came at once; `facts` say how many."""


@dataclass(frozen=True)
class NewEntry:
    """One delivery, or one call, as it is to be logged.

    Of calls `client` is empty. Of what came in `about` are the ids of its incidents and tickets, a line each, and
    `tickets` and `incidents` find the links. The organization is empty while nobody knows whose it is: such an entry is
    shown only to those who see everything. `size` is that of the body in bytes, `took_ms` in milliseconds.
    """

    at: datetime
    way: Way
    kind: str
    result: Result
    organization: str = ""
    integration_id: str = ""
    client: str = ""
    method: str = ""
    #: Host and path of a call, with the values of its query masked; the path of what came in.
    address: str = ""
    #: Why, where it was refused or ignored; in short, of a call the error's code.
    code: str = ""
    status: int | None = None
    took_ms: int = 0
    size: int = 0
    #: Of a call for a link: 1 for the first try, 2 after one failure.
    attempt: int = 0
    event: str = ""
    about: str = ""
    link_id: int | None = None
    tickets: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: What is kept of headers and bodies: sealed JSON.
    payload: bytes | None = None


@dataclass(frozen=True)
class Logged:
    """An entry of the log."""

    id: int
    at: datetime
    way: Way
    kind: str
    result: Result
    organization: str
    integration_id: str
    client: str
    method: str
    address: str
    code: str
    status: int | None
    took_ms: int
    size: int
    attempt: int
    event: str
    about: str
    link_id: int | None
    facts: Mapping[str, Any]
    has_payload: bool
    is_sample: bool

    @property
    def can_replay(self) -> bool:
        """Return whether it may be fed in again: it was verified when it came, and what it said is still kept."""
        return self.has_payload and bool(self.facts.get("read"))


@dataclass(frozen=True)
class LoggedFilter:
    """Which entries are meant; None and empty are no condition. `organizations` are those that may be seen."""

    organizations: Collection[str] | None = None
    way: Way | None = None
    integration_id: str | None = None
    organization: str | None = None
    result: Result | None = None
    #: `2`, `4` and so on for 2xx and 4xx, or a whole status.
    status: int | None = None
    link_id: int | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    only_samples: bool = False
    only_read: bool = False
    """Only what can be fed in again."""
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True)
class LoggedPage:
    """Some entries, the latest first; `searched_to` is where one may go on to search, None when all was searched."""

    entries: Sequence[Logged]
    searched_to: int | None = None


@dataclass(frozen=True)
class Replay:
    """Deliveries that are fed in again; `organizations` are those of whoever began it, None for all of them.

    It ended when `ended_at` is set; `outcome` then says how, in one word: `done`, `stopped` or `gone`.
    """

    id: int
    organizations: Sequence[str] | None
    wanted: Mapping[str, Any]
    started_by: str
    started_at: datetime
    total: int
    newest: int
    reached: int = 0
    accepted: int = 0
    ignored: int = 0
    failed: int = 0
    ended_at: datetime | None = None
    outcome: str = ""
    #: How often each reason was met for which something was ignored or failed.
    why: Mapping[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Return how many were fed in."""
        return self.accepted + self.ignored + self.failed
