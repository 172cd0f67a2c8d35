"""A finding as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from connector_core.contract.models import Finding
from connector_core.web.console.wizard_steps import Mark


@dataclass(frozen=True)
class Checked:
    """A finding with what to do about it, and the step that settles it."""

    finding: Finding
    fix: str
    step: Mark | None
