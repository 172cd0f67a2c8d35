"""Bodies of Jira's API: what is asked for and marked in them, and their parts as they are read, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connector_core import RetryLater

ISSUE_FIELDS = ("summary", "description", "priority", "status", "updated")
LINK_PROPERTY = "connector.link"
COMMENT_PROPERTY = "connector.comment"  # what tells our comments from others
INTERNAL_PROPERTY = "sd.public.comment"  # what Jira itself tells internal comments by

Json = Mapping[str, Any]


def noted(note: Json | None) -> dict[str, Any]:
    """Return our note as it is sent with a write."""
    return {"properties": [{"key": LINK_PROPERTY, "value": note}]} if note else {}


def object_of(value: object) -> Json:
    """Return an object, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects_of(value: object) -> list[Json]:
    """Return the objects of a list; what is no list has none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def whole(value: object) -> Json:
    """Return an object that was asked for by name.

    Raises:
        RetryLater: it is none, so the response cannot be read.
    """
    if not isinstance(value, dict):
        raise unreadable()
    return value


def listed(page: Json, name: str) -> list[Json]:
    """Return the entries of a list, one that is no object as an empty one: a list that is not there is no empty list.

    Raises:
        RetryLater: there is no such list.
    """
    entries = page.get(name)
    if not isinstance(entries, list):
        raise unreadable()
    return [one if isinstance(one, dict) else {} for one in entries]


def warned(lists: Iterable[object]) -> str:
    """Return the kinds of warnings that the pages of a search came with; of those without a known form that they are.

    Experimental at Atlassian: they may be absent, empty, or of another shape.
    """
    kinds = {str(one.get("type") or "unknown")[:60] for warnings in lists for one in objects_of(warnings)}
    return ", ".join(sorted(kinds)) or "unknown"


def unreadable(*, outcome_unknown: bool = False) -> RetryLater:
    """Return the error for a response that is not what Jira writes, or a part of it."""
    return RetryLater(
        "Jira's answer is not readable.",
        outcome_unknown=outcome_unknown,
        code="answer_unreadable",
        detail="it is not what Jira writes",
    )
