"""The rows of the store as values, in the words of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from connector_core.comment_rules import CommentRules
from connector_core.merge import Agreed, Rules, Side
from connector_core.models import (
    Absence,
    AbsenceKind,
    FieldName,
    Finding,
    HookRegistration,
    Incident,
    Severity,
    TicketComment,
    TicketSnapshot,
)


class IntegrationState(StrEnum):
    """Whether an integration takes part."""

    DRAFT = "draft"
    ACTIVE = "active"
    DISABLED = "disabled"


class Origin(StrEnum):
    """Where an integration is written down."""

    YAML = "yaml"
    SETUP = "setup"


@dataclass(frozen=True)
class IntegrationRecord:
    """One integration: its answers (raw settings), its secrets, and what stands in its way, if anything.

    `problem_code` and `problem` say why it cannot work at present ("authorization_needed"), empty when it can.
    `activated_at` is the moment of the first activation: incidents opened before it are not its own.
    `active_since` is that of the latest one. `rules` are those fields' rules that differ from the default, `comments`
    says which comments travel. `draft` are answers that are not in effect yet, all of them, while a change is made.
    """

    id: str
    organization: str
    plugin: str
    origin: Origin
    state: IntegrationState
    answers: Mapping[str, Any]
    secret_answers: Mapping[str, SecretStr]
    webhook_secrets: tuple[SecretStr, ...]
    created_at: datetime
    activated_at: datetime | None = None
    active_since: datetime | None = None
    problem_code: str = ""
    problem: str = ""
    last_delivery_at: datetime | None = None
    rules: Rules = field(default_factory=dict)
    comments: CommentRules = field(default_factory=CommentRules)
    draft: Mapping[str, Any] | None = None


DISCARDED = "discarded"
DISCARDED_REASON = "A person gave this one up; it is not tried any more."
UNLINKED_REASON = "A person unlinked the two; nothing is carried between them any more."
RECREATED_REASON = "A person asked for a new ticket in place of the one that is not there."
RESUMED = "resumed"
LONGEST_ID = 255
DAMAGE_FIX = "Stop the daemon and restore a backup; see docs/operations.md."
GONE_REASON = "The ticket was deleted, archived, or is hidden from our account."
GONE_FIX = "Restore it or give our account access to it, then retry."
UNREADABLE_FIX = "See what is wrong with: connector doctor. It is read again by itself."
MOVED = "ticket_moved"
REPLACEABLE = frozenset({*AbsenceKind, "moved_unfit"})  # codes of tickets in whose place a new one may be made
UNEXPLAINED = Absence(kind=AbsenceKind.GONE, reason=GONE_REASON, fix=GONE_FIX)


def choices(link_id: int) -> str:
    """Say what a person can do about a ticket that is not there, or not where it was."""
    return (
        f"Choose: connector recreate {link_id} (a new ticket), connector unlink {link_id},"
        f" or connector discard {link_id} --yes (stop)."
    )


class LinkState(StrEnum):
    """Where a link stands.

    Waiting: it will be tried again by itself. Blocked: a person has to mend something. Conflict: a person has to choose
    a value. Paused: a person or a guard stopped it. Gone: the ticket is no longer there.
    """

    IN_SYNC = "in_sync"
    WAITING = "waiting"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    PAUSED = "paused"
    GONE = "gone"


@dataclass(frozen=True)
class LinkStatus:
    """Where a link stands, why, since when, what happens next and what a person can do."""

    state: LinkState
    code: str = ""
    reason: str = ""
    fix: str = ""
    since: datetime | None = None
    next_try: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Link:
    """Incident and ticket under one integration.

    `settings` are the plugin's link settings as they were when the link was made. `attempted_at` is set while a create
    may have worked without our knowing, `attempted_incident` is what it carried. `to_ticket_since` and
    `to_incident_since` tell since when a change waits to be carried, None when none does. `breaker` is what the link is
    parked on: its status is then the breaker's. `hints` counts deliveries whose word is not enough: the ticket is to be
    read. `comment_looks` counts what told of new comments on the ticket: they are to be read. `comments_at` is the
    ticket's time of change when they last were.
    """

    id: int
    organization: str
    integration_id: str
    incident_id: str
    marker: str
    settings: Mapping[str, Any]
    status: LinkStatus
    created_at: datetime
    incident: Incident
    incident_at: datetime
    ticket: TicketSnapshot | None = None
    base: Mapping[FieldName, Agreed] = field(default_factory=dict)
    attempted_at: datetime | None = None
    attempted_incident: Incident | None = None
    to_ticket_since: datetime | None = None
    to_incident_since: datetime | None = None
    breaker: str | None = None
    hints: int = 0
    comment_looks: int = 0
    comments_at: datetime | None = None

    @property
    def ticket_only(self) -> dict[FieldName, str]:
        """Return the fields whose value the platform could not take, and why: it is on the ticket only."""
        return {name: agreed.ticket_only for name, agreed in self.base.items() if agreed.ticket_only}


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that was seen, decided or written. `side` is where it happened: incident, ticket or connector."""

    kind: str
    side: str
    text: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


