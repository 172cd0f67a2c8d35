"""A finding as a page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector_core.contract.models import Finding
from connector_core.web.console.wizard_steps import Mark
from connector_core.words.advice import Way, for_browser


@dataclass(frozen=True)
class Checked:
    """A finding with what to do about it, and the step that settles it."""

    finding: Finding
    fix: str
    step: Mark | None

    @property
    def ways(self) -> Sequence[Way]:
        """Where to go for it, where that is no step."""
        advice = self.finding.advice
        return () if advice is None else for_browser((advice,))
