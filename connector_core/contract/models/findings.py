"""What was found when something was tried."""

from __future__ import annotations

from enum import StrEnum

from connector_core.contract.models.record import Record


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(Record):
    """One thing that was checked: what was tried, what it showed, what to do."""

    code: str
    severity: Severity
    title: str
    detail: str = ""
    fix: str = ""
