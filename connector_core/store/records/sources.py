"""Incident sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from connector_core.contract.models import Finding


@dataclass(frozen=True)
class SourceRecord:
    """The source of an organization as it was made in set-up: its answers (raw settings) and its secrets.

    `has_unreadable` says that it has secrets which no key opens: they are none, and stay until others are given.
    """

    organization: str
    plugin: str
    answers: Mapping[str, Any]
    secret_answers: Mapping[str, SecretStr]
    created_at: datetime
    has_unreadable: bool = False

    @property
    def id(self) -> str:
        """The name that its set-up knows it by."""
        return self.organization

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """No secrets: a source has no webhook of a ticketing system."""
        return ()


@dataclass(frozen=True)
class Reading:
    """From where a source is read: its plugin, how far that was read, and a digest of the source itself.

    What is stored of a look counts only if nothing of this has changed meanwhile.
    """

    plugin: str
    cursor: str | None
    made: str


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
