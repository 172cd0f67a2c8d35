"""What a group of tests needs beside Python packages, for its fixtures; `tools/need.py` finds or gets it beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.need import NEEDS, is_required


class LeftOut(pytest.skip.Exception):  # type: ignore[misc, name-defined]  # an attribute
    """A test is skipped, since what its group needs cannot be had."""

    def __init__(self, group: str) -> None:
        super().__init__(f"left out, for it is not to be had here. {NEEDS[group].advice}")
        self.group = group


def require(group: str) -> Path:
    """Return where something is; else the test is left out with its group, or fails where all have to run."""
    found = NEEDS[group].find()
    if found is not None:
        return found
    if is_required(group):
        pytest.fail(f"{group}: required and not to be had here. {NEEDS[group].advice}", pytrace=False)
    raise LeftOut(group)


def fold(report: pytest.TestReport, call: pytest.CallInfo[Any]) -> pytest.TestReport:
    """Let a group that is left out be one line of the summary: pytest folds what has one place and one reason."""
    if call.excinfo is not None and isinstance(call.excinfo.value, LeftOut):
        # No line of a file: a group has none.
        report.longrepr = (call.excinfo.value.group, None, str(call.excinfo.value))  # type: ignore[assignment]
    return report