class CommentState(StrEnum):
    """What became of a comment.

    Left: it was not to be carried. Refused: the other side cannot take it. Own: a connector had written it. Discarded:
    a person gave it up.
    """

    WAITING = "waiting"
    WRITTEN = "written"
    REFUSED = "refused"
    LEFT = "left"
    OWN = "own"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class StoredComment:
    """A comment that waits to be carried from its side to the other.

    `marker` goes with it. `attempted_at` is set while a write may have worked without our knowing.
    """

    id: int
    side: Side
    their_id: str
    author: str
    text: str
    internal: bool
    created_at: datetime
    marker: str
    attempted_at: datetime | None = None


@dataclass(frozen=True)
class CommentStep:
    """How far the carrying of one comment came; with a `state` it has come to its end."""

    comment_id: int
    state: CommentState | None = None
    written_id: str | None = None
    attempted_at: datetime | None = None
    attempt_settled: bool = False


@dataclass(frozen=True)
class CommentsSeen:
    """What was read of a ticket's comments, `looks` being those that asked for it.

    What was written before `since` does not count. `ticket_updated` is what was known then of when the ticket changed.
    """

    comments: tuple[TicketComment, ...]
    since: datetime
    with_internal: bool
    looks: int
    ticket_updated: datetime | None


def platform_name(integration_id: str, ticket_comment: str) -> str:
    """Name a ticket's comment for the platform, which may have tickets of several integrations."""
    return f"{integration_id}:{ticket_comment}"[:LONGEST_ID]


@dataclass(frozen=True)
class OurWrite:
    """What we wrote to an incident: by field, the value that was there and the new one.

    `at` is the platform's own time of it, None when it did not tell.
    """

    fields: Mapping[FieldName, tuple[str | None, str | None]]
    at: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """What one step of a lane achieved; everything in it is stored in one transaction.

    None leaves a thing as it is. `written` is what we wrote to the incident, `ticket` the ticket as a receipt showed;
    neither replaces something newer that arrived meanwhile. `base` holds the fields that were agreed on anew. `settled`
    says that nothing waits any more, unless the lane was woken since it was claimed. `hints` and `comment_looks` are
    those that were followed. `comment` is how far one came, `seen` what was read of the ticket's.
    """

    status: LinkStatus | None = None
    ticket: TicketSnapshot | None = None
    base: Mapping[FieldName, Agreed] | None = None
    written: OurWrite | None = None
    attempted_at: datetime | None = None
    attempted_incident: Incident | None = None
    attempt_settled: bool = False
    settled: bool = False
    hints: int = 0
    comment_looks: int = 0
    comment: CommentStep | None = None
    seen: CommentsSeen | None = None
    entries: tuple[TimelineEntry, ...] = ()


SIGNED = "signed:"
IGNORED = "ignored:"
REFUSED = "refused:"
MISSED = "missed"


@dataclass(frozen=True)
class HookFact:
    """How often something was so of a webhook, and when last."""

    count: int
    last_at: datetime


@dataclass(frozen=True)
class OwnHook:
    """A webhook that a plugin registered by itself, and what stands in its way, if anything does."""

    registration: HookRegistration | None = None
    problem: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Claim:
    """The right to work on one lane, until it is released; `wakes` tells what had been seen when it was claimed."""

    link_id: int
    integration_id: str
    boot: str
    fence: int
    wakes: int


