"""What stands where a text was cut; by itself, for what writes texts is slow to load."""

from __future__ import annotations

TITLE = "\N{HORIZONTAL ELLIPSIS}"
DESCRIPTION = "(The text was cut here: it is longer than Jira takes.)"
