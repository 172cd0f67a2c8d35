"""Lanes, and the circuit breakers that they wait for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType


@dataclass(frozen=True)
class Claim:
    """The right to work on one lane, until it is released; `wakes` tells what had been seen when it was claimed.

    `calling_until` is until when a write of a node that ended in the middle of it may still arrive.
    """

    link_id: int
    integration_id: str
    organization: str
    boot: str
    fence: int
    wakes: int
    calling_until: datetime | None = None


NOTHING_RUNS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Rest:
    """How a lane is given back: due at a time, parked on a breaker, or at rest until it is woken.

    It may have been already, with what the last step achieved.
    """

    due: datetime | None = None
    breaker: str | None = None
    is_given_back: bool = False


@dataclass(frozen=True)
class Breaker:
    """A tripped circuit breaker: what does not work, why, since when, and when it is tried again.

    `failures` counts the tries since it tripped; `needs_person` tells that waiting alone will not mend it; `parked` is
    the number of lanes that wait for it.
    """

    key: str
    code: str
    reason: str
    fix: str
    since: datetime
    until: datetime
    failures: int = 0
    needs_person: bool = False
    parked: int = 0
