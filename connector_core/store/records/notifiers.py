"""Notifiers, and how sending fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr


@dataclass(frozen=True)
class NotifierRecord:
    """A notifier that was made in set-up: its settings as the file would have them, and apart from them its secrets.

    `has_unreadable` says that it has secrets which no key opens.
    """

    organization: str
    name: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, SecretStr]
    created_at: datetime
    has_unreadable: bool = False


@dataclass(frozen=True)
class Sending:
    """How sending by a notifier fares.

    `code`, `reason` and `fix` are of the last failure, empty while it works; `failing_since` and `failures` count from
    the first in a row. `next_try` is when the next attempt may be made.
    """

    organization: str
    name: str
    looked_at: datetime
    tried_at: datetime | None = None
    worked_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    next_try: datetime | None = None
    code: str = ""
    reason: str = ""
    fix: str = ""
