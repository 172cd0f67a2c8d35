"""The audit log: who did what, from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Via(StrEnum):
    """From where someone acts."""

    CONSOLE = "console"
    SIGN_ON = "console, by single sign-on"
    TERMINAL = "terminal"
    SETUP_LINK = "setup link"
    FILE = "configuration file"


class Subject(StrEnum):
    """What an act is about."""

    INTEGRATION = "integration"
    SOURCE = "source"
    NOTIFIER = "notifier"
    ROUTING = "routing"
    LINK = "link"
    SESSION = "session"
    DELIVERY = "delivery"
    REPLAY = "replay"
    ORGANIZATION = "organization"
    INCIDENT = "incident"


class Act(StrEnum):
    """What someone did."""

    CREATED = "created"
    CHANGED = "changed"
    ACTIVATED = "activated"
    DISABLED = "disabled"
    REMOVED = "removed"
    AUTHORIZED = "authorized"
    RESET = "reset"
    RETRIED = "retried"
    DISCARDED = "discarded"
    UNLINKED = "unlinked"
    RECREATED = "recreated"
    DECIDED = "decided"
    SENT = "sent"
    SHARED = "shared"
    REVOKED = "revoked a setup link of"
    STARTED = "started"
    STOPPED = "stopped"
    KEPT = "kept"
    RELEASED = "released"
    TESTED = "tested"
    SETTINGS_APPLIED = "applied settings to open incidents of"
    SETTINGS_UNDONE = "took back settings from open incidents of"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    LINKED = "linked"


@dataclass(frozen=True)
class Actor:
    """Who acts, from where, and when they began."""

    name: str
    via: Via
    at: datetime


@dataclass(frozen=True)
class About:
    """What an act is about; the organization is empty for what is of none, such as a login."""

    subject: Subject
    name: str
    organization: str = ""


@dataclass(frozen=True)
class AuditEntry:
    """One act.

    `changes` are the values before and after, by name; of a secret only whether there is one, and that it is another.
    """

    id: int
    by: Actor
    act: Act
    about: About
    changes: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditFilter:
    """Which acts are meant; what is left out is no condition. `before` is the id of an entry: those of earlier."""

    organizations: Sequence[str] | None = None
    subject: Subject | None = None
    name: str | None = None
    by: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


class Overtaken(Exception):
    """Someone else changed what is to be overwritten since it was looked at; nothing was stored.

    It is not of the connector's tree: whoever catches those shows what went wrong, and here nothing did. `entries` are
    their changes, `mine` what was to be written, `secrets` the names of what is secret in it.
    """

    def __init__(
        self,
        entries: Sequence[AuditEntry],
        mine: Mapping[str, tuple[str | None, str | None]],
        secrets: frozenset[str],
    ) -> None:
        super().__init__("Someone else changed this meanwhile.")
        self.entries = tuple(entries)
        self.mine = mine
        self.secrets = secrets
