"""Integrations, and what was found when they were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from connector_core.contract.comment_rules import CommentRules
from connector_core.contract.merge import Rules
from connector_core.contract.models import Finding, Severity, Site

#: Problems of an integration that the store itself writes down.
NEEDS_AUTHORIZATION = "authorization_needed"
SECRETS_UNREADABLE = "secrets_unreadable"


class IntegrationState(StrEnum):
    """Whether an integration takes part."""

    DRAFT = "draft"
    ACTIVE = "active"
    DISABLED = "disabled"


class Origin(StrEnum):
    """Where an integration is written down."""

    YAML = "yaml"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class IntegrationRecord:
    """One integration: its answers (raw settings), its secrets, and what stands in its way, if anything.

    `problem_code` and `problem` say why it cannot work at present ("authorization_needed"), empty when it can.
    `activated_at` is the moment of the first activation: incidents opened before it are not its own.
    `active_since` is that of the latest one. `rules` are those fields' rules that differ from the default, `comments`
    says which comments are synced. `draft` are answers that are not in effect yet, all of them, while a change is made.
    `site` is the one that the present authorization is for; it is stored with that.
    `test_at` is when a test incident is sent by itself, each day: a time like 03:30, in UTC; empty for never.
    `has_unreadable` says that it has secrets which no key opens: they are none, and stay until others are given.
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
    site: Site | None = None
    has_unreadable: bool = False
    test_at: str = ""
    #: What people call it, nothing where that is its id.
    name: str = ""

    @property
    def title(self) -> str:
        """What people read for it."""
        return self.name or self.id

    def with_draft(self) -> IntegrationRecord:
        """Return it with the answers given so far: those of a draft go before those in effect."""
        return self if self.draft is None else replace(self, answers=self.draft)


@dataclass(frozen=True)
class Changes:
    """What changed up to a version: the integrations as they are now, and how many there are in all."""

    version: int
    changed: Sequence[IntegrationRecord]
    count: int


@dataclass(frozen=True)
class Target:
    """An active integration that incident events go to."""

    integration_id: str
    link_settings: Mapping[str, Any]
    activated_at: datetime


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
