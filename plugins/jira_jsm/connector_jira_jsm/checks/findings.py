"""How a check says what it found, and the places in Jira that its advice leads to."""

from __future__ import annotations

from connector_core import Finding, Severity
from connector_jira_jsm.text import wiki

PERMISSIONS_PAGE = "In Jira: Project settings > Permissions (or People > add the account as Service Desk Team)."
FORM_PAGE = "In Jira: Project settings > Request types > the request type."
WORKFLOW_PAGE = "In Jira: Project settings > Workflows."
PRIORITIES_PAGE = "In Jira: Project settings > Priorities."
FIELDS_PAGE = "In Jira: Project settings > Fields."
SCREENS_PAGE = "In Jira: Project settings > Screens."
CONSOLE_PAGE = "In the developer console: the app > Permissions; then authorize again."


def ok(code: str, title: str, detail: str = "") -> Finding:
    """Return a finding that something is as it should be."""
    return Finding(code=code, severity=Severity.OK, title=wiki.clean(title), detail=wiki.clean(detail))


def warning(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    """Return a finding that something works, but not fully."""
    shown = {"title": wiki.clean(title), "detail": wiki.clean(detail), "fix": fix}
    return Finding(code=code, severity=Severity.WARNING, **shown)


def problem(code: str, title: str, detail: str = "", fix: str = "") -> Finding:
    """Return a finding that something would fail."""
    shown = {"title": wiki.clean(title), "detail": wiki.clean(detail), "fix": fix}
    return Finding(code=code, severity=Severity.PROBLEM, **shown)
