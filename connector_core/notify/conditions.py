"""What somebody may want to be told: the kinds of conditions, and one condition as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a condition is about."""

    AUTHORIZATION_LOST = "authorization_lost"
    AUTHORIZATION_ENDING = "authorization_ending"
    INTEGRATION_BLOCKED = "integration_blocked"
    INCIDENTS_BLOCKED = "incidents_blocked"
    SOURCE_NOT_READ = "source_not_read"
    DELIVERIES_REFUSED = "deliveries_refused"
    BACKLOG = "backlog"
    TEST_FAILED = "test_failed"


#: Nothing is synced until somebody acts: these may pass during quiet hours.
URGENT = frozenset({Kind.AUTHORIZATION_LOST, Kind.INTEGRATION_BLOCKED, Kind.SOURCE_NOT_READ})


@dataclass(frozen=True)
class Condition:
    """Something that needs attention, as it is now.

    `integration` is which one it is about, empty for what is about the organization's source. `values` are facts for
    the sentence, such as `reason`, by name.
    """

    kind: Kind
    since: datetime
    integration: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name it among the conditions of its organization, the same for as long as it lasts."""
        return f"{self.kind}:{self.integration}"
