"""What was found when something was tried."""

from __future__ import annotations

from enum import StrEnum

from connector_core.contract.advice import Advice
from connector_core.contract.models.record import Record


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


#: The code of what could not be tried, since the other side did not answer: it says nothing of the integration.
NOT_CHECKED = "not_checked"


class Finding(Record):
    """One thing that was checked."""

    #: Names what was tried; stable, and searched for.
    code: str
    #: How much it matters.
    severity: Severity
    #: What it showed, as a heading.
    title: str
    #: What it showed, in sentences; empty when the title says it.
    detail: str = ""
    #: What to do about it in another system, in sentences; empty when there is nothing to do.
    fix: str = ""
    #: What to do about it in the product: a terminal says it as a command, a page as a link.
    advice: Advice | None = None
