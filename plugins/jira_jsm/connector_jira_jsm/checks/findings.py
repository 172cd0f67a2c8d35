"""The places in Jira that the advice of checks leads to."""

from __future__ import annotations

PERMISSIONS_PAGE = "In Jira: Project settings > Permissions (or People > add the account as Service Desk Team)."
FORM_PAGE = "In Jira: Project settings > Request types > the request type."
WORKFLOW_PAGE = "In Jira: Project settings > Workflows."
PRIORITIES_PAGE = "In Jira: Project settings > Priorities."
FIELDS_PAGE = "In Jira: Project settings > Fields."
SCREENS_PAGE = "In Jira: Project settings > Screens."
CONSOLE_PAGE = "In the developer console: the app > Permissions; then authorize again."
