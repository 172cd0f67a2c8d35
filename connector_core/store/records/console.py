"""What is shown at a glance; logins, set-up links, authorizations under way, and the configuration that is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector_core.contract.models import Grant


@dataclass(frozen=True)
class Backlog:
    """The links of one integration: how many in each state, and since when each direction waits, if it does."""

    links: Mapping[str, int] = field(default_factory=dict)
    to_ticket_since: datetime | None = None
    to_incident_since: datetime | None = None
    unlinked: int = 0  #: so many of those that are paused

    @property
    def oldest_undelivered(self) -> datetime | None:
        """Return since when the oldest change waits, whichever way it is to be synced."""
        return min(filter(None, (self.to_ticket_since, self.to_incident_since)), default=None)


@dataclass(frozen=True)
class Stats:
    """Counts for `status`, readiness and metrics; `backlogs` by integration.

    `early_dropped` counts tickets that were heard of while one was being created, and turned out to be nobody's.
    """

    backlogs: Mapping[str, Backlog]
    due_lanes: int
    claimed_lanes: int
    parked_lanes: int
    oldest_due: datetime | None
    events: int
    deliveries: int
    early_dropped: int

    @property
    def unlinked(self) -> int:
        """Return how many of the links that are paused were unlinked by somebody."""
        return sum(backlog.unlinked for backlog in self.backlogs.values())

    @property
    def links(self) -> dict[str, int]:
        """Return how many links of all integrations are in each state."""
        sums: dict[str, int] = {}
        for backlog in self.backlogs.values():
            for state, count in backlog.links.items():
                sums[state] = sums.get(state, 0) + count
        return sums


@dataclass(frozen=True)
class SignedOnAs:
    """What single sign-on said of somebody when they signed in. `organizations` is None when they see all."""

    is_admin: bool
    organizations: tuple[str, ...] | None


@dataclass(frozen=True)
class Preferences:
    """What somebody chose for every page; empty is what their browser says."""

    zone: str = ""
    theme: str = ""


@dataclass(frozen=True)
class SessionRecord:
    """A session in the console; `proof` ties it to the password of its day, `form_token` goes with every change.

    `person` names whose it is for good, `user` is what they are called. `signed_on` is there after single sign-on.
    """

    user: str
    proof: str
    form_token: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    person: str = ""
    address: str = ""
    signed_on: SignedOnAs | None = None
    preferences: Preferences = Preferences()


@dataclass(frozen=True)
class Application:
    """What became of the wish that the daemon applies the configuration file.

    `wish` is the number of the latest wish that this answers. `changes` are what was applied, `restart` what only a
    start applies, each as a sentence without secrets. With a `problem` nothing was applied.
    """

    wish: int
    changes: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class SetupLink:
    """A set-up link: one step of an integration or of an organization's source, for someone without an account, once.

    `name` is that of the integration, or of the organization whose source it is. `id` tells it from others; nothing of
    its token can be found by that. What was revoked is used up too, for the eyes of an earlier version.
    """

    name: str
    step: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    of_source: bool = False
    revoked_at: datetime | None = None
    id: str = ""


class Begun(StrEnum):
    """Where an authorization was begun: it ends there too."""

    CONSOLE = "console"
    SETUP_LINK = "setup_link"
    TERMINAL = "terminal"


@dataclass(frozen=True)
class Authorization:
    """Somebody who was sent to authorize an integration; `key` is the hash of the state that they have to bring back.

    After `returned_at` the state is used up. Then there is a `grant` that waits to be seen, or a `problem`, a sentence.
    """

    key: str
    integration_id: str
    callback_url: str
    begun_by: Begun
    expires_at: datetime
    returned_at: datetime | None = None
    problem: str = ""
    grant: Grant | None = None
