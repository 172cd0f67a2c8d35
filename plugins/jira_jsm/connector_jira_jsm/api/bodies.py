"""Bodies of Jira's API: what is asked for and marked in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ISSUE_FIELDS = ("summary", "description", "priority", "status", "updated")
LINK_PROPERTY = "connector.link"
COMMENT_PROPERTY = "connector.comment"  # what tells our comments from others
INTERNAL_PROPERTY = "sd.public.comment"  # what Jira itself tells internal comments by

Json = Mapping[str, Any]
