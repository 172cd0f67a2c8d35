"""An incident's title as Jira takes it."""

from __future__ import annotations

from connector_core import utf16_length
from connector_core.kit import texts
from connector_jira_jsm.text import cuts

LONGEST = 255  # "Summary can't exceed 255 characters." (Jira Cloud)


def fit(title: str) -> str:
    """Bring a title into one line; a long one is cut between words and ends in an ellipsis."""
    return texts.one_line(title, LONGEST, count=utf16_length, cut=cuts.TITLE)