NOTHING_RUNS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Rest:
    """How a lane is given back: due at a time, parked on a breaker, or at rest until it is woken."""

    due: datetime | None = None
    breaker: str | None = None


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


@dataclass(frozen=True)
class Target:
    """An active integration that incident events go to."""

    integration_id: str
    link_settings: Mapping[str, Any]
    activated_at: datetime


@dataclass(frozen=True)
class OpenTickets:
    """Tickets that are not over on both sides and were made with the same link settings, and where they live."""

    settings: Mapping[str, Any]
    ids: frozenset[str]
    places: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Holders:
    """Which integrations have a ticket, and which have a create under way that is not answered yet."""

    linked: frozenset[str] = frozenset()
    creating: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Accepted:
    """What became of an accepted request: how much of it was new, known already, or of no concern to us.

    `outcomes` says it for each event, in their order.
    """

    new: int = 0
    duplicate: int = 0
    ignored: int = 0
    outcomes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Checkup:
    """What was found when everything that an integration needs was tried, and when that was."""

    integration_id: str
    at: datetime
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> frozenset[str]:
        """The titles of what stood in the way."""
        return frozenset(one.title for one in self.findings if one.severity is Severity.PROBLEM)


@dataclass(frozen=True)
class Run:
    """One run of the scheduler for one integration."""

    integration_id: str
    kind: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    seen: int = 0
    changed: int = 0
    detail: str = ""


@dataclass(frozen=True)
class SourceRecord:
    """The source of an organization as it was made in set-up: its answers (raw settings) and its secrets."""

    organization: str
    plugin: str
    answers: Mapping[str, Any]
    secret_answers: Mapping[str, SecretStr]
    created_at: datetime

    @property
    def id(self) -> str:
        """The name that its set-up knows it by."""
        return self.organization

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """No secrets: a source has no webhook of a ticketing system."""
        return ()


@dataclass(frozen=True)
class SourceState:
    """How the last look at a polled source ended, and since when looks end like this.

    `outcome` is "ok" or an error's code. `worked_at` is when a look last worked; `open_incidents`, `account_name` and
    `findings` are what it showed.
    """

    organization: str
    plugin: str
    looked_at: datetime
    outcome: str
    since: datetime
    worked_at: datetime | None = None
    reason: str = ""
    fix: str = ""
    open_incidents: int | None = None
    account_name: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Backlog:
    """The links of one integration: how many in each state, and since when each direction waits, if it does."""

    links: Mapping[str, int] = field(default_factory=dict)
    to_ticket_since: datetime | None = None
    to_incident_since: datetime | None = None

    @property
    def oldest_undelivered(self) -> datetime | None:
        """Return since when the oldest change waits, whichever way it is to be carried."""
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
    def links(self) -> dict[str, int]:
        """Return how many links of all integrations are in each state."""
        sums: dict[str, int] = {}
        for backlog in self.backlogs.values():
            for state, count in backlog.links.items():
                sums[state] = sums.get(state, 0) + count
        return sums


@dataclass(frozen=True)
class SessionRecord:
    """A login to the console; `proof` ties it to the password of its day, `form_token` goes with every change."""

    user: str
    proof: str
    form_token: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Application:
    """What became of the wish that the daemon takes over the configuration file.

    `wish` is the number of the latest wish that this answers. `changes` are what was taken over, `restart` what only a
    start takes over, each as a sentence without secrets. With a `problem` nothing was taken over.
    """

    wish: int
    changes: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Handover:
    """A set-up link: one step of an integration or of an organization's source, for somebody without a login, once.

    `name` is that of the integration, or of the organization whose source it is.
    """

    name: str
    step: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    of_source: bool = False


@dataclass(frozen=True)
class OpenLinks:
    """How many links that are not over on both sides were made with these settings."""

    settings: Mapping[str, Any]
    count: int


@dataclass(frozen=True)
class LinkFilter:
    """Which links are wanted. None means any; `text` is an id or key, or part of a title."""

    organizations: frozenset[str] | None = None
    integration_id: str | None = None
    states: frozenset[str] = frozenset()
    text: str = ""
    limit: int = 50
    offset: int = 0
