"""How findings are shown in a listing."""

from __future__ import annotations

from collections.abc import Sequence

from connector_core.cli.output import print_rows
from connector_core.contract.models import Finding, Severity
from connector_core.words.advice import fix_in_terminal


def print_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was tried and what it showed."""
    rows = [
        {
            "result": finding.severity.value,
            "what": finding.title,
            "detail": finding.detail,
            "fix": fix_in_terminal(finding) if finding.severity is not Severity.OK else "",
        }
        for finding in findings
    ]
    print_rows(rows, as_json=as_json, empty="There was nothing to check.")
