"""Bodies of Jira's API: what is asked for and marked in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector_core.kit.values import Json, as_objects

ISSUE_FIELDS = ("summary", "description", "priority", "status", "updated")
LINK_PROPERTY = "connector.link"
COMMENT_PROPERTY = "connector.comment"  # what tells our comments from others
INTERNAL_PROPERTY = "sd.public.comment"  # what Jira itself tells internal comments by


def noted(note: Json | None) -> dict[str, Any]:
    """Return our note as it is sent with a write."""
    return {"properties": [{"key": LINK_PROPERTY, "value": note}]} if note else {}


def warned(lists: Iterable[object]) -> str:
    """Return the kinds of warnings that the pages of a search came with; of those without a known form that they are.

    Experimental at Atlassian: they may be absent, empty, or of another shape.
    """
    kinds = {str(one.get("type") or "unknown")[:60] for warnings in lists for one in as_objects(warnings)}
    return ", ".join(sorted(kinds)) or "unknown"
